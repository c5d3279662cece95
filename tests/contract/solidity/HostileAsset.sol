// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title HostileAsset
/// @notice An asset that can be told to misbehave in each way that a real one has.
contract HostileAsset is ERC20 {
    /// @notice Accounts that may not receive.
    mapping(address => bool) public isBlocked;
    /// @notice Answer false instead of moving anything.
    bool public answersFalse;
    /// @notice Burn this much of every transfer.
    uint256 public keeps;
    /// @notice Called with `callbackData` on every transfer.
    address public callbackTarget;
    bytes public callbackData;
    /// @notice Whether the last callback succeeded.
    bool public callbackSucceeded;

    constructor() ERC20("Hostile", "HOST") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setBlocked(address account, bool isBlockedNow) external {
        isBlocked[account] = isBlockedNow;
    }

    function setAnswersFalse(bool value) external {
        answersFalse = value;
    }

    function setKeeps(uint256 amount) external {
        keeps = amount;
    }

    function setCallback(address target, bytes calldata data) external {
        callbackTarget = target;
        callbackData = data;
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (answersFalse) return false;
        super.transfer(to, amount);
        _after(to);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (answersFalse) return false;
        super.transferFrom(from, to, amount);
        _after(to);
        return true;
    }

    function _after(address to) private {
        require(!isBlocked[to], "blocked");
        if (keeps != 0) _burn(to, keeps);
        if (callbackTarget != address(0)) (callbackSucceeded,) = callbackTarget.call(callbackData);
    }
}

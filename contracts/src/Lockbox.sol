// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {ILockbox} from "./interfaces/ILockbox.sol";
import {Errors} from "./libraries/Errors.sol";

/// @title Lockbox
/// @notice Code of every payment address: minimal proxies point here, so book and asset are the same for all.
contract Lockbox is ILockbox {
    using SafeERC20 for IERC20;

    /// @notice The only account that may ask for the money, and the only one that receives it.
    address public immutable BOOK;
    /// @notice The asset that is paid in.
    IERC20 public immutable ASSET;

    /// @param asset The asset that is paid in; the deployer is the book.
    constructor(IERC20 asset) {
        BOOK = msg.sender;
        ASSET = asset;
    }

    /// @inheritdoc ILockbox
    function release(uint256 amount) external {
        require(msg.sender == BOOK, Errors.NotBook(msg.sender));
        ASSET.safeTransfer(BOOK, amount);
    }
}

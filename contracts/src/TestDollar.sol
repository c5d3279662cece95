// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestDollar
/// @notice The settlement asset of development chains: six decimals, permit, made at will by its minters.
/// @dev Warning: never a settlement asset where money is real.
contract TestDollar is ERC20, ERC20Permit, AccessControl {
    /// @notice Who may make new units.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    /// @param admin Grants and revokes the role of minter, and holds it at first.
    constructor(address admin) ERC20("Carnet Test Dollar", "TUSD") ERC20Permit("Carnet Test Dollar") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
    }

    /// @notice Make new units.
    /// @param to Who receives them.
    /// @param amount Minor units, 10^-6 of a dollar.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(to, amount);
    }

    /// @notice Six, as the dollar tokens in use have.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

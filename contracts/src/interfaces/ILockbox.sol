// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ILockbox
/// @notice The payment address of one receivable (虚拟账户): it can do one thing only.
interface ILockbox {
    /// @notice Pass an amount of the asset on to the book; only the book may ask.
    /// @param amount Minor units.
    function release(uint256 amount) external;
}

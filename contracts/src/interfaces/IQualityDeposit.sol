// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IQualityDeposit
/// @notice What the book asks of a seller's quality deposit (质量保证金).
interface IQualityDeposit {
    /// @notice Whether a seller's free deposit covers one more receivable.
    /// @param seller The seller.
    /// @param face Face of the new receivable, minor units.
    function isCovered(address seller, uint96 face) external view returns (bool);

    /// @notice Set a part of the deposit aside for one receivable; called by the book when it is funded.
    /// @param id The receivable.
    /// @param seller The seller.
    /// @param face Its face, minor units.
    function pledge(bytes32 id, address seller, uint96 face) external;

    /// @notice Free what was set aside; called by the book when the receivable is settled or cancelled.
    /// @param id The receivable.
    function releasePledge(bytes32 id) external;
}

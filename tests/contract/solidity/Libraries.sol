// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accrual} from "src/libraries/Accrual.sol";
import {Merkle} from "src/libraries/Merkle.sol";
import {TypedData} from "src/libraries/TypedData.sol";
import {Legs, Waterfall} from "src/libraries/Waterfall.sol";

/// @title Libraries
/// @notice The libraries by themselves, to be compared with the reference model.
contract Libraries {
    function numerator(uint256 principal, Accrual.Terms calldata terms, uint256 fromDay, uint256 toDay)
        external
        pure
        returns (uint256)
    {
        return Accrual.numerator(principal, terms, fromDay, toDay);
    }

    function interestUp(uint256 numerator_, uint256 basis) external pure returns (uint256) {
        return Accrual.interestUp(numerator_, basis);
    }

    function split(uint256 payment, Legs calldata due) external pure returns (Legs memory) {
        return Waterfall.split(payment, due);
    }

    function paidOf(uint256 received, uint256 fee, uint256 interest, uint256 principalPaid)
        external
        pure
        returns (Legs memory)
    {
        return Waterfall.paidOf(received, fee, interest, principalPaid);
    }

    function isIncluded(bytes32 root, uint64 size, bytes32 leaf, uint64 index, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.isIncluded(root, size, leaf, index, proof);
    }

    /// @notice Type hashes, in the order in which the file declares the types.
    function typeHashes() external pure returns (bytes32[6] memory) {
        return [
            TypedData.CONFIRMATION_TYPEHASH,
            TypedData.FINDING_TYPEHASH,
            TypedData.CANCEL_TYPEHASH,
            TypedData.DILUTION_TYPEHASH,
            TypedData.QUALITY_RATE_TYPEHASH,
            TypedData.QUALITY_CLAIM_TYPEHASH
        ];
    }
}

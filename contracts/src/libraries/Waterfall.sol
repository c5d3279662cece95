// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice The parts of a debt or of a payment, minor units.
/// @param fee Servicing fee, to the treasury.
/// @param interest Interest, late interest first, to the lender.
/// @param principal Principal, to the lender.
/// @param residual What is left, to the seller.
struct Legs {
    uint256 fee;
    uint256 interest;
    uint256 principal;
    uint256 residual;
}

/// @title Waterfall
/// @notice The one order in which every payment is split, whoever pays it.
library Waterfall {
    /// @notice What a lender and the treasury are owed together; never the seller's residual.
    function total(Legs memory due) internal pure returns (uint256) {
        return due.fee + due.interest + due.principal;
    }

    /// @notice What was paid on each leg, from the sum of all payments alone.
    /// @dev The fee is always filled first, and nothing goes to the seller before the debt is paid; so the sum
    /// decides the split, and the book need not store the legs.
    /// @param received Sum of all payments.
    /// @param fee The whole fee.
    /// @param interest The whole interest so far.
    /// @param principalPaid Principal paid back so far.
    function paidOf(uint256 received, uint256 fee, uint256 interest, uint256 principalPaid)
        internal
        pure
        returns (Legs memory paid)
    {
        paid.fee = Math.min(received, fee);
        paid.principal = principalPaid;
        uint256 rest = received - paid.fee - principalPaid;
        paid.interest = Math.min(rest, interest);
        paid.residual = rest - paid.interest;
    }

    /// @notice Split a payment over what is due; the legs sum exactly to it.
    /// @param payment Minor units.
    /// @param due What is owed now; its residual is not read.
    function split(uint256 payment, Legs memory due) internal pure returns (Legs memory legs) {
        legs.fee = Math.min(payment, due.fee);
        uint256 rest = payment - legs.fee;
        legs.interest = Math.min(rest, due.interest);
        rest -= legs.interest;
        legs.principal = Math.min(rest, due.principal);
        legs.residual = rest - legs.principal;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Accrual
/// @notice Days and simple interest, counted the same way everywhere.
/// @dev Only numerators (minor units * basis points * days) are added up; the division happens once, on demand, so
/// that splitting a period or a payment changes nothing.
library Accrual {
    /// @dev Basis points in one.
    uint256 internal constant BPS = 10_000;

    /// @notice What the interest of one receivable depends on.
    /// @param bps Yearly interest, basis points.
    /// @param lateBps Added after the due day, basis points.
    /// @param dueDay Last day at the base rate.
    /// @param frozenFromDay First day of the newest freeze.
    /// @param frozenUntilDay Its end; days in (from, until] never bear the late rate.
    struct Terms {
        uint256 bps;
        uint256 lateBps;
        uint256 dueDay;
        uint256 frozenFromDay;
        uint256 frozenUntilDay;
    }

    /// @notice The UTC day of an instant, days since 1970-01-01.
    function dayOf(uint256 timestamp) internal pure returns (uint32) {
        return uint32(timestamp / 1 days);
    }

    /// @notice The day up to which interest is due: at least one day after funding.
    /// @param fundedDay Day of funding.
    /// @param today Day of the question; an earlier one counts as the day of funding.
    function accrualDay(uint256 fundedDay, uint256 today) internal pure returns (uint256) {
        return Math.max(today, fundedDay + 1);
    }

    /// @notice The numerator of the interest on a constant principal over the days in (fromDay, toDay].
    /// @param principal Outstanding principal, minor units.
    /// @param terms Rates and the days that decide which one applies.
    /// @param fromDay Day up to which interest was counted before.
    /// @param toDay Day up to which it is counted now.
    function numerator(uint256 principal, Terms memory terms, uint256 fromDay, uint256 toDay)
        internal
        pure
        returns (uint256)
    {
        if (toDay <= fromDay) return 0;
        uint256 late = overlap(Math.max(fromDay, terms.dueDay), toDay, terms.dueDay, type(uint256).max);
        uint256 excused = overlap(
            Math.max(fromDay, terms.dueDay), toDay, terms.frozenFromDay, terms.frozenUntilDay
        );
        return principal * (terms.bps * (toDay - fromDay) + terms.lateBps * (late - excused));
    }

    /// @notice How many days two half-open periods (fromDay, toDay] and (start, end] share.
    function overlap(uint256 fromDay, uint256 toDay, uint256 start, uint256 end) internal pure returns (uint256) {
        uint256 first = Math.max(fromDay, start);
        uint256 last = Math.min(toDay, end);
        return last > first ? last - first : 0;
    }

    /// @notice The interest that a numerator stands for, minor units, rounded up (against the payer).
    /// @param numerator_ Sum of principal * basis points * days.
    /// @param basis Days of the interest year.
    function interestUp(uint256 numerator_, uint256 basis) internal pure returns (uint256) {
        return Math.ceilDiv(numerator_, BPS * basis);
    }

    /// @notice A share of an amount, minor units, rounded down.
    function shareDown(uint256 amount, uint256 bps) internal pure returns (uint256) {
        return amount * bps / BPS;
    }
}

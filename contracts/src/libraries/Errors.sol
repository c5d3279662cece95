// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Errors
/// @notice Every reason for which a contract of Carnet refuses a call, with the values that decided it.
library Errors {
    // Common to several contracts.

    /// @notice An address that must name someone is zero, or is the contract itself.
    error AddressInvalid(address account);
    /// @notice A change of roles or keys was not announced, or its waiting time is not over.
    error ChangeNotDue(bytes32 changeHash, uint48 notBefore);
    /// @notice A signature does not come from the key that must sign.
    error SignatureInvalid(address expectedSigner);
    /// @notice The signer of a finding does not hold the role COMPLIANCE.
    error NotCompliance(address signer);
    /// @notice A signed statement was used already, or its signer withdrew it.
    error NonceUsed(address signer, uint256 nonce);
    /// @notice A signed statement came too late. Seconds since 1970.
    error DeadlinePassed(uint64 deadline, uint256 timestamp);
    /// @notice A signed statement would stay valid for too long. Seconds since 1970.
    error DeadlineTooFar(uint64 deadline, uint256 latest);
    /// @notice A finding carries a code that this function does not take.
    error FindingCodeInvalid(uint16 code);
    /// @notice A finding is from the future, older than its validity, or older than the last one.
    error FindingNotCurrent(uint64 issuedAt);

    // AnchorRegistry.

    error NotOriginOwner(bytes32 originHash, address caller);
    error NotPendingOwner(bytes32 originHash, address caller);
    error OriginTaken(bytes32 originHash, address owner);
    error SizeNotIncreasing(uint64 headSize, uint64 size);
    error RootIsZero();

    // ComplianceGate.

    error OriginNotTrusted(bytes32 originHash);
    error OriginOwnerUnexpected(bytes32 originHash, address owner);
    error NotIncluded(bytes32 originHash, uint64 size, uint64 index);
    error TextMalformed();
    error ValidityInvalid(uint32 validFrom, uint32 validUntil);
    error AttestationNotNewer(uint32 storedFrom, uint32 validFrom);

    // ReceivableBook: registration and cancelling.

    error AlreadyRegistered(bytes32 id);
    error StateUnexpected(bytes32 id, uint8 state);
    error FaceIsZero();
    error DueDayOutOfRange(uint32 dueDay, uint32 earliest, uint32 latest);
    error RateOutOfRange(uint16 rate, uint16 limit);
    error BasisInvalid(uint16 basis);
    error GraceOutOfRange(uint16 graceDays, uint16 limit);
    error PlatformUnknown(uint32 platformId);
    error SellerFrozen(address seller, uint32 untilDay);
    error DepositInsufficient(address seller, uint96 face);
    error NotSeller(bytes32 id, address caller);

    // ReceivableBook: funding and repayment.

    error FundedTooEarly(bytes32 id, uint32 earliestDay);
    error FundedTooLate(bytes32 id, uint32 latestDay);
    error ReceivableFrozen(bytes32 id, uint32 untilDay);
    error NotFrozen(bytes32 id);
    error NotEligible(bytes32 id, bytes32 listingHash);
    error TermsOutOfBounds(uint96 advance, uint16 bps);
    error PullNotAuthorised(bytes32 id);
    error LenderIsSeller(bytes32 id);
    error HoldNotReleased(bytes32 id, uint96 held);
    /// @notice What is still to come of the face does not cover advance, fee and interest to the due day.
    error FaceInsufficient(bytes32 id, uint256 expected, uint256 needed);
    error AmountIsZero();
    error NothingOwed(bytes32 id);
    error NothingToSweep(bytes32 id);
    error NothingToClaim(address account);
    error TransferInexact(uint256 expected, uint256 received);

    // Lockbox.

    error NotBook(address caller);
}

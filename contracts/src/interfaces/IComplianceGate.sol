// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding} from "../libraries/TypedData.sol";

/// @notice The fields of a log entry that attests a conforming listing; kind, issuer and version are fixed.
/// @param recordHash SHA-256 of the signed record.
/// @param listingHash SHA-256 that names the listing and its seller: the entry's `subject`.
/// @param validFrom First UTC day of validity, days since 1970-01-01.
/// @param validUntil Last UTC day of validity.
/// @param supersedes Hash of the record it replaces; zero stands for null.
/// @param statusRef Where its status is listed, printable ASCII without quote and backslash; empty stands for null.
struct Attestation {
    bytes32 recordHash;
    bytes32 listingHash;
    uint32 validFrom;
    uint32 validUntil;
    bytes32 supersedes;
    string statusRef;
}

/// @title IComplianceGate
/// @notice Which listings are attested as conforming, learnt from an anchored log and from nobody's word.
interface IComplianceGate {
    /// @notice A conforming attestation was proved to be in the trusted log.
    event Proved(bytes32 indexed listingHash, bytes32 indexed recordHash, uint32 validFrom, uint32 validUntil);
    /// @notice A compliance officer revoked what was attested up to and including a day.
    event Revoked(bytes32 indexed listingHash, uint16 code, bytes32 evidenceHash, uint32 throughDay);

    /// @notice Prove that a conforming attestation is in the log; anyone may.
    /// @param originHash Origin of the log; must be the trusted one.
    /// @param size Number of leaves of an anchored tree.
    /// @param entry The fields of the log entry; the contract rebuilds its canonical bytes.
    /// @param index Index of the entry in the log, from 0.
    /// @param proof Inclusion proof (RFC 9162).
    function prove(
        bytes32 originHash,
        uint64 size,
        Attestation calldata entry,
        uint64 index,
        bytes32[] calldata proof
    ) external;

    /// @notice Revoke a listing by a signed finding: nothing attested up to its day counts any more.
    /// @param listingHash The listing; must be the finding's subject.
    /// @param finding Signed by the role COMPLIANCE, with a code other than 0.
    /// @param signature EIP-712 signature of the finding for this contract.
    function revoke(bytes32 listingHash, Finding calldata finding, bytes calldata signature) external;

    /// @notice Whether a listing has an attestation that is in force, recent enough and not revoked.
    /// @param listingHash The listing.
    /// @param maxAgeDays How many days old the attestation may be.
    function isEligible(bytes32 listingHash, uint32 maxAgeDays) external view returns (bool);

    /// @notice What is known of a listing. Days since 1970-01-01; zeros where nothing is.
    /// @return validFrom First day of the newest proved attestation.
    /// @return validUntil Its last day.
    /// @return revokedThrough Attestations that began on or before this day are revoked.
    function attestationOf(bytes32 listingHash)
        external
        view
        returns (uint32 validFrom, uint32 validUntil, uint32 revokedThrough);

    /// @notice The canonical bytes of the log entry that an attestation stands for.
    function entryBytes(Attestation calldata entry) external view returns (bytes memory);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Findings} from "./Findings.sol";
import {IAnchorRegistry} from "./interfaces/IAnchorRegistry.sol";
import {Attestation, IComplianceGate} from "./interfaces/IComplianceGate.sol";
import {EntryBytes} from "./libraries/EntryBytes.sol";
import {Errors} from "./libraries/Errors.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {Finding} from "./libraries/TypedData.sol";

/// @title ComplianceGate
/// @notice Turns an attestation in an anchored log into a yes or no that another contract can ask for.
contract ComplianceGate is Findings, IComplianceGate {
    /// @dev One slot. Days since 1970-01-01; `findingAt` in seconds.
    struct Listing {
        uint32 validFrom;
        uint32 validUntil;
        uint32 revokedThrough;
        uint64 findingAt;
    }

    /// @notice Where the roots are anchored.
    IAnchorRegistry public immutable REGISTRY;
    /// @notice SHA-256 of the origin line of the only log that is believed.
    bytes32 public immutable TRUSTED_ORIGIN_HASH;

    /// @notice Who must have issued the records. Written once, in the constructor.
    string public trustedIssuer;

    mapping(bytes32 listingHash => Listing) private _listings;

    /// @param registry Where the roots are anchored.
    /// @param originHash The log that is believed.
    /// @param originOwner Who must own that origin now: a squatted origin stops the deployment.
    /// @param issuer Who must have issued the records, printable ASCII without quote and backslash.
    /// @param admin The first administrator, who appoints COMPLIANCE.
    /// @param changeDelay Seconds that a change of roles must wait.
    constructor(
        IAnchorRegistry registry,
        bytes32 originHash,
        address originOwner,
        string memory issuer,
        address admin,
        uint48 changeDelay
    ) Findings("Carnet ComplianceGate", admin, changeDelay) {
        address owner = registry.ownerOf(originHash);
        require(owner == originOwner && owner != address(0), Errors.OriginOwnerUnexpected(originHash, owner));
        require(bytes(issuer).length != 0, Errors.TextMalformed());
        EntryBytes.requireSafe(bytes(issuer));
        REGISTRY = registry;
        TRUSTED_ORIGIN_HASH = originHash;
        trustedIssuer = issuer;
    }

    /// @inheritdoc IComplianceGate
    function prove(
        bytes32 originHash,
        uint64 size,
        Attestation calldata entry,
        uint64 index,
        bytes32[] calldata proof
    ) external {
        require(originHash == TRUSTED_ORIGIN_HASH, Errors.OriginNotTrusted(originHash));
        require(
            entry.validFrom <= entry.validUntil && entry.validFrom <= _today(),
            Errors.ValidityInvalid(entry.validFrom, entry.validUntil)
        );
        Listing storage listing = _listings[entry.listingHash];
        require(
            entry.validFrom > listing.validFrom
                || (entry.validFrom == listing.validFrom && entry.validUntil > listing.validUntil
                    && entry.validFrom > listing.revokedThrough),
            Errors.AttestationNotNewer(listing.validFrom, entry.validFrom)
        );
        bytes32 leaf = Merkle.leafHash(EntryBytes.encode(trustedIssuer, entry));
        require(
            REGISTRY.verifyInclusion(originHash, size, leaf, index, proof),
            Errors.NotIncluded(originHash, size, index)
        );

        listing.validFrom = entry.validFrom;
        listing.validUntil = entry.validUntil;
        emit Proved(entry.listingHash, entry.recordHash, entry.validFrom, entry.validUntil);
    }

    /// @inheritdoc IComplianceGate
    function revoke(bytes32 listingHash, Finding calldata finding, bytes calldata signature) external {
        require(
            finding.id == listingHash && finding.code != CODE_LIFTED, Errors.FindingCodeInvalid(finding.code)
        );
        Listing storage listing = _listings[listingHash];
        _useFinding(finding, signature, listing.findingAt);

        uint32 throughDay = uint32(finding.issuedAt / 1 days);
        listing.findingAt = finding.issuedAt;
        listing.revokedThrough = throughDay;
        emit Revoked(listingHash, finding.code, finding.evidenceHash, throughDay);
    }

    /// @inheritdoc IComplianceGate
    function isEligible(bytes32 listingHash, uint32 maxAgeDays) external view returns (bool) {
        Listing storage listing = _listings[listingHash];
        uint256 today = _today();
        return listing.validFrom != 0 && uint256(listing.validFrom) + maxAgeDays >= today
            && listing.validUntil >= today && listing.validFrom > listing.revokedThrough;
    }

    /// @inheritdoc IComplianceGate
    function attestationOf(bytes32 listingHash)
        external
        view
        returns (uint32 validFrom, uint32 validUntil, uint32 revokedThrough)
    {
        Listing storage listing = _listings[listingHash];
        return (listing.validFrom, listing.validUntil, listing.revokedThrough);
    }

    /// @inheritdoc IComplianceGate
    function entryBytes(Attestation calldata entry) external view returns (bytes memory) {
        return EntryBytes.encode(trustedIssuer, entry);
    }

    function _today() private view returns (uint256) {
        return block.timestamp / 1 days;
    }
}

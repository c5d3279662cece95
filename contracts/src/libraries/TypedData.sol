// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What the platform signs to confirm that it owes a receivable (确权).
/// @param docHash The platform's own hash of its statement; a statement is registered once only.
/// @param listingHash Which listing the goods were sold under, as in the compliance attestation.
/// @param platformId The platform, whose key must sign.
/// @param seller Who is owed the face and receives the advance and the residual.
/// @param face What the platform owes, minor units.
/// @param dueDay UTC day on which it is due, days since 1970-01-01.
/// @param advBps Share of the face that is advanced, basis points.
/// @param bps Yearly interest until the due day, basis points.
/// @param lateBps Yearly interest added after the due day, basis points.
/// @param feeBps Servicing fee, a share of the face, basis points.
/// @param basis Days of the interest year, 360 or 365.
/// @param graceDays Days after the due day before the reserve may be drawn.
/// @param recourse Whether the seller answers for what the platform does not pay.
/// @param nonce Any number the signer has not used before.
/// @param deadline Last second at which the confirmation may be registered, seconds since 1970.
struct Confirmation {
    bytes32 docHash;
    bytes32 listingHash;
    uint32 platformId;
    address seller;
    uint96 face;
    uint32 dueDay;
    uint16 advBps;
    uint16 bps;
    uint16 lateBps;
    uint16 feeBps;
    uint16 basis;
    uint16 graceDays;
    bool recourse;
    uint256 nonce;
    uint64 deadline;
}

/// @notice What a compliance officer signs about one subject.
/// @param id The subject: a receivable, a seller's address (left-padded), or a listing hash.
/// @param code Why; 0 lifts what an earlier finding did.
/// @param evidenceHash SHA-256 of the evidence, which stays off the chain.
/// @param issuedAt When it was signed, seconds since 1970.
/// @param nonce Any number the signer has not used before.
struct Finding {
    bytes32 id;
    uint16 code;
    bytes32 evidenceHash;
    uint64 issuedAt;
    uint256 nonce;
}

/// @notice What the platform signs to cancel a receivable that nobody has funded.
struct Cancel {
    bytes32 id;
    uint256 nonce;
    uint64 deadline;
}

/// @notice What the platform signs when it will pay less than the face: fines and returns.
struct Dilution {
    bytes32 id;
    uint96 amount;
    bytes32 reasonHash;
    uint256 nonce;
    uint64 deadline;
}

/// @notice What the quality attester signs to set a seller's deposit rate.
struct QualityRate {
    address seller;
    uint32 platformId;
    uint16 score;
    uint16 rateBps;
    uint32 periodEnd;
    uint256 nonce;
    uint64 deadline;
}

/// @notice What the platform signs to claim a loss of quality from a pledge.
struct QualityClaim {
    bytes32 id;
    uint96 amount;
    bytes32 evidenceHash;
    uint256 nonce;
    uint64 deadline;
}

/// @title TypedData
/// @notice The EIP-712 types of Carnet and the hashes of their values.
/// @dev Every member is a fixed-size value, so abi.encode of the struct is the concatenation that EIP-712 asks for.
library TypedData {
    bytes32 internal constant CONFIRMATION_TYPEHASH = keccak256(
        "Confirmation(bytes32 docHash,bytes32 listingHash,uint32 platformId,address seller,uint96 face,uint32 dueDay,"
        "uint16 advBps,uint16 bps,uint16 lateBps,uint16 feeBps,uint16 basis,uint16 graceDays,bool recourse,"
        "uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant FINDING_TYPEHASH =
        keccak256("Finding(bytes32 id,uint16 code,bytes32 evidenceHash,uint64 issuedAt,uint256 nonce)");
    bytes32 internal constant CANCEL_TYPEHASH = keccak256("Cancel(bytes32 id,uint256 nonce,uint64 deadline)");
    bytes32 internal constant DILUTION_TYPEHASH =
        keccak256("Dilution(bytes32 id,uint96 amount,bytes32 reasonHash,uint256 nonce,uint64 deadline)");
    bytes32 internal constant QUALITY_RATE_TYPEHASH = keccak256(
        "QualityRate(address seller,uint32 platformId,uint16 score,uint16 rateBps,uint32 periodEnd,"
        "uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant QUALITY_CLAIM_TYPEHASH =
        keccak256("QualityClaim(bytes32 id,uint96 amount,bytes32 evidenceHash,uint256 nonce,uint64 deadline)");

    /// @notice The EIP-712 struct hash of a confirmation.
    function hash(Confirmation calldata c) internal pure returns (bytes32) {
        return keccak256(abi.encode(CONFIRMATION_TYPEHASH, c));
    }

    /// @notice The EIP-712 struct hash of a finding.
    function hash(Finding calldata f) internal pure returns (bytes32) {
        return keccak256(abi.encode(FINDING_TYPEHASH, f));
    }

    /// @notice The EIP-712 struct hash of a cancellation.
    function hash(Cancel calldata c) internal pure returns (bytes32) {
        return keccak256(abi.encode(CANCEL_TYPEHASH, c));
    }

    /// @notice The EIP-712 struct hash of a dilution.
    function hash(Dilution calldata d) internal pure returns (bytes32) {
        return keccak256(abi.encode(DILUTION_TYPEHASH, d));
    }

    /// @notice The EIP-712 struct hash of a quality rate.
    function hash(QualityRate calldata q) internal pure returns (bytes32) {
        return keccak256(abi.encode(QUALITY_RATE_TYPEHASH, q));
    }

    /// @notice The EIP-712 struct hash of a quality claim.
    function hash(QualityClaim calldata q) internal pure returns (bytes32) {
        return keccak256(abi.encode(QUALITY_CLAIM_TYPEHASH, q));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {Roles} from "./Roles.sol";
import {Errors} from "./libraries/Errors.sol";
import {Finding, TypedData} from "./libraries/TypedData.sol";

/// @title Findings
/// @notice Signed statements, each used once: unordered nonces, and the findings of the role COMPLIANCE.
abstract contract Findings is Roles, EIP712 {
    using BitMaps for BitMaps.BitMap;

    /// @notice Seconds for which a finding may be presented after it was signed.
    uint64 public constant FINDING_VALIDITY = 7 days;
    /// @notice The code that lifts what an earlier finding did.
    uint16 public constant CODE_LIFTED = 0;

    mapping(address signer => BitMaps.BitMap) private _nonces;

    /// @param name EIP-712 name of the contract.
    /// @param admin The first administrator.
    /// @param changeDelay Seconds that a change of roles must wait.
    constructor(string memory name, address admin, uint48 changeDelay) Roles(admin, changeDelay) EIP712(name, "1") {}

    /// @notice Withdraw a statement that the caller signed and nobody has used.
    /// @param nonce The nonce of that statement.
    function withdrawNonce(uint256 nonce) external {
        _useNonce(msg.sender, nonce);
    }

    /// @notice Whether a nonce of a signer was used or withdrawn.
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _nonces[signer].get(nonce);
    }

    /// @notice The EIP-712 type hash of a finding.
    function FINDING_TYPEHASH() external pure returns (bytes32) {
        return TypedData.FINDING_TYPEHASH;
    }

    /// @dev Accept a finding once, from the role COMPLIANCE, while it is current and newer than the last one.
    /// @param lastIssuedAt When the last finding about this subject was issued: an older one that was kept back
    /// must not undo a newer one.
    function _useFinding(Finding calldata f, bytes calldata signature, uint64 lastIssuedAt) internal {
        require(
            f.issuedAt <= block.timestamp && f.issuedAt + FINDING_VALIDITY >= block.timestamp
                && f.issuedAt > lastIssuedAt,
            Errors.FindingNotCurrent(f.issuedAt)
        );
        (address signer, ECDSA.RecoverError failure,) =
            ECDSA.tryRecoverCalldata(_hashTypedDataV4(TypedData.hash(f)), signature);
        require(failure == ECDSA.RecoverError.NoError, Errors.SignatureInvalid(address(0)));
        require(hasRole(COMPLIANCE_ROLE, signer), Errors.NotCompliance(signer));
        _useNonce(signer, f.nonce);
    }

    /// @dev Mark a nonce as used, or refuse if it was.
    function _useNonce(address signer, uint256 nonce) internal {
        BitMaps.BitMap storage used = _nonces[signer];
        require(!used.get(nonce), Errors.NonceUsed(signer, nonce));
        used.set(nonce);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Attestation} from "../interfaces/IComplianceGate.sol";
import {Errors} from "./Errors.sol";

/// @title EntryBytes
/// @notice Canonical JSON (RFC 8785) of a log entry that attests a conforming listing.
library EntryBytes {
    /// @dev A longer reference is not one that our log writes.
    uint256 internal constant TEXT_LENGTH_MAX = 256;

    bytes16 private constant HEX_DIGITS = "0123456789abcdef";

    /// @notice The bytes of the entry, members in the order that RFC 8785 asks for.
    /// @param issuer Who signed the record.
    /// @param entry The fields that vary.
    function encode(string memory issuer, Attestation calldata entry) internal pure returns (bytes memory) {
        requireSafe(bytes(entry.statusRef));
        return bytes.concat(
            bytes.concat(
                '{"issuer":"', bytes(issuer), '","kind":"attestation:listing:conforming","recordHash":"',
                toHex(entry.recordHash), '","statusRef":', textOrNull(entry.statusRef),
                ',"subject":"', toHex(entry.listingHash)
            ),
            bytes.concat(
                '","supersedes":', hashOrNull(entry.supersedes),
                ',"v":1,"validFrom":', bytes(Strings.toString(entry.validFrom)),
                ',"validUntil":', bytes(Strings.toString(entry.validUntil)), "}"
            )
        );
    }

    /// @notice Refuse a text that JSON would escape: anything but printable ASCII, a quote, a backslash.
    function requireSafe(bytes memory text) internal pure {
        require(text.length <= TEXT_LENGTH_MAX, Errors.TextMalformed());
        for (uint256 i = 0; i < text.length; ++i) {
            bytes1 c = text[i];
            require(c >= 0x20 && c <= 0x7e && c != '"' && c != "\\", Errors.TextMalformed());
        }
    }

    /// @notice 64 lower-case hex digits.
    function toHex(bytes32 value) internal pure returns (bytes memory digits) {
        digits = new bytes(64);
        for (uint256 i = 0; i < 32; ++i) {
            uint8 octet = uint8(value[i]);
            digits[2 * i] = HEX_DIGITS[octet >> 4];
            digits[2 * i + 1] = HEX_DIGITS[octet & 0x0f];
        }
    }

    /// @notice A quoted text, or null for the empty one.
    function textOrNull(string calldata text) internal pure returns (bytes memory) {
        return bytes(text).length == 0 ? bytes("null") : bytes.concat('"', bytes(text), '"');
    }

    /// @notice A quoted hash, or null for zero.
    function hashOrNull(bytes32 value) internal pure returns (bytes memory) {
        return value == 0 ? bytes("null") : bytes.concat('"', toHex(value), '"');
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle
/// @notice The hashing of RFC 9162, section 2.1, with SHA-256.
library Merkle {
    /// @dev A tree of 2^64 leaves has no longer proof.
    uint256 internal constant PROOF_LENGTH_MAX = 64;

    /// @notice The hash of a leaf: SHA-256 of 0x00 and the entry.
    function leafHash(bytes memory entry) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"00", entry));
    }

    /// @notice The hash of an inner node: SHA-256 of 0x01 and its two children.
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"01", left, right));
    }

    /// @notice Whether a proof leads from a leaf to a root (RFC 9162, section 2.1.3.2).
    /// @param root Root of the tree.
    /// @param size Number of leaves.
    /// @param leaf Leaf hash.
    /// @param index Index of the leaf, from 0.
    /// @param proof Sibling hashes from the leaf upwards.
    function isIncluded(bytes32 root, uint64 size, bytes32 leaf, uint64 index, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= size || proof.length > PROOF_LENGTH_MAX) return false;
        uint256 node = index;
        uint256 last = uint256(size) - 1;
        bytes32 hash = leaf;
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                hash = nodeHash(proof[i], hash);
                // A right-most node without a sibling on its level rises until it is a right child.
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = nodeHash(hash, proof[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && hash == root;
    }
}

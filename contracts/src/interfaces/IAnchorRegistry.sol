// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IAnchorRegistry
/// @notice Roots of append-only logs, each at the size of its tree, written once and for ever.
interface IAnchorRegistry {
    /// @notice The owner of an origin anchored a root.
    /// @param originHash SHA-256 of the origin line of the log's checkpoints.
    /// @param size Number of leaves of the tree.
    /// @param root Root of the tree (RFC 9162).
    /// @param anchoredAt Block time, seconds since 1970.
    event Anchored(bytes32 indexed originHash, uint64 indexed size, bytes32 root, uint64 anchoredAt);
    /// @notice An origin has an owner, by first use or by an accepted hand-over.
    event OriginOwned(bytes32 indexed originHash, address indexed previousOwner, address indexed owner);
    /// @notice The owner named a successor, who must accept; the zero address withdraws the offer.
    event OriginOffered(bytes32 indexed originHash, address indexed owner, address indexed pendingOwner);

    /// @notice Become the owner of an origin that nobody has used.
    /// @param originHash SHA-256 of the origin line.
    function claim(bytes32 originHash) external;

    /// @notice Anchor the root of a tree that is larger than every one anchored before for its origin.
    /// @dev Warning: the registry cannot see whether the smaller tree is a prefix of the larger one: only a
    /// consistency proof between the two shows it, and a verifier must ask for one.
    /// @param originHash SHA-256 of the origin line; an origin nobody owns becomes the caller's.
    /// @param size Number of leaves, strictly more than at the head, below 2^48.
    /// @param root Root of the tree; never zero.
    function anchor(bytes32 originHash, uint64 size, bytes32 root) external;

    /// @notice Offer an origin to a successor, who owns it only after `acceptOrigin`.
    /// @param originHash SHA-256 of the origin line.
    /// @param newOwner The successor; zero withdraws an offer.
    function offerOrigin(bytes32 originHash, address newOwner) external;

    /// @notice Take over an origin that was offered to the caller.
    /// @param originHash SHA-256 of the origin line.
    function acceptOrigin(bytes32 originHash) external;

    /// @notice Who may anchor under an origin; zero where nobody has used it.
    function ownerOf(bytes32 originHash) external view returns (address);

    /// @notice To whom an origin is offered; zero where it is not.
    function pendingOwnerOf(bytes32 originHash) external view returns (address);

    /// @notice The root anchored for a tree size; zero where none was.
    function rootAt(bytes32 originHash, uint64 size) external view returns (bytes32);

    /// @notice The largest anchored tree of an origin.
    /// @return size Number of its leaves, 0 where nothing was anchored.
    /// @return root Its root.
    function head(bytes32 originHash) external view returns (uint64 size, bytes32 root);

    /// @notice When the head of an origin was anchored, seconds since 1970; 0 where nothing was.
    function anchoredAt(bytes32 originHash) external view returns (uint64);

    /// @notice Whether a leaf is in an anchored tree (RFC 9162, section 2.1.3.2).
    /// @param originHash SHA-256 of the origin line.
    /// @param size Number of leaves of an anchored tree; a size that was not anchored gives false.
    /// @param leaf Leaf hash, SHA-256 of 0x00 and the entry.
    /// @param index Index of the leaf, from 0.
    /// @param proof Sibling hashes from the leaf upwards, at most 64; a longer one gives false.
    function verifyInclusion(
        bytes32 originHash,
        uint64 size,
        bytes32 leaf,
        uint64 index,
        bytes32[] calldata proof
    ) external view returns (bool);
}

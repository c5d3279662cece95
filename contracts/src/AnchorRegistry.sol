// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IAnchorRegistry} from "./interfaces/IAnchorRegistry.sol";
import {Errors} from "./libraries/Errors.sol";
import {Merkle} from "./libraries/Merkle.sol";

/// @title AnchorRegistry
/// @notice Roots of append-only logs. No administrator, nothing to upgrade, nothing to remove.
contract AnchorRegistry is IAnchorRegistry {
    using SafeCast for uint256;

    /// @dev One slot, so that an anchor writes two words: this one and the root.
    struct Origin {
        address owner;
        uint48 size;
        uint48 anchoredAt;
    }

    mapping(bytes32 originHash => Origin) private _origins;
    mapping(bytes32 originHash => address) private _pendingOwners;
    mapping(bytes32 originHash => mapping(uint64 size => bytes32)) private _roots;

    /// @inheritdoc IAnchorRegistry
    function claim(bytes32 originHash) external {
        Origin storage origin = _origins[originHash];
        require(origin.owner == address(0), Errors.OriginTaken(originHash, origin.owner));
        _own(originHash, origin, msg.sender);
    }

    /// @inheritdoc IAnchorRegistry
    function anchor(bytes32 originHash, uint64 size, bytes32 root) external {
        Origin storage origin = _origins[originHash];
        if (origin.owner == address(0)) _own(originHash, origin, msg.sender);
        require(origin.owner == msg.sender, Errors.NotOriginOwner(originHash, msg.sender));
        require(size > origin.size, Errors.SizeNotIncreasing(origin.size, size));
        require(root != 0, Errors.RootIsZero());

        origin.size = uint256(size).toUint48();
        origin.anchoredAt = block.timestamp.toUint48();
        _roots[originHash][size] = root;
        emit Anchored(originHash, size, root, uint64(block.timestamp));
    }

    /// @inheritdoc IAnchorRegistry
    function offerOrigin(bytes32 originHash, address newOwner) external {
        require(_origins[originHash].owner == msg.sender, Errors.NotOriginOwner(originHash, msg.sender));
        _pendingOwners[originHash] = newOwner;
        emit OriginOffered(originHash, msg.sender, newOwner);
    }

    /// @inheritdoc IAnchorRegistry
    function acceptOrigin(bytes32 originHash) external {
        require(_pendingOwners[originHash] == msg.sender, Errors.NotPendingOwner(originHash, msg.sender));
        delete _pendingOwners[originHash];
        _own(originHash, _origins[originHash], msg.sender);
    }

    /// @inheritdoc IAnchorRegistry
    function ownerOf(bytes32 originHash) external view returns (address) {
        return _origins[originHash].owner;
    }

    /// @inheritdoc IAnchorRegistry
    function pendingOwnerOf(bytes32 originHash) external view returns (address) {
        return _pendingOwners[originHash];
    }

    /// @inheritdoc IAnchorRegistry
    function rootAt(bytes32 originHash, uint64 size) external view returns (bytes32) {
        return _roots[originHash][size];
    }

    /// @inheritdoc IAnchorRegistry
    function head(bytes32 originHash) external view returns (uint64 size, bytes32 root) {
        size = _origins[originHash].size;
        root = _roots[originHash][size];
    }

    /// @inheritdoc IAnchorRegistry
    function anchoredAt(bytes32 originHash) external view returns (uint64) {
        return _origins[originHash].anchoredAt;
    }

    /// @inheritdoc IAnchorRegistry
    function verifyInclusion(
        bytes32 originHash,
        uint64 size,
        bytes32 leaf,
        uint64 index,
        bytes32[] calldata proof
    ) external view returns (bool) {
        bytes32 root = _roots[originHash][size];
        return root != 0 && Merkle.isIncluded(root, size, leaf, index, proof);
    }

    function _own(bytes32 originHash, Origin storage origin, address newOwner) private {
        emit OriginOwned(originHash, origin.owner, newOwner);
        origin.owner = newOwner;
    }
}

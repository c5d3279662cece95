// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Wallet
/// @notice A contract that signs as its owner does, until it is revoked.
contract Wallet is IERC1271 {
    address public immutable OWNER;
    bool public isRevoked;

    constructor(address owner) {
        OWNER = owner;
    }

    function revoke() external {
        isRevoked = true;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool isValid = !isRevoked && ECDSA.recover(hash, signature) == OWNER;
        return isValid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

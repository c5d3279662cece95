// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IQualityDeposit} from "src/interfaces/IQualityDeposit.sol";

/// @title QualityDepositFake
/// @notice Records what the book asks, and refuses what it is told to refuse.
contract QualityDepositFake is IQualityDeposit {
    bool public isCoveredAnswer = true;
    bool public refusesRelease;
    mapping(bytes32 => uint96) public pledged;
    mapping(bytes32 => bool) public released;

    function setCovered(bool value) external {
        isCoveredAnswer = value;
    }

    function setRefusesRelease(bool value) external {
        refusesRelease = value;
    }

    function isCovered(address, uint96) external view returns (bool) {
        return isCoveredAnswer;
    }

    function pledge(bytes32 id, address, uint96 face) external {
        pledged[id] = face;
    }

    function releasePledge(bytes32 id) external {
        require(!refusesRelease, "refused");
        released[id] = true;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";

import {Errors} from "./libraries/Errors.sol";

/// @title Roles
/// @notice One administrator, handed over in two steps, whose grants are announced before they take effect.
/// @dev The delay is fixed at deployment: 48 hours where money is real, 0 on a development chain. Revoking is
/// always immediate, and so is granting PAUSER, who can stop but not move anything.
abstract contract Roles is AccessControlDefaultAdminRules {
    /// @notice Signs findings: it can hold back a seller's money for a time, and never move it.
    bytes32 public constant COMPLIANCE_ROLE = keccak256("COMPLIANCE_ROLE");
    /// @notice May stop new business, and nothing else; only the administrator resumes it.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice Seconds for which an announced change stays open once its delay is over.
    uint48 public constant CHANGE_WINDOW = 14 days;

    /// @notice Seconds between the announcement of a change and the first moment it may be made.
    uint48 public immutable CHANGE_DELAY;

    /// @notice From when an announced change may be made, seconds since 1970; 0 where it is not announced.
    mapping(bytes32 changeHash => uint48) public changeNotBefore;

    /// @notice A change was announced.
    /// @param changeHash keccak256 of the call.
    /// @param call The call that makes the change, in full.
    /// @param notBefore First second at which it may be made.
    event ChangeAnnounced(bytes32 indexed changeHash, bytes call, uint48 notBefore);

    /// @param admin The first administrator.
    /// @param changeDelay Seconds that a change and a hand-over of the administrator must wait.
    constructor(address admin, uint48 changeDelay) AccessControlDefaultAdminRules(changeDelay, admin) {
        CHANGE_DELAY = changeDelay;
    }

    /// @notice Announce a change: the exact call that the administrator will make after the delay.
    /// @param call Calldata of `grantRole`, or of another function that must be announced.
    function announce(bytes calldata call) external onlyRole(DEFAULT_ADMIN_ROLE) {
        bytes32 changeHash = keccak256(call);
        uint48 notBefore = uint48(block.timestamp) + CHANGE_DELAY;
        changeNotBefore[changeHash] = notBefore;
        emit ChangeAnnounced(changeHash, call, notBefore);
    }

    /// @notice Grant a role; every role but PAUSER must be announced first.
    /// @param role The role.
    /// @param account Who holds it from now on.
    function grantRole(bytes32 role, address account) public override {
        if (role != PAUSER_ROLE) _requireAnnounced();
        super.grantRole(role, account);
    }

    /// @dev The administrator may be replaced but never be nobody: a contract without one could not resume.
    function _beginDefaultAdminTransfer(address newAdmin) internal override {
        require(newAdmin != address(0), Errors.AddressInvalid(newAdmin));
        super._beginDefaultAdminTransfer(newAdmin);
    }

    /// @dev Let this very call pass once, in the window that opens when the delay of its announcement is over.
    function _requireAnnounced() internal {
        if (CHANGE_DELAY == 0) return;
        bytes32 changeHash = keccak256(msg.data);
        uint48 notBefore = changeNotBefore[changeHash];
        require(
            notBefore != 0 && block.timestamp >= notBefore && block.timestamp <= notBefore + CHANGE_WINDOW,
            Errors.ChangeNotDue(changeHash, notBefore)
        );
        delete changeNotBefore[changeHash];
    }
}

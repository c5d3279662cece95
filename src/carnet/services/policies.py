"""The policy that a lender pins to trust one workspace."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from sqlalchemy import Connection

from carnet.chain.deployment import REGISTRY, find_deployments
from carnet.core.errors import NotFoundError
from carnet.core.files import write_atomic
from carnet.core.text import Text
from carnet.ledger.did import did_of_key
from carnet.ledger.entry import KEY_EVENT, KINDS
from carnet.ledger.keys import KeyRole, current_public_key
from carnet.ledger.note import VerifierKey
from carnet.ledger.policy import (
    STEPS_ALWAYS,
    Policy,
    TrustedAnchor,
    TrustedIssuer,
    parse_policy,
)
from carnet.services.keys import first_issuer_key, log_keys, witness_keys
from carnet.services.status_listing import has_list
from carnet.services.workspace import Workspace
from carnet.store.engine import reading


def make_policy(
    workspace: Workspace,
    *,
    as_of: date | None = None,
    independent: Sequence[VerifierKey] = (),
    quorum: int | None = None,
) -> Policy:
    """Return the policy that trusts this workspace: its issuer, its log, its registry.

    It names the issuer's first key, from which logged rotations lead to the present one, and every
    key that the log has signed with, since older checkpoints stand. A lender takes it over after
    comparing the keys by another way than the one the file came by.

    Args:
        workspace: The workspace.
        as_of: The day at which validity is to be judged; the day of verification where None.
        independent: The keys of witnesses that somebody else runs.
        quorum: How many witnesses must have cosigned; all of them where None.

    Raises:
        NotFoundError: There is no key of the issuer or the log yet.
        InputError: There are fewer witnesses than the quorum, or one is named twice.
    """
    settings = workspace.settings
    with reading(workspace.engine) as connection:
        _require_key(connection, "issuer")
        _require_key(connection, "log")
        first = first_issuer_key(connection)
        assert first is not None, "the issuer has a key"
        registry = find_deployments(connection, settings.chain_id).get(REGISTRY)
        has_status = has_list(connection)
    witnesses = (*witness_keys(workspace, is_current=True), *independent)
    required = {*STEPS_ALWAYS, "validity"}
    anchors: tuple[TrustedAnchor, ...] = ()
    if witnesses:
        required.add("witnesses")
    if has_status:
        required |= {"status", "supersession"}
    if registry is not None:
        required.add("anchor")
        anchors = (TrustedAnchor(settings.chain_id, registry.address.lower()),)
    policy = Policy(
        required=frozenset(required),
        issuers=(TrustedIssuer(did_of_key(first), frozenset(KINDS) - {KEY_EVENT}),),
        logs=tuple(log_keys(workspace)),
        anchors=anchors,
        witnesses=witnesses,
        quorum=len(witnesses) if quorum is None else quorum,
        as_of=as_of,
    )
    # What is written can be read again: the reader has the last word on what a policy may say.
    return parse_policy(policy.to_toml().encode())


def write_policy(workspace: Workspace, path: Path, *, as_of: date | None = None) -> Policy:
    """Write the policy that trusts this workspace to a file, and return it."""
    policy = make_policy(workspace, as_of=as_of)
    write_atomic(path, policy.to_toml().encode())
    return policy


def _require_key(connection: Connection, role: KeyRole) -> None:
    if current_public_key(connection, role) is None:
        raise NotFoundError(
            "CRN-L-013",
            Text(
                f"The workspace has no key of the role {role}.", f"工作区没有角色为 {role} 的密钥。"
            ),
            Text(
                "Run `carnet log append`, which makes it.", "请运行 `carnet log append` 生成密钥。"
            ),
        )

"""Appending: the log of a workspace, opened with its keys."""

from collections.abc import Sequence
from typing import Final

from carnet.core.clock import Clock
from carnet.core.errors import VerificationError
from carnet.ledger.append import Log
from carnet.ledger.checkpoint import Checkpoint, cosign
from carnet.ledger.entry import KEY_EVENT
from carnet.ledger.keys import public_keys
from carnet.ledger.keystate import ISSUER_ROLE, statement_of
from carnet.ledger.note import NoteSignature
from carnet.ledger.reader import state_unknown
from carnet.ledger.record import Record, signing_key
from carnet.services.keys import WITNESS_SUFFIX, ensure_key, has_key, log_keys, logged_state
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

PUBLISHED: Final = "log/checkpoint"
"""The published checkpoint, relative to the workspace and outside its database."""

PUBLISH_PAUSE_S: Final = 0.1
"""How long a checkpoint may wait to be published after the one before it was."""


def open_log(workspace: Workspace, clock: Clock) -> Log:
    """Return the log of a workspace, ready to append.

    A witness key in the same workspace cosigns too. It shows how witnesses work; a lender who needs
    one that is independent names another in the policy.

    Raises:
        LedgerFatalError: The log contradicts itself or what it published.
    """
    with reading(workspace.engine) as connection:
        has_issuer = bool(public_keys(connection, "issuer"))
    if not has_issuer:
        ensure_key(workspace, "issuer", clock)
    origin = workspace.settings.log_origin
    cosigners = []
    if has_key(workspace, "witness"):
        witness = ensure_key(workspace, "witness", clock)

        def sign(checkpoint: Checkpoint) -> NoteSignature:
            return cosign(checkpoint, origin + WITNESS_SUFFIX, witness.signer, clock.now())

        cosigners.append(sign)
    return Log(
        workspace.engine,
        signer=ensure_key(workspace, "log", clock).signer,
        origin=origin,
        former=log_keys(workspace),
        clock=clock,
        published=workspace.path / PUBLISHED,
        cosigners=cosigners,
        publish_pause_s=PUBLISH_PAUSE_S,
    )


def append_records(workspace: Workspace, clock: Clock) -> list[int]:
    """Append every record that waits, and return their places in the log.

    Raises:
        LedgerFatalError: The log contradicts itself, or a record of another issuer waits.
    """
    log = open_log(workspace, clock)
    pending = log.pending_records()
    _check_issued(workspace, log, pending)
    # Those that were checked and no others: more may have been staged meanwhile.
    return log.append(pending, are_staged=True)


def _check_issued(workspace: Workspace, log: Log, pending: Sequence[Record]) -> None:
    """Check that this workspace issued what waits, so that nobody else's key gets into its log.

    The keys are replayed in the order that the log will have, so that nothing is appended that a
    key signed after its own end: a verifier would refuse it for ever.
    """
    if not pending:
        return
    with reading(workspace.engine) as connection:
        state = logged_state(connection)
    for position, record in enumerate(pending, start=log.size()):
        try:
            if record.kind == KEY_EVENT:
                is_own = state.apply(position, statement_of(record))
            else:
                is_own = state.is_in_force(ISSUER_ROLE, signing_key(record))
        except VerificationError:
            is_own = False
        if not is_own:
            raise state_unknown(
                "CRN-L-017",
                f"The record {record.record_id} waits for the log, but this workspace did not "
                "issue it with a key in force.",
                f"记录 {record.record_id} 正待写入日志，但并非由本工作区以有效密钥签发。",
            )

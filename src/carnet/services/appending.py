"""Appending: the log of a workspace, opened with its keys."""

from typing import Final

from carnet.core.clock import Clock
from carnet.ledger.append import Log
from carnet.ledger.checkpoint import Checkpoint, cosign
from carnet.ledger.note import NoteSignature
from carnet.services.keys import WITNESS_SUFFIX, ensure_key, has_key
from carnet.services.workspace import Workspace

PUBLISHED: Final = "log/checkpoint"
"""The published checkpoint, relative to the workspace and outside its database."""


def open_log(workspace: Workspace, clock: Clock) -> Log:
    """Return the log of a workspace, ready to append.

    A witness key in the same workspace cosigns too. It shows how witnesses work; a lender who needs
    one that is independent names another in the policy.

    Raises:
        LedgerFatalError: The log contradicts itself or what it published.
    """
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
        clock=clock,
        published=workspace.path / PUBLISHED,
        cosigners=cosigners,
    )


def append_records(workspace: Workspace, clock: Clock) -> list[int]:
    """Append every record that waits, and return their places in the log."""
    return open_log(workspace, clock).append_pending()

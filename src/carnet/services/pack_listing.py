"""Every version of every pack that a workspace knows, and where each stands.

A pack that was never activated here runs in the newest version of the shelf, and is listed so.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from carnet.rules import shelf
from carnet.rules.ast import Pack
from carnet.rules.pack import load_pack
from carnet.services.pack_history import History
from carnet.services.packs import kept_pack, named_versions, newest_on_shelf, pack_histories
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

State = Literal["active", "scheduled", "approved", "proposed", "past", "overtaken", "shelf"]


def state_of(history: History | None, pack: Pack, today: date) -> State:
    """Return where a version stands; `overtaken` is one that was to run and never did."""
    if history is None:
        return "shelf"
    digest = pack.digest.hex()
    current = history.in_force(today)
    if current is not None and current.version.digest == digest:
        return "active"
    states: tuple[tuple[State, Collection[str]], ...] = (
        ("scheduled", {each.version.digest for each in history.scheduled(today)}),
        ("approved", history.approvals.keys()),
        ("proposed", history.proposals.keys()),
        ("past", {each.version.digest for each in history.periods if history.begins(each)}),
        ("overtaken", {each.version.digest for each in history.periods}),
    )
    for state, digests in states:
        if digest in digests:
            return state
    return "shelf"


@dataclass(frozen=True, slots=True)
class ListedPack:
    """One version of a pack.

    Args:
        pack: The version.
        state: Where it stands.
        runs_from: The first day it runs on, where officers named one.
        is_running: Whether it decides today.
        rollback: Whether a rollback to it waits for its approval.
    """

    pack: Pack
    state: State
    runs_from: date | None
    is_running: bool
    rollback: bool

    def to_json(self) -> dict[str, Any]:
        """Return the version as JSON."""
        return {
            "id": self.pack.id,
            "version": self.pack.version,
            "status": self.pack.status,
            "title": self.pack.title.to_json(),
            "jurisdiction": self.pack.jurisdiction,
            "rules": len(self.pack.rules),
            "digest": self.pack.digest.hex(),
            "state": self.state,
            "runs_from": None if self.runs_from is None else self.runs_from.isoformat(),
            "is_running": self.is_running,
            "rollback_waits": self.rollback,
        }


def list_packs(workspace: Workspace, today: date) -> list[ListedPack]:
    """Return the packs of the shelf and those that officers acted on, by id and version.

    Raises:
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    with reading(workspace.engine) as connection:
        histories = pack_histories(connection)
    on_shelf = {each.id for each in shelf.shelved_packs(shelf.SHELF)}
    return [
        each
        for pack_id in sorted(on_shelf | histories.keys())
        for each in _listed(workspace, pack_id, histories.get(pack_id), today)
    ]


def _listed(
    workspace: Workspace, pack_id: str, history: History | None, today: date
) -> Iterator[ListedPack]:
    packs = {pack.digest.hex(): pack for pack in _packs(workspace, pack_id, history)}
    running = _running_digest(pack_id, history, today)
    for digest, pack in sorted(
        packs.items(), key=lambda item: (shelf.version_key(item[1].version), item[0])
    ):
        yield ListedPack(
            pack=pack,
            state=state_of(history, pack, today),
            runs_from=_runs_from(history, digest, today),
            is_running=digest == running,
            rollback=_awaits_rollback(history, digest),
        )


def _packs(workspace: Workspace, pack_id: str, history: History | None) -> Iterator[Pack]:
    for each in shelf.versions_in(shelf.SHELF / pack_id):
        yield load_pack(each.folder)
    if history is not None:
        for digest in {digest for _, digest in named_versions(history)}:
            yield kept_pack(workspace, digest).pack


def _running_digest(pack_id: str, history: History | None, today: date) -> str | None:
    if history is not None and history.is_managed:
        period = history.in_force(today)
        return None if period is None else period.version.digest
    found = newest_on_shelf(pack_id)
    return None if found is None else found.pack.digest.hex()


def _runs_from(history: History | None, digest: str, today: date) -> date | None:
    if history is None:
        return None
    current = history.in_force(today)
    periods = ((current,) if current is not None else ()) + history.scheduled(today)
    days = (each.effective for each in periods if each.version.digest == digest)
    found = next(days, None)
    return None if found == date.min else found


def _awaits_rollback(history: History | None, digest: str) -> bool:
    if history is None or history.rollback is None:
        return False
    return bool(history.rollback.content["packDigest"] == digest)

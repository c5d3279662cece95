"""A receivable's commands, interrupted once at every step of every action, and run again."""

from datetime import timedelta

import pytest

from carnet.chain.devtime import advance_to_day
from carnet.chain.keys import ChainRole
from carnet.chain.receivable import ReceivableState
from carnet.chain.rpc import DEV_CHAIN_ID
from carnet.core.digests import sha256
from carnet.services import dispatching, financing
from carnet.services.chaining import ChainSession
from carnet.services.dispatching import Intent
from carnet.services.receivables import open_book, show, waterfalls
from carnet.services.upkeep import keep_up
from carnet.store import outbox
from carnet.store.engine import reading
from carnet.store.tables import OutboxState
from tests.fixtures_chain import CHAIN_START, FACES_MINOR, LENDER, SELLER

FACE = FACES_MINOR["RCV-1"] * 10_000
ADVANCE = FACE * 4 // 5
STEPS = ("before-plan", "before-send", "after-send", "after-confirm")


class Interruptions:
    """Interrupts each action once at each of its steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._now = ("", "")
        self._original = dispatching._point
        monkeypatch.setattr(dispatching, "_point", self._point)
        monkeypatch.setattr(dispatching, "crash_point", self._crash)

    def _point(self, intent: Intent, step: str) -> str:
        self._now = (intent.key, step)
        return self._original(intent, step)

    def _crash(self, name: str) -> None:
        assert name.partition(".")[2] in STEPS
        if self._now not in self.seen:
            self.seen.add(self._now)
            raise KeyboardInterrupt


def _story(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    day = CHAIN_START.date() + timedelta(days=1)
    advance_to_day(session.rpc, DEV_CHAIN_ID, day)
    financing.fund(session, "RCV-1")
    financing.pay(session, "RCV-1")


def test_receivable__interrupted_at_every_step_still_happens_once(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    interruptions = Interruptions(monkeypatch)
    count = 0
    while True:
        try:
            _story(session)
        except KeyboardInterrupt:
            count += 1
            continue
        break
    actions = {key for key, _ in interruptions.seen}
    assert count == len(interruptions.seen) == len(actions) * len(STEPS)
    kinds = {key.partition(":")[0] for key in actions}
    assert kinds == {"platform", "confirm", "prove", "grant", "mint", "approve", "fund", "pay"}

    book = open_book(session)
    found = show(session, "RCV-1").on_chain
    assert found is not None
    assert (found.state, found.lockbox_balance) == (ReceivableState.FUNDED, FACE)
    assert book.token.read("totalSupply") == FACE + ADVANCE
    assert book.balance_of(session.keys.address(ChainRole.LENDER, LENDER)) == 0
    assert book.balance_of(session.keys.address(ChainRole.SELLER, SELLER)) == ADVANCE
    with reading(session.workspace.engine) as connection:
        states = {action.state for action in outbox.pending(connection)}
    assert states == {OutboxState.CONFIRMED}
    keep_up(session)
    assert [each.paid for each in waterfalls(session, "RCV-1")] == [FACE]


def test_receivable__a_freeze_interrupted_is_one_freeze(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    financing.confirm(session, "RCV-1")
    interruptions = Interruptions(monkeypatch)
    evidence = sha256(b"evidence")
    while len(interruptions.seen) < len(STEPS):
        with pytest.raises(KeyboardInterrupt):
            financing.freeze(session, "RCV-1", code=7, evidence=evidence)
    assert financing.freeze(session, "RCV-1", code=7, evidence=evidence).on_chain is not None
    assert len(open_book(session).contract.events("Frozen")) == 1

import json
from datetime import date, timedelta

import pytest

from carnet.chain.deployment import GATE
from carnet.chain.devtime import advance_to_day
from carnet.chain.gate import Attestation, ComplianceGate
from carnet.chain.keys import ChainRole
from carnet.chain.receivable import ReceivableBook, ReceivableState
from carnet.chain.rpc import DEV_CHAIN_ID
from carnet.core.digests import sha256
from carnet.core.errors import (
    ChainError,
    ChainUnavailableError,
    ConflictError,
    InputError,
    NotFoundError,
    TransactionRevertedError,
)
from carnet.core.money import div_up, mul_bps_down
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.keeper.loop import Keeper
from carnet.ledger.entry import entry_from_json
from carnet.ledger.reader import LogReader
from carnet.services import financing, gating
from carnet.services.anchoring import push
from carnet.services.appending import append_records
from carnet.services.chaining import ChainSession
from carnet.services.receivables import (
    happenings,
    list_all,
    open_book,
    show,
    token_units,
    waterfalls,
)
from carnet.services.upkeep import UpkeepReport, find_due, keep_up
from tests.fixtures_chain import CHAIN_START, CLOCK, FACES_MINOR, LENDER, SELLER, attest
from tests.fixtures_decisions import decide

CONFIRMED_ON = CHAIN_START.date()
EVIDENCE = sha256(b"a nonconforming attestation")


def _day(session: ChainSession, days: int) -> None:
    advance_to_day(session.rpc, DEV_CHAIN_ID, CONFIRMED_ON + timedelta(days=days))


def _fund(session: ChainSession, *names: str) -> None:
    for name in names:
        financing.confirm(session, name)
    _day(session, 1)
    for name in names:
        financing.fund(session, name)


def _balance(session: ChainSession, role: ChainRole, party: str = "") -> int:
    return open_book(session).balance_of(session.keys.address(role, party))


def test_receivable__its_whole_life_sums_to_the_cent(session: ChainSession) -> None:
    face = token_units(FACES_MINOR["RCV-1"], "USD")
    assert face == 42_500_000_000
    _fund(session, "RCV-1")
    advance = mul_bps_down(face, 8_000)
    assert _balance(session, ChainRole.SELLER, SELLER) == advance
    assert show(session, "RCV-1").state is ReceivableState.FUNDED

    _day(session, 31)
    financing.pay(session, "RCV-1")
    assert show(session, "RCV-1").on_chain.lockbox_balance == face  # type: ignore[union-attr]  # confirmed
    assert financing.sweep(session, "RCV-1")
    assert not financing.sweep(session, "RCV-1")

    (waterfall,) = waterfalls(session, "RCV-1")
    fee = mul_bps_down(face, 50)
    interest = div_up(advance * 900 * 30, 10_000 * 360)
    assert (waterfall.paid, waterfall.fee, waterfall.interest, waterfall.principal) == (
        face,
        fee,
        interest,
        advance,
    )
    assert waterfall.residual == face - fee - interest - advance
    assert _balance(session, ChainRole.TREASURY) == fee
    assert _balance(session, ChainRole.LENDER, LENDER) == advance + interest
    assert _balance(session, ChainRole.SELLER, SELLER) == advance + waterfall.residual
    assert show(session, "RCV-1").state is ReceivableState.SETTLED
    names = [event.name for event in happenings(session, "RCV-1")]
    assert names == ["Confirmed", "Funded", "Settled", "Closed", "Swept"]


def test_receivable__every_command_run_again_changes_nothing(session: ChainSession) -> None:
    for _ in range(2):
        financing.confirm(session, "RCV-1")
    _day(session, 1)
    for _ in range(2):
        financing.fund(session, "RCV-1")
    for _ in range(2):
        financing.pay(session, "RCV-1")
    face = token_units(FACES_MINOR["RCV-1"], "USD")
    found = show(session, "RCV-1").on_chain
    assert found is not None
    assert found.lockbox_balance == face
    assert open_book(session).token.read("totalSupply") == face + found.advance


def test_receivable__funded_on_the_day_of_confirmation_is_refused(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    with pytest.raises(TransactionRevertedError, match=r"T\+1") as caught:
        financing.fund(session, "RCV-1")
    assert caught.value.reason.startswith("FundedTooEarly(")
    _day(session, 1)
    assert financing.fund(session, "RCV-1").state is ReceivableState.FUNDED


def test_receivable__frozen_holds_its_own_residual_and_nothing_else(session: ChainSession) -> None:
    _fund(session, "RCV-1", "RCV-2")
    financing.freeze(session, "RCV-2", code=7, evidence=EVIDENCE)
    for name in ("RCV-1", "RCV-2"):
        financing.pay(session, name)
    report = keep_up(session)
    assert len(report.swept) == 2
    (one,), (two,) = waterfalls(session, "RCV-1"), waterfalls(session, "RCV-2")
    frozen = show(session, "RCV-2").on_chain
    free = show(session, "RCV-1").on_chain
    assert free is not None
    assert frozen is not None
    assert (free.held, frozen.held) == (0, two.residual)
    assert two.residual > 0
    lender = _balance(session, ChainRole.LENDER, LENDER)
    assert lender == one.principal + one.interest + two.principal + two.interest

    financing.unfreeze(session, "RCV-2", evidence=sha256(b"a conforming attestation"))
    released = show(session, "RCV-2").on_chain
    assert released is not None
    assert (released.held, released.is_frozen) == (0, False)


def test_finding__the_same_evidence_again_freezes_and_unfreezes_again(
    session: ChainSession,
) -> None:
    financing.confirm(session, "RCV-1")
    for is_holding in (True, True, False, False, True, False):
        if is_holding:
            view = financing.freeze(session, "RCV-1", code=7, evidence=EVIDENCE)
        else:
            view = financing.unfreeze(session, "RCV-1", evidence=EVIDENCE)
        assert view.on_chain is not None
        assert view.on_chain.is_frozen == is_holding
    names = [event.name for event in happenings(session, "RCV-1")]
    assert names == ["Confirmed", "Frozen", "Unfrozen", "Frozen", "Unfrozen"]


def test_finding__taken_but_not_in_force_is_an_error(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    financing.confirm(session, "RCV-1")
    monkeypatch.setattr(ReceivableBook, "is_frozen", lambda *_: False)
    with pytest.raises(ConflictError, match="CRN-H-044"):
        financing.freeze(session, "RCV-1", code=7, evidence=EVIDENCE)


def test_fund__what_the_book_refuses_makes_no_money_and_bars_no_other_lender(
    session: ChainSession,
) -> None:
    financing.confirm(session, "RCV-1")
    with pytest.raises(TransactionRevertedError, match=r"T\+1"):
        financing.fund(session, "RCV-1")
    financing.freeze(session, "RCV-1", code=7, evidence=EVIDENCE)
    _day(session, 1)
    with pytest.raises(TransactionRevertedError, match="ReceivableFrozen"):
        financing.fund(session, "RCV-1")
    assert open_book(session).token.read("totalSupply") == 0
    financing.unfreeze(session, "RCV-1", evidence=EVIDENCE)
    funded = financing.fund(session, "RCV-1", lender_id="LENDER-2")
    assert funded.on_chain is not None
    assert funded.on_chain.lender == session.keys.address(ChainRole.LENDER, "LENDER-2")
    with pytest.raises(TransactionRevertedError, match="StateUnexpected"):
        financing.fund(session, "RCV-1")
    assert open_book(session).token.read("totalSupply") == funded.on_chain.advance


def test_fund__a_lender_that_failed_after_its_money_was_made_bars_no_other(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    financing.confirm(session, "RCV-1")
    with monkeypatch.context() as patched:
        patched.setattr(financing, "_require_fundable", lambda *_: None)
        with pytest.raises(TransactionRevertedError):
            financing.fund(session, "RCV-1")
    _day(session, 1)
    funded = financing.fund(session, "RCV-1", lender_id="LENDER-2")
    assert funded.state is ReceivableState.FUNDED


def test_confirm__again_with_other_terms_or_after_a_cancellation_is_refused(
    session: ChainSession,
) -> None:
    financing.confirm(session, "RCV-1")
    with pytest.raises(ConflictError, match=r"CRN-H-046.*advance 8000, rate 900"):
        financing.confirm(session, "RCV-1", financing.Terms(advance_bps=9_000))
    found = show(session, "RCV-1").on_chain
    assert found is not None
    seller = session.sender(ChainRole.SELLER, SELLER)
    open_book(session).contract.send(seller, "cancel", found.id)
    with pytest.raises(ConflictError, match="CRN-H-045"):
        financing.confirm(session, "RCV-1")


def test_keeper__two_ticks_and_a_dry_run(session: ChainSession) -> None:
    keeper = Keeper(session.workspace, CLOCK)
    _fund(session, "RCV-1", "RCV-2")
    assert keeper.tick(session).due == ()
    for name in ("RCV-1", "RCV-2"):
        financing.pay(session, name)
    looked = keeper.tick(session, is_dry_run=True)
    assert (len(looked.due), looked.swept, looked.gas_used) == (2, (), 0)
    first = keeper.tick(session)
    assert (len(first.due), len(first.swept), first.failed) == (2, 2, ())
    before = session.rpc.block_number()
    second = keeper.tick(session)
    assert (second.due, second.swept) == ((), ())
    assert session.rpc.block_number() == before


def test_keeper__loop_goes_on_after_a_failure_and_ends_when_told(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(session.workspace, CLOCK)
    pauses: list[float] = []
    looks: list[str] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 4

    def flaky(opened: ChainSession, *, is_dry_run: bool = False) -> UpkeepReport:
        looks.append(opened.rpc.shown_url)
        if len(looks) in {2, 3}:
            opened.rpc.close()
            raise ChainUnavailableError("CRN-H-002", Text("gone", "断开"))
        return keep_up(opened, is_dry_run=is_dry_run)

    monkeypatch.setattr("carnet.keeper.loop.keep_up", flaky)
    ticks = list(keeper.run(interval_s=5.0, wait=wait))
    assert [tick.error is None for tick in ticks] == [True, False, False, True]
    assert pauses == [5.0, 10.0, 20.0, 5.0]


def test_keeper__once_is_one_tick(session: ChainSession) -> None:
    keeper = Keeper(session.workspace, CLOCK)
    (tick,) = keeper.run(interval_s=5.0, is_once=True)
    assert tick.report is not None
    assert tick.report.due == ()
    assert find_due(session) == []


def test_gate__a_listing_without_attestation_cannot_be_funded(session: ChainSession) -> None:
    with pytest.raises(NotFoundError, match="CRN-H-040"):
        gating.prove(session, "LST-9", SELLER)
    assert not gating.is_eligible(session, "LST-9", SELLER)


def test_gate__every_pack_that_decided_the_listing_must_be_attested(session: ChainSession) -> None:
    day = CHAIN_START.date()
    decide(session.workspace, case="LST-1", pack="eu-ce", as_of=day)
    decide(session.workspace, case="LST-1", pack="eu-gpsr", as_of=day - timedelta(days=1))
    assert gating.prove(session, "LST-1", SELLER).is_eligible
    decide(session.workspace, case="LST-2", pack="eu-gpsr", as_of=day)
    with pytest.raises(ConflictError, match=r"CRN-H-047.*eu-gpsr"):
        gating.prove(session, "LST-2", SELLER)
    assert not gating.is_eligible(session, "LST-2", SELLER)


def test_gate__a_later_nonconforming_attestation_proves_nothing(session: ChainSession) -> None:
    attest(session.workspace, "LST-2", "nonconforming", CONFIRMED_ON + timedelta(days=1))
    append_records(session.workspace, CLOCK)
    push(session)
    found = gating.prove(session, "LST-2", SELLER)
    assert (found.is_eligible, found.record_hash) == (False, None)
    financing.confirm(session, "RCV-2")
    _day(session, 1)
    with pytest.raises(ChainError, match=r"CRN-H-042.*nonconforming"):
        financing.fund(session, "RCV-2")
    assert gating.prove(session, "LST-1", SELLER).is_eligible


def test_fund__an_older_proof_at_the_gate_does_not_outlive_a_nonconforming_attestation(
    session: ChainSession,
) -> None:
    financing.confirm(session, "RCV-1")
    _day(session, 1)
    assert gating.prove(session, "LST-1", SELLER).is_eligible
    attest(session.workspace, "LST-1", "nonconforming", CONFIRMED_ON + timedelta(days=1))
    append_records(session.workspace, CLOCK)
    push(session)
    assert gating.is_eligible(session, "LST-1", SELLER)
    with pytest.raises(ChainError, match=r"CRN-H-042.*nonconforming"):
        financing.fund(session, "RCV-1")
    assert show(session, "RCV-1").state is ReceivableState.CONFIRMED
    assert open_book(session).token.read("totalSupply") == 0


def test_revoke__once_and_until_an_attestation_of_a_later_day(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    _day(session, 1)
    assert gating.prove(session, "LST-1", SELLER).is_eligible
    for _ in range(2):
        financing.revoke_listing(session, "RCV-1", code=7, evidence=EVIDENCE)
    assert len(session.contract(GATE).events("Revoked")) == 1
    assert not gating.is_eligible(session, "LST-1", SELLER)
    with pytest.raises(ChainError, match=r"CRN-H-042.*revoked"):
        financing.fund(session, "RCV-1")
    _day(session, 2)
    attest(session.workspace, "LST-1", "conforming", CONFIRMED_ON + timedelta(days=2))
    append_records(session.workspace, CLOCK)
    push(session)
    assert financing.fund(session, "RCV-1").state is ReceivableState.FUNDED
    financing.revoke_listing(session, "RCV-1", code=7, evidence=EVIDENCE)
    assert not gating.is_eligible(session, "LST-1", SELLER)
    with pytest.raises(InputError, match="CRN-H-035"):
        financing.revoke_listing(session, "RCV-1", code=0, evidence=EVIDENCE)


def test_gate__the_contract_rebuilds_the_very_entry_of_the_log(session: ChainSession) -> None:
    first = gating.prove(session, "LST-1", SELLER)
    assert first.is_eligible
    assert first.record_hash is not None
    log = LogReader(session.workspace.engine)
    index = log.index_of(first.record_hash)
    assert index is not None
    logged = log.entry(index)
    entry = entry_from_json(json.loads(logged))
    assert entry.valid_from is not None
    assert entry.valid_until is not None
    rebuilt = ComplianceGate(session.contract(GATE)).entry_bytes(
        Attestation(
            entry.record_hash,
            listing_hash("LST-1", SELLER),
            entry.valid_from,
            entry.valid_until,
            entry.supersedes,
            entry.status_ref,
        )
    )
    assert rebuilt == logged
    again = gating.prove(session, "LST-1", SELLER)
    assert (again.is_eligible, again.record_hash) == (True, None)


def test_list_all__tells_what_is_confirmed_and_what_is_not(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    states = {view.fact.id: view.state for view in list_all(session)}
    assert states == {"RCV-1": ReceivableState.CONFIRMED, "RCV-2": ReceivableState.NONE}
    with pytest.raises(NotFoundError, match="CRN-H-030"):
        financing.pay(session, "RCV-2")


def test_receivable__overdue_is_told_by_the_day(session: ChainSession) -> None:
    _fund(session, "RCV-1")
    advance_to_day(session.rpc, DEV_CHAIN_ID, date(2027, 1, 5))
    assert show(session, "RCV-1").state is ReceivableState.OVERDUE

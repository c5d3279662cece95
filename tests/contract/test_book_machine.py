"""The book against the reference model, step by step: equality, not inequality.

Every step is made on both; they must refuse for the same reason or succeed with the same effect.
After every step all balances, claims and records agree, and so does what each receivable would owe
on days to come. The number of steps is printed.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from carnet.contracts import model, typed_data
from tests.fixtures_contracts import MINTED, RevertedError, World, make_world, signer

SELLERS = ("seller", "other seller")
LENDERS = ("lender", "other lender")
PAYERS = ("debtor", "seller", "other seller", "stranger")
RECIPIENTS = ("treasury", *SELLERS, *LENDERS)
ASSET_ERRORS = {"ERC20InsufficientBalance", "Error", "SafeERC20FailedOperation"}
STEPS: Counter[str] = Counter()
EXAMPLES = 60
STEPS_AN_EXAMPLE = 50

amounts = st.one_of(
    st.sampled_from([0, 1, 2, 10, 10**6]),
    st.integers(1, 10**12),
    st.just(model.AMOUNT_MAX),
)
faces = st.one_of(st.integers(1, 50), st.integers(10**6, 10**12))
terms_values = st.fixed_dictionaries(
    {
        "face": faces,
        "due_in": st.integers(2, 40),
        "adv_bps": st.sampled_from([0, 1, 3_333, 8_000, 9_000]),
        "bps": st.sampled_from([0, 7, 900, 3_000]),
        "late_bps": st.sampled_from([0, 1, 600]),
        "fee_bps": st.sampled_from([0, 50, 333, 1_000]),
        "basis": st.sampled_from([360, 365]),
    }
)
spoiled_terms = st.sampled_from(
    [
        {},
        {},
        {},
        {"face": 0},
        {"due_in": 0},
        {"due_in": 367},
        {"adv_bps": 9_001},
        {"fee_bps": 1_001},
        {"bps": 3_500, "late_bps": 200},
        {"basis": 366},
        {"recourse": True},
    ]
)


class BookMachine(RuleBasedStateMachine):
    """One book with two sellers and two lenders."""

    receivables: Bundle[bytes] = Bundle("receivables")

    @initialize(target=receivables, values=st.lists(terms_values, min_size=3, max_size=3))
    def start(self, values: list[dict[str, Any]]) -> MultipleResults[bytes]:
        self.world: World = make_world("HostileAsset")
        self.book = self.world.book
        self.asset = self.world.asset
        admin = signer("admin").address
        role = self.book.read("LENDER_ROLE")
        self.book.send(admin, "grantRole", role, signer("other lender").address)
        for who in ("other seller", "other lender"):
            self.asset.send(admin, "mint", signer(who).address, MINTED)
            self.asset.send(signer(who), "approve", self.book.address, 2**256 - 1)
        people = ("lender", "debtor", "seller", "stranger", "other seller", "other lender")
        self.model = model.Book(model.Asset(dict.fromkeys(people, MINTED)))
        self.ids: list[bytes] = []
        self.sent: Counter[bytes] = Counter()
        for who, chosen in zip((*SELLERS, "seller"), values, strict=True):
            self._register(chosen, who)
        self.wait(1, 0)
        self.fund(self.ids[0], "lender", 0, 10_000)
        return multiple(*self.ids)

    @property
    def today(self) -> int:
        return self.world.chain.today

    def both(self, name: str, on_chain: Callable[[], Any], in_model: Callable[[], Any]) -> bool:
        """Make a step on both; return whether it succeeded."""
        STEPS[name] += 1
        reason = outcome = None
        try:
            on_chain()
        except RevertedError as error:
            outcome = error.name
        try:
            in_model()
        except model.RefusedError as error:
            reason = error.reason
        if reason == "asset":
            assert outcome in ASSET_ERRORS, outcome
        else:
            assert outcome == reason, name
        STEPS["refused" if reason else "succeeded"] += 1
        return reason is None

    @rule(
        target=receivables, values=terms_values, spoil=spoiled_terms, who=st.sampled_from(SELLERS)
    )
    def register(self, values: dict[str, Any], spoil: dict[str, Any], who: str) -> bytes:
        return self._register(values | spoil, who)

    def _register(self, values: dict[str, Any], who: str) -> bytes:
        chosen = dict(values)
        due_day = self.today + chosen.pop("due_in")
        terms = model.Terms(seller=who, due_day=due_day, grace_days=5, **chosen)
        confirmation = self.world.confirmation(
            seller=signer(who).address,
            face=terms.face,
            dueDay=due_day,
            advBps=terms.adv_bps,
            bps=terms.bps,
            lateBps=terms.late_bps,
            feeBps=terms.fee_bps,
            basis=terms.basis,
            graceDays=terms.grace_days,
            recourse=terms.recourse,
        )
        receivable_id = bytes(self.book.read("idOf", 7, confirmation["docHash"]))
        if self.both(
            "register",
            lambda: self.world.bring("register", "Confirmation", confirmation, "platform"),
            lambda: self.model.register(receivable_id.hex(), terms, self.today),
        ):
            self.ids.append(receivable_id)
        return receivable_id

    @rule(
        days=st.sampled_from([0, 0, 1, 1, 2, 5, 30, 61]),
        second=st.sampled_from([0, 43_200, 86_390]),
    )
    def wait(self, days: int, second: int) -> None:
        later = (self.today + days) * model.SECONDS_A_DAY + second
        self.world.chain.set_time(max(later, self.world.chain.now + 1))
        STEPS["wait"] += 1

    @rule(
        target_id=receivables,
        who=st.sampled_from((*LENDERS, "seller")),
        min_advance=st.sampled_from([0, 0, 0, 10**9]),
        max_bps=st.sampled_from([10_000, 10_000, 10_000, 899]),
    )
    def fund(self, target_id: bytes, who: str, min_advance: int, max_bps: int) -> None:
        lender = "lender" if who == "seller" else who
        if self.both(
            "fund",
            lambda: self.book.send(signer(lender), "fund", target_id, min_advance, max_bps),
            lambda: self.model.fund(target_id.hex(), lender, self.today, min_advance, max_bps),
        ):
            STEPS["funded"] += 1
            STEPS["funded after a payment"] += self.sent[target_id] > 0
            self._assert_lender_can_be_repaid(target_id)

    def _assert_lender_can_be_repaid(self, target_id: bytes) -> None:
        """What was sent and is no longer in the lockbox has left room for the whole debt."""
        box = to_checksum_address(self.book.read("lockboxOf", target_id))
        gone = self.sent[target_id] - self.world.balance(box)
        face, due_day = (self.world.record(target_id)[name] for name in ("face", "dueDay"))
        assert gone + self.book.read("quote", target_id, due_day)[3] <= face

    @rule(target_id=receivables, who=st.sampled_from(LENDERS))
    def fund_tomorrow(self, target_id: bytes, who: str) -> None:
        self.wait(1, 0)
        self.fund(target_id, who, 0, 10_000)

    @rule(
        target=receivables,
        values=terms_values,
        percent=st.sampled_from([0, 1, 5, 10, 20, 100]),
        is_frozen=st.booleans(),
    )
    def fund_after_a_payment(
        self, values: dict[str, Any], percent: int, *, is_frozen: bool
    ) -> bytes:
        target_id = self._register(values, "seller")
        if is_frozen:
            self.freeze(target_id)
        self.pay_lockbox_and_sweep(target_id, 1 + values["face"] * percent // 100)
        if is_frozen:
            self.unfreeze(target_id)
        self.fund_tomorrow(target_id, "lender")
        return target_id

    @rule(target_id=receivables, who=st.sampled_from(PAYERS), amount=amounts)
    def settle(self, target_id: bytes, who: str, amount: int) -> None:
        self.both(
            "settle",
            lambda: self.book.send(signer(who), "settle", target_id, amount),
            lambda: self.model.settle(target_id.hex(), who, amount, self.today),
        )

    @rule(target_id=receivables, who=st.sampled_from(SELLERS), amount=amounts)
    def repay_early(self, target_id: bytes, who: str, amount: int) -> None:
        self.both(
            "repayEarly",
            lambda: self.book.send(signer(who), "repayEarly", target_id, amount),
            lambda: self.model.repay_early(target_id.hex(), who, amount, self.today),
        )

    @rule(target_id=receivables, amount=amounts)
    def close_when_nothing_is_owed(self, target_id: bytes, amount: int) -> None:
        self.settle(target_id, "debtor", int(self.book.read("owed", target_id)))
        found = self.model.receivables.get(target_id.hex())
        self.repay_early(target_id, found.terms.seller if found else "seller", amount)

    @rule(target_id=receivables, off_by=st.integers(-1, 1), who=st.sampled_from(PAYERS))
    def settle_about_what_is_owed(self, target_id: bytes, off_by: int, who: str) -> None:
        amount = max(0, int(self.book.read("owed", target_id)) + off_by)
        self.settle(target_id, who, amount)

    @rule(target_id=receivables, amount=amounts.filter(lambda a: 0 < a < MINTED))
    def pay_lockbox(self, target_id: bytes, amount: int) -> None:
        if self.both(
            "pay lockbox",
            lambda: self.world.pay_lockbox(target_id, amount),
            lambda: self.model.asset.move("debtor", model.lockbox(target_id.hex()), amount),
        ):
            self.sent[target_id] += amount

    @rule(target_id=receivables)
    def sweep(self, target_id: bytes) -> None:
        self.both(
            "sweep",
            lambda: self.book.send(signer("stranger"), "sweep", target_id),
            lambda: self.model.sweep(target_id.hex(), self.today),
        )

    @rule(target_id=receivables, amount=amounts.filter(lambda a: 0 < a < MINTED))
    def pay_lockbox_and_sweep(self, target_id: bytes, amount: int) -> None:
        self.pay_lockbox(target_id, amount)
        self.sweep(target_id)

    @rule(swept=st.lists(receivables, max_size=4))
    def perform_upkeep(self, swept: list[bytes]) -> None:
        data = b"".join(target + b"\x01" for target in swept)
        self.both(
            "performUpkeep",
            lambda: self.book.send(signer("stranger"), "performUpkeep", data),
            lambda: self._sweep_each(swept),
        )

    def _sweep_each(self, swept: list[bytes]) -> None:
        """An upkeep equals its single sweeps, the refused ones left out."""
        for target in swept:
            try:
                self.model.sweep(target.hex(), self.today)
            except model.RefusedError:
                continue

    @rule(target_id=receivables)
    def freeze(self, target_id: bytes) -> None:
        self.both(
            "freeze",
            lambda: self.world.freeze(target_id),
            lambda: self.model.freeze(target_id.hex(), self.today),
        )

    @rule(target_id=receivables)
    def unfreeze(self, target_id: bytes) -> None:
        self.both(
            "unfreeze",
            lambda: self.world.freeze(target_id, "unfreeze", code=0),
            lambda: self.model.unfreeze(target_id.hex(), self.today),
        )

    @rule(who=st.sampled_from(SELLERS), is_lifted=st.booleans())
    def freeze_seller(self, who: str, *, is_lifted: bool) -> None:
        subject = typed_data.address_subject(signer(who).address)
        function, code = ("unfreezeSeller", 0) if is_lifted else ("freezeSeller", 9)
        self.both(
            function,
            lambda: self.world.freeze(subject, function, code),
            lambda: (
                self.model.unfreeze_seller(who)
                if is_lifted
                else self.model.freeze_seller(who, self.today)
            ),
        )

    @rule(target_id=receivables, who=st.sampled_from(SELLERS))
    def cancel(self, target_id: bytes, who: str) -> None:
        self.both(
            "cancel",
            lambda: self.book.send(signer(who), "cancel", target_id),
            lambda: self.model.cancel(target_id.hex(), who, self.today),
        )

    @rule(kind=st.sampled_from(["block", "unblock", "pause", "unpause", "donate"]), data=st.data())
    def disturb(self, kind: str, data: st.DataObject) -> None:
        STEPS[kind] += 1
        if kind in {"block", "unblock"}:
            self._block(data.draw(st.sampled_from(RECIPIENTS)), is_blocked=kind == "block")
        elif kind == "donate":
            amount = data.draw(st.integers(1, 10**9))
            self.asset.send(signer("stranger"), "transfer", self.book.address, amount)
            self.model.asset.move("stranger", "book", amount)
        else:
            self._pause(is_paused=kind == "pause")

    def _block(self, who: str, *, is_blocked: bool) -> None:
        self.asset.send(signer("admin"), "setBlocked", signer(who).address, is_blocked)
        change = self.model.asset.blocked.add if is_blocked else self.model.asset.blocked.discard
        change(who)

    def _pause(self, *, is_paused: bool) -> None:
        if self.model.is_paused != is_paused:
            who, function = ("pauser", "pause") if is_paused else ("admin", "unpause")
            self.book.send(signer(who), function)
            self.model.is_paused = is_paused

    @rule(who=st.sampled_from(RECIPIENTS))
    def payout_claim(self, who: str) -> None:
        self.both(
            "payoutClaim",
            lambda: self.book.send(signer("stranger"), "payoutClaim", signer(who).address),
            lambda: self.model.payout_claim(who),
        )

    @invariant()
    def balances_agree(self) -> None:
        balances = self.model.asset.balances
        assert sum(balances.values()) == 6 * MINTED
        for who in (*RECIPIENTS, "debtor", "stranger"):
            assert self.world.balance(who) == self.model.asset.balance(who), who
            claim = self.book.read("claimable", signer(who).address)
            assert claim == self.model.claimable.get(who, 0), who
        assert self.world.balance(self.book.address) == self.model.asset.balance("book")

    @invariant()
    def book_holds_what_it_owes(self) -> None:
        claims = sum(self.model.claimable.values())
        held = sum(r.held for r in self.model.receivables.values())
        donated = self.model.asset.balance("book") - claims - held
        assert donated >= 0

    @invariant()
    def records_agree(self) -> None:
        for receivable_id in self.ids:
            record = self.world.record(receivable_id)
            expected = self.model.receivables[receivable_id.hex()]
            assert record["state"] == expected.state
            assert record["flags"] == expected.flags
            assert record["received"] == expected.received
            assert record["held"] == expected.held
            assert record["diluted"] == min(record["face"], expected.paid_before_funding)
            due_day = expected.terms.due_day
            ended = [max(0, end - max(start, due_day)) for start, end in expected.freezes[:-1]]
            assert record["priorFrozenDays"] == sum(ended)
            frozen = self.book.read("isFrozen", receivable_id)
            assert frozen == expected.is_frozen(self.today)
            if expected.is_open and record["lastDay"]:
                numerator = expected.numerator_on(record["lastDay"])
                assert record["numerator"] == numerator
                assert record["principalPaid"] == expected.paid.principal
            box = to_checksum_address(self.book.read("lockboxOf", receivable_id))
            name = model.lockbox(receivable_id.hex())
            assert self.world.balance(box) == self.model.asset.balance(name)

    @invariant()
    def quotes_agree(self) -> None:
        for receivable_id in self.ids:
            expected = self.model.receivables[receivable_id.hex()]
            for day in (self.today, self.today + 1, self.today + 45):
                due = expected.due_on(day)
                residual = max(0, expected.expected - due.debt) if expected.is_open else 0
                quote = self.book.read("quote", receivable_id, day)
                assert quote == (due.fee, due.interest, due.principal, due.debt, residual)
                state = self.book.read("stateAt", receivable_id, day)
                assert state == expected.state_at(day)

    @invariant()
    def nobody_gets_more_than_is_due(self) -> None:
        for found in self.model.receivables.values():
            paid = found.paid
            assert paid.fee <= found.terms.fee
            assert paid.principal <= found.terms.advance
            if paid.residual:
                assert found.due_on(self.today).debt == 0
                assert paid.total <= max(found.terms.face, paid.debt)


def test_book__equals_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    STEPS.clear()
    run_state_machine_as_test(
        BookMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS_AN_EXAMPLE,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    outcomes = {name: STEPS.pop(name) for name in ("succeeded", "refused")}
    with capsys.disabled():
        print(f"\n  {STEPS.total()} steps, {outcomes}: {dict(STEPS.most_common())}", end="")
    assert STEPS.total() >= EXAMPLES * STEPS_AN_EXAMPLE // 4
    assert outcomes["succeeded"] > EXAMPLES

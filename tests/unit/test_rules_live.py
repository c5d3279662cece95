"""The live engine's plan and pool: which form decides a rule, and that no answer goes astray."""

import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import assemble
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.finding import Prepared, prepare
from carnet.rules.live.compile import Plan, compile_plan
from carnet.rules.live.encoding import Encoder
from carnet.rules.live.pool import Pool, Task, Worker, decide_live
from carnet.rules.run import start_run
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, product, rule

MATCH = [{"c": "certificate"}]
VERIFIED = rule("verified", match=MATCH, when=["c.is_verified"])
ENDED = rule("ended", match=MATCH, when=["c.printed_valid_until < as_of"])


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(size=1)
    yield made
    made.close()


def _facts(count: int) -> list[Fact]:
    groups = (
        (
            listing(f"L{n:04d}", product_id=f"P{n:04d}"),
            product(f"P{n:04d}"),
            certificate(f"K{n:04d}", product_id=f"P{n:04d}", is_verified=n % 3 == 0),
        )
        for n in range(count)
    )
    return list(itertools.chain.from_iterable(groups))


def _ready(pack: Pack, facts: list[Fact]) -> list[Prepared]:
    cases, _ = assemble(start_run(pack, AS_OF, frozenset()), facts)
    return [one for one in map(prepare, cases) if one is not None]


def _reference(pack: Pack, facts: list[Fact]) -> list[Decision]:
    return list(evaluate(pack, facts, AS_OF, "reference").decisions)


def _forms(pack: Pack, *facts: Fact) -> list[tuple[bool, set[int]]]:
    """Return for each ruleset that one case is sent to whether it is plain, and the rules asked."""
    (one,) = _ready(pack, [listing(), product(), *facts])
    plan = compile_plan(one.case.run)
    result = []
    for part in Encoder(plan).encode(one).split("\t"):
        shard = plan.shards[int(part[: part.index("[")])]
        result.append((shard.is_plain, {n for n in shard.rules if f'"a{n}":1' in part}))
    return result


# --- forms ------------------------------------------------------------------------------------


def test_forms__a_rule_whose_values_are_known_is_asked_plainly(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, VERIFIED, ENDED)
    known = certificate(printed_valid_until="2026-01-01")
    assert _forms(pack, known) == [(True, {0, 1})]


def test_forms__a_rule_that_lacks_a_value_is_asked_for_what_may_be(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, VERIFIED, ENDED)
    assert _forms(pack, certificate()) == [(True, {0}), (False, {1})]


def test_forms__asking_whether_a_value_is_there_stays_plain(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(match=MATCH, when=["!has(c.printed_valid_until)"]))
    assert _forms(pack, certificate()) == [(True, {0})]
    (decision,) = evaluate(pack, [listing(), product(), certificate()], AS_OF, "live").decisions
    assert len(decision.findings) == 1


def test_forms__values_that_only_rules_out_of_scope_read_are_not_needed(tmp_path: Path) -> None:
    scoped = ENDED | {"scope": [{"when": "product.is_toy", "reason": {"en": "t", "zh": "t"}}]}
    pack = make_pack(tmp_path, VERIFIED, scoped)
    assert _forms(pack, certificate()) == [(True, {0})]


def test_plan__a_pack_of_many_rules_stays_below_the_limits_of_the_engine(tmp_path: Path) -> None:
    # The anchor of one ruleset would have 300 flags, where the engine takes 255 properties.
    rules = [rule(f"r-{n:03d}", when=["product.is_radio"]) for n in range(300)]
    pack = make_pack(tmp_path, *rules)
    facts = [listing(), product(is_radio=True)]
    decided = list(evaluate(pack, facts, AS_OF, "live").decisions)
    assert len(decided[0].findings) == 300
    assert decided == _reference(pack, facts)


def test_plan__rules_that_read_many_values_stay_below_the_limits_of_the_engine(
    tmp_path: Path,
) -> None:
    # 40 rules with 8 values of their own each: 320 properties of one message, in one ruleset.
    rules = [
        rule(
            f"r-{n:03d}",
            match=MATCH,
            when=[f"days_between(c.issued_on, as_of) + {8 * n + k} > 0" for k in range(8)],
        )
        for n in range(40)
    ]
    pack = make_pack(tmp_path, *rules)
    facts = [listing(), product(), certificate()]
    decided = list(evaluate(pack, facts, AS_OF, "live").decisions)
    assert len(decided[0].findings) == 40
    assert decided == _reference(pack, facts)


# --- the pool ---------------------------------------------------------------------------------


def _kill_at(pool: Pool, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the worker that is given the batch of a number, right then."""
    original = pool._assign
    given: list[Task] = []

    def assign(worker: Worker, task: Task, plan: Plan) -> None:
        original(worker, task, plan)
        given.append(task)
        if len(given) == number:
            os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(pool, "_assign", assign)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_pool__a_killed_worker_loses_neither_its_batch_nor_the_one_that_waits(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pack, facts = make_pack(tmp_path, VERIFIED, ENDED), _facts(400)
    _kill_at(pool, number, monkeypatch)
    assert list(decide_live(_ready(pack, facts), pool)) == _reference(pack, facts)
    assert pool.replaced == 1


def test_pool__a_run_that_is_left_does_not_answer_the_next(tmp_path: Path, pool: Pool) -> None:
    pack, facts = make_pack(tmp_path, VERIFIED), _facts(400)
    left = decide_live(_ready(pack, facts), pool)
    next(left)
    assert isinstance(left, Generator)
    left.close()
    fewer = facts[3 * 200 :]
    assert list(decide_live(_ready(pack, fewer), pool)) == _reference(pack, fewer)


def test_pool__takes_cases_as_workers_have_room(tmp_path: Path, pool: Pool) -> None:
    pack, taken = make_pack(tmp_path, VERIFIED), itertools.count()
    ready = _ready(pack, _facts(2000))
    decisions = decide_live((one for one in ready if next(taken) >= 0), pool)
    next(decisions)
    assert next(taken) < 500
    assert len(list(decisions)) == 1999

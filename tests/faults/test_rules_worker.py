"""The live engine under attack: killed, stopped, flooded and fed what collides."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import durable_rules_engine
import pytest

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import assemble
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.finding import prepare
from carnet.rules.live.compile import Plan, check_names, compile_plan
from carnet.rules.live.encoding import Encoder
from carnet.rules.live.pool import Pool, Task, Worker, decide_live
from carnet.rules.run import start_run
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, product, rule

MATCH = [{"c": "certificate"}]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(size=2, deadline_s=20.0)
    yield made
    made.close()


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path, rule(match=MATCH, when=["!c.is_verified"]))


def _facts(count: int) -> list[Fact]:
    facts: list[Fact] = []
    for n in range(count):
        facts += [
            listing(f"L{n:03d}", product_id=f"P{n}"),
            product(f"P{n}"),
            certificate(f"K{n}", product_id=f"P{n}", is_verified=n % 2 == 0),
        ]
    return facts


def _decide(pack: Pack, facts: list[Fact], pool: Pool) -> list[Decision]:
    cases, _ = assemble(start_run(pack, AS_OF, frozenset()), facts)
    ready = [prepared for prepared in map(prepare, cases) if prepared is not None]
    return list(decide_live(ready, pool))


def _reference(pack: Pack, facts: list[Fact]) -> list[Decision]:
    return list(evaluate(pack, facts, AS_OF, "reference").decisions)


def _when_assigned(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Worker, Task], None]
) -> None:
    original = pool._assign

    def assign(worker: Worker, task: Task, plan: Plan) -> None:
        original(worker, task, plan)
        harm(worker, task)

    monkeypatch.setattr(pool, "_assign", assign)


def test_worker__killed_once_loses_nothing(
    pack: Pack, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = _facts(120)
    killed: list[int] = []

    def kill(worker: Worker, task: Task) -> None:
        if not killed:
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    _when_assigned(pool, monkeypatch, kill)
    assert _decide(pack, facts, pool) == _reference(pack, facts)
    assert pool.replaced == 1


def test_worker__that_one_case_kills_costs_that_case_alone(
    pack: Pack, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = _facts(60)

    def kill(worker: Worker, task: Task) -> None:
        if 7 in task.indexes:
            os.kill(worker.pid, signal.SIGKILL)

    _when_assigned(pool, monkeypatch, kill)
    decided, expected = _decide(pack, facts, pool), _reference(pack, facts)
    assert decided[:7] + decided[8:] == expected[:7] + expected[8:]
    assert decided[7].conformity == "undetermined"
    assert decided[7].errors[0].rule == "case"
    assert decided[7].errors[0].cause == Text(
        "The live engine could not evaluate this case in 2 attempts: the worker process ended.",
        "实时引擎尝试 2 次仍无法评估该案件：工作进程已终止。",
    )


def test_worker__that_died_while_it_had_nothing_to_do_is_replaced(pack: Pack, pool: Pool) -> None:
    """The first write to it fails, which counts as a death and is tried again."""
    facts = _facts(60)
    assert _decide(pack, facts, pool) == _reference(pack, facts)
    killed = len(pool.workers)
    for worker in pool.workers:
        worker.process.kill()
        worker.process.wait()
    assert _decide(pack, facts, pool) == _reference(pack, facts)
    assert pool.replaced == killed > 0


def test_worker__last_word_is_read_although_it_can_no_longer_be_written_to(
    pack: Pack, pool: Pool
) -> None:
    plan, messages = _messages(pack)
    pool.size = 1
    bad = [Task([n], [f"0{json.dumps(messages[:-1])}"]) for n in range(4)]
    answers = [str(answer) for _, answer in pool.run(plan, bad)]
    assert len(answers) == 4
    assert all("lost a message" in answer for answer in answers)


def test_worker__that_stands_still_is_replaced_at_its_deadline(
    pack: Pack, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.deadline_s = 1.0
    stopped: list[int] = []

    def stop(worker: Worker, task: Task) -> None:
        if not stopped:
            stopped.append(worker.pid)
            os.kill(worker.pid, signal.SIGSTOP)

    _when_assigned(pool, monkeypatch, stop)
    facts = _facts(3)
    assert _decide(pack, facts, pool) == _reference(pack, facts)
    assert pool.replaced == 1


def test_fuel__ends_a_case_that_matches_without_end(tmp_path: Path, pool: Pool) -> None:
    three = [{"a": "certificate"}, {"b": "certificate"}, {"c": "certificate"}]
    pack = make_pack(tmp_path, rule(match=three, when=["a.is_verified"]))
    facts = [listing(), product(), *(certificate(f"K{n}") for n in range(12))]
    pool.fuel = 1_000
    (decision,) = _decide(pack, facts, pool)
    assert decision.conformity == "undetermined"
    assert "more than 1000 matches" in decision.errors[0].cause.en
    pool.fuel = 2_000
    assert _decide(pack, facts, pool) == _reference(pack, facts)


# --- traps of the engine, each shown to be real and shown to be guarded ------------------------

COLLIDING = ("costarring", "liquid")
SEEN = {"seen": {"all": [{"a": {"t": 1}}, {"b": {"t": -1}}]}}


def test_trap__raw_engine_takes_colliding_ids_for_one_fact() -> None:
    handle = durable_rules_engine.create_ruleset("collision", json.dumps(SEEN))
    facts = [{"id": name, "sid": "1", "t": 1} for name in COLLIDING]
    code, _ = durable_rules_engine.assert_facts(handle, json.dumps(facts))
    assert code == 2


def test_trap__colliding_ids_are_two_facts(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(match=MATCH, when=["c.is_verified"]))
    facts = [listing(), product(), *(certificate(name) for name in COLLIDING)]
    (decision,) = evaluate(pack, facts, AS_OF, "live").decisions
    assert len(decision.findings) == 2


def test_trap__colliding_names_are_refused() -> None:
    with pytest.raises(RulePackError, match="collide"):
        check_names(COLLIDING)


def test_trap__order_of_facts_changes_nothing(tmp_path: Path) -> None:
    newer = {"d": "certificate", "when": ["d.issued_on > c.issued_on"]}
    pack = make_pack(tmp_path, rule(match=MATCH, without=[newer]))
    facts = [
        listing(),
        product(),
        *(certificate(f"K{n}", issued_on=f"2024-01-0{n}") for n in range(1, 6)),
    ]
    found = {
        json.dumps(evaluate(pack, facts[n:] + facts[:n], AS_OF, "live").to_json())
        for n in range(len(facts))
    }
    assert len(found) == 1
    assert '"K5"' in next(iter(found))


def _messages(pack: Pack) -> tuple[Plan, list[dict[str, object]]]:
    run = start_run(pack, AS_OF, frozenset())
    plan = compile_plan(run)
    (case,), _ = assemble(run, [listing(), product(), certificate(is_verified=False)])
    prepared = prepare(case)
    assert prepared is not None
    payload = Encoder(plan).encode(prepared)
    assert payload.startswith("0[")
    return plan, json.loads(payload[1:])


def _answer(plan: Plan, messages: list[dict[str, object]], pool: Pool) -> object:
    ((_, answer),) = list(pool.run(plan, [Task([0], [f"0{json.dumps(messages)}"])]))
    return answer


def test_trap__message_lost_on_the_way_is_noticed(pack: Pack, pool: Pool) -> None:
    plan, messages = _messages(pack)
    assert _answer(plan, messages, pool) == [[["s0_0", 1]]]
    assert "lost a message" in str(_answer(plan, messages[:-1], pool))


@pytest.mark.parametrize("number", [1e16, 0.00005])
def test_trap__number_the_engine_cannot_read_is_noticed(
    pack: Pack, pool: Pool, number: float
) -> None:
    plan, messages = _messages(pack)
    messages[0]["p0"] = number
    assert isinstance(_answer(plan, messages, pool), Text)
    assert pool.replaced == 2


def test_trap__message_no_rule_knows_is_noticed(pack: Pack, pool: Pool) -> None:
    plan, messages = _messages(pack)
    messages[0]["t"] = 99
    assert "code 1" in str(_answer(plan, messages, pool))


def test_trap__many_rules_about_one_fact_are_spread_over_rulesets(tmp_path: Path) -> None:
    rules = [rule(f"rule-{n}", match=MATCH, when=["c.is_verified"]) for n in range(150)]
    pack = make_pack(tmp_path, *rules)
    plan = compile_plan(start_run(pack, AS_OF, frozenset()))
    assert len(plan.rulesets) > 2
    facts = [listing(), product(), certificate()]
    assert list(evaluate(pack, facts, AS_OF, "live").decisions) == _reference(pack, facts)


def test_trap__messages_hold_integers_alone(pack: Pack) -> None:
    _, messages = _messages(pack)
    for message in messages:
        assert {"id", "sid", "t", "k", "n"} <= message.keys()
        assert {type(value) for name, value in message.items() if name not in {"id", "sid"}} == {
            int
        }

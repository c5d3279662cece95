"""The one entry to the engines: facts and a pack in, decisions out.

Whatever the engine, the same facts give the same bytes but for the engine's name.

Source: docs/spec/pack-format.md; docs/adr/0004-evaluator-triad.md.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from carnet.core.collection import collection_paused
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import Case, each_case
from carnet.rules.decision import (
    NOTHING_EARLIER,
    Decision,
    Earlier,
    Engine,
    EvaluationResult,
)
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import Prepared, conclude, prepare
from carnet.rules.given import FactKey, key_facts
from carnet.rules.run import start_run

ENGINES: tuple[Engine, ...] = ("reference", "live", "bulk", "spark")


def check_engine(name: str) -> Engine:
    """Return the engine of a name.

    Raises:
        InputError: There is no such engine.
    """
    for engine in ENGINES:
        if name == engine:
            return engine
    raise InputError(
        "CRN-R-021",
        Text(f"There is no engine {name!r}.", f"没有引擎 {name!r}。"),
        Text(f"Use one of {', '.join(ENGINES)}.", f"请使用：{'、'.join(ENGINES)}。"),
    )


def _by_reference(prepared: Prepared) -> Decision:
    rules = prepared.case.run.pack.rules
    matches = {index: evaluate_rule(rules[index], prepared.case) for index in prepared.rules}
    return conclude(prepared, matches)


def decide_by_reference(case: Case) -> Decision | None:
    """Return what the reference decides on a case, None where it is no case of the pack."""
    prepared = prepare(case)
    return None if prepared is None else _by_reference(prepared)


def _decide(ready: Iterable[Prepared], engine: Engine) -> Iterator[Decision]:
    if engine == "live":
        from carnet.rules.live.pool import decide_live

        yield from decide_live(ready)
    else:
        yield from (_by_reference(prepared) for prepared in ready)


def _in_bulk(
    pack: Pack,
    facts: Iterable[Fact],
    as_of: date,
    engine: Engine,
    confirmed: frozenset[str],
    earlier: Earlier,
) -> EvaluationResult:
    from carnet.rules.bulk.run import BulkOptions, open_run
    from carnet.rules.bulk.sources import GivenFacts

    source = GivenFacts(tuple(key_facts(facts).values()))
    with open_run(pack, source, as_of, confirmed, earlier, BulkOptions(engine)) as results:
        return results.result()


def _check_earlier(pack: Pack, earlier: Earlier) -> None:
    missing = sorted(set(pack.after) - {one.id for one in earlier.packs})
    if missing:
        raise InputError(
            "CRN-R-064",
            Text(
                f"{pack.id} {pack.version} comes after {missing[0]}, which has not decided.",
                f"{pack.id} {pack.version} 须在 {missing[0]} 之后，而后者尚未判定。",
            ),
            Text(
                f"Evaluate {missing[0]} on the same facts first.",
                f"请先对相同事实运行 {missing[0]}。",
            ),
        )


def evaluate(
    pack: Pack,
    facts: Iterable[Fact],
    as_of: date,
    engine: str = "live",
    confirmed: frozenset[str] = frozenset(),
    earlier: Earlier = NOTHING_EARLIER,
) -> EvaluationResult:
    """Return what a pack decides about facts on a date.

    Args:
        pack: A checked pack.
        facts: The facts, in any order.
        as_of: The date that decides.
        engine: `reference`, `live`, `bulk` or `spark`.
        confirmed: The U parameters of this pack that officers have confirmed.
        earlier: What the packs that it comes after decided; see `carnet.rules.stages.Stages`.

    Raises:
        InputError: The engine is not known, the date is outside the pack's window, a pack that it
            comes after has not decided, or a fact cannot be used.
    """
    chosen = check_engine(engine)
    _check_earlier(pack, earlier)
    if chosen in {"bulk", "spark"}:
        return _in_bulk(pack, facts, as_of, chosen, confirmed, earlier)
    run = start_run(pack, as_of, confirmed)
    with collection_paused():
        cases, given = each_case(run, facts, earlier.facts)
        reached: set[FactKey] = set()

        def ready() -> Iterator[Prepared]:
            for prepared in map(prepare, cases):
                if prepared is not None:
                    reached.update(prepared.case.by_key)
                    yield prepared

        decisions = tuple(_decide(ready(), chosen))
    return EvaluationResult(
        pack=pack.id,
        version=pack.version,
        digest=pack.digest,
        as_of=as_of,
        engine=chosen,
        decisions=decisions,
        unreached=tuple(sorted({(fact.type, fact.id) for fact in given} - reached)),
        after=earlier.packs,
    )

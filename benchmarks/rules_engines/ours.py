"""Carnet's own engines on the workload.

Usage: ours.py NAME

`live` and the others yield what peers yield: product, rule and certificate. `*-decisions` make
Carnet's whole decisions of it, with texts in both languages, values and citations. `bulk` makes
whole findings, as `duckdb-sql-findings` does; `bulk-matches` says which rule holds for which facts,
as Drools and zen do.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import durable_rules_engine
from server import serve
from workload import AS_OF, Match, Record

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import each_case
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import Matches, Prepared, prepare
from carnet.rules.live.compile import compile_plan
from carnet.rules.live.encoding import Encoder
from carnet.rules.live.pool import FUEL, Pool, batches, match_live
from carnet.rules.live.worker import run_case
from carnet.rules.pack import load_pack
from carnet.rules.run import start_run

if TYPE_CHECKING:
    from carnet.rules.bulk.duck import BulkDatabase

PACK = Path(__file__).parent.parent / "packs" / "certificates" / "1.0.0"


def facts_of(records: Sequence[Record]) -> list[Fact]:
    """Return the workload as facts."""
    return [Fact(kind, name, MappingProxyType(fields)) for kind, name, fields in records]


def prepared(pack: Pack, facts: Iterable[Fact]) -> Iterator[Prepared]:
    """Yield the cases of some facts."""
    cases, _ = each_case(start_run(pack, AS_OF, frozenset()), facts)
    return (one for one in map(prepare, cases) if one is not None)


def matched(pack: Pack, one: Prepared, found: Mapping[int, Matches]) -> Iterator[Match]:
    """Yield the matches of one case."""
    product = one.case.anchor.id
    for index, matches in found.items():
        assert not matches.unsure, "every value of the workload is known"
        rule = pack.rules[index].id
        for choice in matches.sure:
            yield product, rule, choice[0].id if choice else ""


def decided(decisions: Iterable[Decision]) -> Iterator[Match]:
    """Yield the findings of decisions as matches."""
    for decision in decisions:
        for finding in decision.findings:
            certificates = [name for kind, name in finding.facts if kind == "certificate"]
            yield decision.case[1], finding.rule, certificates[0] if certificates else ""


# --- engines ----------------------------------------------------------------------------------


def _live(size: int) -> None:
    pack, pool = load_pack(PACK), Pool(size)

    def run(facts: list[Fact]) -> Iterator[Match]:
        for one, found in match_live(prepared(pack, facts), pool):
            assert not isinstance(found, Text), found
            yield from matched(pack, one, found)

    serve(run, facts_of)


def _decisions(engine: str) -> None:
    pack = load_pack(PACK)

    def run(facts: list[Fact]) -> Iterator[Match]:
        return decided(evaluate(pack, facts, AS_OF, engine).decisions)

    serve(run, facts_of)


_MAKE = "CREATE TABLE made AS FROM "
"""Every column of the findings, texts too."""
_LISTED = "SELECT case_id, rule, CASE WHEN len(facts) = 2 THEN facts[1].id ELSE '' END FROM "


def _parquet(records: Sequence[Record]) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    folder = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    for kind in ("product", "certificate"):
        rows = [{"id": name, **fields} for of, name, fields in records if of == kind]
        parquet.write_table(pa.Table.from_pylist(rows), folder / f"{kind}.parquet")
    return folder


def _bulk_files() -> None:
    """Decide facts in Parquet files, every value checked; findings are read as rows."""
    from carnet.rules.bulk.run import open_run
    from carnet.rules.bulk.sources import FactFiles

    pack = load_pack(PACK)

    def run(folder: Path) -> list[Match]:
        with open_run(pack, FactFiles(folder), AS_OF) as results:
            results.database.execute(_MAKE + results.shown["finding"])
            return results.database.rows(f"{_LISTED} made")

    serve(run, _parquet)


def _bulk(read: Callable[["BulkDatabase"], list[Match]]) -> None:
    """Decide facts that were checked and stand in tables; the pack is compiled once.

    Args:
        read: Reads the answer.
    """
    from carnet.rules.bulk.batches import run_on_duck
    from carnet.rules.bulk.run import compiled, open_facts
    from carnet.rules.bulk.sources import FactFiles

    pack, opened = load_pack(PACK), ExitStack()

    def load(records: Sequence[Record]) -> "BulkDatabase":
        opened.close()
        return opened.enter_context(open_facts(FactFiles(_parquet(records))))

    def run(database: "BulkDatabase") -> list[Match]:
        run_on_duck(database, compiled(pack, AS_OF, frozenset(), "bulk"))
        found = read(database)
        database.clear()
        return found

    serve(run, load)


def _findings(database: "BulkDatabase") -> list[Match]:
    """Make whole findings, texts and values too; read what they are about."""
    database.create("made", f"FROM {database.relation('r_finding')}")
    return database.rows(f"{_LISTED} made")


def _matches(database: "BulkDatabase") -> list[Match]:
    """Read what the findings are about, from keys alone: no text is built.

    That is as much as engines give that say which rule holds for which facts. All else is done: the
    verdict on each case, and the search for values that are missing.
    """
    query = f"{_LISTED} {database.relation('r_match')}"
    table = database.reader(query).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _reference() -> None:
    pack = load_pack(PACK)

    def run(facts: list[Fact]) -> Iterator[Match]:
        for one in prepared(pack, facts):
            found = {n: evaluate_rule(pack.rules[n], one.case) for n in one.rules}
            yield from matched(pack, one, found)

    serve(run, facts_of)


def _encoded(pack: Pack, records: Sequence[Record]) -> tuple[Any, Encoder, list[Prepared]]:
    ready = list(prepared(pack, facts_of(records)))
    plan = compile_plan(ready[0].case.run)
    return plan, Encoder(plan), ready


def _bare_loop() -> None:
    """Drive the C module on messages that are already encoded, in this process."""
    pack = load_pack(PACK)
    handles: dict[str, Any] = {}

    def load(records: Sequence[Record]) -> tuple[Encoder, list[Prepared], list[tuple[Any, str]]]:
        plan, encoder, ready = _encoded(pack, records)
        for ruleset in plan.rulesets:
            if ruleset not in handles:
                name = f"bare{len(handles)}"
                handles[ruleset] = durable_rules_engine.create_ruleset(name, ruleset)
        cases = []
        for one in ready:
            payload = encoder.encode(one)
            start = payload.index("[")
            handle = handles[plan.rulesets[int(payload[:start])]]
            cases.append((handle, payload[start:]))
        return encoder, ready, cases

    def run(held: tuple[Encoder, list[Prepared], list[tuple[Any, str]]]) -> list[Any]:
        rows: list[list[Any]] = []
        for handle, messages in held[2]:
            case: list[Any] = []
            run_case(handle, messages, FUEL, case)
            rows.append(case)
        return rows

    _serve_rows(pack, run, load)


def _pool_loop(size: int) -> None:
    """Send the same encoded messages through workers."""
    pack, pool = load_pack(PACK), Pool(size)

    def load(records: Sequence[Record]) -> tuple[Encoder, list[Prepared], Any, list[Any]]:
        plan, encoder, ready = _encoded(pack, records)
        return encoder, ready, plan, list(batches(enumerate(ready), encoder))

    def run(held: tuple[Encoder, list[Prepared], Any, list[Any]]) -> list[Any]:
        rows: list[Any] = [None] * len(held[1])
        for task, answer in pool.run(held[2], held[3]):
            for index, one in zip(task.indexes, answer, strict=True):
                rows[index] = one
        return rows

    _serve_rows(pack, run, load)


def _serve_rows(
    pack: Pack, run: Callable[[Any], list[Any]], load: Callable[[Sequence[Record]], Any]
) -> None:
    """Serve what yields an engine's own rows; they are read as matches outside of the time."""

    def read(held: Any, rows: list[Any]) -> Iterator[Match]:
        encoder, ready = held[0], held[1]
        for one, case in zip(ready, rows, strict=True):
            yield from matched(pack, one, encoder.decode(one, case))

    serve(run, load, read)


ENGINES: dict[str, Callable[[], None]] = {
    "live-single": lambda: _live(1),
    "live-pool": lambda: _live(2),
    "live-decisions": lambda: _decisions("live"),
    "reference": _reference,
    "reference-decisions": lambda: _decisions("reference"),
    "bulk": lambda: _bulk(_findings),
    "bulk-matches": lambda: _bulk(_matches),
    "bulk-files": _bulk_files,
    "bare-loop": _bare_loop,
    "pool-loop-single": lambda: _pool_loop(1),
    "pool-loop": lambda: _pool_loop(2),
}

if __name__ == "__main__":
    ENGINES[sys.argv[1]]()

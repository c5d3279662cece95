"""A bulk run: facts into tables, the steps of the pack over them, decisions out.

Source: docs/adr/0004-evaluator-triad.md; docs/adr/0011-packs-become-sql.md.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from carnet.core.digests import PackDigest
from carnet.facts.fact import Fact
from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES
from carnet.rules.ast import Pack, Path
from carnet.rules.bulk.batches import run_on_duck
from carnet.rules.bulk.compile import compile_pack
from carnet.rules.bulk.duck import BulkDatabase, BulkLimits
from carnet.rules.bulk.loading import Loader
from carnet.rules.bulk.output import Results, handed_cases, show_results
from carnet.rules.bulk.sieve import named, quoted
from carnet.rules.bulk.sources import FactSource, facts_in
from carnet.rules.bulk.steps import Program
from carnet.rules.case import Run, assemble
from carnet.rules.decision import NOTHING_EARLIER, Decision, Earlier, Engine, EvaluationResult
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import conclude, prepare
from carnet.rules.run import start_run


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How a bulk run is made.

    Args:
        engine: `bulk` is DuckDB, `spark` is Spark.
        limits: What it takes at most.
    """

    engine: Engine = "bulk"
    limits: BulkLimits = field(default_factory=BulkLimits)


_DEFAULT = BulkOptions()


@contextmanager
def open_facts(
    source: FactSource, options: BulkOptions = _DEFAULT, earlier: Collection[Fact] = ()
) -> Iterator[BulkDatabase]:
    """Load facts into a database of their own, for a ``with``.

    Raises:
        InputError: Something is wrong with a fact.
    """
    with BulkDatabase(options.limits, is_small=source.is_small) as database:
        loader = Loader(database)
        loader.add_facts(earlier)
        source.load(loader)
        yield database


@contextmanager
def open_run(
    pack: Pack,
    source: FactSource,
    as_of: date,
    confirmed: frozenset[str] = frozenset(),
    earlier: Earlier = NOTHING_EARLIER,
    options: BulkOptions = _DEFAULT,
) -> Iterator[Results]:
    """Decide what a pack decides about facts on a date, for a ``with``.

    Args:
        pack: A checked pack.
        source: The facts.
        as_of: The date that decides.
        confirmed: The U parameters of this pack that officers have confirmed.
        earlier: What the packs that it comes after decided.
        options: How the run is made.

    Raises:
        InputError: The date is outside the pack's window, or a fact cannot be used.
    """
    # What is wrong with the date is said before the facts are read.
    start_run(pack, as_of, confirmed)
    with open_facts(source, options, earlier.facts) as database:
        yield decide(pack, database, as_of, confirmed, earlier, options)


def decide(
    pack: Pack,
    database: BulkDatabase,
    as_of: date,
    confirmed: frozenset[str] = frozenset(),
    earlier: Earlier = NOTHING_EARLIER,
    options: BulkOptions = _DEFAULT,
) -> Results:
    """Return what a pack decides about loaded facts; `BulkDatabase.clear` makes room for another.

    Args:
        pack: A checked pack.
        database: The facts, those of `earlier` among them, and nothing that another pack left.
        as_of: The date that decides.
        confirmed: The U parameters of this pack that officers have confirmed.
        earlier: What the packs that it comes after decided.
        options: How the run is made.

    Raises:
        InputError: The date is outside the pack's window.
    """
    run = start_run(pack, as_of, confirmed)
    program = compiled(pack, as_of, run.confirmed, options.engine)
    _execute(program, database, options.engine)
    handed = tuple(_by_reference(run, database, handed_cases(database)))
    shown = show_results(database, handed, _unread(pack))
    header = EvaluationResult(
        pack=pack.id,
        version=pack.version,
        digest=pack.digest,
        as_of=as_of,
        engine=options.engine,
        decisions=(),
        after=earlier.packs,
    )
    return Results(database, header, pack.case.fact_type, shown)


_PROGRAMS_MAX = 8
_programs: dict[tuple[PackDigest, date, frozenset[str], Engine], tuple[Pack, Program]] = {}


def compiled(pack: Pack, as_of: date, confirmed: frozenset[str], engine: Engine) -> Program:
    """Return a compiled pack; one that was compiled lately is not compiled again.

    Args:
        pack: A checked pack.
        as_of: The date of the decisions, within the pack's window.
        confirmed: The U parameters that officers have confirmed.
        engine: The engine that is to run it: rendering may change the queries.
    """
    key = pack.digest, as_of, confirmed, engine
    known = _programs.pop(key, None)
    # A pack in memory may have been changed since its digest was made, as tests of packs do.
    if known is None or not (known[0] is pack or known[0] == pack):
        known = pack, Program(compile_pack(pack, as_of, confirmed))
    _programs[key] = known
    while len(_programs) > _PROGRAMS_MAX:
        _programs.pop(next(iter(_programs)))
    return known[1]


def _execute(program: Program, database: BulkDatabase, engine: Engine) -> None:
    if engine == "spark":
        from carnet.rules.bulk.spark import run_on_spark

        run_on_spark(program, database)
    else:
        run_on_duck(database, program)


def _unread(pack: Pack) -> list[str]:
    """Return the types that can be imported and that the pack does not read."""
    read = {pack.case.fact_type, *(path.fact_type for path in pack.paths)}
    return sorted(FACT_TYPES.keys() - read)


# --- cases for the reference ------------------------------------------------------------------


def _by_reference(
    run: Run, database: BulkDatabase, case_ids: Collection[str]
) -> Iterator[Decision]:
    """Yield the decisions of the reference on a few cases, from the facts that reach them."""
    if not case_ids:
        return
    wanted = set(case_ids)
    near = list(facts_reaching(run.pack, database, case_ids))
    earlier = [fact for fact in near if fact.type in COMPUTED_TYPES]
    cases, _ = assemble(run, [fact for fact in near if fact.type in FACT_TYPES], earlier)
    for prepared in map(prepare, cases):
        if prepared is not None and prepared.case.anchor.id in wanted:
            rules = run.pack.rules
            matches = {
                index: evaluate_rule(rules[index], prepared.case) for index in prepared.rules
            }
            yield conclude(prepared, matches)


def facts_reaching(pack: Pack, database: BulkDatabase, case_ids: Collection[str]) -> Iterator[Fact]:
    """Yield the facts on the paths to some cases, and the facts that these cases are about."""
    case_type = quoted(pack.case.fact_type)
    listed = ", ".join(map(quoted, case_ids))
    database.execute(
        f"CREATE TABLE handed_near AS SELECT {case_type} AS type, unnest([{listed}]) AS id"
    )
    present = {name for name, one in database.facts.items() if one.count}
    for path in pack.paths:
        types = {path.fact_type, *(link.far_type for link in path.links)}
        if {f"f_{name}" for name in types} <= present:
            database.execute(f"INSERT INTO handed_near {_near_query(path)}")
    yield from facts_in(database, "(type, id) IN (SELECT type, id FROM handed_near)")
    database.execute("DROP TABLE handed_near")


def _near_query(path: Path) -> str:
    """Return the query of the facts along one path that leads to facts that are near."""
    types = [path.fact_type, *(link.far_type for link in path.links)]
    tables = [f"{named('f_' + name)} AS t{place}" for place, name in enumerate(types)]
    joined = [
        f"t{place}.{named(link.near_field)} = t{place + 1}.{named(link.far_field)}"
        for place, link in enumerate(path.links)
    ]
    end = f"({quoted(types[-1])}, t{len(types) - 1}.id) IN (SELECT type, id FROM handed_near)"  # noqa: S608 (names of the schema)
    # The facts between the two are needed for the walk; what reaches no case does no harm.
    selected = [f"({quoted(name)}, t{place}.id)" for place, name in enumerate(types)]
    pairs = f"unnest([{', '.join(selected)}])" if path.links else selected[0]
    where = " AND ".join([*joined, end] if path.links else ["true"])
    inner = f"SELECT {pairs} AS pair FROM {', '.join(tables)} WHERE {where}"  # noqa: S608 (the same)
    return f"SELECT DISTINCT pair[1] AS type, pair[2] AS id FROM ({inner})"  # noqa: S608 (the same)

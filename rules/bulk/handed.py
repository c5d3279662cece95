"""Cases that the reference decides: too many facts for a rule, or too many links for a closure.

How many combinations of facts a rule tries in a case is bounded (PF-18). The bound is checked in
two rounds: the first looks at each type alone and lets nearly everything pass; only what it holds
back is counted exactly, and what is still above the bound by the numbers of facts alone goes to the
reference, whose lines may narrow it further.

Source: docs/spec/pack-format.md, PF-18.
"""

from collections.abc import Iterator, Sequence
from math import prod

from sqlglot import exp

from carnet.rules.budget import COMBINATIONS_MAX, combinations
from carnet.rules.bulk.closures import many_links
from carnet.rules.bulk.plan import ALL_TYPES, OF_CASE, Plan
from carnet.rules.bulk.sql import (
    Sql,
    aliased,
    all_of,
    cast,
    coalesced,
    column,
    compared,
    either,
    equal,
    name_of,
    number,
    relation,
    text,
)

_FEW_BUCKETS, _MANY_BUCKETS, _LIMIT_HIGH = 1024, 65_536, 50_000


def _limits(plan: Plan) -> dict[str, int]:
    """Return for each type how many facts in one case no rule can find too many."""
    result: dict[str, int] = {}
    for rule in plan.pack.rules:
        rows = [count_of(plan, kind) for _, kind in rule.match]
        blocks = [count_of(plan, one.fact_type) for one in rule.without]
        factors = rows.count(None) + (1 if blocks else 0)
        if not factors:
            continue
        # Each block adds its facts: at most as many blocks as there are times the most facts.
        known = prod(max(one, 1) for one in rows if one is not None)
        known *= max(len(blocks), 1) * max([one for one in blocks if one], default=1)
        limit = _root(COMBINATIONS_MAX // known, factors)
        for _, fact_type in rule.aliases:
            result[fact_type] = min(limit, result.get(fact_type, limit))
    return {kind: limit for kind, limit in result.items() if count_of(plan, kind) is None}


def count_of(plan: Plan, fact_type: str) -> int | None:
    """Return how many facts of a type a case has at most; None where only the facts say."""
    if fact_type == plan.pack.case.fact_type:
        return 1
    table = plan.pack.tables.get(fact_type)
    return None if table is None else len(table.rows)


def _root(number: int, degree: int) -> int:
    """Return the integer root of a number, rounded down."""
    low, high = 0, number
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
    return low


def _counted(plan: Plan, fact_type: str) -> exp.Select:
    """Return the number of facts of a type by held back case."""
    held = exp.select("case_id").from_(relation("s", "h"))
    return (
        exp.select(
            aliased(column("m", OF_CASE), "case_id"),
            aliased(exp.Count(this=exp.Star()), "n"),
        )
        .from_(relation(plan.members[fact_type].relation, "m"))
        .where(exp.In(this=column("m", OF_CASE), query=held.subquery()))
        .group_by(column("m", OF_CASE))
    )


def _many(plan: Plan, fact_type: str, limit: int) -> exp.Select:
    """Return the cases with more facts of a type than its limit."""
    member = plan.members[fact_type]
    if not member.has_case:
        # Facts that are in every case: all cases have too many or none has.
        total = exp.select(exp.Count(this=exp.Star())).from_(relation(member.relation, "m"))
        query = exp.select(aliased(column("c", "id"), "case_id"))
        query = query.from_(relation(f"f_{plan.pack.case.fact_type}", "c"))
        return query.where(compared(total.subquery(), ">", number(limit)))
    # Facts are counted by a hash of their case first, which takes a small table; a case with too
    # many is in a bucket with too many, and nearly always there is none.
    count = _FEW_BUCKETS if limit > _LIMIT_HIGH else _MANY_BUCKETS
    crowded = exp.select(_bucket("n", count)).from_(relation(member.relation, "n"))
    crowded = crowded.group_by(_bucket("n", count)).having(
        compared(exp.Count(this=exp.Star()), ">", number(limit))
    )
    query = exp.select(aliased(column("m", OF_CASE), "case_id")).from_(
        relation(member.relation, "m")
    )
    query = query.where(exp.In(this=_bucket("m", count), query=crowded.subquery()))
    return query.group_by(column("m", OF_CASE)).having(
        compared(exp.Count(this=exp.Star()), ">", number(limit))
    )


def _bucket(table: str, count: int) -> Sql:
    hashed = exp.Anonymous(this="HASH", expressions=[column(table, OF_CASE)])
    return exp.Paren(this=exp.Mod(this=hashed, expression=number(count)))


def _product(counts: Sequence[Sql]) -> Sql:
    """Return a product that is cut off above the bound, so that it cannot overflow."""
    most = number(COMBINATIONS_MAX + 1)
    result: Sql = number(1)
    for one in counts:
        product = exp.Mul(this=result, expression=_least(one, most))
        result = _least(product, most)
    return result


def _least(one: Sql, other: Sql) -> Sql:
    # Neither is ever NULL; what DuckDB is told of NULL else repeats both, and each level doubles.
    return exp.Least(this=one, expressions=[other], ignore_nulls=True)


def _excess(matched: Sequence[Sql], blocks: Sequence[Sql]) -> Iterator[Sql]:
    """Yield the numbers of combinations of which none may be above the bound."""
    for end in range(1, len(matched) + 1):
        yield _product(matched[:end])
    if blocks:
        total = blocks[0]
        for one in blocks[1:]:
            total = exp.Paren(this=exp.Add(this=total, expression=one))
        yield _product([*matched, total])


def _may_exceed_alone(plan: Plan) -> bool:
    """Return whether rows of tables alone may be too many for a rule, whatever the facts are."""
    for rule in plan.pack.rules:
        rows = [count_of(plan, kind) for _, kind in rule.match]
        blocks = [count_of(plan, one.fact_type) for one in rule.without]
        known = combinations(
            [max(one, 1) for one in rows if one is not None], [one for one in blocks if one]
        )
        if known > COMBINATIONS_MAX:
            return True
    return False


def add_handed(plan: Plan) -> None:
    """Add `r_handed`, the cases that the reference decides."""
    limits = dict(sorted(_limits(plan).items()))
    queries: list[exp.Query] = []
    if limits:
        union = all_of([_many(plan, kind, limit) for kind, limit in limits.items()])
        held_back = exp.select("case_id").distinct(copy=False)
        held_back = held_back.from_(union.subquery(alias="u", copy=False), copy=False)
        # Where no type has more facts than its limit, no case has either.
        known = {f"f_{kind}": limit for kind, limit in limits.items() if kind in ALL_TYPES}
        plan.add("s", held_back, beyond=known if len(known) == len(limits) else None)
        queries.append(_over(plan, list(limits)))
    if _may_exceed_alone(plan):
        everyone = exp.select(aliased(column("c", "id"), "case_id"))
        queries.append(everyone.from_(relation(f"f_{plan.pack.case.fact_type}", "c")))
    queries += _crowded(plan)
    if not queries:
        nobody = exp.select(aliased(text(""), "case_id")).where(exp.false())
        queries.append(nobody)
    plan.add(
        "r_handed",
        exp.select("case_id").distinct().from_(all_of(queries).subquery(alias="u", copy=False)),
    )


def _crowded(plan: Plan) -> Iterator[exp.Query]:
    """Yield the cases with more links than are followed here."""
    for name in plan.pack.closures:
        if name in plan.members:
            yield exp.select("case_id").from_(relation(many_links(name), "a"))


def _over(plan: Plan, types: list[str]) -> exp.Select:
    """Return the held back cases that are above the bound by the numbers of their facts."""
    query = exp.select(aliased(column("s", "case_id"), "case_id")).from_(relation("s", "s"))
    counts: dict[str, Sql] = {}
    for kind in {kind for rule in plan.pack.rules for _, kind in rule.aliases}:
        known = count_of(plan, kind)
        if known is not None:
            counts[kind] = cast(number(known), "BIGINT")
    for place, kind in enumerate(types):
        alias = f"c{place}"
        if not plan.members[kind].has_case:
            total = exp.select(exp.Count(this=exp.Star())).from_(relation(f"m_{kind}", "m"))
            counts[kind] = total.subquery()
            continue
        on = equal(column(alias, "case_id"), column("s", "case_id"))
        counted = _counted(plan, kind).subquery(alias=name_of(alias))
        query = query.join(counted, on=on, join_type="LEFT")
        counts[kind] = coalesced(column(alias, "n"), number(0))
    shapes = {
        (tuple(kind for _, kind in rule.match), tuple(one.fact_type for one in rule.without))
        for rule in plan.pack.rules
    }
    tests = [
        compared(one, ">", number(COMBINATIONS_MAX))
        for matched, blocks in sorted(shapes)
        for one in _excess([counts[kind] for kind in matched], [counts[kind] for kind in blocks])
    ]
    return query.where(either(*tests))

"""Closures in SQL: the pairs of facts that links join, as facts of a case: `m_<closure>`.

Links that count or may count stand in `l_<closure>`. Their pairs grow in `t_<closure>`, round by
round, one link each, so that the round in which a pair comes up is the fewest links it needs. Where
a link cannot be judged, the pairs of the sure links alone grow in `u_<closure>`, for the cases with
such a link (`c_<closure>`). `z_<closure>` says for which cases the pairs cannot be told.

Source: docs/spec/pack-format.md, PF-37 and PF-38; `rules/reachability.py` is the meaning.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from carnet.rules.ast import Closure
from carnet.rules.bulk.frame import Frame
from carnet.rules.bulk.plan import OF_CASE, Membership, Plan
from carnet.rules.bulk.rests import rests_lines
from carnet.rules.bulk.sql import (
    FALSE,
    Pair,
    Sql,
    aliased,
    all_of,
    binary,
    both,
    cast,
    column,
    compared,
    either,
    equal,
    exists,
    is_known,
    is_null,
    is_true,
    joined_text,
    name_of,
    negated,
    number,
    pair,
    relation,
    text,
)
from carnet.rules.bulk.steps import Rounds, last_of
from carnet.rules.bulk.values import all_hold, guards_of, line_verdicts, may_hold, worth_of
from carnet.rules.bulk.worth import first_cause
from carnet.rules.reachability import PAIRS_MAX, too_many

LINKS_MAX = 1_000
"""Links in one case that are followed here: they make a million pairs at most."""

_ENDS = ("case_id", "from_id", "to_id")


def many_links(name: str) -> str:
    """Return the relation of the cases whose links are too many to be followed here."""
    return f"a_{name}"


def add_closure(plan: Plan, name: str) -> None:
    """Add the pairs of a closure, and the cases in which they cannot be told."""
    closure = plan.pack.closures[name]
    may_doubt = _add_links(plan, closure)
    crowded = exp.select("case_id").from_(relation(f"l_{name}", "l")).group_by("case_id")
    crowded = crowded.having(compared(exp.Count(this=exp.Star()), ">", number(LINKS_MAX)))
    plan.add(many_links(name), crowded)
    _add_pairs(plan, f"t_{name}", _links(name), closure.depth_max)
    if may_doubt:
        _add_doubt(plan, closure)
    _add_untold(plan, closure, may_doubt=may_doubt)
    _add_facts(plan, closure)
    _add_rests(plan, closure)
    plan.members[name] = Membership(name, has_case=True, may_be_untold=True)


# --- links ------------------------------------------------------------------------------------


def _bound(plan: Plan, closure: Closure) -> Frame:
    """Return a frame over the links in every case."""
    frame = Frame(plan, plan.cases, case_id="case_id")
    frame.bind(closure.alias, closure.fact_type, frame.join_members(closure.fact_type))
    frame.bind_case()
    return frame


def _add_links(plan: Plan, closure: Closure) -> bool:
    """Add `l_<closure>`; return whether there can be a link that cannot be judged."""
    frame = _bound(plan, closure)
    verdicts = line_verdicts(frame, closure.when)
    holds, guards = all_hold(verdicts), guards_of(closure.when)
    start, end = (worth_of(frame, one, guards) for one in (closure.start, closure.end))
    frame.where(may_hold(verdicts))
    columns = [("case_id", frame.case_id), ("from_id", start.sql), ("to_id", end.sql)]
    unknown = [one for one in (holds, start, end) if not one.is_certain]
    if unknown:
        _, _, link = frame.holder(closure.alias)
        en, zh = first_cause([(one.sql, one.cause) for one in unknown])
        is_sure = both(is_true(holds.sql), is_known(start.sql), is_known(end.sql))
        columns += [("id", link.column("id")), ("is_sure", is_sure), ("en", en), ("zh", zh)]
    plan.add(f"l_{closure.name}", frame.select(columns, distinct=not unknown))
    return bool(unknown)


def _links(name: str, *conditions: Sql) -> exp.Select:
    """Return the ends of links `l` that can be followed."""
    query = exp.select(*(aliased(column("l", one), one) for one in _ENDS)).distinct()
    query = query.from_(relation(f"l_{name}", "l"))
    known = [is_known(column("l", one)) for one in _ENDS[1:]]
    return query.where(both(*known, negated(_is_in(many_links(name), "l")), *conditions))


def _is_in(name: str, table: str, keys: Sequence[str] = ("case_id",)) -> Sql:
    """Return whether a row is also one of a relation, by some keys."""
    inner = exp.select(number(1)).from_(relation(name, "w"))
    return exists(inner.where(both(*(equal(column("w", one), column(table, one)) for one in keys))))


# --- pairs ------------------------------------------------------------------------------------


def _add_pairs(plan: Plan, name: str, links: exp.Select, rounds: int) -> None:
    """Add the table of the pairs that links join, each with the fewest links.

    Args:
        plan: The compilation.
        name: The table.
        links: The links: the pairs that one of them joins.
        rounds: How many links are followed beyond the first.
    """
    edges = f"{name}$links"
    plan.add(edges, links)
    first = [aliased(column("l", one), one) for one in _ENDS]
    query = exp.select(*first, aliased(cast(number(1), "BIGINT"), "depth"))
    plan.add(
        name,
        query.from_(relation(edges, "l")),
        rounds=Rounds(_longer(name, edges), rounds) if rounds else None,
    )


def _longer(name: str, edges: str) -> exp.Select:
    """Return the pairs that the pairs added last and one more link join, and nothing yet did."""
    listed = {"case_id": "p", "from_id": "p", "to_id": "l"}
    deeper = cast(binary(exp.Add, column("p", "depth"), number(1)), "BIGINT")
    query = exp.select(
        *(aliased(column(table, one), one) for one, table in listed.items()),
        aliased(deeper, "depth"),
    )
    on = both(
        equal(column("l", "case_id"), column("p", "case_id")),
        equal(column("l", "from_id"), column("p", "to_id")),
    )
    query = query.distinct().from_(relation(last_of(name), "p")).join(relation(edges, "l"), on=on)
    joined = exp.select(number(1)).from_(relation(name, "w"))
    keys = (equal(column("w", one), column(table, one)) for one, table in listed.items())
    return query.where(negated(exists(joined.where(both(*keys)))))


def _within(closure: Closure) -> Sql:
    """Return whether a pair `t` needs no more links than are followed."""
    return compared(column("t", "depth"), "<=", number(closure.depth_max))


# --- what cannot be told ----------------------------------------------------------------------


def _add_doubt(plan: Plan, closure: Closure) -> None:
    """Add `c_<closure>`, the cases with links that cannot be judged, and the pairs without them."""
    name = closure.name
    open_end = either(*(is_null(column("l", one)) for one in _ENDS[1:]))
    listed = [aliased(column("l", "case_id"), "case_id")]
    listed += [
        aliased(exp.ArgMin(this=column("l", one), expression=column("l", "id")), one)
        for one in ("en", "zh")
    ]
    listed.append(aliased(exp.LogicalOr(this=open_end), "is_open"))
    query = exp.select(*listed).from_(relation(f"l_{name}", "l"))
    query = query.where(negated(column("l", "is_sure")))
    plan.add(f"c_{name}", query.group_by(column("l", "case_id")))
    sure = _links(name, column("l", "is_sure"), _is_in(f"c_{name}", "l"))
    _add_pairs(plan, f"u_{name}", sure, closure.depth_max - 1)


def _doubts(closure: Closure) -> Iterator[exp.Select]:
    """Yield the cases in which a link makes a difference that cannot be judged."""
    doubt = relation(f"c_{closure.name}", "c")
    listed = [column("c", one) for one in ("case_id", "en", "zh")]
    yield exp.select(*listed).from_(doubt).where(column("c", "is_open"))
    differs = negated(_is_in(f"u_{closure.name}", "t", (*_ENDS, "depth")))
    on = equal(column("t", "case_id"), column("c", "case_id"))
    query = exp.select(*listed).distinct().from_(doubt.copy())
    query = query.join(relation(f"t_{closure.name}", "t"), on=on)
    yield query.where(both(_within(closure), differs))


def _crowds(closure: Closure) -> exp.Select:
    """Return the cases with too many pairs."""
    en, zh = pair(too_many(closure).cause)
    query = exp.select(column("t", "case_id"), aliased(en, "en"), aliased(zh, "zh"))
    query = query.from_(relation(f"t_{closure.name}", "t")).where(_within(closure))
    query = query.group_by(column("t", "case_id"))
    return query.having(compared(exp.Count(this=exp.Star()), ">", number(PAIRS_MAX)))


def _far(closure: Closure) -> exp.Select:
    """Return the cases with a way that is too long, told by the least pair that needs one."""
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column("t", "case_id")],
        order=exp.Order(
            expressions=[exp.Ordered(this=column("t", one)) for one in ("from_id", "to_id")]
        ),
    )
    inner = exp.select(*(column("t", one) for one in _ENDS), aliased(place, "place"))
    inner = inner.from_(relation(f"t_{closure.name}", "t")).where(negated(_within(closure)))
    en, zh = _too_far(closure)
    query = exp.select(column("p", "case_id"), aliased(en, "en"), aliased(zh, "zh"))
    query = query.from_(inner.subquery(alias=name_of("p"), copy=False))
    return query.where(equal(column("p", "place"), number(1)))


def _too_far(closure: Closure) -> Pair:
    name, most = closure.name, closure.depth_max
    start, end = column("p", "from_id"), column("p", "to_id")
    en = [text(f"The closure {name} follows at most {most} links, but the way from "), start]
    zh = [text(f"闭包 {name} 最多沿 {most} 个链接，但从 "), start]
    en += [text(" to "), end, text(" has more.")]
    zh += [text(" 到 "), end, text(" 需要更多。")]
    return joined_text(en), joined_text(zh)


def _add_untold(plan: Plan, closure: Closure, *, may_doubt: bool) -> None:
    """Add `z_<closure>`, with the cause that stands before the others."""
    causes: list[exp.Query] = []
    if plan.members[closure.fact_type].may_be_untold:
        causes.append(exp.select("case_id", "en", "zh").from_(f'"z_{closure.fact_type}"'))
    causes += [_crowds(closure), _far(closure)]
    if may_doubt:
        causes += _doubts(closure)
    ranked = [
        exp.select("case_id", "en", "zh", aliased(number(rank), "rank")).from_(
            query.subquery(alias=name_of("x"), copy=False)
        )
        for rank, query in enumerate(causes)
    ]
    least = [
        aliased(exp.ArgMin(this=column("x", one), expression=column("x", "rank")), one)
        for one in ("en", "zh")
    ]
    query = exp.select(column("x", "case_id"), *least)
    query = query.from_(all_of(ranked).subquery(alias=name_of("x"), copy=False))
    plan.add(f"z_{closure.name}", query.group_by(column("x", "case_id")))


# --- facts ------------------------------------------------------------------------------------


def _add_facts(plan: Plan, closure: Closure) -> None:
    """Add `m_<closure>`: the pairs as facts, where they can be told."""
    start, end = column("t", "from_id"), column("t", "to_id")
    query = exp.select(
        aliased(column("t", "case_id"), OF_CASE),
        aliased(joined_text([start, text(">"), end]), "id"),
        *(column("t", one) for one in ("from_id", "to_id", "depth")),
    ).from_(relation(f"t_{closure.name}", "t"))
    told = negated(_is_in(f"z_{closure.name}", "t"))
    plan.add(f"m_{closure.name}", query.where(both(_within(closure), told)))


def _add_rests(plan: Plan, closure: Closure) -> None:
    """Add `y_<closure>`: for each case the parameters that judging its links rests on."""
    parameters = sorted(plan.reads.of_type(closure.name))
    if not parameters:
        return
    frame = _bound(plan, closure)
    columns = [
        (f"rests${one}", exp.LogicalOr(this=rests_lines(frame, closure.when, one)))
        for one in parameters
    ]
    case_id = frame.case_id
    query = frame.select([("case_id", case_id), *columns]).group_by(case_id)
    plan.add(f"y_{closure.name}", query)


def rests_closure(frame: Frame, closure: str, parameter: str) -> Sql:
    """Return whether the pairs of a case rest on a parameter; NULL for a case without links."""
    if parameter not in frame.plan.reads.of_type(closure):
        return FALSE
    case_id = frame.case_id
    table = frame.join(f"y_{closure}", "LEFT", lambda one: [equal(one("case_id"), case_id)])
    return is_true(column(table, f"rests${parameter}"))

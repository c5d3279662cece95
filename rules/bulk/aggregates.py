"""Functions over the facts of one type in a case: counts, sums, least and greatest.

A fact for which a line or the value taken is unknown makes the result undetermined, with the cause
of the first such fact by its id, as the reference meets them.

Source: docs/spec/pack-format.md, 4.3; `rules/values.py` is the meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from carnet.rules.ast import Aggregation, Definition, values_of_definition
from carnet.rules.bulk.arithmetic import wide, within
from carnet.rules.bulk.frame import Bound, Columns, Frame, Row
from carnet.rules.bulk.hits import presence, rests_fact, rests_type
from carnet.rules.bulk.plan import Computed, Plan, table_of
from carnet.rules.bulk.rests import parameters_read, rests_guarded
from carnet.rules.bulk.sql import (
    FALSE,
    SQL_TYPES,
    TRUE,
    Pair,
    Sql,
    both,
    case,
    cast,
    coalesced,
    either,
    equal,
    is_known,
    is_null,
    is_true,
    negated,
    number,
    relation,
    text,
)
from carnet.rules.bulk.values import all_hold, guards_of, line_verdicts, may_hold, worth_of
from carnet.rules.bulk.worth import Verdict, Worth
from carnet.rules.reads import DefinitionKey

Listed = list[tuple[str, Sql]]


def over_type(plan: Plan, key: DefinitionKey) -> str:
    """Return the type of the facts that an aggregation is about."""
    return _body_of(_definition_of(plan, key)).fact_type


def _definition_of(plan: Plan, key: DefinitionKey) -> Definition:
    return plan.pack.derived[key] if key[0] else plan.pack.measures[key[1]]


def _body_of(definition: Definition) -> Aggregation:
    body = definition.body
    assert isinstance(body, Aggregation), "the caller chose"
    return body


def add_aggregations(plan: Plan, keys: Sequence[DefinitionKey]) -> dict[DefinitionKey, Computed]:
    """Add the table of some aggregations of one type, or of the cases.

    It has a row for each case, or each fact of each case, also where nothing is counted.

    Returns:
        How each is compiled.
    """
    owner, relation = keys[0][0], table_of(keys[0])
    frame = Frame(plan, plan.cases, case_id="case_id")
    own = frame.join_members(owner) if owner else None
    if own is not None:
        frame.bind(owner, owner, own)
    frame.bind_case()
    case_id = frame.case_id

    def on(one: Columns) -> list[Sql]:
        same = [equal(one("case_id"), case_id)]
        return [*same, equal(one("id"), own.column("id"))] if own is not None else same

    columns, found = _keys(frame, owner), {}
    for some in _together(plan, keys):
        query, opened = _grouping(plan, some)
        row = Row(frame.join(query, "LEFT", on))
        for key in some:
            table = Computed.start(key, _definition_of(plan, key), relation)
            found[key], listed = _finished(frame, table, row, has_open=key in opened)
            columns += listed
    plan.add(relation, frame.select(columns))
    return found


def _together(plan: Plan, keys: Sequence[DefinitionKey]) -> list[list[DefinitionKey]]:
    """Part aggregations into those that one query can work out.

    Of a case, what is about the same facts; of a fact, each has conditions of its own on what it is
    joined with.
    """
    taken = {plan.pack.case.alias, *(alias for alias, _, _ in plan.pack.case.named)}
    groups: dict[object, list[DefinitionKey]] = {}
    for key in keys:
        body = _body_of(_definition_of(plan, key))
        is_shared = not key[0] and body.alias not in taken
        groups.setdefault(body.fact_type if is_shared else key, []).append(key)
    return [*groups.values()]


def _grouping(plan: Plan, keys: Sequence[DefinitionKey]) -> tuple[exp.Select, set[DefinitionKey]]:
    """Return the query that groups the facts, and which aggregations a fact may leave open."""
    owner = keys[0][0]
    frame = Frame(plan, plan.cases, case_id="case_id")
    if owner:
        frame.bind(owner, owner, frame.join_members(owner))
    over = frame.join_members(over_type(plan, keys[0]))
    bodies = {key: _body_of(_definition_of(plan, key)) for key in keys}
    for body in bodies.values():
        frame.bind(body.alias, body.fact_type, over)
    frame.bind_case()
    columns: Listed = []
    opened: set[DefinitionKey] = set()
    kept: list[Sql] = []
    for key, body in bodies.items():
        own, open_now, filters = _counted(frame, key, body, over)
        columns += [(f"{key[1]}${name}", value) for name, value in own]
        kept.append(filters)
        if open_now != FALSE:
            opened.add(key)
    if TRUE not in kept:
        frame.where(either(*kept))
    names = _keys(frame, owner)
    grouped = frame.select([*names, *columns]).group_by(*(value for _, value in names))
    return grouped, opened


def _counted(
    frame: Frame, key: DefinitionKey, body: Aggregation, over: Row
) -> tuple[Listed, Sql, Sql]:
    """Return the columns of one aggregation, what leaves it open, and which facts add to it."""
    plan = frame.plan
    there = presence(plan, body.fact_type, over)
    verdicts = [*there, *line_verdicts(frame, body.when)]
    holds = all_hold(verdicts)
    taken = worth_of(frame, body.of, guards_of(body.when)) if body.of is not None else None
    open_now = _open(holds, taken)
    columns = _grouped(frame, body, holds, taken, open_now)
    rests = _rests(plan, key)
    columns += [
        (f"rests${one}", exp.LogicalOr(this=_rests_of(frame, body, over, one))) for one in rests
    ]
    if not rests:
        # A fact that a line excludes adds nothing, not even a parameter it would rest on.
        return columns, open_now, may_hold(verdicts)
    # What a line excludes that rests on nothing itself, no parameter can bring back.
    lines = zip(body.when, verdicts[len(there) :], strict=True)
    return (
        columns,
        open_now,
        may_hold([v for one, v in lines if not parameters_read(frame, (one,))]),
    )


def _rests(plan: Plan, key: DefinitionKey) -> tuple[str, ...]:
    """Return the U parameters that an aggregation may rest on."""
    definition = _definition_of(plan, key)
    read = plan.reads.of_values(list(values_of_definition(definition)))
    # What the facts of a computed type rest on, their counting rests on as well.
    return tuple(sorted(read | plan.reads.of_type(_body_of(definition).fact_type)))


def _rests_of(frame: Frame, body: Aggregation, over: Bound, parameter: str) -> Sql:
    """Return whether what one fact adds rests on a parameter."""
    result = rests_guarded(frame, body.when, body.of, parameter)
    own = rests_fact(frame.plan, body.fact_type, over, parameter)
    if own == FALSE:
        return result
    return either(result, both(own, may_hold(line_verdicts(frame, body.when))))


def _keys(frame: Frame, owner: str) -> Listed:
    keys: Listed = [("case_id", frame.case_id)]
    if owner:
        _, _, own = frame.holder(owner)
        keys.append(("id", own.column("id")))
    return keys


def _open(holds: Verdict, taken: Worth | None) -> Sql:
    unknown = FALSE if holds.is_certain else is_null(holds.sql)
    if taken is None or taken.is_certain:
        return unknown
    return either(unknown, both(holds.sql, is_null(taken.sql)))


def _grouped(
    frame: Frame, body: Aggregation, holds: Verdict, taken: Worth | None, open_now: Sql
) -> Listed:
    columns: Listed = [("result", _function(body, holds.sql, taken))]
    if open_now == FALSE:
        return columns
    _, _, over = frame.holder(body.alias)
    en, zh = _first_cause(holds, taken)
    is_open = exp.LogicalOr(this=is_true(open_now))
    # The least id among the facts that leave the result open; others count as none.
    at = case([(is_true(open_now), over.column("id"))])
    return [
        *columns,
        ("is_open", is_open),
        ("en", exp.ArgMin(this=case([(is_true(open_now), en)]), expression=at)),
        ("zh", exp.ArgMin(this=case([(is_true(open_now), zh)]), expression=at)),
    ]


def _first_cause(holds: Verdict, taken: Worth | None) -> Pair:
    own = holds.cause()
    if taken is None or taken.is_certain:
        return own
    if holds.is_certain:
        return taken.cause()
    of = taken.cause()
    unknown = is_null(holds.sql)
    return case([(unknown, own[0])], of[0]), case([(unknown, own[1])], of[1])


def _function(body: Aggregation, holds: Sql, taken: Worth | None) -> Sql:
    if taken is None:
        return exp.Count(this=case([(holds, number(1))]))
    value = taken.sql if holds == TRUE else case([(holds, taken.sql)])
    if body.function == "count_distinct":
        return exp.Count(this=exp.Distinct(expressions=[value]))
    if body.function == "sum":
        return exp.Sum(this=wide(value))
    return exp.Min(this=value) if body.function == "min" else exp.Max(this=value)


# --- the result -------------------------------------------------------------------------------


def _finished(
    frame: Frame, table: Computed, found: Row, *, has_open: bool
) -> tuple[Computed, Listed]:
    """Return how an aggregation is compiled, and its columns beside the grouped facts.

    Args:
        frame: The cases, or the facts of a type in each of them.
        table: Its key, definition and table.
        found: What was grouped.
        has_open: Whether a fact may leave it open.
    """
    plan, key, definition = frame.plan, table.key, table.definition
    body = _body_of(definition)
    of_none = body.function in {"min", "max"}
    may_be_untold = plan.members[body.fact_type].may_be_untold
    is_open = has_open or may_be_untold
    info = replace(
        table,
        is_certain=not (is_open or of_none or body.function == "sum"),
        is_absent_only=of_none and not is_open,
        never_absent=not of_none,
        rests=_rests(plan, key),
    )
    case_id = frame.case_id
    untold: Row | None = None
    if may_be_untold:
        # What cannot be told of the whole type stands before what cannot be told of a fact.
        reason = exp.select("*").from_(relation(f"z_{body.fact_type}", "z"))
        untold = Row(frame.join(reason, "LEFT", lambda one: [equal(one("case_id"), case_id)]))
    columns = _columns(info, body, _Opened(found, key[1], untold, is_open=has_open))
    columns += [
        (
            info.column(f"rests${one}"),
            either(
                coalesced(found.column(f"{key[1]}$rests${one}"), FALSE),
                coalesced(rests_type(frame, body.fact_type, one), FALSE),
            ),
        )
        for one in info.rests
    ]
    return info, columns


@dataclass(frozen=True, slots=True)
class _Opened:
    """What was found of an aggregation, and what leaves it open.

    Args:
        found: The grouped facts.
        name: The aggregation's name, with which its columns begin.
        untold: The cases in which the facts of the type cannot be told, if there may be any.
        is_open: Whether a single fact may leave it open.
    """

    found: Row
    name: str
    untold: Row | None
    is_open: bool

    def column(self, what: str) -> Sql:
        """Return a column of the grouped facts."""
        return self.found.column(f"{self.name}${what}")

    @property
    def test(self) -> Sql:
        """Whether the result is open; a constant where it never is."""
        tests: list[Sql] = []
        if self.untold is not None:
            tests.append(is_known(self.untold.column("case_id")))
        if self.is_open:
            tests.append(coalesced(self.column("is_open"), FALSE))
        return either(*tests)

    def cause(self, language: str, otherwise: Sql) -> Sql:
        """Return why the result is open, or another text where it is not."""
        branches: list[tuple[Sql, Sql]] = []
        if self.untold is not None:
            untold = is_known(self.untold.column("case_id"))
            branches.append((untold, self.untold.column(language)))
        if self.is_open:
            opened = coalesced(self.column("is_open"), FALSE)
            branches.append((opened, self.column(language)))
        return case(branches, otherwise) if branches else otherwise


def _columns(info: Computed, body: Aggregation, opened: _Opened) -> Listed:
    result, test = opened.column("result"), opened.test
    counts = body.function in {"count", "count_distinct"}
    value = result
    if counts:
        value = cast(coalesced(result, number(0)), "BIGINT")
    elif body.function == "sum":
        value = within(coalesced(result, number(0)))
    if test != FALSE:
        value = case([(test, cast(exp.null(), SQL_TYPES[info.definition.kind]))], value)
    columns: Listed = [(info.column(), value)]
    if counts and test == FALSE:
        return columns
    if body.function in {"min", "max"} and test != FALSE:
        columns.append((info.column("absent"), both(is_null(result), negated(test))))
    return [*columns, *_told(info, body, opened, value)]


def _told(info: Computed, body: Aggregation, opened: _Opened, value: Sql) -> Listed:
    _, name = info.key
    en, zh = text(f"{name} of no facts is absent."), text(f"没有事实，{name} 无值。")
    if body.function == "sum":
        en, zh = text(f"The sum {name} is beyond 2^53 - 1."), text(f"合计 {name} 超出 2^53-1。")
    unknown = is_null(value)
    return [
        (info.column("en"), case([(unknown, opened.cause("en", en))])),
        (info.column("zh"), case([(unknown, opened.cause("zh", zh))])),
    ]

"""Functions over the facts of one type in a case: counts, sums, least and greatest.

A fact for which a line or the value taken is unknown makes the result undetermined, with the cause
of the first such fact by its id, as the reference meets them.

Source: docs/spec/pack-format.md, 4.3; `rules/values.py` is the meaning.
"""

from dataclasses import dataclass

from sqlglot import exp

from carnet.rules.ast import Aggregation, Definition, values_of_definition
from carnet.rules.bulk.arithmetic import wide, within
from carnet.rules.bulk.frame import Bound, Columns, Frame, Row
from carnet.rules.bulk.hits import presence, rests_fact, rests_type
from carnet.rules.bulk.plan import Computed, Plan
from carnet.rules.bulk.rests import rests_guarded
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


def add_aggregation(
    plan: Plan, key: DefinitionKey, definition: Definition, body: Aggregation
) -> Computed:
    """Add the table of an aggregation; return how it is compiled."""
    owner, _ = key
    frame = Frame(plan, plan.cases, case_id="case_id")
    if owner:
        frame.bind(owner, owner, frame.join_members(owner))
    frame.bind(body.alias, body.fact_type, frame.join_members(body.fact_type))
    frame.bind_case()
    read = plan.reads.of_values(list(values_of_definition(definition)))
    # What the facts of a computed type rest on, their counting rests on as well.
    rests = tuple(sorted(read | plan.reads.of_type(body.fact_type)))
    _, _, over = frame.holder(body.alias)
    verdicts = [*presence(plan, body.fact_type, over), *line_verdicts(frame, body.when)]
    holds = all_hold(verdicts)
    taken = worth_of(frame, body.of, guards_of(body.when)) if body.of is not None else None
    open_now = _open(holds, taken)
    columns = _grouped(frame, body, holds, taken, open_now)
    columns += [
        (f"rests${one}", exp.LogicalOr(this=_rests_of(frame, body, over, one))) for one in rests
    ]
    if not rests:
        # A fact that a line excludes adds nothing, not even a parameter it would rest on.
        frame.where(may_hold(verdicts))
    keys = _keys(frame, owner)
    grouped = frame.select([*keys, *columns]).group_by(*(value for _, value in keys))
    return _finish(plan, key, definition, grouped, rests, is_open=open_now != FALSE)


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


def _finish(
    plan: Plan,
    key: DefinitionKey,
    definition: Definition,
    grouped: exp.Select,
    rests: tuple[str, ...],
    *,
    is_open: bool,
) -> Computed:
    """Add the table: one row for each case, or each fact of each case, also where nothing is."""
    body = definition.body
    assert isinstance(body, Aggregation), "the caller chose"
    of_none = body.function in {"min", "max"}
    had_open = is_open
    is_open = is_open or plan.members[body.fact_type].may_be_untold
    info = Computed(
        key,
        definition,
        is_local=False,
        is_certain=not (is_open or of_none or body.function == "sum"),
        is_absent_only=of_none and not is_open,
        never_absent=not of_none,
        rests=rests,
    )
    owner, _ = key
    frame = Frame(plan, plan.cases, case_id="case_id")
    own: Row | None = None
    if owner:
        own = frame.join_members(owner)
        frame.bind(owner, owner, own)
    case_id = frame.case_id

    def on(one: Columns) -> list[Sql]:
        keys = [equal(one("case_id"), case_id)]
        return [*keys, equal(one("id"), own.column("id"))] if own is not None else keys

    found = Row(frame.join(grouped, "LEFT", on))
    untold: Row | None = None
    if plan.members[body.fact_type].may_be_untold:
        # What cannot be told of the whole type stands before what cannot be told of a fact.
        reason = exp.select("*").from_(relation(f"z_{body.fact_type}", "z"))
        untold = Row(frame.join(reason, "LEFT", lambda one: [equal(one("case_id"), case_id)]))
    frame.bind_case()
    columns = _columns(definition, body, _Opened(found, untold, is_open=had_open))
    columns += [
        (
            f"value$rests${one}",
            either(
                coalesced(found.column(f"rests${one}"), FALSE),
                coalesced(rests_type(frame, body.fact_type, one), FALSE),
            ),
        )
        for one in rests
    ]
    plan.add(info.relation, frame.select([*_keys(frame, owner), *columns]))
    return info


@dataclass(frozen=True, slots=True)
class _Opened:
    """What was found of an aggregation, and what leaves it open.

    Args:
        found: The grouped facts.
        untold: The cases in which the facts of the type cannot be told, if there may be any.
        is_open: Whether a single fact may leave it open.
    """

    found: Row
    untold: Row | None
    is_open: bool

    @property
    def test(self) -> Sql:
        """Whether the result is open; a constant where it never is."""
        tests: list[Sql] = []
        if self.untold is not None:
            tests.append(is_known(self.untold.column("case_id")))
        if self.is_open:
            tests.append(coalesced(self.found.column("is_open"), FALSE))
        return either(*tests)

    def cause(self, language: str, otherwise: Sql) -> Sql:
        """Return why the result is open, or another text where it is not."""
        branches: list[tuple[Sql, Sql]] = []
        if self.untold is not None:
            untold = is_known(self.untold.column("case_id"))
            branches.append((untold, self.untold.column(language)))
        if self.is_open:
            opened = coalesced(self.found.column("is_open"), FALSE)
            branches.append((opened, self.found.column(language)))
        return case(branches, otherwise) if branches else otherwise


def _columns(definition: Definition, body: Aggregation, opened: _Opened) -> Listed:
    result, test = opened.found.column("result"), opened.test
    counts = body.function in {"count", "count_distinct"}
    value = result
    if counts:
        value = cast(coalesced(result, number(0)), "BIGINT")
    elif body.function == "sum":
        value = within(coalesced(result, number(0)))
    if test != FALSE:
        value = case([(test, cast(exp.null(), SQL_TYPES[definition.kind]))], value)
    columns: Listed = [("value", value)]
    if counts and test == FALSE:
        return columns
    if body.function in {"min", "max"} and test != FALSE:
        columns.append(("value$absent", both(is_null(result), negated(test))))
    return [*columns, *_told(definition, body, opened, value)]


def _told(definition: Definition, body: Aggregation, opened: _Opened, value: Sql) -> Listed:
    name = definition.name
    en, zh = text(f"{name} of no facts is absent."), text(f"没有事实，{name} 无值。")
    if body.function == "sum":
        en, zh = text(f"The sum {name} is beyond 2^53 - 1."), text(f"合计 {name} 超出 2^53-1。")
    unknown = is_null(value)
    return [
        ("value$en", case([(unknown, opened.cause("en", en))])),
        ("value$zh", case([(unknown, opened.cause("zh", zh))])),
    ]

"""Rules as queries: the choices of facts that satisfy them for certain, and those that might.

Of each rule, two small tables of keys are kept: `x_<n>` (sure choices, one row for each finding)
and `e_<n>` (choices that are undetermined). Everything that is told of them is a view over these
keys, so that the texts of millions of findings are never in memory at once.

Source: docs/spec/pack-format.md, PF-7 and PF-10 to PF-12; `rules/evaluate.py` is the meaning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from carnet.rules.ast import (
    Lines,
    Rule,
    Value,
    Without,
    conditions_of,
    fields_of,
    said_by,
    values_of,
)
from carnet.rules.bulk.frame import Bound, Frame, Key, Row
from carnet.rules.bulk.hits import presence, rests_type
from carnet.rules.bulk.plan import OF_CASE, Plan
from carnet.rules.bulk.rests import rests_lines, rests_value, settled
from carnet.rules.bulk.sql import (
    FALSE,
    TRUE,
    Sql,
    all_of,
    among,
    both,
    column,
    either,
    equal,
    exists,
    negated,
    relation,
    text,
)
from carnet.rules.bulk.values import (
    Guards,
    all_hold,
    any_open,
    guards_of,
    line_verdicts,
    may_hold,
)
from carnet.rules.bulk.worth import Verdict


@dataclass(frozen=True, slots=True)
class Compiled:
    """What was made of one rule.

    Args:
        rule: The rule.
        index: Its place in the pack.
        is_asked: Whether it can be evaluated at all on this day.
        may_err: Whether a choice of facts can be undetermined.
        resting: Whether `n_<index>` says which parameters it rests on for a case.
        unconfirmed: The parameters it rests on that officers have not confirmed, direct ones left
            out.
        single: The types of the pack whose facts in a case may be unknown altogether.
    """

    rule: Rule
    index: int
    is_asked: bool
    may_err: bool
    resting: bool
    unconfirmed: tuple[str, ...]
    single: frozenset[str]

    @property
    def untold(self) -> list[str]:
        """The types it reads whose facts may be unknown altogether."""
        return sorted({kind for _, kind in self.rule.aliases} & self.single)

    @property
    def sure(self) -> str:
        """The table of sure choices."""
        return f"x_{self.index}"

    @property
    def unsure(self) -> str:
        """The table of undetermined choices."""
        return f"e_{self.index}"

    @property
    def rests(self) -> str:
        """The table of parameters by case."""
        return f"n_{self.index}"

    @property
    def ids(self) -> list[str]:
        """The columns that name the matched facts."""
        return [f"id{place}" for place in range(len(self.rule.match))]


# --- scope ------------------------------------------------------------------------------------


def case_frame(plan: Plan) -> Frame:
    """Return a frame over the cases alone."""
    frame = Frame(plan, plan.cases, case_id="case_id")
    frame.bind_case()
    return frame


def scope_verdicts(frame: Frame, rule: Rule) -> list[Verdict]:
    """Return whether each line of a rule's scope holds."""
    return line_verdicts(frame, tuple(one.line for one in rule.scope))


# --- parameters -------------------------------------------------------------------------------


def _add_rests(plan: Plan, rule: Rule, index: int) -> bool:
    """Add `n_<index>`: for each case in scope the parameters that it may rest on and does."""
    wanted = sorted(rule.unverified - rule.direct)
    queries = [query for one in wanted for query in _resting(plan, rule, one)]
    for one in sorted(_open_of_scope(plan, rule)):
        frame = _scoped(plan, rule)
        frame.where(rests_lines(frame, tuple(line.line for line in rule.scope), one))
        queries.append(_with_parameter(frame, one))
    if not queries:
        return False
    plan.add(
        f"n_{index}",
        exp.select("*").distinct().from_(all_of(queries).subquery(alias="u", copy=False)),
    )
    return True


def _open_of_scope(plan: Plan, rule: Rule) -> frozenset[str]:
    """Return what the scope of a rule reads that officers have not confirmed.

    A line of alternatives may hold whatever such a parameter is worth: it rests on it all the same.
    """
    return rule.scope_unverified - rule.direct - plan.confirmed


def _resting(plan: Plan, rule: Rule, parameter: str) -> Iterator[exp.Query]:
    """Yield the queries of cases for which a rule rests on a parameter."""
    blocks = [line for block in rule.without for line in block.when]
    read = [value for one in conditions_of((*rule.when, *blocks)) for value in values_of(one)]
    read += said_by(rule)
    matched = {alias for alias, _ in rule.aliases}
    frame = _scoped(plan, rule)
    of_case = [value for value in read if not _aliases(value) & matched]
    kinds = sorted({kind for _, kind in rule.aliases})
    rests = either(
        *(rests_type(frame, kind, parameter) for kind in kinds),
        *(rests_value(frame, value, parameter) for value in of_case),
    )
    if rests != FALSE:
        frame.where(rests)
        yield _with_parameter(frame, parameter)
    groups = [(alias, kind, rule.when, read) for alias, kind in rule.match]
    for block in rule.without:
        inside = [value for one in conditions_of(block.when) for value in values_of(one)]
        groups.append((block.alias, block.fact_type, block.when, inside))
    for alias, kind, lines, values in groups:
        mine = [value for value in values if alias in _aliases(value)]
        query = _resting_alias(plan, rule, (alias, kind), lines, mine, parameter)
        if query is not None:
            yield query


def _resting_alias(
    plan: Plan,
    rule: Rule,
    bound: tuple[str, str],
    lines: Lines,
    values: Sequence[Value],
    parameter: str,
) -> exp.Query | None:
    frame = _scoped(plan, rule)
    alias, fact_type = bound
    frame.bind(alias, fact_type, frame.join_members(fact_type))
    rests = either(*(rests_value(frame, value, parameter) for value in values))
    if rests == FALSE:
        return None
    excluded = settled(frame, lines_of(plan, alias, lines))
    frame.where(rests, negated(excluded) if excluded != FALSE else TRUE)
    return _with_parameter(frame, parameter)


def lines_of(plan: Plan, alias: str, lines: Lines) -> Lines:
    """Return the lines that read nothing but one matched fact and the named ones of the case."""
    named = {plan.pack.case.alias, *(one for one, _, _ in plan.pack.case.named)}
    return tuple(line for line in lines if line.aliases <= {*named, alias})


def _aliases(value: Value) -> set[str]:
    return {field.alias for field in fields_of(value)}


def _scoped(plan: Plan, rule: Rule) -> Frame:
    """Return a frame over the cases that a rule applies to, or may apply to."""
    frame = case_frame(plan)
    frame.where(may_hold(scope_verdicts(frame, rule)))
    return frame


def _with_parameter(frame: Frame, parameter: str) -> exp.Select:
    return frame.select([("case_id", frame.case_id), ("parameter", text(parameter))])


# --- choices ----------------------------------------------------------------------------------


def _ready(frame: Frame, compiled: Compiled) -> None:
    """Keep the cases in which a rule is evaluated."""
    frame.where(*(one.sql for one in scope_verdicts(frame, compiled.rule)))
    if compiled.unconfirmed:
        table = frame.plan.fresh("n")
        inner = exp.select(exp.Literal.number(1)).from_(relation(compiled.rests, table))
        parameters = [text(one) for one in compiled.unconfirmed]
        inner = inner.where(
            both(
                equal(column(table, "case_id"), frame.case_id),
                among(column(table, "parameter"), parameters),
            )
        )
        frame.where(negated(exists(inner)))
    for kind in compiled.untold:
        table = frame.plan.fresh("z")
        inner = exp.select(exp.Literal.number(1)).from_(relation(f"z_{kind}", table))
        frame.where(negated(exists(inner.where(equal(column(table, "case_id"), frame.case_id)))))


def _choices(plan: Plan, compiled: Compiled) -> Frame:
    """Return a frame over the choices of distinct facts for a rule, in the cases it is asked in."""
    frame = case_frame(plan)
    _ready(frame, compiled)
    seen: list[tuple[str, Row]] = []
    for alias, fact_type in compiled.rule.match:
        row = frame.join_members(fact_type)
        frame.bind(alias, fact_type, row)
        frame.where(*_distinct(fact_type, row, seen))
        seen.append((fact_type, row))
    return frame


def _distinct(fact_type: str, row: Row, others: Sequence[tuple[str, Bound]]) -> list[Sql]:
    return [
        exp.NEQ(this=row.column("id"), expression=other.column("id"))
        for kind, other in others
        if kind == fact_type
    ]


def _ids(frame: Frame, rule: Rule) -> list[tuple[str, Sql]]:
    return [
        (f"id{place}", frame.holder(alias)[2].column("id"))
        for place, (alias, _) in enumerate(rule.match)
    ]


@dataclass(frozen=True, slots=True)
class Block:
    """A `without` block inside a query: its frame and the verdict of its lines."""

    frame: Frame
    verdicts: list[Verdict]

    @property
    def holds(self) -> Verdict:
        """Whether all lines hold."""
        return all_hold(self.verdicts)

    def any_fact(self, *conditions: Sql) -> Sql:
        """Return whether a further fact meets some conditions."""
        self.frame.where(*conditions)
        return exists(self.frame.select([]))


def _block(outer: Frame, rule: Rule, block: Without, guards: Guards) -> Block:
    """Return the query of the further facts that a block may name."""
    plan = outer.plan
    member = plan.members[block.fact_type]
    inner = Frame(
        plan,
        member.relation,
        case_id=OF_CASE if member.has_case else None,
        outer=outer,
    )
    own = Row(inner.table)
    inner.bind(block.alias, block.fact_type, own)
    if member.has_case:
        inner.where(equal(own.column(OF_CASE), outer.case_id))
    taken = [(kind, outer.holder(alias)[2]) for alias, kind in rule.match]
    inner.where(*_distinct(block.fact_type, own, taken))
    verdicts = line_verdicts(inner, block.when, guards)
    return Block(inner, [*presence(plan, block.fact_type, own), *verdicts])


def _add_sure(plan: Plan, compiled: Compiled) -> None:
    rule = compiled.rule
    frame = _choices(plan, compiled)
    frame.where(*(one.sql for one in choice_verdicts(frame, rule)))
    for block in rule.without:
        inner = _block(frame, rule, block, guards_of(rule.when))
        frame.where(negated(inner.any_fact(may_hold(inner.verdicts))))
    plan.add(compiled.sure, frame.select([("case_id", frame.case_id), *_ids(frame, rule)]))


def _add_unsure(plan: Plan, compiled: Compiled) -> None:
    rule = compiled.rule
    guards = guards_of(rule.when)
    frame = _choices(plan, compiled)
    verdicts = choice_verdicts(frame, rule)
    frame.where(may_hold(verdicts))
    unknown, settled_by = [any_open(verdicts)], []
    for block in rule.without:
        decided = _block(frame, rule, block, guards)
        settled_by.append(decided.any_fact(*(one.sql for one in decided.verdicts)))
        if not decided.holds.is_certain:
            asked = _block(frame, rule, block, guards)
            unknown.append(asked.any_fact(may_hold(asked.verdicts), any_open(asked.verdicts)))
    # Hardly a choice is undetermined: what is asked first leaves little to ask of the rest.
    frame.where(either(*unknown), *map(negated, settled_by))
    plan.add(compiled.unsure, frame.select([("case_id", frame.case_id), *_ids(frame, rule)]))


def _may_err(plan: Plan, compiled: Compiled) -> bool:
    rule = compiled.rule
    frame = _choices(plan, compiled)
    if not all_hold(choice_verdicts(frame, rule)).is_certain:
        return True
    guards = guards_of(rule.when)
    return any(not _block(frame, rule, one, guards).holds.is_certain for one in rule.without)


def add_rule(plan: Plan, index: int) -> Compiled:
    """Add the tables of a rule."""
    rule = plan.pack.rules[index]
    of_scope = _open_of_scope(plan, rule)
    may_rest = bool(of_scope) or rule.unverified != rule.direct
    resting = _add_rests(plan, rule, index) if may_rest else False
    late = (rule.unverified - rule.direct - plan.confirmed) | of_scope
    compiled = Compiled(
        rule,
        index,
        is_asked=rule.direct <= plan.confirmed,
        may_err=False,
        resting=resting,
        unconfirmed=tuple(sorted(late)) if resting else (),
        single=frozenset(name for name, one in plan.members.items() if one.may_be_untold),
    )
    if not compiled.is_asked:
        return compiled
    _add_sure(plan, compiled)
    if not _may_err(plan, compiled):
        return compiled
    result = replace(compiled, may_err=True)
    _add_unsure(plan, result)
    return result


# --- what is told of choices ------------------------------------------------------------------


def told_frame(plan: Plan, compiled: Compiled, table: str) -> Frame:
    """Return a frame over stored choices; what else is read of their facts is joined again."""
    frame = Frame(plan, table, case_id="case_id")
    for place, (alias, fact_type) in enumerate(compiled.rule.match):
        key = column(frame.table, f"id{place}")
        frame.bind(alias, fact_type, Key(frame, fact_type, key))
    frame.bind_case()
    return frame


def block_of(frame: Frame, rule: Rule, block: Without) -> list[Verdict]:
    """Join the further facts of a block to stored choices; return the verdicts of its lines."""
    own = frame.join_members(block.fact_type)
    frame.bind(block.alias, block.fact_type, own)
    taken = [(kind, frame.holder(alias)[2]) for alias, kind in rule.match]
    frame.where(*_distinct(block.fact_type, own, taken))
    lines = line_verdicts(frame, block.when, guards_of(rule.when))
    return [*presence(frame.plan, block.fact_type, own), *lines]


def choice_verdicts(frame: Frame, rule: Rule) -> list[Verdict]:
    """Return whether the matched facts are there for certain, and whether each line holds."""
    found: list[Verdict] = []
    for alias, kind in rule.match:
        found += presence(frame.plan, kind, frame.holder(alias)[2])
    return [*found, *line_verdicts(frame, rule.when)]

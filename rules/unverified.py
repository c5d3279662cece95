"""Which U parameters a decision rests on: what holds it back, or what officers confirmed for it.

Source: docs/spec/pack-format.md, PF-7.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import (
    Aggregation,
    Candidate,
    Choice,
    Condition,
    Definition,
    FieldRef,
    Lines,
    Lookup,
    MeasureRef,
    ParameterRef,
    Rule,
    Value,
    conditions_of,
    fields_of,
    parts_of,
    said_by,
    values_of,
)
from carnet.rules.case import Bindings, Case
from carnet.rules.parameters import Unknown
from carnet.rules.values import arguments_of, bindings_of, holder_of, holds, line_holds

NOTHING: frozenset[str] = frozenset()


def _rests_value(value: Value, bindings: Bindings, case: Case) -> frozenset[str]:
    """Return the U parameters that a value rests on for some bound facts."""
    result = NOTHING
    if not case.run.reads.may_rest(value):
        return result
    pack = case.run.pack
    for part in parts_of(value):
        if isinstance(part, ParameterRef) and pack.parameters[part.id].status == "U":
            result |= {part.id}
        elif isinstance(part, Lookup):
            table = case.run.tables[part.table]
            result |= table.unverified(arguments_of(part, bindings, case))
        elif isinstance(part, MeasureRef):
            result |= _rests_definition(pack.measures[part.name], None, case)
        elif isinstance(part, FieldRef) and part.is_derived:
            holder = holder_of(part, bindings, case)
            if not isinstance(holder, Unknown):
                name = part.name.removesuffix("_reason") if part.is_reason else part.name
                result |= _rests_definition(pack.derived[part.owner, name], holder, case)
    return result


def rests_values(values: Iterable[Value], bindings: Bindings, case: Case) -> frozenset[str]:
    """Return what some values rest on for some bound facts."""
    return NOTHING.union(*(_rests_value(value, bindings, case) for value in values))


def _rests_condition(condition: Condition, bindings: Bindings, case: Case) -> frozenset[str]:
    return rests_values(values_of(condition), bindings, case)


def rests_lines(lines: Lines, bindings: Bindings, case: Case) -> frozenset[str]:
    """Return what lines rest on; nothing if a line is false that rests on nothing itself."""
    result = NOTHING
    may_rest = case.run.reads.may_rest
    if not any(may_rest(value) for one in conditions_of(lines) for value in values_of(one)):
        return result
    for line in lines:
        rests = NOTHING.union(*(_rests_condition(c, bindings, case) for c in line.conditions))
        if not rests and line_holds(line, bindings, case) is False:
            return NOTHING
        result |= rests
    return result


def _rests_definition(definition: Definition, fact: Fact | None, case: Case) -> frozenset[str]:
    """Return what a derived field of a fact, or a measure, rests on; worked out once."""
    key = (fact.type, fact.id, definition.name) if fact else ("", "", definition.name)
    if key not in case.rests:
        case.rests[key] = _rests_body(definition, fact, case)
    return case.rests[key]


def rests_of_field(definition: Definition, fact: Fact, case: Case) -> frozenset[str]:
    """Return the U parameters and rows that a derived field of a fact rests on."""
    return _rests_definition(definition, fact, case)


def _rests_body(definition: Definition, fact: Fact | None, case: Case) -> frozenset[str]:
    bindings, body = bindings_of(fact, case), definition.body
    if isinstance(body, Choice):
        return NOTHING.union(*(_rests_candidate(one, bindings, case) for one in body.candidates))
    if isinstance(body, Aggregation):
        return _rests_aggregation(body, bindings, case)
    return _rests_value(body, bindings, case)


def _rests_candidate(candidate: Candidate, bindings: Bindings, case: Case) -> frozenset[str]:
    result = rests_lines(candidate.when, bindings, case)
    if holds(candidate.when, bindings, case) is not False:
        result |= _rests_value(candidate.value, bindings, case)
    return result


def _rests_type(fact_type: str, case: Case) -> frozenset[str]:
    """Return what the facts of a computed type rest on, whichever is taken."""
    computing = case.run.computing.get(fact_type)
    return computing.rests(case) if computing else NOTHING


def _rests_fact(fact: Fact, case: Case) -> frozenset[str]:
    """Return what one computed fact rests on."""
    computing = case.run.computing.get(fact.type)
    return computing.rests_of(case, fact) if computing else NOTHING


def _rests_aggregation(body: Aggregation, bindings: Bindings, case: Case) -> frozenset[str]:
    result = _rests_type(body.fact_type, case)
    for fact in case.facts_of(body.fact_type):
        inner = {**bindings, body.alias: fact}
        result |= rests_lines(body.when, inner, case)
        if holds(body.when, inner, case) is False:
            continue
        result |= _rests_fact(fact, case)
        if body.of is not None:
            result |= _rests_value(body.of, inner, case)
    return result


# --- rules ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resting:
    """The values of a rule that may rest on a U parameter.

    Args:
        of_case: Those that read no matched fact.
        of_aliases: For each alias that others read: it, its fact type, the lines that read nothing
            but it and the case, and the values.
    """

    of_case: tuple[Value, ...]
    of_aliases: tuple[tuple[str, str, Lines, tuple[Value, ...]], ...]


def _reads_alias(value: Value, alias: str) -> bool:
    return any(field.alias == alias for field in fields_of(value))


def _resting(rule: Rule, case: Case) -> Resting:
    """Return what of a rule may rest on a U parameter; worked out once for each run."""
    found = case.run.resting.get(rule.id)
    if isinstance(found, Resting):
        return found
    blocks = [line for block in rule.without for line in block.when]
    read = [
        *(value for one in conditions_of((*rule.when, *blocks)) for value in values_of(one)),
        *said_by(rule),
    ]
    values = [value for value in read if case.run.reads.may_rest(value)]
    matched = {alias for alias, _ in rule.aliases}
    # Two blocks may use one alias for different types: each is given its own values alone.
    groups = [(alias, kind, rule.when, values) for alias, kind in rule.match]
    for block in rule.without:
        inside = [value for one in conditions_of(block.when) for value in values_of(one)]
        resting = [value for value in inside if case.run.reads.may_rest(value)]
        groups.append((block.alias, block.fact_type, block.when, resting))
    of_aliases = []
    for alias, fact_type, lines, some in groups:
        own = tuple(line for line in lines if line.aliases <= {*case.named, alias})
        mine = tuple(value for value in some if _reads_alias(value, alias))
        if mine:
            of_aliases.append((alias, fact_type, own, mine))
    result = Resting(
        tuple(v for v in values if not any(_reads_alias(v, alias) for alias in matched)),
        tuple(of_aliases),
    )
    case.run.resting[rule.id] = result
    return result


def _is_excluded(own: Lines, bindings: Bindings, case: Case) -> bool:
    """Return whether a line is false that rests on nothing itself."""
    return any(
        line_holds(line, bindings, case) is False and not rests_lines((line,), bindings, case)
        for line in own
    )


def _rests_alias(
    alias: str, fact_type: str, own: Lines, values: tuple[Value, ...], case: Case
) -> frozenset[str]:
    """Return what values of one alias rest on, over the facts that its own lines do not exclude."""
    result = NOTHING
    for fact in case.facts_of(fact_type):
        inner = {**case.named, alias: fact}
        if not _is_excluded(own, inner, case):
            result = result.union(*(_rests_value(value, inner, case) for value in values))
    return result


def rests_rule(rule: Rule, case: Case) -> frozenset[str]:
    """Return the U parameters that a rule in scope reads for a case."""
    if rule.unverified == rule.direct:
        return rule.direct
    resting = _resting(rule, case)
    types = {kind for _, kind in rule.aliases}
    result = rule.direct.union(
        *(_rests_type(kind, case) for kind in types),
        *(_rests_value(value, case.named, case) for value in resting.of_case),
    )
    for alias, fact_type, own, values in resting.of_aliases:
        result |= _rests_alias(alias, fact_type, own, values, case)
    return result


def rests_matched(rule: Rule, case: Case) -> frozenset[str]:
    """Return the table rows of status U that a rule may take as facts.

    They do not hold the rule back: one that is not confirmed is a fact that may be there, so that
    what other rows show to be wrong stays a finding.
    """
    if rule.unverified == rule.direct:
        return NOTHING
    result = NOTHING
    blocks = ((block.alias, block.fact_type, block.when) for block in rule.without)
    for alias, fact_type, lines in (*((a, kind, rule.when) for a, kind in rule.match), *blocks):
        if fact_type not in case.run.computing:
            continue
        own = tuple(line for line in lines if line.aliases <= {*case.named, alias})
        for fact in case.facts_of(fact_type):
            if not _is_excluded(own, {**case.named, alias: fact}, case):
                result |= _rests_fact(fact, case)
    return result


def rests_scope(rule: Rule, case: Case) -> frozenset[str]:
    """Return the U parameters that the scope of a rule reads for a case."""
    if not rule.scope_unverified:
        return NOTHING
    return rests_lines(tuple(one.line for one in rule.scope), case.named, case)


def unconfirmed_causes(parameters: frozenset[str], case: Case) -> list[Text]:
    """Return why a rule that rests on some parameters cannot decide yet."""
    run = case.run
    open_rows = (
        run.tables[table].unconfirmed_of(row)
        for table, _, row in (
            name.partition(".")
            for name in sorted(parameters - run.confirmed - run.parameters.keys())
        )
    )
    values = (run.parameters.get(name) for name in sorted(parameters - run.confirmed))
    return [one.cause for one in (*values, *open_rows) if isinstance(one, Unknown)]

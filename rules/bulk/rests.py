"""Which U parameters something rests on, as one two-valued condition for each parameter.

Source: docs/spec/pack-format.md, PF-7; `rules/unverified.py` is the meaning.
"""

from carnet.rules.ast import (
    Choice,
    FieldRef,
    Line,
    Lines,
    Lookup,
    MeasureRef,
    ParameterRef,
    Value,
    conditions_of,
    parts_of,
    values_of,
)
from carnet.rules.bulk.frame import Frame
from carnet.rules.bulk.plan import key_of
from carnet.rules.bulk.sql import (
    FALSE,
    TRUE,
    Sql,
    both,
    coalesced,
    either,
    is_false,
    negated,
    not_false,
)
from carnet.rules.bulk.tables import row_rests, row_tests
from carnet.rules.bulk.values import all_hold, line_verdict, line_verdicts, worth_of


def _read_by(frame: Frame, value: Value) -> frozenset[str]:
    return frame.plan.reads.of_values([value])


def rests_value(frame: Frame, value: Value, parameter: str) -> Sql:
    """Return whether a value rests on a parameter."""
    if parameter not in _read_by(frame, value):
        return FALSE
    found: list[Sql] = []
    for part in parts_of(value):
        if isinstance(part, ParameterRef) and part.id == parameter:
            return TRUE
        if isinstance(part, Lookup):
            found.append(_of_lookup(frame, part, parameter))
        key = key_of(part)
        if key is None:
            continue
        info = frame.plan.computed[key]
        if parameter in info.rests:
            found.append(_of_definition(frame, part, parameter))
    return either(*found)


def _of_lookup(frame: Frame, lookup: Lookup, parameter: str) -> Sql:
    """Return whether a row of status U is among those that a lookup considers."""
    name, _, row = parameter.partition(".")
    if name != lookup.table:
        return FALSE
    table = frame.plan.pack.tables[name]
    arguments = [worth_of(frame, one) for one in lookup.arguments]
    return row_rests(table, row_tests(frame.plan, table, arguments), row)


def _of_definition(frame: Frame, part: Value, parameter: str) -> Sql:
    """Return the column that says so; a fact that is not there rests on nothing."""
    key = key_of(part)
    assert key is not None, "only definitions have a column"
    info = frame.plan.computed[key]
    said = info.column(f"rests${parameter}")
    if isinstance(part, MeasureRef):
        return coalesced(frame.measure_of(info).column(said), FALSE)
    assert isinstance(part, FieldRef), "a definition is a field or a measure"
    if info.is_local:
        _, holder = frame.referred(part)
        return coalesced(holder.column(said), FALSE)
    return coalesced(frame.computed_of(info, part).column(said), FALSE)


def _line_rests(frame: Frame, line: Line, parameter: str) -> Sql:
    values = [value for one in line.conditions for value in values_of(one)]
    return either(*(rests_value(frame, value, parameter) for value in values))


def parameters_read(frame: Frame, lines: Lines) -> list[str]:
    """Return the U parameters that lines may read, sorted."""
    values = [value for one in conditions_of(lines) for value in values_of(one)]
    return sorted(frame.plan.reads.of_values(values))


def settled(frame: Frame, lines: Lines) -> Sql:
    """Return whether a line is false that rests on nothing itself, so that nothing else counts."""
    found = []
    for line in lines:
        rests = either(*(_line_rests(frame, line, one) for one in parameters_read(frame, (line,))))
        if rests == TRUE:
            continue
        verdict = line_verdict(frame, line)
        found.append(
            both(negated(rests), is_false(verdict.sql)) if rests != FALSE else is_false(verdict.sql)
        )
    return either(*found)


def rests_lines(frame: Frame, lines: Lines, parameter: str) -> Sql:
    """Return whether lines rest on a parameter."""
    if parameter not in parameters_read(frame, lines):
        return FALSE
    resting = [(line, _line_rests(frame, line, parameter)) for line in lines]
    resting = [(line, rests) for line, rests in resting if rests != FALSE]
    if not resting:
        return FALSE
    # A line that rests on something settles nothing: it need not be asked about itself.
    alone = resting[0][0] if len(resting) == 1 else None
    found = either(*(rests for _, rests in resting))
    stopped = settled(frame, tuple(line for line in lines if line is not alone))
    return found if stopped == FALSE else both(found, negated(stopped))


def rests_guarded(frame: Frame, lines: Lines, value: Value | None, parameter: str) -> Sql:
    """Return whether a value that counts where lines are not false rests on a parameter."""
    result = rests_lines(frame, lines, parameter)
    if value is None or parameter not in _read_by(frame, value):
        return result
    holds = all_hold(line_verdicts(frame, lines))
    return either(result, both(not_false(holds.sql), rests_value(frame, value, parameter)))


def rests_choice(frame: Frame, choice: Choice, parameter: str) -> Sql:
    """Return whether a choice of candidates rests on a parameter."""
    return either(
        *(rests_guarded(frame, one.when, one.value, parameter) for one in choice.candidates)
    )

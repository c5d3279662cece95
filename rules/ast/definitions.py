"""What is computed before the rules: derived fields, measures, closures; and what rules set."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from carnet.core.text import Text
from carnet.rules.ast.values import FieldRef, Lines, Value, ValueKind, conditions_of, values_of

Aggregate = Literal["count", "sum", "min", "max", "count_distinct"]
Combination = Literal["unique", "sum", "min", "max"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a candidate decides a derived field."""

    id: str
    text: Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible value of a derived field or measure, and when it applies."""

    value: Value
    when: Lines
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Choice:
    """The least, the greatest or the first of the candidates that apply."""

    choose: Literal["min", "max", "first"]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A function over the facts of one type in the case."""

    function: Aggregate
    alias: str
    fact_type: str
    when: Lines
    of: Value | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A derived field (with its fact type) or a measure (without)."""

    name: str
    title: Text
    kind: ValueKind
    body: Value | Choice | Aggregation
    fact_type: str | None


def values_of_definition(definition: Definition) -> Iterator[Value]:
    """Yield every value that a definition may read."""
    body = definition.body
    lines: tuple[Lines, ...] = ()
    if isinstance(body, Choice):
        yield from (candidate.value for candidate in body.candidates)
        lines = tuple(candidate.when for candidate in body.candidates)
    elif isinstance(body, Aggregation):
        if body.of is not None:
            yield body.of
        lines = (body.when,)
    else:
        yield body
    for some in lines:
        for condition in conditions_of(some):
            yield from values_of(condition)


@dataclass(frozen=True, slots=True)
class Closure:
    """Which facts can be reached from which, over facts that link two of them.

    Each pair that 1 to `depth_max` links join is a fact of a type named after the closure, with
    the id `<from_id>><to_id>` and the fields `from_id`, `to_id` and `depth` (the fewest links).

    Args:
        name: The name of the pairs' type.
        title: What a pair means.
        fact_type: The type of the links.
        alias: The name a link is bound to in `when`.
        start: The field of a link that names where it starts.
        end: The field of a link that names where it ends.
        when: Which links count.
        depth_max: The most links; a longer way makes the pairs of the case undetermined.
    """

    name: str
    title: Text
    fact_type: str
    alias: str
    start: FieldRef
    end: FieldRef
    when: Lines
    depth_max: int


@dataclass(frozen=True, slots=True)
class Output:
    """An integer that rules set for a case, and what is made of several settings."""

    name: str
    title: Text
    combination: Combination

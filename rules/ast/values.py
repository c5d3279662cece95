"""Values and conditions: what a line of a pack reads and asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

ValueKind = Literal["string", "integer", "boolean", "date", "instant", "strings"]
Scalar = str | int | bool | date
Operator = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant."""

    value: Scalar
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class AsOf:
    """The date the decision is made for."""

    kind: ValueKind = "date"


@dataclass(frozen=True, slots=True)
class ParameterRef:
    """The value of a parameter that is in force."""

    id: str
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class MeasureRef:
    """A measure of the case."""

    name: str
    kind: ValueKind = "integer"


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a fact, reached from an alias through references.

    Args:
        alias: The name the first fact is bound to.
        references: Pairs of a reference field and the fact type it leads to.
        owner: The type of the fact that holds the field.
        name: The field.
        kind: The type of its values.
        is_derived: Whether the pack computes it.
        is_reason: Whether it is the text of the candidate that decided a derived field.
        is_certain: Whether every fact has it, so that reading it cannot fail.
        choices: The values it may have; empty where it is open.
    """

    alias: str
    references: tuple[tuple[str, str], ...]
    owner: str
    name: str
    kind: ValueKind
    is_derived: bool = False
    is_reason: bool = False
    is_certain: bool = False
    choices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The spelling in the pack."""
        steps = [name.removesuffix("_id") for name, _ in self.references]
        return ".".join([self.alias, *steps, self.name])


@dataclass(frozen=True, slots=True)
class Call:
    """A named function or an operator applied to values."""

    function: str
    arguments: tuple["Value", ...]
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class Lookup:
    """An output of a decision table for some inputs.

    Args:
        table: The table.
        column: The output column.
        arguments: One value for each input column, in their order.
        kind: The type of the output; `strings` where the hit policy gives a list.
        position: The position of the column among the outputs.
        choices: The values it may give; empty where it gives no text.
    """

    table: str
    column: str
    arguments: tuple["Value", ...]
    kind: ValueKind
    position: int = 0
    choices: tuple[str, ...] = ()


Value = Constant | AsOf | ParameterRef | MeasureRef | FieldRef | Call | Lookup


def parts_of(value: Value) -> Iterator[Value]:
    """Yield a value and every value inside it."""
    yield value
    if isinstance(value, Call | Lookup):
        for argument in value.arguments:
            yield from parts_of(argument)


def fields_of(value: Value) -> Iterator[FieldRef]:
    """Yield the fields that a value reads."""
    return (part for part in parts_of(value) if isinstance(part, FieldRef))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values of one type compared."""

    operator: Operator
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a value is one of a list."""

    value: Value
    items: tuple[Scalar, ...] | ParameterRef | Lookup
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a field is present."""

    field: FieldRef
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean value taken as it is."""

    value: Value
    is_negated: bool = False


Condition = Comparison | Membership | Presence | Truth


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a pack: conditions of which one must hold."""

    text: str
    conditions: tuple[Condition, ...]
    number: int = 0
    aliases: frozenset[str] = frozenset()
    """Every alias it reads, of the case and matched ones."""


Lines = tuple[Line, ...]


def conditions_of(lines: Lines) -> Iterator[Condition]:
    """Yield every condition of some lines."""
    for line in lines:
        yield from line.conditions


def values_of(condition: Condition) -> tuple[Value, ...]:
    """Return the values that a condition reads."""
    if isinstance(condition, Comparison):
        return (condition.left, condition.right)
    if isinstance(condition, Presence):
        return (condition.field,)
    if isinstance(condition, Membership) and not isinstance(condition.items, tuple):
        return (condition.value, condition.items)
    return (condition.value,)

"""The typed form of a rule pack: what the YAML means once names and types are resolved.

Everything here is data without behaviour beyond looking at itself. Four readers share it: the
reference evaluator (`evaluate.py`), the compilers to the live engine (`live/`) and to SQL (`bulk/`),
and the explanation (`explain.py`).

Source: docs/spec/pack-format.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from carnet.core.digests import PackDigest
from carnet.core.text import Text

ValueKind = Literal["string", "integer", "boolean", "date", "strings"]
Scalar = str | int | bool | date
Severity = Literal["blocking", "major", "minor", "info"]
ParameterStatus = Literal["V", "S", "U"]
PackStatus = Literal["draft", "released", "proposal"]
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Aggregate = Literal["count", "sum", "min", "max", "count_distinct"]

# --- values -----------------------------------------------------------------------------------


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


Value = Constant | AsOf | ParameterRef | MeasureRef | FieldRef | Call

# --- conditions -------------------------------------------------------------------------------


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
    items: tuple[Scalar, ...] | ParameterRef
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

# --- definitions ------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """A line that must hold for the rule to apply, and what to say where it does not."""

    line: Line
    reason: Text


@dataclass(frozen=True, slots=True)
class Without:
    """No fact of a type may make all these lines true."""

    alias: str
    fact_type: str
    when: Lines


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, in both languages."""

    en: tuple[str | Value, ...]
    zh: tuple[str | Value, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The placeholders of both languages."""
        return tuple(part for part in (*self.en, *self.zh) if not isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a pack."""

    id: str
    title: Text
    citation: tuple[str, ...]
    severity: Severity
    scope: tuple[ScopeLine, ...]
    match: tuple[tuple[str, str], ...]
    when: Lines
    without: tuple[Without, ...]
    message: Template
    remedy: Template
    unverified: frozenset[str] = frozenset()
    """U parameters the rule may read for some case, directly or through definitions."""
    direct: frozenset[str] = frozenset()
    """Those of them that it reads for every case it applies to."""
    scope_unverified: frozenset[str] = frozenset()
    """U parameters that its scope may read."""
    file: str = ""
    number: int = 0

    @property
    def aliases(self) -> tuple[tuple[str, str], ...]:
        """Every alias of the rule with its fact type, matched ones first."""
        return (*self.match, *((block.alias, block.fact_type) for block in self.without))


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a law fact is written down."""

    fact: str
    title: str
    article: str
    link: str


@dataclass(frozen=True, slots=True)
class DatedValue:
    """A value with the days the law applies it and the day it was published."""

    value: Scalar | tuple[str, ...]
    valid_from: date
    valid_to: date | None
    known_from: date


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated value of the law."""

    id: str
    title: Text
    kind: ValueKind
    unit: str
    status: ParameterStatus
    citation: Citation
    values: tuple[DatedValue, ...]
    last_checked: date
    corrigenda: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a reference path: equal values of two fields."""

    near_field: str
    far_type: str
    far_field: str


@dataclass(frozen=True, slots=True)
class Path:
    """How facts of one type reach a case: links away from the type; none means every case."""

    fact_type: str
    links: tuple[Link, ...]

    @property
    def end(self) -> str | None:
        """The type the path leads to."""
        return self.links[-1].far_type if self.links else None


@dataclass(frozen=True, slots=True)
class CaseDefinition:
    """Which facts are cases, and what is bound by name in every rule."""

    fact_type: str
    alias: str
    when: Lines
    named: tuple[tuple[str, FieldRef, str], ...]
    """Alias, the reference that leads to it, and its fact type."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A rule pack, checked."""

    id: str
    version: str
    title: Text
    jurisdiction: str
    authority: Text
    status: PackStatus
    effective_from: date
    effective_to: date | None
    stage: int
    case: CaseDefinition
    paths: tuple[Path, ...]
    parameters: Mapping[str, Parameter]
    law: Mapping[str, Citation]
    derived: Mapping[tuple[str, str], Definition]
    measures: Mapping[str, Definition]
    rules: tuple[Rule, ...]
    digest: PackDigest
    tests: tuple[Mapping[str, object], ...] = field(default=(), compare=False)


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
    if isinstance(condition, Membership) and isinstance(condition.items, ParameterRef):
        return (condition.value, condition.items)
    return (condition.value,)


def parts_of(value: Value) -> Iterator[Value]:
    """Yield a value and every value inside it."""
    yield value
    if isinstance(value, Call):
        for argument in value.arguments:
            yield from parts_of(argument)


def fields_of(value: Value) -> Iterator[FieldRef]:
    """Yield the fields that a value reads."""
    return (part for part in parts_of(value) if isinstance(part, FieldRef))


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

"""Packs: parameters of the law, cases and the paths to them, and all that is defined for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from carnet.core.digests import PackDigest
from carnet.core.text import Text
from carnet.rules.ast.definitions import Closure, Definition, Output
from carnet.rules.ast.rules import Rule
from carnet.rules.ast.tables import Table
from carnet.rules.ast.values import FieldRef, Lines, Scalar, ValueKind

ParameterStatus = Literal["V", "S", "U"]
PackStatus = Literal["draft", "released", "proposal"]


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
    tables: Mapping[str, Table] = field(default_factory=dict)
    closures: Mapping[str, Closure] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """The packs of earlier stages whose decisions are facts of this one."""
    tests: tuple[Mapping[str, object], ...] = field(default=(), compare=False)

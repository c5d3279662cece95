"""Rules: when they apply, what they match, what follows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from carnet.core.text import Text
from carnet.rules.ast.values import Line, Lines, Value

Severity = Literal["blocking", "major", "minor", "info"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a rule gives to an output."""

    output: str
    value: Value


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
    severity: Severity | None
    """How grave the finding is; None where the rule raises none."""
    scope: tuple[ScopeLine, ...]
    match: tuple[tuple[str, str], ...]
    when: Lines
    without: tuple[Without, ...]
    message: Template | None
    """The finding's message; None where the rule raises none."""
    remedy: Template | None
    settings: tuple[Setting, ...] = ()
    action: str | None = None
    """The name of what automation is asked to do."""
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


def said_by(rule: Rule) -> Iterator[Value]:
    """Yield what follows from a rule: the placeholders of its texts and what it sets."""
    yield from texts_of(rule)
    for setting in rule.settings:
        yield setting.value


def texts_of(rule: Rule) -> Iterator[Value]:
    """Yield the placeholders of a rule's texts."""
    for template in (rule.message, rule.remedy):
        if template is not None:
            yield from template.values

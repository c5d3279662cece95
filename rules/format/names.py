"""What the lines of a pack may name, and which known name an unknown one was meant to be."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from carnet.core.text import Text
from carnet.rules.ast import Value, ValueKind

COMPARED_MAX = 200
"""Names that an unknown one is compared with."""


@dataclass(frozen=True, slots=True)
class ComputedField:
    """A field of computed facts.

    Args:
        kind: The type of its values.
        is_certain: Whether every such fact has it.
        choices: The values it may have; empty where it is open.
    """

    kind: ValueKind
    is_certain: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookupColumn:
    """An output that a lookup may ask for: its kind, position and possible values."""

    kind: ValueKind
    position: int
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableNames:
    """What a lookup must know of a table.

    Args:
        inputs: Name and kind of each input.
        columns: The outputs that may be asked for.
        gives_list: Whether a lookup gives a list.
        own_values: Returns what the inputs hold for a case; None for those that need an argument.
    """

    inputs: tuple[tuple[str, ValueKind], ...]
    columns: Mapping[str, LookupColumn]
    gives_list: bool
    own_values: Callable[[], tuple[Value | None, ...]]


@dataclass(frozen=True, slots=True)
class Names:
    """What a line may name.

    Args:
        aliases: Fact type of each alias in reach.
        matched: Those of them that are matched, at most one of which a value may read.
        parameters: Kind of each parameter.
        measures: Names of the measures.
        derived: Kind of each derived field by fact type and name.
        reasons: The derived fields whose candidates have reasons.
        types: Fact types that references may lead to.
        divisions: Whether the functions that divide may be called.
        computed: The fields of each type of computed facts.
        tables: The tables that may be looked up.
    """

    aliases: Mapping[str, str]
    matched: frozenset[str]
    parameters: Mapping[str, ValueKind]
    measures: frozenset[str]
    derived: Mapping[tuple[str, str], ValueKind]
    reasons: frozenset[tuple[str, str]]
    types: frozenset[str]
    divisions: bool = False
    computed: Mapping[str, Mapping[str, ComputedField]] = field(default_factory=dict)
    tables: Mapping[str, TableNames] = field(default_factory=dict)

    def with_aliases(self, aliases: Mapping[str, str]) -> "Names":
        """Return these names with further matched aliases."""
        return replace(
            self, aliases={**self.aliases, **aliases}, matched=self.matched | aliases.keys()
        )


def suggest(name: str, known: Iterable[str]) -> Text:
    """Return the known names closest to a name, or some of them."""
    options = sorted(known)
    if len(options) > COMPARED_MAX:
        # Comparing is slow: the likely ones share the beginning.
        alike = [option for option in options if option[:2] == name[:2]]
        options = (alike or options)[:COMPARED_MAX]
    close = difflib.get_close_matches(name, options, n=3)
    if close:
        return Text(f"Did you mean {', '.join(close)}?", f"是否指：{'、'.join(close)}？")
    if not options:
        return Text("", "")
    shown = options[:12]
    return Text(f"Known: {', '.join(shown)}.", f"可用：{'、'.join(shown)}。")

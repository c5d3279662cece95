"""Decision tables: rows of conditions with what follows from them.

Source: OMG DMN 1.5, 8.2 (hit policies); docs/spec/pack-format.md.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from carnet.core.text import Text
from carnet.rules.ast.values import Scalar, Value, ValueKind

RowStatus = Literal["V", "S", "U"]
HitPolicy = Literal["U", "A", "P", "F", "R", "O", "C"]
"""Unique, any, priority, first, rule order, output order, collect."""
Collection = Literal["sum", "min", "max", "count"]


@dataclass(frozen=True, slots=True)
class Interval:
    """The values between two ends; both ends are the value itself where a cell names one."""

    low: Scalar | None
    high: Scalar | None
    includes_low: bool = True
    includes_high: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """What an input must be: in one of some intervals, or in none of them; anything if none."""

    intervals: tuple[Interval, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class TableInput:
    """An input column.

    Args:
        name: Its name.
        title: Its heading.
        kind: The type of its values.
        value: What it holds for a case; None where only a lookup gives it.
        choices: The values it may have; empty where it is open.
    """

    name: str
    title: Text
    kind: ValueKind
    value: Value | None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableOutput:
    """An output column; `order` ranks its values, the first highest, for the policies P and O."""

    name: str
    title: Text
    kind: ValueKind
    order: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: what the inputs must be, and what follows; an output may be absent."""

    id: str
    cells: tuple[Cell, ...]
    outputs: tuple[Scalar | None, ...]
    valid_from: date | None = None
    valid_to: date | None = None
    known_from: date | None = None
    status: RowStatus = "S"
    citation: tuple[str, ...] = ()
    number: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A decision table.

    Where every input column has a value of its own, the rows that hit for a case are facts of it,
    of a type named after the table: their id is the row's, their fields are its outputs.

    Args:
        id: Its name.
        title: What it tells.
        hit_policy: What follows where several rows hit.
        collection: How the policy C makes one value of several.
        inputs: Its input columns.
        outputs: Its output columns.
        rows: Its rows in their order.
        is_complete: Whether some row must hit whatever the inputs are.
        file: Where it stands in the pack.
    """

    id: str
    title: Text
    hit_policy: HitPolicy
    collection: Collection | None
    inputs: tuple[TableInput, ...]
    outputs: tuple[TableOutput, ...]
    rows: tuple[TableRow, ...]
    is_complete: bool = False
    file: str = ""

    @property
    def has_hits(self) -> bool:
        """Whether the rows that hit for a case are facts of it."""
        return all(column.value is not None for column in self.inputs)

    @property
    def gives_list(self) -> bool:
        """Whether a lookup gives a list."""
        return self.hit_policy in {"R", "O", "C"} and self.collection is None

    @property
    def policy(self) -> str:
        """The hit policy as a table spells it."""
        marks = {"sum": "+", "min": "<", "max": ">", "count": "#"}
        return self.hit_policy + (marks[self.collection] if self.collection else "")


def row_key(table: str, row: str) -> str:
    """Return the name under which officers confirm a row of status U."""
    return f"{table}.{row}"

"""Inputs of a decision table as a product of finite axes, exactly.

Between two neighbouring ends of intervals every value is treated alike by every cell, so each input
falls into finitely many *atoms*: stretches of integers or dates, listed texts and "any other", true
and false. The day is one more axis where rows have windows. A row is then a set of atoms for each
axis, and what the rows leave open or share is found without trying values.

Source: docs/spec/pack-format.md, PF-47.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import (
    Aggregation,
    Call,
    Cell,
    Definition,
    FieldRef,
    Interval,
    MeasureRef,
    Pack,
    Scalar,
    Table,
    TableInput,
    TableRow,
    Value,
)
from carnet.rules.format.cells import bounds_of, constant_text
from carnet.rules.tables import is_in_force

_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_RATIO_MAX = 10_000
_BELOW_ALL = -(2**63)
SHOWN_MAX = 6
"""Atoms of one axis that a message lists."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Values that no cell tells apart.

    Args:
        sample: One of them.
        low: The least; None where there is none. Numbers and day numbers only.
        high: The greatest; None where there is none.
        text: How a message names them where they are no stretch.
    """

    sample: Scalar
    low: int | None = None
    high: int | None = None
    text: Text | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """An input with its atoms in order."""

    name: str
    is_date: bool
    atoms: tuple[Atom, ...]
    starts: tuple[int, ...] = ()
    """Where each atom begins, for numbers and dates."""

    @property
    def everything(self) -> int:
        """All atoms as a set of bits."""
        return (1 << len(self.atoms)) - 1

    def atoms_of(self, cell: Cell) -> int:
        """Return the atoms that a cell takes."""
        if not cell.intervals:
            return self.everything
        found = 0
        for one in cell.intervals:
            found |= self._stretch(one) if self.starts else self._listed(one.low)
        return self.everything & ~found if cell.is_negated else found

    def _listed(self, value: Scalar | None) -> int:
        return sum(1 << n for n, atom in enumerate(self.atoms) if atom.sample == value)

    def _stretch(self, one: Interval) -> int:
        """Return the atoms between two ends; each begins or ends where an atom does."""
        low, high = bounds_of(one)
        first, last = self.atoms[0].low, self.atoms[-1].high
        if (high is not None and first is not None and high < first) or (
            low is not None and last is not None and low > last
        ):
            return 0
        begin = 0 if low is None else max(0, bisect_right(self.starts, low) - 1)
        end = len(self.atoms) - 1 if high is None else bisect_right(self.starts, high) - 1
        return (1 << (end + 1)) - (1 << begin)


Box = tuple[int, ...]
"""For each axis a set of atoms, as bits."""


class OutOfBudgetError(Exception):
    """The work that a check may do is used up."""


class Budget:
    """How many steps the analyses of one pack may take together."""

    def __init__(self, steps_max: int) -> None:
        self._left = steps_max

    def spend(self, steps: int = 1) -> None:
        """Take some steps.

        Raises:
            OutOfBudgetError: There are not so many left.
        """
        self._left -= steps
        if self._left < 0:
            raise OutOfBudgetError


# --- axes -------------------------------------------------------------------------------------


def _scalar(number: int, *, is_date: bool) -> Scalar:
    return date.fromordinal(number) if is_date else number


def _stretches(
    starts: Iterable[int], low: int | None, high: int | None, *, is_date: bool
) -> tuple[Atom, ...]:
    """Return the stretches that begin at some numbers, within the bounds of a domain."""
    inner = sorted(
        {one for one in starts if (low is None or one > low) and (high is None or one <= high)}
    )
    atoms = []
    for first, following in zip([low, *inner], [*inner, None], strict=True):
        last = high if following is None else following - 1
        sample = last if first is None else first
        shown = _scalar(0 if sample is None else sample, is_date=is_date)
        atoms.append(Atom(shown, first, last))
    return tuple(atoms)


def _ordered(name: str, atoms: tuple[Atom, ...], *, is_date: bool) -> Axis:
    starts = tuple(_BELOW_ALL if atom.low is None else atom.low for atom in atoms)
    return Axis(name, is_date, atoms, starts)


def _domain(value: Value | None, pack: Pack) -> tuple[int | None, int | None]:
    """Return the bounds that an integer has by its nature."""
    if isinstance(value, FieldRef) and not value.is_derived and value.owner in RULE_TYPES:
        column = RULE_TYPES[value.owner].column(value.name)
        return column.minimum, column.maximum
    definition: Definition | None = None
    if isinstance(value, MeasureRef):
        definition = pack.measures.get(value.name)
    elif isinstance(value, FieldRef):
        definition = pack.derived.get((value.owner, value.name))
    if definition is not None:
        body = definition.body
        if isinstance(body, Aggregation):
            return (0, None) if body.function.startswith("count") else (None, None)
        return (
            _domain(body, pack) if isinstance(body, Call | MeasureRef | FieldRef) else (None, None)
        )
    is_share = isinstance(value, Call) and value.function == "wilson_lower_bps"
    return (0, _RATIO_MAX) if is_share else (None, None)


def _input_axis(column: TableInput, position: int, table: Table, pack: Pack) -> Axis:
    intervals = [one for row in table.rows for one in row.cells[position].intervals]
    if column.kind == "boolean":
        return Axis(column.name, False, (Atom(False), Atom(True)))  # noqa: FBT003 (the values)
    if column.kind == "string":
        listed = sorted({str(one.low) for one in intervals})
        other = "other"
        while other in listed:
            other += "-"
        atoms = [Atom(text) for text in (column.choices or listed)]
        if not column.choices:
            atoms.append(Atom(other, text=Text("any other", "其他任意值")))
        return Axis(column.name, False, tuple(atoms))  # noqa: FBT003 (no dates)
    is_date = column.kind == "date"
    low, high = (_FIRST_DAY, _LAST_DAY) if is_date else _domain(column.value, pack)
    starts = []
    for one in intervals:
        least, most = bounds_of(one)
        starts += [] if least is None else [least]
        starts += [] if most is None else [most + 1]
    return _ordered(column.name, _stretches(starts, low, high, is_date=is_date), is_date=is_date)


def _day_axis(table: Table, pack: Pack) -> Axis | None:
    """Return the days on which other rows are in force; None where no row has a window."""
    starts = []
    for row in table.rows:
        begins = [day.toordinal() for day in (row.valid_from, row.known_from) if day]
        starts += begins
        if row.valid_to:
            starts.append(row.valid_to.toordinal() + 1)
    if not starts:
        return None
    last = pack.effective_to.toordinal() if pack.effective_to else _LAST_DAY
    atoms = _stretches(starts, pack.effective_from.toordinal(), last, is_date=True)
    return _ordered("as_of", atoms, is_date=True) if len(atoms) > 1 else None


class Space:
    """The inputs of one table and what its rows take of them."""

    def __init__(self, table: Table, pack: Pack) -> None:
        self.axes: list[Axis] = [
            _input_axis(column, position, table, pack)
            for position, column in enumerate(table.inputs)
        ]
        day = _day_axis(table, pack)
        self._days = day
        if day is not None:
            self.axes.append(day)
        self._effective_from = pack.effective_from
        self._windows: dict[tuple[date | None, date | None, date | None], int] = {}
        self.boxes: list[Box] = [self._box(row) for row in table.rows]
        self.everything: Box = tuple(axis.everything for axis in self.axes)

    def _box(self, row: TableRow) -> Box:
        sets = [axis.atoms_of(cell) for axis, cell in zip(self.axes, row.cells, strict=False)]
        if self._days is not None:
            sets.append(self._days_of(row))
        elif not is_in_force(row, self._effective_from):
            # The row is never in force while the pack is.
            sets[0] = 0
        return tuple(sets)

    def _days_of(self, row: TableRow) -> int:
        key = (row.valid_from, row.valid_to, row.known_from)
        if key not in self._windows:
            assert self._days is not None, "asked for where days differ"
            days = [atom.sample for atom in self._days.atoms]
            self._windows[key] = sum(
                1 << n
                for n, day in enumerate(days)
                if isinstance(day, date) and is_in_force(row, day)
            )
        return self._windows[key]


# --- what is left open ------------------------------------------------------------------------


def is_empty_box(box: Box) -> bool:
    """Return whether a box holds nothing."""
    return not all(box)


def common(first: Box, second: Box) -> Box | None:
    """Return what two boxes share, None where they share nothing."""
    result = []
    for one, other in zip(first, second, strict=True):
        both = one & other
        if not both:
            return None
        result.append(both)
    return tuple(result)


def is_within(inner: Box, outer: Box) -> bool:
    """Return whether a box lies in another one."""
    return all(one & other == one for one, other in zip(inner, outer, strict=True))


def _bits(atoms: int) -> Iterator[int]:
    """Yield each atom of a set."""
    while atoms:
        atom = atoms & -atoms
        yield atom
        atoms ^= atom


def _groups(whole: int, sets: Sequence[int], budget: Budget) -> list[tuple[int, tuple[int, ...]]]:
    """Return the atoms of an axis in groups that the same boxes take, with these boxes."""
    always = tuple(n for n, one in enumerate(sets) if one & whole == whole)
    taking: dict[int, list[int]] = {}
    rest = whole
    for n, one in enumerate(sets):
        if one & whole == whole:
            continue
        budget.spend((one & whole).bit_count())
        rest &= ~one
        for atom in _bits(one & whole):
            taking.setdefault(atom, []).append(n)
    found: dict[tuple[int, ...], int] = {(): rest} if rest else {}
    for atom, some in taking.items():
        key = tuple(some)
        found[key] = found.get(key, 0) | atom
    return [(atoms, (*always, *some)) for some, atoms in found.items()]


def uncovered(whole: Box, boxes: Sequence[Box], budget: Budget) -> Iterator[Box]:
    """Yield boxes that together are what some boxes leave open of a whole.

    Raises:
        OutOfBudgetError: It takes too much work.
    """
    budget.spend(1 + len(boxes))
    if not whole:
        if not boxes:
            yield ()
        return
    if any(is_within(whole, box) for box in boxes):
        return
    if not boxes:
        yield whole
        return
    for atoms, taking in _groups(whole[0], [box[0] for box in boxes], budget):
        budget.spend(len(taking))
        for rest in uncovered(whole[1:], [boxes[n][1:] for n in taking], budget):
            yield (atoms, *rest)


# --- telling ----------------------------------------------------------------------------------


def _number(value: int | None, axis: Axis) -> str:
    return "" if value is None else constant_text(_scalar(value, is_date=axis.is_date))


def _stretch_text(first: Atom, last: Atom, axis: Axis) -> Text:
    if first.low is None and first.high is None and first.text is None:
        shown = constant_text(first.sample)
        return Text(shown, shown)
    if first.text is not None:
        return first.text
    low, high = _number(first.low, axis), _number(last.high, axis)
    if axis.is_date:
        low = "" if first.low == _FIRST_DAY else low
        high = "" if last.high == _LAST_DAY else high
    shown = f"[{low}..{high}]"
    if low == high:
        shown = low
    elif not low or not high:
        shown = f"<= {high}" if high else f">= {low}"
    return Text(shown, shown)


def _atoms_text(axis: Axis, atoms: int) -> Text:
    """Return the atoms of a set, neighbouring stretches joined."""
    left_out = axis.everything & ~atoms
    if not axis.starts and left_out.bit_count() < atoms.bit_count():
        others = _atoms_text(axis, left_out)
        return Text(f"not {others.en}", f"除 {others.zh} 外")
    shown: list[Text] = []
    run: list[Atom] = []
    for position, atom in enumerate((*axis.atoms, None)):
        taken = atom is not None and atoms >> position & 1
        joins = taken and run and (atom.low is not None and run[-1].high is not None)  # type: ignore[union-attr]  # taken means it is there
        if run and not joins:
            shown.append(_stretch_text(run[0], run[-1], axis))
            run = []
        if taken and atom is not None:
            run.append(atom)
    more = len(shown) - SHOWN_MAX
    en = " | ".join(one.en for one in shown[:SHOWN_MAX]) + (f" | {more} more" if more > 0 else "")
    zh = " | ".join(one.zh for one in shown[:SHOWN_MAX]) + (
        f" | 另有 {more} 个" if more > 0 else ""
    )
    return Text(en, zh)


def region_text(box: Box, axes: Sequence[Axis]) -> Text:
    """Return a box in words; axes that are taken whole are left out."""
    parts = [
        (axis.name, _atoms_text(axis, atoms))
        for axis, atoms in zip(axes, box, strict=True)
        if atoms != axis.everything
    ]
    if not parts:
        return Text("any inputs", "任意输入")
    en = ", ".join(f"{name}: {text.en}" for name, text in parts)
    zh = "，".join(f"{name}：{text.zh}" for name, text in parts)
    return Text(en, zh)


def sample_of(box: Box, axes: Sequence[Axis]) -> dict[str, Scalar]:
    """Return one point of a box, by the names of the axes."""
    return {
        axis.name: axis.atoms[(atoms & -atoms).bit_length() - 1].sample
        for axis, atoms in zip(axes, box, strict=True)
    }


def sample_text(box: Box, axes: Sequence[Axis]) -> str:
    """Return one point of a box in words."""
    sample = sample_of(box, axes)
    return ", ".join(f"{name} = {constant_text(value)}" for name, value in sample.items())

"""Whether some conditions can all hold: equalities of texts, differences of integers and dates.

Every value that is no constant is a variable; two spellings of one value are one variable. For
texts and booleans a variable has the values that are left to it; integers and dates are held in
difference constraints (``x - y <= c``), whose contradiction is a negative circle. What this does
not understand it takes for possible, so that "cannot hold" is always true.

Source: docs/spec/pack-format.md, PF-52.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from carnet.facts.schema import FACT_TYPES
from carnet.rules.ast import (
    Call,
    Comparison,
    Condition,
    Constant,
    FieldRef,
    Membership,
    ParameterRef,
    Presence,
    Scalar,
    Truth,
    Value,
    fields_of,
    values_of,
)
from carnet.rules.functions import apply

Parameters = Mapping[str, Scalar | tuple[str, ...]]
"""What parameters are worth; those that are missing may be anything."""
Edge = tuple[Value | None, Value | None, int]
"""``x - y <= c``; None is the number zero."""
COVERED_MAX = 64
"""Integers between two ends that are tried one by one."""
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_ORDERED = frozenset({"integer", "date", "instant"})
_ORDERED = frozenset({"integer", "date", "instant"})
_BOOLEANS = frozenset({True, False})


def plain(value: Value, parameters: Parameters) -> Value:
    """Return a value with parameters put in and what is then constant computed."""
    if isinstance(value, ParameterRef):
        known = parameters.get(value.id)
        return value if known is None or isinstance(known, tuple) else Constant(known, value.kind)
    if not isinstance(value, Call):
        return value
    arguments = tuple(plain(argument, parameters) for argument in value.arguments)
    if all(isinstance(argument, Constant) for argument in arguments):
        known = apply(value.function, tuple(cast("Constant", one).value for one in arguments))
        if known is not None:
            return Constant(known, value.kind)
    return Call(value.function, arguments, value.kind)


def _number(value: Scalar) -> int:
    return value.toordinal() if isinstance(value, date) else int(value)


def _linear(value: Value) -> tuple[Value | None, int]:
    """Return a variable and what is added to it; no variable where the value is constant."""
    if isinstance(value, Constant):
        return None, _number(value.value)
    if isinstance(value, Call) and len(value.arguments) == 2:  # noqa: PLR2004  # both sides
        left, right = value.arguments
        sign = {"+": 1, "-": -1, "add_days": 1}.get(value.function)
        if sign and isinstance(right, Constant):
            variable, offset = _linear(left)
            return variable, offset + sign * _number(right.value)
        if value.function == "+" and isinstance(left, Constant):
            variable, offset = _linear(right)
            return variable, offset + _number(left.value)
    return value, 0


@dataclass(slots=True)
class System:
    """Conditions that must all hold; `is_possible` says whether they can.

    Args:
        parameters: What parameters are worth.
        edges: Differences of integers and dates.
        unequal: Differences that must not be: x, y and c with ``x - y != c``.
        sets: The values left to texts and booleans, and the numbers left to listed ones.
        taken: The values that texts must not have.
        equal: Pairs of texts that are equal.
        distinct: Pairs of texts that are not.
        present: Fields that must be there.
        absent: Fields that must not be there.
    """

    parameters: Parameters = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    unequal: list[Edge] = field(default_factory=list)
    sets: dict[Value, frozenset[Scalar]] = field(default_factory=dict)
    taken: dict[Value, frozenset[Scalar]] = field(default_factory=dict)
    equal: list[tuple[Value, Value]] = field(default_factory=list)
    distinct: list[tuple[Value, Value]] = field(default_factory=list)
    present: set[FieldRef] = field(default_factory=set)
    absent: set[FieldRef] = field(default_factory=set)

    def copy(self) -> "System":
        """Return a system that can be added to alone."""
        return System(
            self.parameters,
            list(self.edges),
            list(self.unequal),
            dict(self.sets),
            dict(self.taken),
            list(self.equal),
            list(self.distinct),
            set(self.present),
            set(self.absent),
        )

    # -- adding --

    def add(self, condition: Condition, *, holds: bool = True) -> None:
        """Ask that a condition is true, or that it is false."""
        if isinstance(condition, Presence):
            wanted = holds != condition.is_negated
            (self.present if wanted else self.absent).add(condition.field)
            return
        for value in values_of(condition):
            self.present.update(one for one in fields_of(value) if not one.is_certain)
        if isinstance(condition, Truth):
            self._member(condition.value, frozenset({holds != condition.is_negated}), is_in=True)
        elif isinstance(condition, Membership):
            self._membership(condition, is_in=holds != condition.is_negated)
        else:
            self._comparison(condition, holds=holds)

    def _membership(self, condition: Membership, *, is_in: bool) -> None:
        items = condition.items
        if isinstance(items, ParameterRef):
            known = self.parameters.get(items.id)
            items = known if isinstance(known, tuple) else items
        if isinstance(items, tuple):
            self._member(condition.value, frozenset(items), is_in=is_in)

    def _member(self, raw: Value, items: frozenset[Scalar], *, is_in: bool) -> None:
        value = plain(raw, self.parameters)
        if not is_in:
            self.taken[value] = self.taken.get(value, frozenset()) | items
        else:
            left = self.sets.get(value)
            self.sets[value] = items if left is None else left & items

    def _comparison(self, condition: Comparison, *, holds: bool) -> None:
        operator: str = condition.operator
        if not holds:
            operator = _NEGATED[operator]
        left = plain(condition.left, self.parameters)
        right = plain(condition.right, self.parameters)
        if left.kind in _ORDERED:
            self._difference(operator, left, right)
            return
        if isinstance(left, Constant):
            left, right = right, left
        if isinstance(right, Constant):
            self._member(left, frozenset({right.value}), is_in=operator == "==")
        elif operator == "==":
            self.equal.append((left, right))
        else:
            self.distinct.append((left, right))

    def _difference(self, operator: str, left: Value, right: Value) -> None:
        (x, a), (y, b) = _linear(left), _linear(right)
        most = b - a
        if operator == "!=":
            self.unequal.append((x, y, most))
        if operator in {"<", "<=", "=="}:
            self.edges.append((x, y, most - (operator == "<")))
        if operator in {">", ">=", "=="}:
            self.edges.append((y, x, -most - (operator == ">")))

    # -- asking --

    @property
    def size(self) -> int:
        """How much there is to look at, for the budget of the analyses."""
        return len(self.edges) ** 2 + len(self.sets) + len(self.equal) + len(self.unequal) + 1

    def is_possible(self) -> bool:
        """Return whether all that was added can hold at once, as far as this understands it."""
        if any(one.is_certain or one in self.present for one in self.absent):
            return False
        return self._texts_possible() and self._numbers_possible()

    def _texts_possible(self) -> bool:
        roots = _Classes(self.equal)
        if any(roots.find(one) == roots.find(other) for one, other in self.distinct):
            return False
        members: dict[Value, list[Value]] = {}
        for value in {*self.sets, *self.taken, *roots.parents}:
            if value.kind not in _ORDERED:
                members.setdefault(roots.find(value), []).append(value)
        return all(self._left(values) != frozenset() for values in members.values())

    def _left(self, values: list[Value]) -> frozenset[Scalar] | None:
        """Return the values left to some equal texts, None where they may be anything."""
        left: frozenset[Scalar] | None = None
        for value in values:
            itself = frozenset({value.value}) if isinstance(value, Constant) else None
            for some in (itself, self.sets.get(value), _universe(value)):
                if some is not None:
                    left = some if left is None else left & some
        if left is None:
            return None
        return left.difference(*(self.taken.get(value, frozenset()) for value in values))

    def _numbers_possible(self) -> bool:
        edges = [*self.edges, *self._bounds()]
        distances = _Distances(edges)
        if distances.is_circular:
            return False
        for x, y, c in self.unequal:
            if x == y and c == 0:
                return False
            if distances.between(x, y) == c and distances.between(y, x) == -c:
                return False
        return all(self._number_left(value, distances) for value in self._listed())

    def _listed(self) -> set[Value]:
        named: set[Value] = {*self.sets, *self.taken}
        for x, y, _ in self.unequal:
            named |= {one for one in (x, y) if one is not None}
        return {one for one in named if one.kind in _ORDERED}

    def _number_left(self, value: Value, distances: "_Distances") -> bool:
        """Return whether a number is left to a value between its ends."""
        variable, offset = _linear(value)
        high, low = distances.between(variable, None), distances.between(None, variable)
        most = None if high is None else high + offset
        least = None if low is None else offset - low
        taken = {_number(one) for one in self.taken.get(value, ())}
        for x, y, c in self.unequal:
            if y is None and x == value:
                taken.add(c)
            elif x is None and y == value:
                taken.add(-c)
        allowed = self.sets.get(value)
        if allowed is not None:
            tried: Iterator[int] = (_number(one) for one in allowed)
        elif most is None or least is None or most - least > COVERED_MAX:
            return True
        else:
            tried = iter(range(least, most + 1))
        return any(
            one not in taken and (least is None or one >= least) and (most is None or one <= most)
            for one in tried
        )

    def _bounds(self) -> Iterator[Edge]:
        """Yield the ends that the schema gives to fields."""
        named = {one for x, y, _ in (*self.edges, *self.unequal) for one in (x, y)}
        for value in {*named, *self.sets, *self.taken}:
            if isinstance(value, FieldRef) and not value.is_derived and value.kind == "integer":
                column = FACT_TYPES[value.owner].column(value.name) if _is_stored(value) else None
                if column is not None and column.minimum is not None:
                    yield None, value, -column.minimum
                if column is not None and column.maximum is not None:
                    yield value, None, column.maximum


def _is_stored(value: FieldRef) -> bool:
    return value.owner in FACT_TYPES and value.name in FACT_TYPES[value.owner].columns


def _universe(value: Value) -> frozenset[Scalar] | None:
    """Return all values that a text or boolean may have, None where it is open."""
    if value.kind == "boolean":
        return _BOOLEANS
    if isinstance(value, FieldRef) and value.choices:
        return frozenset(value.choices)
    return None


class _Classes:
    """Values in classes of equal ones."""

    def __init__(self, pairs: list[tuple[Value, Value]]) -> None:
        self.parents: dict[Value, Value] = {}
        for one, other in pairs:
            self.parents[self.find(one)] = self.find(other)

    def find(self, value: Value) -> Value:
        """Return the value that stands for a class."""
        self.parents.setdefault(value, value)
        while self.parents[value] != value:
            value = self.parents[value]
        return value


class _Distances:
    """The least ``c`` with ``x - y <= c`` for every two variables that edges connect."""

    def __init__(self, edges: list[Edge]) -> None:
        names: list[Value | None] = [None, *{one for x, y, _ in edges for one in (x, y) if one}]
        self._index = {name: position for position, name in enumerate(names)}
        count = len(names)
        self._table: list[list[int | None]] = [[None] * count for _ in range(count)]
        for position in range(count):
            self._table[position][position] = 0
        for x, y, c in edges:
            self._lower(self._index[x], self._index[y], c)
        self._close(count)
        self.is_circular = any((self._table[n][n] or 0) < 0 for n in range(count))

    def _lower(self, x: int, y: int, c: int) -> None:
        known = self._table[x][y]
        if known is None or c < known:
            self._table[x][y] = c

    def _close(self, count: int) -> None:
        for middle in range(count):
            for x in range(count):
                first = self._table[x][middle]
                if first is None:
                    continue
                for y in range(count):
                    second = self._table[middle][y]
                    if second is not None:
                        self._lower(x, y, first + second)

    def between(self, x: Value | None, y: Value | None) -> int | None:
        """Return the most that x is above y, None where nothing says."""
        if x == y:
            return 0
        one, other = self._index.get(x), self._index.get(y)
        return None if one is None or other is None else self._table[one][other]

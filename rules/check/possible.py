"""Whether lines can hold together: alternatives tried one by one, parameters over their dates.

Source: docs/spec/pack-format.md, PF-52.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from carnet.rules.ast import AsOf, Line, Pack, ParameterRef, Scalar, parts_of, values_of
from carnet.rules.check.constraints import Parameters, System
from carnet.rules.parameters import value_in_force

BRANCHES_MAX = 512
"""Choices of alternatives tried for some lines; beyond, they are taken for possible."""
WORLDS_MAX = 64
"""Stretches of days with other values of parameters that are told apart."""
STEPS_MAX = 1_000_000


@dataclass(slots=True)
class Budget:
    """How much the analyses may still do; what they leave out is taken for possible."""

    steps: int = STEPS_MAX

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be done."""
        return self.steps <= 0

    def ask(self, system: System) -> bool:
        """Return whether a system is possible, at its price."""
        self.steps -= system.size
        return self.is_spent or system.is_possible()


@dataclass(slots=True)
class _Search:
    budget: Budget
    branches: int = BRANCHES_MAX

    def finds(self, open_lines: Sequence[Line], system: System) -> bool:
        """Return whether one alternative of each line can hold beside a system."""
        if not self.budget.ask(system):
            return False
        if not open_lines:
            return True
        first, *rest = open_lines
        for condition in first.conditions:
            self.branches -= 1
            if self.branches < 0 or self.budget.is_spent:
                return True
            further = system.copy()
            further.add(condition)
            if self.finds(rest, further):
                return True
        return False


def can_hold(lines: Iterable[Line], system: System, budget: Budget) -> bool:
    """Return whether some lines can all hold beside a system, which stays as it is."""
    if budget.is_spent:
        return True
    start, waiting = system.copy(), []
    for line in lines:
        if len(line.conditions) == 1:
            start.add(line.conditions[0])
        else:
            waiting.append(line)
    return _Search(budget).finds(sorted(waiting, key=lambda one: len(one.conditions)), start)


def parameters_of(lines: Iterable[Line]) -> frozenset[str]:
    """Return the parameters that some lines name."""
    return frozenset(
        part.id
        for line in lines
        for condition in line.conditions
        for value in values_of(condition)
        for part in parts_of(value)
        if isinstance(part, ParameterRef)
    )


def reads_as_of(line: Line) -> bool:
    """Return whether a line reads the date of the decision."""
    parts = (p for c in line.conditions for value in values_of(c) for p in parts_of(value))
    return any(isinstance(part, AsOf) for part in parts)


@dataclass(frozen=True, slots=True)
class World:
    """Days on which some parameters are worth the same; the last one may be open."""

    first: date
    last: date | None
    parameters: Parameters

    def system(self) -> System:
        """Return a system that asks for these days and values."""
        result = System(self.parameters)
        result.edges.append((None, AsOf(), -self.first.toordinal()))
        if self.last is not None:
            result.edges.append((AsOf(), None, self.last.toordinal()))
        return result


def turning_days(pack: Pack, names: Iterable[str]) -> list[date]:
    """Return the first day of a pack's window and each on which one of some parameters changes."""
    days = {pack.effective_from}
    for name in names:
        for value in pack.parameters[name].values:
            days |= {value.valid_from, value.known_from}
            if value.valid_to is not None and value.valid_to < date.max:
                days.add(value.valid_to + timedelta(days=1))
    end = pack.effective_to or date.max
    return sorted(day for day in days if pack.effective_from <= day <= end)


def worlds_of(pack: Pack, names: frozenset[str]) -> Iterator[World]:
    """Yield the stretches of a pack's window on which some parameters keep their values."""
    days = turning_days(pack, names)
    for position, day in enumerate(days):
        following = days[position + 1] - timedelta(days=1) if position + 1 < len(days) else None
        known: dict[str, Scalar | tuple[str, ...]] = {}
        for name in names:
            value = value_in_force(pack.parameters[name], day)
            if value is not None:
                known[name] = value.value
        yield World(day, following or pack.effective_to, known)


def can_hold_in_window(pack: Pack, lines: Sequence[Line], system: System, budget: Budget) -> bool:
    """Return whether lines can hold on some day of a pack's window, with what is then in force."""
    names = parameters_of(lines)
    if not names and not any(map(reads_as_of, lines)):
        return can_hold(lines, system, budget)
    if len(turning_days(pack, names)) > WORLDS_MAX:
        return True
    for world in worlds_of(pack, names):
        within = world.system()
        within.distinct += system.distinct
        if can_hold(lines, within, budget):
            return True
    return False

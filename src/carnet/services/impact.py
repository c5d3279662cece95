"""What another version of a pack would change: both decide every day that was decided before.

The facts are those that are stored now, and what officers confirmed counts as it does now, so that
the two versions are all that differs. Packs of earlier stages are those in force on each day.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from sqlalchemy import select

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import Conformity, Decision
from carnet.rules.engine import ENGINES
from carnet.services.packs import Installed, packs_in_force
from carnet.services.reviewing import stages_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts
from carnet.store.tables import DECISION

Outcome = tuple[str, str]
"""A rule, and the severity of what it finds."""

Direction = Literal["stricter", "milder", "other"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("stricter", "milder", "other")
_RANK: Final[Mapping[Conformity, int]] = {"conforming": 0, "undetermined": 1, "nonconforming": 2}
_SEVERITY_RANK: Final = {"info": 0, "minor": 1, "major": 2, "blocking": 3}


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case that the two versions decide differently on a day.

    Args:
        as_of: The day.
        case: Type and id.
        direction: Whether the second version is stricter or milder.
        before: What the first one says, None where it is no case of it.
        after: What the second one says.
        added: What the second version alone finds: rule and severity, or `undetermined` where
            the rule could not be evaluated; as often as it is found.
        removed: What the first one alone finds.
    """

    as_of: date
    case: tuple[str, str]
    direction: Direction
    before: Conformity | None
    after: Conformity | None
    added: tuple[Outcome, ...]
    removed: tuple[Outcome, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "case": {"type": self.case[0], "id": self.case[1]},
            "direction": self.direction,
            "before": self.before,
            "after": self.after,
            "added": [{"rule": rule, "severity": found} for rule, found in self.added],
            "removed": [{"rule": rule, "severity": found} for rule, found in self.removed],
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A day on which one of the versions cannot decide, and why."""

    as_of: date
    reason: Text


@dataclass(frozen=True, slots=True)
class Impact:
    """What differs between two versions over the days of a workspace."""

    engine: str
    days: tuple[date, ...]
    left_out: tuple[LeftOut, ...]
    cases: int
    changes: tuple[CaseChange, ...]

    @property
    def counts(self) -> dict[Direction, int]:
        """How many changes there are in each direction."""
        found = Counter(each.direction for each in self.changes)
        return {direction: found[direction] for direction in DIRECTIONS}

    def to_json(self) -> dict[str, Any]:
        """Return the impact as JSON."""
        return {
            "engine": self.engine,
            "days": [day.isoformat() for day in self.days],
            "left_out": [
                {"as_of": each.as_of.isoformat(), "reason": each.reason.to_json()}
                for each in self.left_out
            ],
            "cases": self.cases,
            "counts": self.counts,
            "changes": [each.to_json() for each in self.changes],
        }


def engine_for_many() -> str:
    """Return the engine for many cases: bulk where there is one, else the reference."""
    names: tuple[str, ...] = ENGINES
    return "bulk" if "bulk" in names else "reference"


def impact_of(
    workspace: Workspace,
    before: Installed,
    after: Installed,
    *,
    today: date,
    since: date | None = None,
    engine: str | None = None,
) -> Impact:
    """Return what changes if one version decides instead of another.

    Args:
        workspace: The workspace.
        before: The one.
        after: The other.
        today: Decided as well, whether or not it was decided before.
        since: The first day that counts; every day that was decided unless it is named.
        engine: The engine, as for `evaluate`; the one for many cases unless it is named.

    Raises:
        InputError: There is no such engine, or a fact cannot be used.
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    chosen = engine or engine_for_many()
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
        packs = {before.pack.id, after.pack.id}
        query = select(DECISION.c.as_of).where(DECISION.c.pack.in_(packs)).distinct()
        decided = set(connection.execute(query).scalars())
    days = sorted(day for day in decided | {today} if since is None or day >= since)
    left_out: list[LeftOut] = []
    changes: list[CaseChange] = []
    counted, cases = [], 0
    for day in days:
        reason = _outside(before.pack, day) or _outside(after.pack, day)
        if reason is not None:
            left_out.append(LeftOut(day, reason))
            continue
        one, other = (_decided(workspace, each, facts, day, chosen) for each in (before, after))
        counted.append(day)
        cases += len(one.keys() | other.keys())
        changes += _changes(day, one, other)
    return Impact(chosen, tuple(counted), tuple(left_out), cases, tuple(changes))


def _outside(pack: Pack, day: date) -> Text | None:
    last = pack.effective_to
    if pack.effective_from <= day and (last is None or day <= last):
        return None
    name = f"{pack.id}@{pack.version}"
    return Text(
        f"{name} decides from {pack.effective_from} to {last or '-'}.",
        f"{name} 的适用期为 {pack.effective_from} 至 {last or '-'}。",
    )


def _decided(
    workspace: Workspace,
    installed: Installed,
    facts: Collection[Fact],
    day: date,
    engine: str,
) -> dict[tuple[str, str], Decision]:
    stages = stages_of(workspace, packs_in_force(workspace, day), facts, day, engine)
    return {each.case: each for each in stages.result(installed.pack).decisions}


def _changes(
    day: date,
    before: Mapping[tuple[str, str], Decision],
    after: Mapping[tuple[str, str], Decision],
) -> Iterator[CaseChange]:
    for case in sorted(before.keys() | after.keys()):
        one, other = before.get(case), after.get(case)
        if one is None or other is None or one.to_json() != other.to_json():
            found = _change(day, case, one, other)
            if found is not None:
                yield found


def _found(decision: Decision | None) -> Counter[tuple[str, str, str]]:
    """Count what a decision finds: rule, severity and facts; and the rules it cannot tell of."""
    if decision is None:
        return Counter()
    findings = [
        (each.rule, each.severity, " ".join(f"{t}/{i}" for t, i in each.facts))
        for each in decision.findings
    ]
    return Counter(findings + [(each.rule, "undetermined", "") for each in decision.errors])


def _values(decision: Decision) -> Any:
    """Return what else automation reads of a decision; texts alone are no change of a case."""
    return decision.outputs, decision.to_json().get("actions")


def _change(
    day: date, case: tuple[str, str], before: Decision | None, after: Decision | None
) -> CaseChange | None:
    one, other = _found(before), _found(after)
    added, removed = other - one, one - other
    if before is not None and after is not None:
        same = before.conformity == after.conformity and not added and not removed
        if same and _values(before) == _values(after):
            return None
    return CaseChange(
        as_of=day,
        case=case,
        direction=_direction(before, after, added, removed),
        before=None if before is None else before.conformity,
        after=None if after is None else after.conformity,
        added=tuple(sorted((rule, found) for rule, found, _ in added.elements())),
        removed=tuple(sorted((rule, found) for rule, found, _ in removed.elements())),
    )


def _direction(
    before: Decision | None,
    after: Decision | None,
    added: Counter[tuple[str, str, str]],
    removed: Counter[tuple[str, str, str]],
) -> Direction:
    """Return the direction: by the verdict, else by findings that are only added or only removed.

    A finding that is there in both with another severity is stricter or milder by that.
    """
    if before is None or after is None:
        return "other"
    step = _RANK[after.conformity] - _RANK[before.conformity]
    if step:
        return "stricter" if step > 0 else "milder"
    harder, softer = _weigh(added, removed)
    if harder == softer:
        return "other"
    return "stricter" if harder else "milder"


def _weigh(
    added: Counter[tuple[str, str, str]], removed: Counter[tuple[str, str, str]]
) -> tuple[bool, bool]:
    """Return whether anything became harder, and whether anything became softer."""
    old = {(rule, facts): _SEVERITY_RANK.get(severity, 1) for rule, severity, facts in removed}
    new = {(rule, facts): _SEVERITY_RANK.get(severity, 1) for rule, severity, facts in added}
    both = old.keys() & new.keys()
    harder = bool(new.keys() - both) or any(new[key] > old[key] for key in both)
    softer = bool(old.keys() - both) or any(new[key] < old[key] for key in both)
    return harder, softer

"""What changes of the law will do to cases: decided on the day before, on the day, and without.

A difference counts where it is new on the day and would not be there without the change. What ends
by itself on the same day, such as a certificate by its printed date, is no work of the law, unless
the law alone would end it as well: to tell, what facts say of that very day is put off.

Source: docs/spec/pack-format.md, PF-76.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import Case, Run, assemble, on_other_day
from carnet.rules.decision import (
    NOTHING_EARLIER,
    Conformity,
    Decision,
    Earlier,
    Finding,
    RuleError,
)
from carnet.rules.engine import decide_by_reference
from carnet.rules.evidence import requirements_of
from carnet.rules.given import FactKey
from carnet.rules.law_changes import (
    ONE_DAY,
    LawChange,
    as_verified,
    law_changes,
    moved,
    readers_of,
    undo,
    with_rules,
)
from carnet.rules.run import start_run

RowKey = tuple[str, str]
"""A table and a row of it."""

_FindingKey = tuple[str, str, tuple[FactKey, ...]]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of the law does to one case.

    Args:
        case: Type and id.
        day: The first day on which it is decided so.
        before: The verdict on the day before.
        after: The verdict on the day.
        added: What is found from then on.
        removed: What is not found any more.
        untold: The rules that cannot be evaluated any more, and why.
        told: The rules that can be evaluated from then on.
        required: The documents asked for from then on: the rows of tables that ask for them, with
            what they are called.
        not_required: Those that are not asked for any more.
        outputs: What rules set, before and after, by name, where it changes.
    """

    case: FactKey
    day: date
    before: Conformity | None = None
    after: Conformity | None = None
    added: tuple[Finding, ...] = ()
    removed: tuple[Finding, ...] = ()
    untold: tuple[RuleError, ...] = ()
    told: tuple[str, ...] = ()
    required: Mapping[RowKey, Text] = field(default_factory=dict)
    not_required: Mapping[RowKey, Text] = field(default_factory=dict)
    outputs: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)

    @property
    def is_any(self) -> bool:
        """Whether anything changes."""
        found = (self.added, self.removed, self.untold, self.told)
        return any(found) or bool(self.required or self.not_required or self.outputs)

    def to_json(self) -> dict[str, Any]:
        """Return the effect as JSON."""
        return {
            "case": {"type": self.case[0], "id": self.case[1]},
            "day": self.day.isoformat(),
            "before": self.before,
            "after": self.after,
            "added": [one.to_json() for one in self.added],
            "removed": [one.to_json() for one in self.removed],
            "untold": [{"rule": one.rule, "cause": one.cause.to_json()} for one in self.untold],
            "told": list(self.told),
            "required": _rows_json(self.required),
            "not_required": _rows_json(self.not_required),
            "outputs": {
                name: {"before": before, "after": after}
                for name, (before, after) in sorted(self.outputs.items())
            },
        }


def _rows_json(rows: Mapping[RowKey, Text]) -> list[dict[str, Any]]:
    return [
        {"table": table, "row": row, "name": name.to_json()}
        for (table, row), name in sorted(rows.items())
    ]


@dataclass(frozen=True, slots=True)
class ForeseenChange:
    """A change of the law with what it does to cases, by day and case.

    Args:
        pack: The pack.
        change: The change.
        is_confirmed: Whether it counts; if not, the effects are those it has once officers
            confirm it.
        effects: What it does.
    """

    pack: Pack
    change: LawChange
    is_confirmed: bool
    effects: tuple[Effect, ...]


# --- what a law says of a case ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """What a law says of a case on a day."""

    findings: Counter[_FindingKey] = field(default_factory=Counter)
    errors: frozenset[RuleError] = frozenset()
    outputs: Mapping[str, int] = field(default_factory=dict)
    required: Mapping[RowKey, Text] = field(default_factory=dict)
    full: Mapping[_FindingKey, Finding] = field(default_factory=dict, compare=False)

    @property
    def untold(self) -> frozenset[str]:
        return frozenset(error.rule for error in self.errors)


_NOTHING = _Told()


def _key(finding: Finding) -> _FindingKey:
    return finding.rule, finding.severity, finding.facts


def _told(case: Case, run: Run) -> _Told:
    other = on_other_day(case, run)
    decision = decide_by_reference(other)
    if decision is None or other.broken:
        return _NOTHING
    return _Told(
        Counter(map(_key, decision.findings)),
        frozenset(decision.errors),
        decision.outputs,
        {(one.table, one.row): one.name for one in requirements_of(other)},
        {_key(one): one for one in decision.findings},
    )


# --- comparing ----------------------------------------------------------------------------------


def _effect(case: Case, day: date, now: _Told, undone: _Told, before: _Told) -> Effect:
    """Return what is new since the day before and differs from the law without the changes."""
    added = (now.findings - undone.findings) & (now.findings - before.findings)
    removed = (undone.findings - now.findings) & (before.findings - now.findings)
    untold = now.untold - undone.untold - before.untold
    asked = now.required.keys() - undone.required.keys() - before.required.keys()
    dropped = (undone.required.keys() & before.required.keys()) - now.required.keys()
    return Effect(
        case=(case.anchor.type, case.anchor.id),
        day=day,
        added=tuple(now.full[key] for key in sorted(added.elements())),
        removed=tuple(before.full[key] for key in sorted(removed.elements())),
        untold=tuple(sorted((one for one in now.errors if one.rule in untold), key=_place)),
        told=tuple(sorted((undone.untold & before.untold) - now.untold)),
        required={key: now.required[key] for key in sorted(asked)},
        not_required={key: before.required[key] for key in sorted(dropped)},
        outputs=_outputs(now.outputs, undone.outputs, before.outputs),
    )


def _place(error: RuleError) -> tuple[str, str]:
    return error.rule, error.cause.en


def _outputs(
    now: Mapping[str, int], undone: Mapping[str, int], before: Mapping[str, int]
) -> dict[str, tuple[int | None, int | None]]:
    return {
        name: (before.get(name), now.get(name))
        for name in sorted(now.keys() | undone.keys() | before.keys())
        if now.get(name) not in {undone.get(name), before.get(name)}
    }


def _put_off(case: Case, day: date) -> Case | None:
    """Return a case in which nothing that its facts name falls on a day or ends the day before.

    None where nothing does.
    """
    days = {day, day - ONE_DAY}
    if not any(value in days for fact in case.by_key.values() for value in _days_of(fact)):
        return None
    result = Case(case.run, case.anchor)
    result.by_type = {
        kind: [_later(fact, days) for fact in facts] if kind not in case.run.computing else facts
        for kind, facts in case.by_type.items()
    }
    return result


def _days_of(fact: Fact) -> Iterator[date]:
    return (one for one in fact.fields.values() if type(one) is date)


def _later(fact: Fact, days: Collection[date]) -> Fact:
    if not any(value in days for value in _days_of(fact)):
        return fact
    fields = {
        name: moved(value) if type(value) is date and value in days else value
        for name, value in fact.fields.items()
    }
    return Fact(fact.type, fact.id, fields)


@dataclass(frozen=True, slots=True)
class _Days:
    """The runs that tell what some changes do on a day: by the rules that read them alone.

    Args:
        day: The day.
        now: The law as it is, on the day.
        before: The same on the day before.
        full: All rules, on the day before and on the day.
    """

    day: date
    now: Run
    before: Run
    full: tuple[Run, Run]

    def effect(self, case: Case, without: Run) -> Effect | None:
        """Return what the changes do to a case that the law without them does not."""
        now, undone = _told(case, self.now), _told(case, without)
        if now != undone:
            found = _effect(case, self.day, now, undone, _told(case, self.before))
            if found.is_any:
                return found
        return self._alone(case, now, without)

    def _alone(self, case: Case, now: _Told, without: Run) -> Effect | None:
        """Return what the law alone does on a day on which facts would do the same."""
        still = _put_off(case, self.day)
        if still is None:
            return None
        alone, undone = _told(still, self.now), _told(still, without)
        if alone == undone:
            return None
        found = _effect(still, self.day, alone, undone, _told(case, self.before))
        # What a fact put off does not say any more is no work of the law either.
        kept = replace(found, added=tuple(one for one in found.added if _key(one) in now.findings))
        same = replace(kept, removed=(), told=(), not_required={}, outputs={})
        return same if same.is_any else None

    def verdicts(self, case: Case) -> tuple[Conformity | None, Conformity | None]:
        """Return what is decided on the case on the day before and on the day."""
        before, now = (decide_by_reference(on_other_day(case, run)) for run in self.full)
        return _conformity(before), _conformity(now)


def _conformity(decision: Decision | None) -> Conformity | None:
    return None if decision is None else decision.conformity


# --- all together -------------------------------------------------------------------------------


def _confirmed_with(confirmed: frozenset[str], changes: Iterable[LawChange]) -> frozenset[str]:
    return confirmed | {change.name for change in changes if change.status == "U"}


@dataclass(frozen=True, slots=True)
class _Day:
    """Everything that changes on one day, with the law without each of it."""

    days: _Days
    without_all: Run
    without_one: Mapping[LawChange, Run]

    def effects(self, case: Case) -> Iterator[tuple[LawChange, Effect]]:
        """Yield what each change does to a case; what only all of them do is the work of each."""
        together = self.days.effect(case, self.without_all)
        if together is None:
            return
        single = {
            change: self._single(case, run, together) for change, run in self.without_one.items()
        }
        if not any(single.values()):
            single = dict.fromkeys(self.without_one, together)
        before, after = self.days.verdicts(case)
        for change, effect in single.items():
            if effect is not None:
                yield change, replace(effect, before=before, after=after)

    def _single(self, case: Case, without: Run, together: Effect) -> Effect | None:
        return together if len(self.without_one) == 1 else self.days.effect(case, without)


def _day(
    pack: Pack, day: date, changes: Collection[LawChange], confirmed: frozenset[str]
) -> _Day | None:
    """Return the runs of a day, None where nothing of the pack reads what changes."""
    known = _confirmed_with(confirmed, changes)
    trusted = as_verified(pack, known)
    readers = readers_of(trusted, changes)
    if not readers:
        return None
    small = with_rules(trusted, readers)
    full = with_rules(trusted, trusted.rules)
    days = _Days(
        day,
        start_run(small, day, known),
        start_run(small, day - ONE_DAY, known),
        (start_run(full, day - ONE_DAY, known), start_run(full, day, known)),
    )
    one = {change: start_run(undo(small, [change]), day, known) for change in changes}
    return _Day(days, start_run(undo(small, changes), day, known), one)


def foresee(
    pack: Pack,
    facts: Iterable[Fact],
    after: date,
    until: date,
    confirmed: frozenset[str] = frozenset(),
    earlier: Earlier = NOTHING_EARLIER,
) -> list[ForeseenChange]:
    """Return what changes in the law of a pack after a day until another, and what it does.

    What packs of earlier stages decide is taken as it is on the first day.

    Args:
        pack: A checked pack.
        facts: The facts, in any order.
        after: The day before the first one that counts; the pack decides on it.
        until: The last day that counts, as far as the pack decides.
        confirmed: What officers have confirmed of the pack.
        earlier: What the packs that it comes after decided.

    Raises:
        InputError: The pack does not decide on the first day, or a fact cannot be used.
    """
    last = min(until, pack.effective_to or until)
    changes = law_changes(pack, after, last)
    by_day: dict[date, list[LawChange]] = {}
    for change in changes:
        for day in change.days:
            if day <= (pack.effective_to or day):
                by_day.setdefault(day, []).append(change)
    cases, _ = assemble(start_run(pack, after, confirmed), facts, earlier.facts)
    effects: dict[LawChange, list[Effect]] = {change: [] for change in changes}
    for day, some in sorted(by_day.items()):
        runs = _day(pack, day, some, confirmed)
        if runs is None:
            continue
        for case in cases:
            for change, effect in runs.effects(case):
                effects[change].append(effect)
    return [
        ForeseenChange(
            pack,
            change,
            change.status != "U" or change.name in confirmed,
            tuple(effects[change]),
        )
        for change in changes
    ]

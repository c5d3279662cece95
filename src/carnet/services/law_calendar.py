"""The regulation calendar: what changes in the law in the coming months, and for which listings.

What changes is read from the packs in force: dated values, rows of tables and the days they name;
and from officers' acts by which another version of a pack takes over. What a change does to a
listing is decided by the reference: on the day, on the day before, and without the change.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from carnet.core.clock import add_months
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.decision import NOTHING_EARLIER
from carnet.rules.foresight import ForeseenChange, foresee
from carnet.rules.law_changes import ONE_DAY
from carnet.services.approvals import confirmed_parameters
from carnet.services.certificates import listed_facts
from carnet.services.decisions import LISTING
from carnet.services.impact import CaseChange, impact_of
from carnet.services.packs import Installed, kept_pack, pack_histories, packs_in_force
from carnet.services.reviewing import stages_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading


@dataclass(frozen=True, slots=True)
class VersionChange:
    """Another version of a pack takes over, as officers decided, with what that changes.

    Args:
        day: Its first day.
        before: The version before.
        after: The version from then on.
        cases: The cases that the two decide differently on that day.
    """

    day: date
    before: Pack
    after: Pack
    cases: tuple[CaseChange, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "day": self.day.isoformat(),
            "pack": self.after.id,
            "before": {"version": self.before.version, "digest": self.before.digest.hex()},
            "after": {"version": self.after.version, "digest": self.after.digest.hex()},
            "cases": [one.to_json() for one in self.cases],
        }


@dataclass(frozen=True, slots=True)
class Untold:
    """A pack that does not tell of the law to the end of the calendar, and why."""

    pack: str
    reason: Text

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"pack": self.pack, "reason": self.reason.to_json()}


@dataclass(frozen=True, slots=True)
class LawCalendar:
    """What changes after a day until another.

    Args:
        as_of: The day.
        until: The last day that counts.
        changes: What changes in the law, by day, pack and name; all of it, whether or not it
            touches a listing.
        versions: Where another version of a pack takes over.
        untold: The packs that do not tell of all of the time.
    """

    as_of: date
    until: date
    changes: tuple[ForeseenChange, ...]
    versions: tuple[VersionChange, ...]
    untold: tuple[Untold, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the calendar as JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "until": self.until.isoformat(),
            "changes": [change_json(one) for one in self.changes],
            "versions": [one.to_json() for one in self.versions],
            "untold": [one.to_json() for one in self.untold],
        }


def change_json(found: ForeseenChange) -> dict[str, Any]:
    """Return a change of the law with what it does, as JSON."""
    return {
        "pack": found.pack.id,
        "version": found.pack.version,
        **found.change.to_json(),
        "is_confirmed": found.is_confirmed,
        "effects": [one.to_json() for one in found.effects],
    }


@dataclass(frozen=True, slots=True)
class _Period:
    """A version of a pack and the last day before the next one takes over."""

    installed: Installed
    start: date
    until: date


def _periods(workspace: Workspace, as_of: date, until: date) -> Iterator[list[_Period]]:
    """Yield for each pack of listings the versions that decide, as officers' acts say today."""
    with reading(workspace.engine) as connection:
        histories = pack_histories(connection)
    for name, installed in packs_in_force(workspace, as_of).items():
        if installed.pack.case.fact_type != LISTING:
            continue
        history = histories.get(name)
        later = history.scheduled(as_of) if history is not None else ()
        begun = [(as_of, installed)] + [
            (each.effective, kept_pack(workspace, each.version.digest))
            for each in later
            if each.effective <= until
        ]
        ends = [start - ONE_DAY for start, _ in begun[1:]] + [until]
        yield [_Period(one, start, end) for (start, one), end in zip(begun, ends, strict=True)]


def _foreseen(
    workspace: Workspace, period: _Period, facts: Collection[Fact]
) -> list[ForeseenChange]:
    pack = period.installed.pack
    earlier = NOTHING_EARLIER
    if pack.after:
        installed = packs_in_force(workspace, period.start)
        earlier = stages_of(workspace, installed, facts, period.start, "reference").earlier(pack)
    confirmed = confirmed_parameters(workspace, pack)
    return foresee(pack, facts, period.start, period.until, confirmed, earlier)


def _version_change(
    workspace: Workspace, before: _Period, after: _Period, listings: Collection[str]
) -> VersionChange:
    found = impact_of(
        workspace,
        before.installed,
        after.installed,
        today=after.start,
        since=after.start,
        engine="reference",
    )
    return VersionChange(
        after.start,
        before.installed.pack,
        after.installed.pack,
        tuple(one for one in found.changes if one.as_of == after.start and one.case[1] in listings),
    )


def _untold(period: _Period) -> Iterator[Untold]:
    pack = period.installed.pack
    if pack.effective_to is not None and pack.effective_to < period.until:
        yield Untold(
            pack.id,
            Text(
                f"{pack.id} {pack.version} decides until {pack.effective_to} only.",
                f"{pack.id} {pack.version} 的适用期仅至 {pack.effective_to}。",
            ),
        )


def law_calendar(
    workspace: Workspace, as_of: date, months: int, market: str | None = None
) -> LawCalendar:
    """Return what changes in the law in some months, and what it does to the listings.

    Args:
        workspace: The workspace.
        as_of: The day after which changes count.
        months: How many months are looked ahead.
        market: The market of the listings; all unless one is named.

    Raises:
        InputError: A pack does not decide on the day, or a fact cannot be used.
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    until = add_months(as_of, months)
    facts = listed_facts(workspace, market)
    listings = frozenset(fact.id for fact in facts if fact.type == LISTING)
    changes: list[ForeseenChange] = []
    versions: list[VersionChange] = []
    untold: list[Untold] = []
    for periods in _periods(workspace, as_of, until):
        for period in periods:
            changes += _foreseen(workspace, period, facts)
            untold += _untold(period)
        for before, after in pairwise(periods):
            versions.append(_version_change(workspace, before, after, listings))
    return LawCalendar(
        as_of,
        until,
        tuple(sorted(changes, key=lambda one: (one.change.day, one.pack.id, one.change.name))),
        tuple(sorted(versions, key=lambda one: (one.day, one.after.id))),
        tuple(untold),
    )

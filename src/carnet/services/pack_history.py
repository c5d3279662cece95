"""Which version of a rule pack runs from which day, as officers' signed acts say.

The acts on one pack are applied in the order in which they were signed, and each is held to the
same rules when it is read as when it was signed: an act that could not have been signed is not
believed. Every digest that ever runs has the signatures of two officers; whoever approves a version
neither proposed it nor chooses the day on which it takes effect. An approval is for one activation:
to run an earlier version again takes two officers like any other change.

A rollback is asked for by one officer and takes effect when another one approves it. It ends the
approval of the version that it leaves, and the version before that one is then the one before the
present: a rollback of a rollback goes one version further back, never forward again.

Source: docs/adr/0009-pack-governance.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from carnet.core.errors import NO_HINT
from carnet.core.text import Text
from carnet.services.officer_events import OfficerEvent

PROPOSAL: Final = "pack-proposal"
APPROVAL: Final = "pack-approval"
ACTIVATION: Final = "pack-activation"
ROLLBACK: Final = "pack-rollback"
KINDS: Final = (PROPOSAL, APPROVAL, ACTIVATION, ROLLBACK)

FOUR_EYES: Final = "CRN-R-130"
NOT_APPROVED: Final = "CRN-R-131"
CHANGED: Final = "CRN-R-132"
IN_THE_PAST: Final = "CRN-R-133"
NOTHING_BEFORE: Final = "CRN-R-134"
SUPERSEDED: Final = "CRN-R-135"
REPEATED: Final = "CRN-R-136"


class BreachError(Exception):
    """An act that the rules do not allow.

    Args:
        code: The code of the error that tells it.
        message: What is wrong with it.
        hint: What to do instead.
    """

    def __init__(self, code: str, message: Text, hint: Text = NO_HINT) -> None:
        super().__init__(code, message.en)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class PackVersion:
    """One version of a pack with its content.

    Args:
        version: What its pack.yaml calls it.
        digest: The digest of its content, in hex.
    """

    version: str
    digest: str

    def to_json(self) -> dict[str, str]:
        """Return the version as an act names it."""
        return {"version": self.version, "packDigest": self.digest}


def version_from_json(value: Mapping[str, Any] | None) -> PackVersion | None:
    """Return the version that an act names, None where it names none."""
    return None if value is None else PackVersion(value["version"], value["packDigest"])


@dataclass(frozen=True, slots=True)
class Period:
    """A version and the first day on which it runs; a later period ends it.

    Args:
        version: The version.
        effective: The first day.
        seq: The act that made it so; 0 for what ran before any act.
        previous: The period that a rollback returns to.
    """

    version: PackVersion
    effective: date
    seq: int
    previous: "Period | None"


@dataclass(frozen=True, slots=True)
class History:
    """What officers decided about one pack so far.

    Args:
        pack: The id of the pack.
        periods: What runs from when, in the order in which it was decided.
        proposals: The acts that propose a version nobody has approved yet, by its digest.
        approvals: For each digest that may be activated, the act that approved it.
        rollback: The rollback that waits for its approval.
        recorded: The digest of each version that was approved once: it is never another.
        events: The acts, oldest first.
    """

    pack: str
    periods: tuple[Period, ...] = ()
    proposals: Mapping[str, OfficerEvent] = field(default_factory=dict)
    approvals: Mapping[str, OfficerEvent] = field(default_factory=dict)
    rollback: OfficerEvent | None = None
    recorded: Mapping[str, str] = field(default_factory=dict)
    events: tuple[OfficerEvent, ...] = ()

    @property
    def is_managed(self) -> bool:
        """Whether a version of the pack was ever activated here."""
        return bool(self.periods)

    def in_force(self, day: date) -> Period | None:
        """Return what runs on a day: the period that began last, by day and then by act."""
        begun = (each for each in self.periods if each.effective <= day)
        return max(begun, key=lambda each: (each.effective, each.seq), default=None)

    def scheduled(self, day: date) -> tuple[Period, ...]:
        """Return what begins after a day, soonest first; what is overtaken never begins."""
        later = (each for each in self.periods if each.effective > day and self.begins(each))
        return tuple(sorted(later, key=lambda each: (each.effective, each.seq)))

    def begins(self, period: Period) -> bool:
        """Return whether a period begins at all: another act for its day may have come later."""
        return self.in_force(period.effective) is period


def apply_event(history: History, event: OfficerEvent) -> History:
    """Return the history with one more act.

    Raises:
        BreachError: The act is not allowed at this point.
    """
    assert event.subject == history.pack, "an act is applied to the pack that it is on"
    if history.events and event.at < history.events[-1].at:
        raise BreachError(
            IN_THE_PAST,
            Text(
                f"The clock stands at {event.at}, before the last act on {history.pack}"
                f" ({history.events[-1].at}).",
                f"时钟为 {event.at}，"
                f"早于对 {history.pack} 的上一项操作（{history.events[-1].at}）。",
            ),
            Text("Set the machine's clock right.", "请校正机器时钟。"),
        )
    changed = _APPLY[event.kind](history, event)
    return replace(changed, events=(*history.events, event))


def history_of(pack: str, events: Iterable[OfficerEvent]) -> History:
    """Return the history of a pack from the acts on it, oldest first.

    Raises:
        BreachError: An act is not allowed where it stands.
    """
    history = History(pack)
    for event in events:
        history = apply_event(history, event)
    return history


def _named(event: OfficerEvent) -> PackVersion:
    return PackVersion(event.content["version"], event.content["packDigest"])


def _label(history: History, version: PackVersion) -> str:
    return f"{history.pack}@{version.version} ({version.digest[:12]})"


def _check_unchanged(history: History, version: PackVersion) -> None:
    known = history.recorded.get(version.version)
    if known not in {None, version.digest}:
        name = f"{history.pack}@{version.version}"
        raise BreachError(
            CHANGED,
            Text(
                f"{name} was approved with the digest {known} and now has {version.digest}.",
                f"{name} 获批时的摘要为 {known}，现为 {version.digest}。",
            ),
            Text(
                "A released version is never edited: give the change a version of its own.",
                "已发布的版本不得修改：请为更改指定新的版本号。",
            ),
        )


def check_not_past(effective: date, signed_on: date) -> None:
    """Check that a day may be named as the first one of a version.

    Raises:
        BreachError: It is before the day of signing.
    """
    if effective < signed_on:
        raise BreachError(
            IN_THE_PAST,
            Text(
                f"{effective} is past: the day of signing is {signed_on}.",
                f"{effective} 已经过去：签名日为 {signed_on}。",
            ),
            Text(
                "Name that day or a later one; what was decided by then stands.",
                "请指定当日或以后的日期；此前的判定不受影响。",
            ),
        )


def _effective(event: OfficerEvent) -> date:
    effective = date.fromisoformat(event.content["effective"])
    check_not_past(effective, event.at.date())
    return effective


def _propose(history: History, event: OfficerEvent) -> History:
    version = _named(event)
    _check_unchanged(history, version)
    if version.digest in history.proposals or version.digest in history.approvals:
        state = (
            ("approved", "批准") if version.digest in history.approvals else ("proposed", "提议")
        )
        raise BreachError(
            REPEATED,
            Text(
                f"{_label(history, version)} is {state[0]} already.",
                f"{_label(history, version)} 已获{state[1]}。",
            ),
            Text("See `carnet pack list`.", "请查看 `carnet pack list`。"),
        )
    # A further proposal of the same version takes the place of one that nobody has approved.
    others = {
        digest: each
        for digest, each in history.proposals.items()
        if each.content["version"] != version.version
    }
    return replace(history, proposals={**others, version.digest: event})


def _check_four_eyes(event: OfficerEvent, other: OfficerEvent, en: str, zh: str) -> None:
    if event.officer == other.officer:
        raise BreachError(
            FOUR_EYES,
            Text(
                f"{event.officer} {en}: another officer has to sign this.",
                f"{event.officer} {zh}：须由另一名合规专员签署。",
            ),
            Text("Name another officer with --officer.", "请用 --officer 指定另一名合规专员。"),
        )


def _approve(history: History, event: OfficerEvent) -> History:
    version = _named(event)
    asked = [each for each in (history.rollback, history.proposals.get(version.digest)) if each]
    found = [each for each in asked if each.digest.hex() == event.content["approves"]]
    if not found or _named(found[0]) != version:
        raise BreachError(
            NOT_APPROVED,
            Text(
                f"Nobody has asked to approve {_label(history, version)}.",
                f"没有待批准的 {_label(history, version)}。",
            ),
            Text("Propose it first: `carnet pack propose`.", "请先提议：`carnet pack propose`。"),
        )
    (request,) = found
    if request.kind == ROLLBACK:
        _check_four_eyes(event, request, "asked for this rollback", "提出了本次回退")
        return _roll_back(history, event, request)
    _check_four_eyes(event, request, "proposed this version", "提议了该版本")
    _check_unchanged(history, version)
    return replace(
        history,
        proposals=_without(history.proposals, version.digest),
        approvals={**history.approvals, version.digest: event},
        recorded={**history.recorded, version.version: version.digest},
    )


def _activate(history: History, event: OfficerEvent) -> History:
    version, effective = _named(event), _effective(event)
    approval = history.approvals.get(version.digest)
    if approval is None or approval.digest.hex() != event.content["approval"]:
        raise BreachError(
            NOT_APPROVED,
            Text(
                f"No officer has approved {_label(history, version)}, or its approval has ended.",
                f"没有合规专员批准 {_label(history, version)}，或其批准已失效。",
            ),
            Text(
                "`carnet pack propose` and, by another officer, `carnet pack approve` come first.",
                "须先 `carnet pack propose`，并由另一名合规专员 `carnet pack approve`。",
            ),
        )
    _check_four_eyes(event, approval, "approved this version", "批准了该版本")
    stated = version_from_json(event.content["replaces"])
    # The first activation may be of the version that runs already: from then on it is pinned.
    is_first = not history.is_managed
    periods = history.periods
    recorded = history.recorded
    if not periods and stated is not None:
        periods = (Period(stated, date.min, 0, None),)
        recorded = {**recorded, stated.version: stated.digest}
    history = replace(history, periods=periods, recorded=recorded)
    before = history.in_force(effective)
    if stated != (before and before.version):
        raise _superseded(effective)
    if stated == version and not is_first:
        raise BreachError(
            REPEATED,
            Text(
                f"{_label(history, version)} runs on {effective} already.",
                f"{_label(history, version)} 在 {effective} 已在运行。",
            ),
        )
    previous = before.previous if before is not None and stated == version else before
    return replace(
        history,
        periods=(*periods, Period(version, effective, event.seq, previous)),
        approvals=_without(history.approvals, version.digest),
    )


def _without(events: Mapping[str, OfficerEvent], digest: str) -> dict[str, OfficerEvent]:
    return {key: each for key, each in events.items() if key != digest}


def _superseded(effective: date) -> BreachError:
    return BreachError(
        SUPERSEDED,
        Text(
            f"Another version runs on {effective} than the one this act names.",
            f"{effective} 运行的版本与本操作所列不同。",
        ),
        Text("Ask for it again: see `carnet pack list`.", "请重新提出：参见 `carnet pack list`。"),
    )


def rollback_of(history: History, effective: date) -> tuple[Period, Period]:
    """Return what runs on a day and what a rollback from that day would return to.

    Raises:
        BreachError: There is nothing to return to.
    """
    current = history.in_force(effective)
    if current is None or current.previous is None:
        raise BreachError(
            NOTHING_BEFORE,
            Text(
                f"No version of {history.pack} was active before the one of {effective}.",
                f"在 {effective} 的版本之前，没有生效过的 {history.pack} 版本。",
            ),
            Text(
                "Propose and activate a version instead.",
                "请改为提议并启用一个版本。",
            ),
        )
    return current, current.previous


def _check_rollback(history: History, request: OfficerEvent, effective: date) -> Period:
    current, target = rollback_of(history, effective)
    stated = (version_from_json(request.content["replaces"]), _named(request))
    if stated != (current.version, target.version):
        raise _superseded(effective)
    return current


def _ask_rollback(history: History, event: OfficerEvent) -> History:
    _check_rollback(history, event, _effective(event))
    return replace(history, rollback=event)


def _roll_back(history: History, event: OfficerEvent, request: OfficerEvent) -> History:
    # An approval that comes late does not reach back: what was decided by then stands.
    effective = max(date.fromisoformat(request.content["effective"]), event.at.date())
    current = _check_rollback(history, request, effective)
    assert current.previous is not None, "checked by rollback_of"
    period = Period(current.previous.version, effective, event.seq, current.previous.previous)
    return replace(
        history,
        periods=(*history.periods, period),
        approvals=_without(history.approvals, current.version.digest),
        rollback=None,
    )


_APPLY: Final = {
    PROPOSAL: _propose,
    APPROVAL: _approve,
    ACTIVATION: _activate,
    ROLLBACK: _ask_rollback,
}

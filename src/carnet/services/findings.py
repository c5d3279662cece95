"""Findings across evaluations: which there are, where each stands on a day, and how it came there.

A finding is the same one in another evaluation when the same rule of the same pack raises it on the
same case for the same facts; its words and the version of the pack may differ. Nothing about a
finding is stored: it is read off the decisions that were made and the acts that officers signed,
both of which only grow and are checked on every read.

Everything has its place by the day it is for. The decision for an earlier day stands before the one
for a later day whenever it was made, so looking back never resolves what a later day found. An act
stands behind the decision it names, which is the latest there was for its day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, true

from carnet.core.canonical import canonical
from carnet.core.clock import format_instant
from carnet.core.digests import sha256
from carnet.core.errors import InputError, LedgerFatalError, NotFoundError, RulePackError
from carnet.core.text import Text
from carnet.ledger.reader import batches
from carnet.rules.ast import Citation
from carnet.rules.decision import FactKey
from carnet.rules.lifecycle import (
    Acknowledged,
    Act,
    Entry,
    Evaluated,
    Life,
    Seen,
    Step,
    Waiver,
    WaiverApproved,
    WaiverProposed,
    WaiverWithdrawn,
    follow,
)
from carnet.rules.pack import load_pack
from carnet.rules.shelf import find_pack
from carnet.services.decisions import Course, StoredDecision, raising_history
from carnet.services.officer_events import OfficerEvent, read_events
from carnet.services.packs import kept_digests, kept_pack
from carnet.services.words import FINDING_STATES
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.tables import DECISION

ACKNOWLEDGEMENT: Final = "finding-acknowledgement"
WAIVER: Final = "finding-waiver"
APPROVAL: Final = "finding-waiver-approval"
WITHDRAWAL: Final = "finding-waiver-withdrawal"
KINDS: Final = frozenset({ACKNOWLEDGEMENT, WAIVER, APPROVAL, WITHDRAWAL})
ID_LENGTH: Final = 16
PREFIX_MIN: Final = 4
_WHOLE_CASE: Final = "case"
"""The rule that an error of the case as a whole is listed under."""


@dataclass(frozen=True, slots=True, order=True)
class FindingKey:
    """What makes a finding the same one in another evaluation."""

    pack: str
    case: FactKey
    rule: str
    facts: tuple[FactKey, ...]

    @property
    def digest(self) -> str:
        """The whole hash of the key, which acts of officers name."""
        facts = [list(each) for each in self.facts]
        return sha256(canonical([self.pack, list(self.case), self.rule, facts])).hex()

    @property
    def id(self) -> str:
        """The beginning of the hash: what a user calls the finding."""
        return self.digest[:ID_LENGTH]


@dataclass(frozen=True, slots=True)
class TrackedFinding:
    """A finding as it stands on a day.

    Args:
        key: What makes it this one.
        raised: The finding as the newest decision that raises it says it.
        decision: That decision.
        newest: The newest decision on the case, which an act would rest on.
        life: Where it stands.
        last_act: The latest day that an act on it was for, later days than this one included.
        signed_at: When each act on it was signed, by the digest of the act. The day an act is for
            is what its officer says; this is what the clock said.
    """

    key: FindingKey
    raised: Mapping[str, Any]
    decision: StoredDecision
    newest: StoredDecision
    life: Life
    last_act: date | None
    signed_at: Mapping[str, datetime]

    @property
    def id(self) -> str:
        """What a user calls it."""
        return self.key.id

    def to_json(self) -> dict[str, Any]:
        """Return the finding with its life, as JSON."""
        life = self.life
        return {
            "id": self.id,
            "digest": self.key.digest,
            "state": life.state,
            "is_overdue": life.is_overdue,
            "is_told": life.is_told,
            "pack": self.key.pack,
            "version": self.decision.content["version"],
            "case": {"type": self.key.case[0], "id": self.key.case[1]},
            **{name: self.raised[name] for name in _PUBLISHED if name in self.raised},
            "opened_on": life.opened_on.isoformat(),
            "resolved_on": life.resolved_on and life.resolved_on.isoformat(),
            "reopened": life.reopened,
            "due": _due(life),
            "waiver": waiver_json(life.waiver),
            "proposal": waiver_json(life.proposal),
            "decision": self.decision.digest.hex(),
            "as_of": self.decision.content["as_of"],
            "history": [self.entry_json(each) for each in life.history],
        }

    def entry_json(self, entry: Entry) -> dict[str, Any]:
        """Return a line of the history as JSON, an act with the time it was signed at."""
        signed_at = self.signed_at.get(entry.ref) if entry.officer else None
        return {
            "on": entry.on.isoformat(),
            "what": entry.what,
            "ref": entry.ref,
            "officer": entry.officer,
            "signed_at": format_instant(signed_at) if signed_at else None,
            "text": entry.text,
            "until": entry.until and entry.until.isoformat(),
            "counts": entry.counts,
            "state": entry.state,
        }


_PUBLISHED: Final = (*("rule", "severity", "facts", "message", "remedy", "citation", "values"),)


def _due(life: Life) -> str | None:
    due = life.acknowledgement.due if life.acknowledgement else None
    return due.isoformat() if due else None


def standing_json(found: TrackedFinding) -> dict[str, Any]:
    """Return where a finding stands without saying it all again, to stand beside a decision."""
    life = found.life
    return {
        "id": found.id,
        "pack": found.key.pack,
        "case": {"type": found.key.case[0], "id": found.key.case[1]},
        "rule": found.key.rule,
        "facts": found.raised["facts"],
        "state": life.state,
        "is_overdue": life.is_overdue,
        "due": _due(life),
        "waiver": waiver_json(life.waiver),
        "proposal": waiver_json(life.proposal),
    }


def waiver_json(waiver: Waiver | None) -> dict[str, Any] | None:
    """Return a waiver as JSON."""
    if waiver is None:
        return None
    return {
        "act": waiver.ref,
        "until": waiver.until.isoformat(),
        "reason": waiver.reason,
        "severity": waiver.severity,
        "proposed_by": waiver.proposed_by,
        "proposed_on": waiver.proposed_on.isoformat(),
        "approved_by": waiver.approved_by,
        "approved_on": waiver.approved_on and waiver.approved_on.isoformat(),
    }


# --- from what is stored to steps ---------------------------------------------------------------


def _fact_key(fact: Mapping[str, str]) -> FactKey:
    return fact["type"], fact["id"]


def key_of(pack: str, case: Mapping[str, str], finding: Mapping[str, Any]) -> FindingKey:
    """Return what makes a finding of a decision the same one elsewhere."""
    facts = tuple(_fact_key(each) for each in finding["facts"])
    return FindingKey(pack, _fact_key(case), finding["rule"], facts)


def _raised_by(decision: StoredDecision) -> dict[FindingKey, Mapping[str, Any]]:
    """Return what a decision raises. A rule may say one thing of the same facts twice over."""
    content = decision.content
    found: dict[FindingKey, Mapping[str, Any]] = {}
    for each in content["findings"]:
        found.setdefault(key_of(content["pack"], content["case"], each), each)
    return found


def _evaluated(
    key: FindingKey, decision: StoredDecision, raised: Mapping[FindingKey, Mapping[str, Any]]
) -> Evaluated:
    finding = raised.get(key)
    erred = {each["rule"] for each in decision.content.get("errors", ())}
    seen: Seen = "untold" if {key.rule, _WHOLE_CASE} & erred else "absent"
    if finding is not None:
        seen = "raised"
    severity = finding["severity"] if finding else None
    return Evaluated(decision.line.as_of, decision.digest.hex(), seen, severity)


def _day(event: OfficerEvent) -> date:
    return date.fromisoformat(event.content["asOf"])


def _act(event: OfficerEvent) -> Act:
    """Return what an event says, as a step."""
    content, ref, officer = event.content, event.digest.hex(), event.officer
    on = _day(event)
    if event.kind == ACKNOWLEDGEMENT:
        due = content.get("due")
        day = date.fromisoformat(due) if due is not None else None
        return Acknowledged(on, ref, officer, content["note"], day)
    if event.kind == WAIVER:
        until = date.fromisoformat(content["until"])
        return WaiverProposed(on, ref, officer, until, content["reason"])
    if event.kind == APPROVAL:
        return WaiverApproved(on, ref, officer, content["waiver"])
    return WaiverWithdrawn(on, ref, officer, content["waiver"], content["reason"])


def _understood(event: OfficerEvent) -> Act:
    try:
        return _act(event)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerFatalError(
            "CRN-R-111",
            Text(
                f"The stored act {event.seq} of {event.officer} on a finding says something that "
                "this program does not know.",
                f"{event.officer} 对发现项的第 {event.seq} 项操作含有本程序不认识的内容。",
            ),
            Text("Use the version of Carnet that wrote it.", "请使用写入该操作的 Carnet 版本。"),
        ) from error


_Place = tuple[date, int, int, int]
"""The day, the number of the decision, decisions before acts, the number of the act."""


def _steps(
    key: FindingKey,
    decisions: Sequence[tuple[StoredDecision, Mapping[FindingKey, Mapping[str, Any]]]],
    events: Sequence[OfficerEvent],
) -> Iterator[Step]:
    """Yield what happened to a finding, in order."""
    placed: list[tuple[_Place, Step]] = []
    places: dict[str, int] = {}
    for number, (decision, raised) in enumerate(decisions):
        step = _evaluated(key, decision, raised)
        places[step.ref] = number
        placed.append(((step.on, number, 0, 0), step))
    for event in events:
        act = _understood(event)
        # What was decided for the day of the act after the act has a higher number.
        number = places.get(event.content.get("decision", ""), -1)
        placed.append(((act.on, number, 1, event.seq), act))
    for _, each in sorted(placed, key=lambda item: item[0]):
        yield each


def _track(
    course: Sequence[StoredDecision], events: Mapping[str, Sequence[OfficerEvent]], day: date
) -> Iterator[TrackedFinding]:
    decisions = [(each, _raised_by(each)) for each in course]
    newest: dict[FindingKey, tuple[StoredDecision, Mapping[str, Any]]] = {}
    for decision, raised in decisions:
        newest |= {key: (decision, finding) for key, finding in raised.items()}
    for key in sorted(newest):
        own = events.get(key.digest, ())
        past = [each for each in own if _day(each) <= day]
        life = follow(_steps(key, decisions, past), day)
        assert life is not None, "what a decision raises has a life"
        decision, finding = newest[key]
        acted = max((_day(each) for each in own), default=None)
        signed_at = {each.digest.hex(): each.at for each in own}
        yield TrackedFinding(key, finding, decision, course[-1], life, acted, signed_at)


def track_findings(
    connection: Connection, day: date, cases: Collection[str] = ()
) -> list[TrackedFinding]:
    """Return every finding that a decision for a day, or for one before, raised.

    Acts for later days do not count, nor do decisions for them.

    Args:
        connection: A connection.
        day: The day.
        cases: The ids of the cases; all unless some are named.

    Raises:
        LedgerFatalError: A stored decision or an act of an officer is not what it says.
    """
    events: defaultdict[str, list[OfficerEvent]] = defaultdict(list)
    for event in read_events(connection, KINDS):
        _understood(event)
        events[event.subject].append(event)
    courses: dict[Course, list[StoredDecision]] = {}
    for some in batches(sorted(cases)) if cases else [()]:
        wanted = DECISION.c.case_id.in_(some) if some else true()
        courses |= raising_history(connection, day, wanted)
    found = [each for course in courses.values() for each in _track(course, events, day)]
    return sorted(found, key=lambda each: (each.key.case, each.key))


# --- what a user asks for -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings to list; an empty field leaves nothing out."""

    states: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    is_overdue: bool = False

    def takes(self, found: TrackedFinding) -> bool:
        """Return whether a finding is among them."""
        return (
            (not self.states or found.life.state in self.states)
            and (not self.rules or found.key.rule in self.rules)
            and (not self.cases or found.key.case[1] in self.cases)
            and (not self.is_overdue or found.life.is_overdue)
        )


ALL: Final = Wanted()


def list_findings(workspace: Workspace, day: date, wanted: Wanted = ALL) -> list[TrackedFinding]:
    """Return the findings of a workspace as they stand on a day, in order of their cases.

    Raises:
        LedgerFatalError: A stored decision or an act of an officer is not what it says.
    """
    with reading(workspace.engine) as connection:
        found = track_findings(connection, day, wanted.cases)
    return [each for each in found if wanted.takes(each)]


def count_states(found: Sequence[TrackedFinding]) -> dict[str, int]:
    """Return how many findings are in each state, and how many are overdue whatever their state."""
    counts = {state: sum(each.life.state == state for each in found) for state in FINDING_STATES}
    return {**counts, "overdue": sum(each.life.is_overdue for each in found)}


def pick(found: Sequence[TrackedFinding], name: str) -> TrackedFinding:
    """Return the finding that a user names by its id, or by the beginning of it.

    Raises:
        NotFoundError: There is none.
        InputError: There are several.
    """
    wanted = name.lower()
    matching = [each for each in found if each.key.digest.startswith(wanted)]
    if not matching or len(wanted) < PREFIX_MIN:
        raise NotFoundError(
            "CRN-R-120",
            Text(f"There is no finding {name[:64]!r}.", f"没有发现项 {name[:64]!r}。"),
            Text(
                "See `carnet findings list`; an id may be shortened to its first "
                f"{PREFIX_MIN} characters, and --as-of leaves out what came later.",
                f"请查看 `carnet findings list`；标识可缩写为前 {PREFIX_MIN} 位，"
                "--as-of 会排除其后的发现项。",
            ),
        )
    if len(matching) > 1:
        ids = ", ".join(each.key.digest[: max(ID_LENGTH, len(wanted) + 1)] for each in matching[:5])
        raise InputError(
            "CRN-R-121",
            Text(
                f"{name!r} is the beginning of {len(matching)} findings: {ids}.",
                f"{name!r} 是 {len(matching)} 个发现项标识的开头：{ids}。",
            ),
            Text("Give more of the id.", "请给出更长的标识。"),
        )
    return matching[0]


def find_finding(workspace: Workspace, name: str, day: date) -> TrackedFinding:
    """Return one finding as it stands on a day.

    Raises:
        NotFoundError: There is none of that id.
        InputError: The beginning of an id fits several.
    """
    return pick(list_findings(workspace, day), name)


def law_of_finding(workspace: Workspace, found: TrackedFinding) -> list[Citation]:
    """Return where the law that a finding rests on is written down.

    It is read from the very pack that decided. Where that is neither kept in the workspace nor on
    the shelf, a citation has nothing but the id of its law fact.
    """
    law = _law(workspace, found.decision)
    return [law.get(each) or Citation(each, "", "", "") for each in found.raised["citation"]]


def _law(workspace: Workspace, decision: StoredDecision) -> Mapping[str, Citation]:
    digest = decision.pack_digest
    if digest.hex() in kept_digests(workspace):
        return kept_pack(workspace, digest.hex()).pack.law
    name = f"{decision.content['pack']}@{decision.content['version']}"
    try:
        pack = load_pack(find_pack(name))
    except (NotFoundError, RulePackError):
        return {}
    return pack.law if pack.digest == digest else {}

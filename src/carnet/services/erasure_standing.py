"""Where the erasure of a subject stands: what would go and stay, who asked for it, what was done.

Source: docs/spec/record-and-log.md, section 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from carnet.core.canonical import canonical
from carnet.core.clock import format_instant
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.kinds.erasure import ERASURE as ERASURE_KIND
from carnet.ledger.reader import indexes_of
from carnet.ledger.record import Record
from carnet.services.decisions import read_decisions
from carnet.services.erased_decisions import without_erased
from carnet.services.erasure_scope import RETAINED, SUBJECT_TYPES, Scope, scope_of
from carnet.services.issuing import record_of_source
from carnet.services.officer_events import read_events
from carnet.services.vault import PSEUDONYM_URN, Subject, find_pseudonym
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import reading
from carnet.store.erasing import FactKey, sealed_records
from carnet.store.tables import DECISION, ERASURE, ERASURE_PURGE, SUBJECT, SUBJECT_KEY

PROPOSAL: Final = "erasure-proposal"
WITHDRAWAL: Final = "erasure-withdrawal"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure of a subject takes away and what it leaves.

    Args:
        subject: The subject.
        facts: The facts that go, each with the number of its versions.
        decisions: By digest, the decisions that lose what they say of it, with what is left.
        records: Records that withhold members of it, which nobody can reveal from here any more.
        has_key: Whether there is a key of the subject to destroy.
        retained: By type, how many facts stay that lead to it.
    """

    subject: Subject
    facts: Mapping[FactKey, int]
    decisions: Mapping[bytes, bytes]
    records: tuple[bytes, ...]
    has_key: bool
    retained: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return {
            "facts": [
                {"type": key[0], "id": key[1], "versions": versions}
                for key, versions in sorted(self.facts.items())
            ],
            "decisions": sorted(digest.hex() for digest in self.decisions),
            "records": sorted(digest.hex() for digest in self.records),
            "key": self.has_key,
            "retained": [
                {"type": name, "facts": count, "reason": RETAINED[name].to_json()}
                for name, count in self.retained.items()
            ],
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """That an officer asked for an erasure.

    Args:
        digest: Of the act, which the approval names.
        officer: Who asked.
        reason: One of `ERASURE_REASONS`.
        at: When.
    """

    digest: bytes
    officer: str
    reason: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the proposal as JSON."""
        return {"officer": self.officer, "reason": self.reason, "at": format_instant(self.at)}


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that is done.

    Args:
        subject: Whose data it was.
        at: When.
        record: What says so in the log.
        index: The place of the record, None while it waits.
        is_purged: Whether what was deleted is out of the files of the database too.
    """

    subject: Subject
    at: datetime
    record: Record
    index: int | None
    is_purged: bool

    def to_json(self) -> dict[str, Any]:
        """Return the erasure as JSON."""
        counted = ("reason", "facts", "decisions", "records", "retained")
        return {
            "at": format_instant(self.at),
            "record": self.record.record_id,
            "recordHash": self.record.digest.hex(),
            "pseudonym": str(self.record.subject["id"]),
            "index": self.index,
            "isPurged": self.is_purged,
            **{name: self.record.subject[name] for name in counted},
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the erasure of a subject stands: planned, proposed or done.

    Args:
        subject: The subject.
        plan: What would go; None where it is done.
        proposal: Who asked for it, None where nobody did.
        erased: What was done, None where nothing was.
    """

    subject: Subject
    plan: Plan | None = None
    proposal: Proposal | None = None
    erased: Erased | None = None

    @property
    def state(self) -> str:
        """The word for it: ``planned``, ``proposed`` or ``erased``."""
        if self.erased is not None:
            return "erased"
        return "planned" if self.proposal is None else "proposed"

    def to_json(self) -> dict[str, Any]:
        """Return the standing as JSON."""
        return {
            "subject": {"type": self.subject.type, "id": self.subject.id},
            "state": self.state,
            "plan": self.plan and self.plan.to_json(),
            "proposal": self.proposal and self.proposal.to_json(),
            "erasure": self.erased and self.erased.to_json(),
        }


def find_subject(connection: Connection, name: str, fact_type: str | None = None) -> Subject:
    """Return the subject of an id.

    Raises:
        NotFoundError: No party and no responsible person has or had this id.
        InputError: Both have it, and the type is not said.
    """
    types = SUBJECT_TYPES if fact_type is None else (fact_type,)
    found = [
        Subject(each, name)
        for each in types
        if stored.known_ids(connection, each, [name])
        or erasure_row(connection, Subject(each, name)) is not None
    ]
    if not found:
        raise NotFoundError(
            "CRN-L-097",
            Text(
                f"There is no {' or '.join(types)} with the id {name!r}.",
                f"没有标识为 {name!r} 的 {'或 '.join(types)}。",
            ),
            Text(
                "Name the party or the responsible person by the id of its fact.",
                "请用其事实的标识指定当事方或负责人。",
            ),
        )
    if len(found) > 1:
        raise InputError(
            "CRN-L-098",
            Text(
                f"{name!r} is the id of {' and of '.join(each.type for each in found)}.",
                f"{name!r} 同时是 {'和 '.join(each.type for each in found)} 的标识。",
            ),
            Text("Say which with --type.", "请用 --type 说明。"),
        )
    return found[0]


def erasure_row(connection: Connection, subject: Subject) -> Any:
    """Return the row of a subject's erasure, with the time of its end; None where there is none."""
    query = (
        select(ERASURE, ERASURE_PURGE.c.at.label("purged_at"))
        .join(SUBJECT, SUBJECT.c.pseudonym == ERASURE.c.pseudonym)
        .outerjoin(ERASURE_PURGE, ERASURE_PURGE.c.pseudonym == ERASURE.c.pseudonym)
        .where(SUBJECT.c.type == subject.type, SUBJECT.c.fact_id == subject.id)
    )
    return connection.execute(query).one_or_none()


def plan_of(connection: Connection, subject: Subject) -> Plan:
    """Return what an erasure of a subject takes away and leaves, as things stand."""
    scope = scope_of(subject, stored.all_versions(connection))
    pseudonym = find_pseudonym(connection, subject)
    records: tuple[bytes, ...] = ()
    has_key = False
    if pseudonym is not None:
        records = tuple(sealed_records(connection, pseudonym))
        query = select(SUBJECT_KEY.c.pseudonym).where(SUBJECT_KEY.c.pseudonym == pseudonym)
        has_key = connection.execute(query).scalar() is not None
    return Plan(
        subject=subject,
        facts=stored.count_versions(connection, scope.erased),
        decisions=_decisions(connection, scope),
        records=records,
        has_key=has_key,
        retained=scope.retained,
    )


def _decisions(connection: Connection, scope: Scope) -> dict[bytes, bytes]:
    """Return what is left of each decision that says something of the facts that go."""
    found = {}
    for digest, decision in read_decisions(connection, DECISION.c.digest.is_not(None)).items():
        left = without_erased(decision.content, scope.erased, scope.around)
        if left is not None:
            found[digest] = canonical(left)
    return found


def standing(workspace: Workspace, name: str, fact_type: str | None = None) -> Standing:
    """Return where the erasure of a subject stands, with what goes and what stays.

    Args:
        workspace: The workspace.
        name: The id of the fact that names the subject.
        fact_type: Its type, where the id is not enough.

    Raises:
        NotFoundError: There is no such subject.
        LedgerFatalError: A stored act or decision is damaged.
    """
    with reading(workspace.engine) as connection:
        subject = find_subject(connection, name, fact_type)
        erased = _erased(connection, subject)
        if erased is not None:
            return Standing(subject, erased=erased)
        return Standing(subject, plan_of(connection, subject), proposal_of(connection, subject))


def _erased(connection: Connection, subject: Subject) -> Erased | None:
    row = erasure_row(connection, subject)
    if row is None:
        return None
    record = record_of_source(connection, ERASURE_KIND, bytes(row.pseudonym).hex())
    assert record is not None, "an erasure refers to its record"
    index = indexes_of(connection, [record.digest]).get(record.digest)
    return Erased(subject, row.at, record, index, row.purged_at is not None)


def proposal_of(connection: Connection, subject: Subject) -> Proposal | None:
    """Return the proposal that waits for a second officer, None where none does."""
    pseudonym = find_pseudonym(connection, subject)
    if pseudonym is None:
        return None
    events = read_events(connection, {PROPOSAL, WITHDRAWAL}, urn_of(pseudonym))
    if not events or events[-1].kind == WITHDRAWAL:
        return None
    last = events[-1]
    return Proposal(last.digest, last.officer, str(last.content["reason"]), last.at)


def urn_of(pseudonym: bytes) -> str:
    """Return what acts and records call a subject."""
    return PSEUDONYM_URN + pseudonym.hex()


def list_erasures(workspace: Workspace) -> list[Erased]:
    """Return every erasure of a workspace, oldest first."""
    with reading(workspace.engine) as connection:
        query = select(SUBJECT.c.type, SUBJECT.c.fact_id).join(
            ERASURE, ERASURE.c.pseudonym == SUBJECT.c.pseudonym
        )
        rows = connection.execute(query.order_by(ERASURE.c.at, SUBJECT.c.type, SUBJECT.c.fact_id))
        subjects = [Subject(*row) for row in rows]
        found = [_erased(connection, subject) for subject in subjects]
    return [each for each in found if each is not None]

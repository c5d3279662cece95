"""Erasing a subject: its keys, what is sealed under them, and the raw facts that describe it.

Two officers with keys of their own decide it: one proposes with a reason, the other approves. The
approval, the record of the erasure, the tombstones and the deletion are one transaction. Then what
was deleted is taken out of the files of the database, and the record is appended to the log. A
crash in between leaves an erasure that is done but for those two steps; the same command again, by
anybody, completes it.

Source: docs/spec/record-and-log.md, section 9; Regulation (EU) 2016/679, Article 17.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from carnet.core.canonical import canonical
from carnet.core.clock import Clock, format_instant
from carnet.core.crash import crash_point
from carnet.core.digests import sha256
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.keys import Key
from carnet.ledger.kinds.erasure import ERASURE as ERASURE_KIND
from carnet.ledger.kinds.erasure import ERASURE_REASONS
from carnet.ledger.reader import indexes_of
from carnet.ledger.record import Issuer, Record, Validity
from carnet.services.appending import append_records
from carnet.services.decisions import read_decisions
from carnet.services.erased_decisions import without_erased
from carnet.services.erasure_scope import RETAINED, SUBJECT_TYPES, Scope, scope_of
from carnet.services.issuing import Statement, open_issuer, record_of_source, stage_statement
from carnet.services.officer_events import OfficerEvent, append_event, read_events
from carnet.services.officers import officer_key, officer_keys
from carnet.services.vault import PSEUDONYM_URN, Subject, find_pseudonym, pseudonym_of
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import reading, writing
from carnet.store.erasing import (
    FactKey,
    Removal,
    purge_files,
    remove,
    sealed_records,
    unpurged,
)
from carnet.store.locks import Lock, take
from carnet.store.tables import (
    DECISION,
    ERASURE,
    ERASURE_PURGE,
    SUBJECT,
    SUBJECT_KEY,
)

PROPOSAL: Final = "erasure-proposal"
WITHDRAWAL: Final = "erasure-withdrawal"
APPROVAL: Final = "erasure-approval"


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
        or _erasure_row(connection, Subject(each, name)) is not None
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


def _erasure_row(connection: Connection, subject: Subject) -> Any:
    query = (
        select(ERASURE, ERASURE_PURGE.c.at.label("purged_at"))
        .join(SUBJECT, SUBJECT.c.pseudonym == ERASURE.c.pseudonym)
        .outerjoin(ERASURE_PURGE, ERASURE_PURGE.c.pseudonym == ERASURE.c.pseudonym)
        .where(SUBJECT.c.type == subject.type, SUBJECT.c.fact_id == subject.id)
    )
    return connection.execute(query).one_or_none()


def _plan(connection: Connection, subject: Subject) -> Plan:
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
        return Standing(subject, _plan(connection, subject), _proposal(connection, subject))


def _erased(connection: Connection, subject: Subject) -> Erased | None:
    row = _erasure_row(connection, subject)
    if row is None:
        return None
    record = record_of_source(connection, ERASURE_KIND, bytes(row.pseudonym).hex())
    assert record is not None, "an erasure refers to its record"
    index = indexes_of(connection, [record.digest]).get(record.digest)
    return Erased(subject, row.at, record, index, row.purged_at is not None)


def _proposal(connection: Connection, subject: Subject) -> Proposal | None:
    pseudonym = find_pseudonym(connection, subject)
    if pseudonym is None:
        return None
    events = read_events(connection, {PROPOSAL, WITHDRAWAL}, _urn(pseudonym))
    if not events or events[-1].kind == WITHDRAWAL:
        return None
    last = events[-1]
    return Proposal(last.digest, last.officer, str(last.content["reason"]), last.at)


def _urn(pseudonym: bytes) -> str:
    return PSEUDONYM_URN + pseudonym.hex()


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, about whom, and the clock.

    Args:
        name: The id of the fact that names the subject.
        officer: The officer's role id.
        clock: Gives the time.
        fact_type: The type of the fact, where the id is not enough.
    """

    name: str
    officer: str
    clock: Clock
    fact_type: str | None = None


def propose_erasure(workspace: Workspace, act: Act, reason: str) -> Standing:
    """Ask, as one officer, that a subject be erased; nothing goes until another one approves.

    Where it is done already, what a crash left undone is completed.

    Raises:
        NotFoundError: There is no such subject.
        InputError: The reason is not one of those that there are.
    """
    if reason not in ERASURE_REASONS:
        raise InputError(
            "CRN-L-099",
            Text(f"{reason!r} is no reason to erase.", f"{reason!r} 不是可用的删除理由。"),
            Text(
                f"Use one of {', '.join(ERASURE_REASONS)}.", f"请用：{'、'.join(ERASURE_REASONS)}。"
            ),
        )
    return _sign(workspace, act, PROPOSAL, {"reason": reason})


def withdraw_erasure(workspace: Workspace, act: Act) -> Standing:
    """Take back the proposal to erase a subject; one officer is enough.

    Raises:
        NotFoundError: There is no such subject, or nothing is proposed.
    """
    with reading(workspace.engine) as connection:
        _require_proposal(connection, find_subject(connection, act.name, act.fact_type))
    return _sign(workspace, act, WITHDRAWAL, {})


def _sign(workspace: Workspace, act: Act, kind: str, content: Mapping[str, Any]) -> Standing:
    before = standing(workspace, act.name, act.fact_type)
    if before.erased is not None:
        return complete(workspace, before.subject, act.clock)
    key = officer_key(workspace, act.officer, act.clock)
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        take(connection, Lock.LOG_HEAD)
        urn = _urn(pseudonym_of(connection, before.subject, act.clock))
        append_event(connection, kind, urn, content, officer=act.officer, key=key, clock=act.clock)
    return standing(workspace, act.name, act.fact_type)


def approve_erasure(workspace: Workspace, act: Act) -> Standing:
    """Agree, as a second officer with another key, to the erasure that is proposed, and do it.

    Where it is done already, what a crash left undone is completed.

    Raises:
        NotFoundError: There is no such subject, or nothing is proposed.
        InputError: The same officer proposed it.
        ConflictError: Another process reads an older state; the same command again completes it.
    """
    before = standing(workspace, act.name, act.fact_type)
    if before.erased is not None:
        return complete(workspace, before.subject, act.clock)
    with reading(workspace.engine) as connection:
        _require_second(connection, before.subject, act.officer)
    key = officer_key(workspace, act.officer, act.clock)
    issuer = open_issuer(workspace, act.clock)
    # One order of locks everywhere: imports, then acts, then the log.
    with writing(workspace.engine, Lock.IMPORT) as connection:
        take(connection, Lock.OFFICER_EVENT)
        take(connection, Lock.LOG_HEAD)
        if _erasure_row(connection, before.subject) is None:
            _erase(connection, before.subject, act, key, issuer)
        crash_point("erase.before-commit")
    crash_point("erase.after-commit")
    return complete(workspace, before.subject, act.clock)


def _erase(connection: Connection, subject: Subject, act: Act, key: Key, issuer: Issuer) -> None:
    proposal = _require_second(connection, subject, act.officer)
    pseudonym = pseudonym_of(connection, subject, act.clock)
    plan = _plan(connection, subject)
    approval = append_event(
        connection,
        APPROVAL,
        _urn(pseudonym),
        {"proposal": proposal.digest.hex()},
        officer=act.officer,
        key=key,
        clock=act.clock,
    )
    statement = _statement(plan, pseudonym, proposal, approval)
    record = stage_statement(connection, issuer, statement, act.clock).record
    bodies = {digest: (body, sha256(body)) for digest, body in plan.decisions.items()}
    removal = Removal(pseudonym, record.digest, plan.facts, bodies)
    remove(connection, removal, act.clock.now())


def _statement(
    plan: Plan, pseudonym: bytes, proposal: Proposal, approval: OfficerEvent
) -> Statement:
    subject = {
        "id": _urn(pseudonym),
        "erasedOn": approval.at.date().isoformat(),
        "reason": proposal.reason,
        "facts": len(plan.facts),
        "decisions": len(plan.decisions),
        "records": len(plan.records),
        "retained": sum(plan.retained.values()),
        "proposal": proposal.digest.hex(),
        "approval": approval.digest.hex(),
    }
    return Statement(ERASURE_KIND, subject, pseudonym.hex(), Validity(approval.at))


def complete(workspace: Workspace, subject: Subject, clock: Clock) -> Standing:
    """Take what was deleted out of the files, and append the record; both only where still due.

    Raises:
        ConflictError: Another process reads an older state of the database.
    """
    due = unpurged(workspace.engine)
    if due:
        crash_point("erase.before-purge")
        purge_files(workspace.engine, workspace.settings.database_wait_s)
        crash_point("erase.after-purge")
        with writing(workspace.engine, Lock.IMPORT) as connection:
            done = select(ERASURE_PURGE.c.pseudonym)
            known = {bytes(found) for found in connection.execute(done).scalars()}
            rows = [{"pseudonym": each, "at": clock.now()} for each in due if each not in known]
            if rows:
                connection.execute(insert(ERASURE_PURGE), rows)
    append_records(workspace, clock)
    return standing(workspace, subject.id, subject.type)


def _require_proposal(connection: Connection, subject: Subject) -> Proposal:
    found = _proposal(connection, subject)
    if found is None:
        raise NotFoundError(
            "CRN-L-100",
            Text(f"Nobody has proposed to erase {subject}.", f"尚无人提议删除 {subject} 的数据。"),
            Text(
                f"One officer proposes first: `carnet erase {subject.id} --reason REASON "
                "--by OFFICER`.",
                f"须先由一名合规专员提议：`carnet erase {subject.id} --reason 理由 --by 专员`。",
            ),
        )
    return found


def _require_second(connection: Connection, subject: Subject, officer: str) -> Proposal:
    """Return the proposal that a second officer may approve.

    Raises:
        NotFoundError: Nothing is proposed.
        InputError: The same officer, or one with the same key, proposed it.
    """
    found = _require_proposal(connection, subject)
    keys = officer_keys(connection)
    is_same = officer == found.officer or (
        officer in keys and keys[officer] == keys.get(found.officer)
    )
    if is_same:
        raise InputError(
            "CRN-L-101",
            Text(
                f"{officer} proposed this erasure and cannot approve it as well.",
                f"{officer} 是该删除的提议人，不能同时批准。",
            ),
            Text(
                "Another officer, with a key of their own, approves: --approve --by officer-2.",
                "须由另一名合规专员以其自己的密钥批准：--approve --by officer-2。",
            ),
        )
    return found


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

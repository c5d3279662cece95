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
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.digests import sha256
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.keys import Key
from carnet.ledger.kinds.erasure import ERASURE as ERASURE_KIND
from carnet.ledger.kinds.erasure import ERASURE_REASONS
from carnet.ledger.record import Issuer, Validity
from carnet.services.appending import append_records
from carnet.services.erasure_standing import (
    PROPOSAL,
    WITHDRAWAL,
    Plan,
    Proposal,
    Standing,
    erasure_row,
    find_subject,
    plan_of,
    proposal_of,
    standing,
    urn_of,
)
from carnet.services.issuing import Statement, open_issuer, stage_statement
from carnet.services.officer_events import OfficerEvent, append_event
from carnet.services.officers import officer_key, officer_keys
from carnet.services.vault import Subject, pseudonym_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.erasing import Removal, purge_files, remove, unpurged
from carnet.store.locks import Lock, take
from carnet.store.tables import ERASURE_PURGE

APPROVAL: Final = "erasure-approval"


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
        urn = urn_of(pseudonym_of(connection, before.subject, act.clock))
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
        if erasure_row(connection, before.subject) is None:
            _erase(connection, before.subject, act, key, issuer)
        crash_point("erase.before-commit")
    crash_point("erase.after-commit")
    return complete(workspace, before.subject, act.clock)


def _erase(connection: Connection, subject: Subject, act: Act, key: Key, issuer: Issuer) -> None:
    proposal = _require_second(connection, subject, act.officer)
    pseudonym = pseudonym_of(connection, subject, act.clock)
    plan = plan_of(connection, subject)
    approval = append_event(
        connection,
        APPROVAL,
        urn_of(pseudonym),
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
        "id": urn_of(pseudonym),
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
    found = proposal_of(connection, subject)
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

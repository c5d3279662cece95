"""Records of what officers did to rule packs: each act once, in the log with the next append."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.ledger.kinds import PACK_EVENT
from carnet.ledger.reader import LogReader
from carnet.services.appending import append_records
from carnet.services.event_records import record_pack_events
from carnet.services.officer_events import OfficerEvent, append_event
from carnet.services.officers import officer_key
from carnet.services.pack_history import ACTIVATION, APPROVAL, PROPOSAL, ROLLBACK
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.locks import Lock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VERSION = {"version": "2", "packDigest": "cd" * 32, "reason": "It is the law."}


def sign(workspace: Workspace, kind: str, **more: Any) -> OfficerEvent:
    clock = FixedClock(NOON)
    key = officer_key(workspace, "officer-1", clock)
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        return append_event(
            connection,
            kind,
            "eu-ce",
            {**VERSION, **more},
            officer="officer-1",
            key=key,
            clock=clock,
        )


def recorded(workspace: Workspace) -> list[dict[str, Any]]:
    reader = LogReader(workspace.engine)
    rows = [row for row in reader.records() if row[1] == PACK_EVENT.name]
    subjects = [dict(reader.record(row[0]).subject) for row in rows]
    return sorted(subjects, key=lambda subject: int(subject["seq"]))


def test_pack_events__each_is_recorded_once(seller: Workspace) -> None:
    clock = FixedClock(NOON)
    assert record_pack_events(seller, clock) == 0
    proposal = sign(seller, PROPOSAL)
    sign(seller, APPROVAL, approves=proposal.digest.hex())
    sign(seller, ACTIVATION, effective=date(2027, 1, 1).isoformat(), replaces=None)
    sign(seller, "finding-acknowledgement")
    assert record_pack_events(seller, clock) == 3
    assert record_pack_events(seller, clock) == 0
    sign(seller, ROLLBACK, effective=date(2027, 2, 1).isoformat())
    assert record_pack_events(seller, clock) == 1
    append_records(seller, clock)
    found = recorded(seller)
    assert [each["event"] for each in found] == ["proposal", "approval", "activation", "rollback"]
    assert [each.get("effectiveOn") for each in found] == [None, None, "2027-01-01", "2027-02-01"]
    assert found[0]["actDigest"] == proposal.digest.hex()
    assert {each["packDigest"] for each in found} == {"cd" * 32}
    assert len({each["id"] for each in found}) == 1, "all are about one pack"


def test_pack_events__tell_no_officer(seller: Workspace) -> None:
    sign(seller, PROPOSAL)
    record_pack_events(seller, FixedClock(NOON))
    reader = LogReader(seller.engine)
    (name,) = [row[0] for row in reader.records() if row[1] == PACK_EVENT.name]
    assert b"officer-1" not in reader.record(name).body


@pytest.mark.parametrize("kind", [PROPOSAL, ROLLBACK])
def test_pack_events__hold_from_the_act_on(seller: Workspace, kind: str) -> None:
    sign(seller, kind)
    record_pack_events(seller, FixedClock(datetime(2026, 12, 1, tzinfo=UTC)))
    reader = LogReader(seller.engine)
    (name,) = [row[0] for row in reader.records() if row[1] == PACK_EVENT.name]
    record = reader.record(name)
    assert record.valid_from == NOON
    assert record.document["proof"]["created"] == "2026-12-01T00:00:00Z"

"""Acts of officers: one signed chain, checked whole on every read, on both databases."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import LedgerFatalError
from carnet.ledger.proof import add_proof
from carnet.services.officer_events import OfficerEvent, append_event, read_events
from carnet.services.officers import officer_key
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import OFFICER_EVENT


def act(
    workspace: Workspace, clock: FixedClock, officer: str, note: str, kind: str = "note"
) -> OfficerEvent:
    key = officer_key(workspace, officer, clock)
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        return append_event(
            connection, kind, "S-1", {"note": note}, officer=officer, key=key, clock=clock
        )


def acts(workspace: Workspace, *args: Any) -> list[OfficerEvent]:
    with reading(workspace.engine) as connection:
        return read_events(connection, *args)


def unprotect(workspace: Workspace) -> None:
    """Take the triggers away, as whoever owns the database can."""
    with writing(workspace.engine) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER officer_event_no_update"))
            connection.execute(text("DROP TRIGGER officer_event_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER officer_event_no_change ON officer_event"))


def change(workspace: Workspace, number: int, **values: Any) -> None:
    with writing(workspace.engine) as connection:
        connection.execute(
            update(OFFICER_EVENT).where(OFFICER_EVENT.c.seq == number).values(**values)
        )


def body_of(workspace: Workspace, seq: int) -> dict[str, Any]:
    with reading(workspace.engine) as connection:
        query = select(OFFICER_EVENT.c.body).where(OFFICER_EVENT.c.seq == seq)
        return dict(parse_canonical(bytes(connection.execute(query).scalar_one())))


def refused(workspace: Workspace, why: str) -> None:
    with pytest.raises(LedgerFatalError, match=f"CRN-R-110.*{why}"):
        acts(workspace)


@pytest.fixture
def acted(workspace: Workspace, clock: FixedClock) -> Workspace:
    """Return a workspace in which two officers did three things."""
    for number, officer in enumerate(["officer-1", "officer-2", "officer-1"], start=1):
        act(workspace, clock, officer, f"note {number}")
    unprotect(workspace)
    return workspace


def test_events__come_back_in_order_with_what_was_signed(
    workspace: Workspace, clock: FixedClock
) -> None:
    assert acts(workspace) == []
    made = [
        act(workspace, clock, officer, f"note {number}", kind)
        for number, (officer, kind) in enumerate(
            [("officer-1", "note"), ("officer-2", "other"), ("officer-1", "note")]
        )
    ]
    assert acts(workspace) == made
    assert [each.seq for each in made] == [1, 2, 3]
    assert acts(workspace, {"note"}) == [made[0], made[2]]
    assert acts(workspace, None, "S-2") == []


def test_events__a_changed_body_is_noticed(acted: Workspace) -> None:
    body = canonical(body_of(acted, 2) | {"content": {"note": "another"}})
    change(acted, 2, body=body)
    refused(acted, "does not have that hash")


def test_events__a_changed_body_under_its_own_hash_was_not_signed(acted: Workspace) -> None:
    body = canonical(body_of(acted, 3) | {"content": {"note": "another"}})
    change(acted, 3, body=body, digest=sha256(body))
    refused(acted, "did not sign it")


def test_events__one_that_was_taken_out_is_missed(acted: Workspace) -> None:
    with writing(acted.engine) as connection:
        connection.execute(delete(OFFICER_EVENT).where(OFFICER_EVENT.c.seq == 2))
    refused(acted, "chain is broken")


def test_events__the_first_one_cannot_be_taken_away(acted: Workspace) -> None:
    with writing(acted.engine) as connection:
        connection.execute(delete(OFFICER_EVENT).where(OFFICER_EVENT.c.seq == 1))
    refused(acted, "chain is broken")


@pytest.mark.parametrize(
    "values",
    [{"kind": "other"}, {"subject": "S-2"}, {"officer": "officer-2"}, {"seq": 9}],
    ids=lambda values: next(iter(values)),
)
def test_events__a_row_that_says_something_else(
    acted: Workspace, values: Mapping[str, Any]
) -> None:
    change(acted, 3, **values)
    refused(acted, "row says something else")


def test_events__another_officer_cannot_sign_in_the_name_of_one(
    acted: Workspace, clock: FixedClock
) -> None:
    key = officer_key(acted, "officer-2", clock)
    unsigned = {name: value for name, value in body_of(acted, 3).items() if name != "proof"}
    body = canonical(add_proof(unsigned, key.key_id, key.signer, clock.now()))
    change(acted, 3, body=body, digest=sha256(body))
    refused(acted, "did not sign it")


def test_events__an_officer_without_a_logged_key_counts_for_nothing(
    acted: Workspace, clock: FixedClock
) -> None:
    with writing(acted.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection,
            "note",
            "S-1",
            {},
            officer="officer-9",
            key=officer_key(acted, "officer-1", clock),
            clock=clock,
        )
    refused(acted, "no key in the log")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"not json"])
def test_events__a_body_that_is_no_act(acted: Workspace, body: bytes) -> None:
    change(acted, 3, body=body, digest=sha256(body))
    refused(acted, "not such a document")


def test_events__a_second_branch_is_noticed(acted: Workspace, clock: FixedClock) -> None:
    """An act that its officer did sign, but behind another act than the one before it."""
    key = officer_key(acted, "officer-1", clock)
    unsigned = {name: value for name, value in body_of(acted, 3).items() if name != "proof"}
    first = sha256(canonical(body_of(acted, 1))).hex()
    body = canonical(
        add_proof(unsigned | {"seq": 4, "previous": first}, key.key_id, key.signer, clock.now())
    )
    row = {"seq": 4, "digest": sha256(body), "kind": "note", "subject": "S-1", "body": body}
    with writing(acted.engine) as connection:
        connection.execute(insert(OFFICER_EVENT), row | {"officer": "officer-1", "at": clock.now()})
    refused(acted, "chain is broken")


def test_events__a_number_that_was_left_out_is_noticed(acted: Workspace, clock: FixedClock) -> None:
    """An act behind the right one, under a number that hides that another might be missing."""
    key = officer_key(acted, "officer-1", clock)
    unsigned = {name: value for name, value in body_of(acted, 3).items() if name != "proof"}
    last = sha256(canonical(body_of(acted, 3))).hex()
    body = canonical(
        add_proof(unsigned | {"seq": 5, "previous": last}, key.key_id, key.signer, clock.now())
    )
    row = {"seq": 5, "digest": sha256(body), "kind": "note", "subject": "S-1", "body": body}
    with writing(acted.engine) as connection:
        connection.execute(insert(OFFICER_EVENT), row | {"officer": "officer-1", "at": clock.now()})
    refused(acted, "chain is broken")

"""What a bundle's status list must be to be believed, whoever runs the log."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.ledger.keys import key_event_record, revocation_record
from carnet.ledger.kinds.status import STATUS_URN, status_entry
from carnet.ledger.record import Record, record_of_document
from carnet.ledger.status_list import encode_list
from carnet.ledger.verify import Verification
from tests.fixtures_ledger import (
    ISSUER_KEY,
    LIST_INDEX,
    LIST_URN,
    NOW,
    LedgerWorld,
    attestation,
    check,
    failing,
    forge,
    status_list,
)

CLOCK = FixedClock(NOW)
ADDED = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, CLOCK)
RECORD = attestation(4, status=status_entry(LIST_URN, LIST_INDEX))


def judged(world: LedgerWorld, *others: Record, events: tuple[int, ...] = (0,)) -> Verification:
    """Return what the bundle of a record proves whose list is the last of some records."""
    records = [ADDED, RECORD, *others]
    data = forge(records[-1], *records[:-1], subject=1, events=events, status=len(records) - 1)
    return check(world, data, witnesses=(), quorum=0)


def test_list__that_stands(ledger_world: LedgerWorld) -> None:
    found = judged(ledger_world, status_list())
    assert failing(found) == []
    assert found.step("status").verdict == found.step("supersession").verdict == "valid"


def test_list__that_nobody_signed(ledger_world: LedgerWorld) -> None:
    document = json.loads(status_list({LIST_INDEX: 1}).body)
    document["credentialSubject"]["encodedList"] = encode_list({})
    found = judged(ledger_world, record_of_document(document))
    assert failing(found) == ["status"]
    assert "does not hold" in found.step("status").cause.en


def test_list__by_a_key_that_had_ended(ledger_world: LedgerWorld) -> None:
    key = ISSUER_KEY.signer.public_key
    revoked = revocation_record("issuer", "issuer", key, "compromised", ISSUER_KEY.issuer, CLOCK)
    found = judged(ledger_world, revoked, status_list(), events=(0, 2))
    assert failing(found) == ["status"]
    assert "was ended by log entry 2" in found.step("status").cause.en
    before = judged(ledger_world, status_list())
    assert failing(before) == []


def test_list__of_another_name(ledger_world: LedgerWorld) -> None:
    found = judged(ledger_world, status_list(id=STATUS_URN + "00" * 32))
    assert failing(found) == ["status"]
    assert "another one" in found.step("status").cause.en


@pytest.mark.parametrize("value", [1, 2, 3])
def test_list__every_value_but_current_is_no_valid_record(
    ledger_world: LedgerWorld, value: int
) -> None:
    found = judged(ledger_world, status_list({LIST_INDEX: value}))
    assert found.verdict == "not_valid"
    assert failing(found) == ["supersession" if value == 2 else "status"]


Json = dict[str, Any]


def altered(world: LedgerWorld, change: Callable[[Json], None]) -> bytes:
    value = json.loads(world.data)
    change(value)
    return canonical(value)


def test_verify_bundle__bytes_changed_with_a_status_list_are_never_valid(
    status_world: LedgerWorld,
) -> None:
    data = status_world.data
    (whole,) = {check(status_world, data).verdict}
    assert whole == "valid"
    for position in range(0, len(data), 3):
        other = data[position] ^ (0x01 if position % 2 else 0x20)
        changed = data[:position] + bytes([other]) + data[position + 1 :]
        found = check(status_world, changed)
        assert found.verdict == "not_valid", (position, data[position - 40 : position + 9])
        assert failing(found)


def _list_bits(value: Json) -> None:
    subject = value["status"]["record"]["credentialSubject"]
    subject["encodedList"] = encode_list({LIST_INDEX: 1})


def _list_end(value: Json) -> None:
    value["status"]["record"]["validUntil"] = "2027-11-30T08:00:00Z"


def _list_place(value: Json) -> None:
    value["status"]["index"] -= 1


def _list_entry(value: Json) -> None:
    value["status"]["entry"]["validUntil"] += 1


def _list_index(value: Json) -> None:
    status = value["record"]["credentialStatus"]
    status["statusListIndex"] = "1"
    status["id"] = status["id"].partition("#")[0] + "#1"


def _list_of_another(value: Json) -> None:
    value["status"] = value["keyEvents"][0]


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (_list_bits, {"status"}),
        (_list_end, {"status"}),
        (_list_place, {"status"}),
        (_list_entry, {"status"}),
        (_list_of_another, {"key", "status"}),
        (_list_index, {"signature", "inclusion", "status"}),
    ],
)
def test_verify_bundle__tampering_with_the_status_list_fails_at_its_step(
    status_world: LedgerWorld, change: Callable[[Json], None], steps: set[str]
) -> None:
    found = check(status_world, altered(status_world, change))
    assert set(failing(found)) == steps

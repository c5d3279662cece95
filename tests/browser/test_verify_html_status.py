"""Status lists of any form in the page: the verdicts and causes of the Python verifier."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.ledger.encoding import base64url_decode, base64url_encode
from carnet.ledger.keys import key_event_record, rotation_record
from carnet.ledger.kinds.status import STATUS_URN, status_entry
from carnet.ledger.record import Issuer, Record
from carnet.ledger.status_list import LIST_BYTES, encode_list
from tests.browser.comparing import OTHER_KEY, STRANGER_DID, compare, policies
from tests.browser.conftest import StaticPage
from tests.fixtures_ledger import (
    ISSUER_KEY,
    LIST_INDEX,
    LIST_URN,
    NOW,
    STRANGER,
    LedgerWorld,
    attestation,
    forge,
    status_list,
)


def _repacked(change: Callable[[bytes], bytes]) -> str:
    """Return a packed list with its bytes changed."""
    return "u" + base64url_encode(change(base64url_decode(encode_list({7: 1})[1:])))


def _quiet(bits: bytes) -> bytes:
    """Return bits in which the entry of the record is current."""
    place = LIST_INDEX // 4
    return bits[:place] + b"\x00" + bits[place + 1 : LIST_BYTES]


NOISE = _quiet(b"".join(sha256(b"%d" % number) for number in range(LIST_BYTES // 32)))
"""Bits that no packing shortens."""

SQUARES = bytes(number * number % 251 for number in range(LIST_BYTES))

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "a flag": lambda data: data[:3] + b"\x08" + data[4:],
    "a time": lambda data: data[:4] + b"\x01" + data[5:],
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\x00",
    "sum": lambda data: data[:-8] + bytes(4) + data[-4:],
    "size": lambda data: data[:-4] + bytes(4),
    "no block": lambda data: data[:10] + b"\x07" + data[-8:],
    "stored": lambda _: gzip.compress(NOISE, 0, mtime=0),
    "coded": lambda _: gzip.compress(_quiet(NOISE[:99] * 331), 9, mtime=0),
    "fixed": lambda _: _fixed(bytes(LIST_BYTES)),
    "dynamic": lambda _: gzip.compress(_quiet(SQUARES), 9, mtime=0),
    "too large": lambda _: gzip.compress(bytes(LIST_BYTES + 1), 9, mtime=0),
    "too small": lambda _: gzip.compress(bytes(LIST_BYTES - 1), 9, mtime=0),
    "bomb": lambda _: gzip.compress(bytes(20_000_000), 9, mtime=0),
    "short": lambda _: b"\x1f",
}
"""Lists that are packed in other ways, good and bad; none is of the writer's making."""

READ = {f"packed: {name}" for name in ("stored", "coded", "fixed", "dynamic")}
"""Those that hold a whole list in which the entry is current."""


def _fixed(bits: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31, 9, zlib.Z_FIXED)
    return packer.compress(bits) + packer.flush()


def listed_bundles() -> dict[str, bytes]:
    """Return bundles with status lists of many forms, in logs that the log's own key signs."""
    clock = FixedClock(NOW)
    added = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, clock)
    rotated = rotation_record(
        OTHER_KEY, "issuer", ISSUER_KEY.signer.public_key, ISSUER_KEY.issuer, clock
    )
    own = key_event_record(OTHER_KEY, "issuer", OTHER_KEY.issuer, clock)
    record = attestation(4, status=status_entry(LIST_URN, LIST_INDEX))
    plain, other_kind = attestation(5), attestation(6)

    def listed(*others: Record, subject: int = 1, **changes: Any) -> bytes:
        records = [added, record, *others]
        events = changes.pop("events", (0,))
        place = changes.pop("status", len(records) - 1)
        return forge(
            records[-1], *records[:-1], subject=subject, events=events, status=place, **changes
        )

    cases = {
        "current": listed(status_list()),
        "others revoked": listed(status_list({LIST_INDEX - 1: 1, LIST_INDEX + 1: 3})),
        "revoked": listed(status_list({LIST_INDEX: 1})),
        "superseded": listed(status_list({LIST_INDEX: 2})),
        "undefined": listed(status_list({LIST_INDEX: 3})),
        "revoked, stale": listed(status_list({LIST_INDEX: 1}, until=NOW)),
        "ends on the day": listed(status_list(until=NOW)),
        "without end": listed(status_list(until=None)),
        "another list": listed(status_list(id=STATUS_URN + "00" * 32)),
        "no list at all": listed(status_list(), status=None),
        "another record": listed(other_kind),
        "for a record without": listed(plain, status_list(), subject=2),
        "older than the record": forge(
            record, added, status_list(), subject=2, events=(0,), status=1
        ),
        "a stranger's": listed(status_list(issuer=Issuer(STRANGER_DID, STRANGER))),
        "by the next key": listed(rotated, status_list(issuer=OTHER_KEY.issuer), events=(0, 2)),
        "by the key before": listed(rotated, status_list(), events=(0, 2)),
        "rotation left out": listed(rotated, status_list(issuer=OTHER_KEY.issuer)),
        "another's key": listed(own, status_list(issuer=OTHER_KEY.issuer), events=(0, 2)),
        "event behind the list": listed(status_list(), rotated, status=2, events=(0, 3)),
        "no event": listed(status_list(), events=()),
    }
    for name, change in PACKED.items():
        cases[f"packed: {name}"] = listed(status_list(encodedList=_repacked(change)))
    return cases


def test_equal__status_lists_of_many_forms(
    static_page: StaticPage, ledger_world: LedgerWorld
) -> None:
    cases = listed_bundles()
    base = policies(ledger_world)["plain"]
    policy = replace(base, required=base.required | {"status", "supersession"})
    found = compare(static_page, list(cases.values()), policy)
    status = {
        name: (each.verdict, each.step("status").verdict, each.step("supersession").verdict)
        for name, each in zip(cases, found, strict=True)
    }
    good = {name for name, each in status.items() if each == ("valid", "valid", "valid")}
    assert good == {
        *("current", "others revoked", "by the next key", "ends on the day"),
        *("event behind the list", *READ),
    }
    assert status["revoked"] == status["revoked, stale"]
    assert status["revoked"] == ("not_valid", "not_valid", "not_checked")
    assert status["superseded"] == ("not_valid", "valid", "not_valid")
    for name in ("without end", "no list at all", "older than the record"):
        assert status[name] == ("not_checked", "not_checked", "not_checked")
    for policy in policies(ledger_world).values():
        compare(static_page, list(cases.values()), policy)

"""Status lists: which records are revoked or superseded, in one signed list.

A list is a Bitstring Status List with two bits an entry. It says nothing about the records that it
has no entry for, and nothing after its end: only a fresh list shows that a record is current.

Source: W3C Bitstring Status List v1.0, section 2; docs/spec/record-and-log.md, section 10.
"""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import RecordKind, urn_shape

STATUS_URN: Final = "urn:carnet:status-list:"
STATUS_ENTRIES: Final = 131_072
"""Entries of one list: the least that the standard allows, so that one tells little."""

STATUS_SIZE: Final = 2
"""Bits of an entry."""

CURRENT: Final = 0
REVOKED: Final = 1
SUPERSEDED: Final = 2
MESSAGES: Final = [
    {"message": "current", "status": "0x0"},
    {"message": "revoked", "status": "0x1"},
    {"message": "superseded", "status": "0x2"},
    {"message": "undefined", "status": "0x3"},
]
ENCODED_MAX: Final = 64 * 1024
"""Characters of a packed list; one that compression does not shorten has 44 thousand."""

_URN_TEXT = r"urn:carnet:status-list:[0-9a-f]{64}"
_INDEX_TEXT = r"(?:0|[1-9][0-9]{0,5})"

STATUS_LIST: Final = RecordKind(
    name="status-list",
    type_name="BitstringStatusListCredential",
    title=Text("Status list", "状态列表"),
    noun="status-list",
    required={
        "type": shape.exactly("BitstringStatusList"),
        "statusPurpose": shape.exactly("message"),
        "statusSize": shape.exactly(STATUS_SIZE),
        "statusMessages": shape.exactly(MESSAGES),
        "encodedList": shape.text(
            r"u[A-Za-z0-9_-]+", ENCODED_MAX, "u and base64url", " u 加 base64url"
        ),
    },
)

STATUS_ENTRY_SHAPE: Final = shape.obj(
    {
        "id": shape.text(
            f"{_URN_TEXT}#{_INDEX_TEXT}", 94, "an entry of a status list", "状态列表的条目"
        ),
        "type": shape.exactly("BitstringStatusListEntry"),
        "statusPurpose": shape.exactly("message"),
        "statusListIndex": shape.text(_INDEX_TEXT, 6, "a decimal number", "十进制数"),
        "statusListCredential": urn_shape(STATUS_URN),
        "statusSize": shape.exactly(STATUS_SIZE),
        "statusMessage": shape.exactly(MESSAGES),
    }
)
"""`credentialStatus` of a record."""


def status_reference(urn: str, index: int) -> str:
    """Return how a log entry names an entry of a list.

    >>> status_reference("urn:carnet:status-list:00", 7)
    'urn:carnet:status-list:00#7'
    """
    return f"{urn}#{index}"


def status_entry(urn: str, index: int) -> dict[str, object]:
    """Return `credentialStatus` of the record that has an entry of a list.

    Source: W3C Bitstring Status List v1.0, section 2.1.
    """
    assert 0 <= index < STATUS_ENTRIES, "an index lies in its list"
    return {
        "id": status_reference(urn, index),
        "type": "BitstringStatusListEntry",
        "statusPurpose": "message",
        "statusListIndex": str(index),
        "statusListCredential": urn,
        "statusSize": STATUS_SIZE,
        "statusMessage": [dict(item) for item in MESSAGES],
    }

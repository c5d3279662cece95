"""Log entries: the canonical bytes that the Merkle tree holds.

An entry says only what a contract or a monitor must learn without the record: its kind, its salted
hash, its issuer, what it replaces, which subject it speaks of and for how long. Nothing personal
enters the log.

Source: docs/spec/record-and-log.md, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carnet.core.canonical import canonical_within
from carnet.core.digests import LeafHash, RecordDigest
from carnet.ledger import kinds, shape
from carnet.ledger.kinds.keys import ISSUER_ID
from carnet.ledger.merkle import leaf_hash

ENTRY_VERSION = 1
KEY_EVENT = kinds.KEY_EVENT.name
ATTESTATION_PREFIX = f"{kinds.ATTESTATION.name}:"
KINDS = kinds.LOG_KINDS
DAY_MAX = 2**32 - 1
"""The contracts keep day numbers in 32 bits."""

_STATUS_REF = shape.text(r"[ !#-\[\]-~]{1,200}", 200, "printable ASCII", "可打印的 ASCII")
_DAY = shape.nullable(shape.integer(0, DAY_MAX))

ENTRY_SHAPE = shape.obj(
    {
        "v": shape.exactly(ENTRY_VERSION),
        "kind": shape.one_of(KINDS),
        "recordHash": shape.digest,
        "issuer": ISSUER_ID,
        "statusRef": shape.nullable(_STATUS_REF),
        "supersedes": shape.nullable(shape.digest),
        "subject": shape.nullable(shape.digest),
        "validFrom": _DAY,
        "validUntil": _DAY,
    }
)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One leaf of the log.

    Args:
        kind: One of `KINDS`.
        record_hash: SHA-256 of the record's canonical bytes, proof included.
        issuer: The identifier of who signed the record.
        status_ref: Where the status of the record is listed.
        supersedes: The hash of the record that this one replaces.
        subject: The hash of what the record speaks of.
        valid_from: UTC day number of the first day.
        valid_until: UTC day number of the last day.
    """

    kind: str
    record_hash: RecordDigest
    issuer: str
    status_ref: str | None = None
    supersedes: bytes | None = None
    subject: bytes | None = None
    valid_from: int | None = None
    valid_until: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object."""
        return {
            "v": ENTRY_VERSION,
            "kind": self.kind,
            "recordHash": self.record_hash.hex(),
            "issuer": self.issuer,
            "statusRef": self.status_ref,
            "supersedes": _hex(self.supersedes),
            "subject": _hex(self.subject),
            "validFrom": self.valid_from,
            "validUntil": self.valid_until,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes, which are hashed into the leaf."""
        return canonical_within(self.to_json())

    @property
    def leaf_hash(self) -> LeafHash:
        """The hash of the leaf that holds this entry."""
        return leaf_hash(self.to_bytes())


def entry_from_json(value: Mapping[str, Any]) -> LogEntry:
    """Return the entry of a JSON object.

    Raises:
        VerificationError: It does not have the shape of an entry.
    """
    ENTRY_SHAPE(value, "entry")
    return entry_of_shape(value)


def entry_of_shape(value: Mapping[str, Any]) -> LogEntry:
    """Return the entry of a JSON object that was found to have the shape of one."""
    return LogEntry(
        kind=value["kind"],
        record_hash=RecordDigest(bytes.fromhex(value["recordHash"])),
        issuer=value["issuer"],
        status_ref=value["statusRef"],
        supersedes=_bytes(value["supersedes"]),
        subject=_bytes(value["subject"]),
        valid_from=value["validFrom"],
        valid_until=value["validUntil"],
    )

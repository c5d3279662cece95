"""Bundles: one self-contained canonical JSON file with all that a lender needs but trust and chain.

Every encoding has one spelling and every member is compared with something that is signed, hashed
or pinned by the reader's policy, so no byte of a bundle can change unnoticed. A bundle carries no
key that anyone is asked to trust: the keys of unknown witnesses are there only so that their
signature lines can be checked for damage; they count for nothing.

Source: docs/spec/record-and-log.md, section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carnet.core.canonical import INTEGER_MAX, Parsed, canonical, parse_fitting
from carnet.ledger import shape
from carnet.ledger.disclosure import DISCLOSURE_SIZE_MAX, DISCLOSURES_MAX
from carnet.ledger.entry import ENTRY_SHAPE, LogEntry, entry_of_shape
from carnet.ledger.merkle import PROOF_LENGTH_MAX, SIZE_MAX
from carnet.ledger.note import NOTE_SIZE_MAX, SIGNATURES_MAX
from carnet.ledger.record import Record, check_shape, record_of_shape

BUNDLE_VERSION = 1
KEY_EVENTS_MAX = 16

_INDEX = shape.integer(0, SIZE_MAX - 1)
_HASHES = shape.array(shape.digest, PROOF_LENGTH_MAX)
_NOTE = shape.text(r"[\s\S]+", NOTE_SIZE_MAX, "a signed note", "签名注记")


def _record(value: Any, path: str) -> None:
    del path
    check_shape(value)


_LOGGED = {
    "record": shape.named("record", _record),
    "entry": ENTRY_SHAPE,
    "index": _INDEX,
    "inclusion": _HASHES,
}
BUNDLE = {
    "v": shape.exactly(BUNDLE_VERSION),
    **_LOGGED,
    "disclosures": shape.array(
        shape.text(r"[A-Za-z0-9_-]+", DISCLOSURE_SIZE_MAX, "a disclosure", "披露项"),
        DISCLOSURES_MAX,
        is_set=True,
    ),
    "checkpoint": _NOTE,
    "cosigners": shape.array(
        shape.text(r"[!-~]+", 400, "a verifier key", "验证密钥"), SIGNATURES_MAX, is_set=True
    ),
    "keyEvents": shape.array(shape.obj(_LOGGED), KEY_EVENTS_MAX),
    "consistency": shape.nullable(shape.obj({"checkpoint": _NOTE, "proof": _HASHES})),
    "status": shape.nullable(shape.obj(_LOGGED)),
    "anchor": shape.nullable(
        shape.obj(
            {
                "chainId": shape.integer(1, INTEGER_MAX),
                "contract": shape.text(
                    r"0x[0-9a-f]{40}", 42, "0x and 40 hex digits", "0x 加 40 位十六进制"
                ),
                "originHash": shape.digest,
                "size": shape.integer(1, SIZE_MAX),
            }
        )
    ),
}

_SHAPE = shape.obj(BUNDLE)


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """A record, its log entry, and the proof that the log holds it."""

    record: Record
    entry: LogEntry
    index: int
    inclusion: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the members of the JSON object."""
        return {
            "record": self.record.document,
            "entry": self.entry.to_json(),
            "index": self.index,
            "inclusion": [item.hex() for item in self.inclusion],
        }


@dataclass(frozen=True, slots=True)
class Consistency:
    """A newer checkpoint and the proof that the bundle's tree is a prefix of it."""

    checkpoint: str
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AnchorCoordinates:
    """Where on which chain the root of a tree stands.

    Args:
        chain_id: EIP-155.
        contract: The registry: ``0x`` and 40 lower-case hex digits.
        origin_hash: SHA-256 of the log's origin.
        size: Of the anchored tree.
    """

    chain_id: int
    contract: str
    origin_hash: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of a bundle, parsed; nothing in it is verified yet."""

    logged: LoggedRecord
    checkpoint: str
    disclosures: tuple[str, ...] = ()
    cosigners: tuple[str, ...] = ()
    key_events: tuple[LoggedRecord, ...] = ()
    status: LoggedRecord | None = None
    consistency: Consistency | None = None
    anchor: AnchorCoordinates | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the bundle as a JSON object."""
        return {
            "v": BUNDLE_VERSION,
            **self.logged.to_json(),
            "disclosures": sorted(self.disclosures),
            "checkpoint": self.checkpoint,
            "cosigners": list(self.cosigners),
            "keyEvents": [item.to_json() for item in self.key_events],
            "consistency": _consistency_to_json(self.consistency),
            "status": self.status.to_json() if self.status else None,
            "anchor": _anchor_to_json(self.anchor),
        }

    def to_bytes(self) -> bytes:
        """Return the bundle as its canonical bytes."""
        return canonical(self.to_json())


def _consistency_to_json(value: Consistency | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"checkpoint": value.checkpoint, "proof": [item.hex() for item in value.proof]}


def _anchor_to_json(value: AnchorCoordinates | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "chainId": value.chain_id,
        "contract": value.contract,
        "originHash": value.origin_hash.hex(),
        "size": value.size,
    }


def parse_bundle(data: bytes) -> Parsed:
    """Return the JSON object of a bundle, in any spelling, and whether it has the shape of one.

    Raises:
        RecordFormatError: It is not JSON of the canonical profile.
        VerificationError: It is not an object with exactly the members of a bundle.
    """
    # Closed shapes lie inside the profile, so a good bundle is looked through once.
    found = parse_fitting(data, _SHAPE.accepts)
    if not found.fits:
        shape.members(found.value, "", BUNDLE.keys(), ())
    return found


def _logged(value: Mapping[str, Any]) -> LoggedRecord:
    return LoggedRecord(
        record=record_of_shape(value["record"]),
        entry=entry_of_shape(value["entry"]),
        index=value["index"],
        inclusion=_digests(value["inclusion"]),
    )


def _digests(values: list[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, values))


def _check_order(places: list[int]) -> None:
    if places != sorted(set(places)):
        raise shape.shape_error(
            "keyEvents", places, "rising places in the log", "在日志中的位置严格递增"
        )


def bundle_of_json(value: Mapping[str, Any], *, has_shape: bool = False) -> Bundle:
    """Return the bundle of a JSON object inside the profile.

    Args:
        value: The object.
        has_shape: Whether it was found to have the shape of one.

    Raises:
        VerificationError: A member does not have its shape.
    """
    if not has_shape:
        _SHAPE(value, "")
    _check_order([item["index"] for item in value["keyEvents"]])
    consistency, anchor, status = value["consistency"], value["anchor"], value["status"]
    # Its members have their shapes, and as parts of a parsed document lie inside the profile.
    return Bundle(
        logged=_logged(value),
        checkpoint=value["checkpoint"],
        disclosures=tuple(value["disclosures"]),
        cosigners=tuple(value["cosigners"]),
        key_events=tuple(_logged(item) for item in value["keyEvents"]),
        status=_logged(status) if status else None,
        consistency=Consistency(consistency["checkpoint"], _digests(consistency["proof"]))
        if consistency
        else None,
        anchor=AnchorCoordinates(
            chain_id=anchor["chainId"],
            contract=anchor["contract"],
            origin_hash=bytes.fromhex(anchor["originHash"]),
            size=anchor["size"],
        )
        if anchor
        else None,
    )

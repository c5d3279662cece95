"""Records: signed statements as W3C Verifiable Credentials 2.0, each kind of one closed shape.

A record is never edited: a later one supersedes it. Its hash covers the document with its proof;
the 128-bit salt inside makes that hash a commitment that tells nothing.

Source: W3C VC Data Model 2.0, section 4; docs/spec/record-and-log.md, section 1.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from carnet.core.canonical import canonical, canonical_within, parse_canonical
from carnet.core.clock import day_number, format_instant, parse_instant
from carnet.core.digests import RecordDigest, digest_from_hex, sha256
from carnet.core.errors import VerificationError
from carnet.core.kept import Kept
from carnet.core.text import Text
from carnet.ledger import kinds, shape
from carnet.ledger.did import split_verification_method, verification_method
from carnet.ledger.entry import LogEntry
from carnet.ledger.kinds import KIND_OF_TYPE, RecordKind
from carnet.ledger.kinds.base import URN, CrossCheck
from carnet.ledger.kinds.keys import EVENTS as KEY_EVENTS
from carnet.ledger.kinds.keys import ISSUER_ID
from carnet.ledger.kinds.status import STATUS_ENTRIES, STATUS_ENTRY_SHAPE, status_reference
from carnet.ledger.proof import (
    CRYPTOSUITE,
    PROOF_PURPOSE,
    PROOF_TYPE,
    proof_options,
    sign_under,
    verify_proof,
)
from carnet.ledger.signer import Signer

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://carnet.example/ns/v1"]
ATTESTATION_TYPE = kinds.ATTESTATION.type_name
KEY_EVENT_TYPE = kinds.KEY_EVENT.type_name
LISTING_URN = f"{URN}{kinds.ATTESTATION.noun}:"
SALT_SIZE = 16
_ANY_PROOF_VALUE = "z1"
"""Has the shape of a proof's value, which is always that of base58."""

_DECISIVE = frozenset({"blocking", "major"})

_URN_UUID = shape.text(
    r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 45, "urn:uuid:...", " urn:uuid:..."
)
_METHOD = shape.text(r"did:[!-~]{1,400}", 404, "a verification method", "验证方法")
_PROOF = shape.obj(
    {
        "type": shape.exactly(PROOF_TYPE),
        "cryptosuite": shape.exactly(CRYPTOSUITE),
        "created": shape.instant,
        "verificationMethod": _METHOD,
        "proofPurpose": shape.exactly(PROOF_PURPOSE),
        "@context": shape.exactly(CONTEXT),
        "proofValue": shape.multibase,
    }
)
ENVELOPE: Mapping[str, shape.Shape] = {
    "@context": shape.exactly(CONTEXT),
    "id": _URN_UUID,
    "issuer": ISSUER_ID,
    "validFrom": shape.instant,
    "proof": _PROOF,
}
"""The members of every record besides its type and its subject."""

ENVELOPE_OPTIONAL: Mapping[str, shape.Shape] = {
    "validUntil": shape.instant,
    "supersedes": shape.digest,
}


def _record_shape(kind: RecordKind) -> shape.Shape:
    own = {
        "type": shape.exactly(["VerifiableCredential", kind.type_name]),
        "credentialSubject": kind.subject_shape(),
    }
    status = {"credentialStatus": STATUS_ENTRY_SHAPE} if kind.has_status else {}
    return shape.obj({**ENVELOPE, **own}, {**ENVELOPE_OPTIONAL, **status})


_SHAPES = {name: _record_shape(kind) for name, kind in KIND_OF_TYPE.items()}


def type_of(document: Any) -> str:
    """Return the second type of a document, which says its kind of record.

    Raises:
        VerificationError: The document is not an object, or not of a known type.
    """
    found = document.get("type") if isinstance(document, dict) else None
    name = found[1] if isinstance(found, list) and len(found) == 2 else None  # noqa: PLR2004 - VerifiableCredential and ours
    if not isinstance(name, str) or name not in _SHAPES:
        listed = " | ".join(_SHAPES)
        raise shape.shape_error("record.type", found, listed, f" {listed}")
    return name


def _instant(value: str | None) -> datetime | None:
    return None if value is None else parse_instant(value)


@lru_cache(maxsize=shape.DAYS_CACHED)
def _day(value: str | None) -> int | None:
    return None if value is None else day_number(parse_instant(value).date())


@dataclass(frozen=True)
class Record:
    """One signed document and its canonical bytes, from `parse_record` or `sign_record`.

    Without slots, so that what follows from the two and is asked for many times is kept.
    """

    document: Mapping[str, Any]
    body: bytes

    @property
    def record_id(self) -> str:
        """The identifier, ``urn:uuid:``..."""
        return str(self.document["id"])

    @Kept
    def issuer(self) -> str:
        """Who states it."""
        return str(self.document["issuer"])

    @Kept
    def subject(self) -> Mapping[str, Any]:
        """What is stated."""
        found: Mapping[str, Any] = self.document["credentialSubject"]
        return found

    @Kept
    def digest(self) -> RecordDigest:
        """The hash that the log carries."""
        return record_digest(self.body)

    @Kept
    def record_kind(self) -> RecordKind:
        """The kind of record it is."""
        return KIND_OF_TYPE[type_of(self.document)]

    @Kept
    def kind(self) -> str:
        """The kind that its log entry names."""
        return self.record_kind.log_kind(self.subject)

    @property
    def status_ref(self) -> str | None:
        """The entry of a status list that tells its status, None where it names none."""
        status = self.document.get("credentialStatus")
        return None if status is None else str(status["id"])

    @property
    def valid_from(self) -> datetime:
        """The instant from which it holds."""
        return parse_instant(self.document["validFrom"])

    @property
    def valid_until(self) -> datetime | None:
        """The last instant at which it holds."""
        return _instant(self.document.get("validUntil"))

    @Kept
    def entry(self) -> LogEntry:
        """The log entry of this record: it follows from the record alone."""
        document, kind, subject = self.document, self.record_kind, self.subject
        supersedes = document.get("supersedes")
        return LogEntry(
            kind=kind.log_kind(subject),
            record_hash=self.digest,
            issuer=self.issuer,
            status_ref=self.status_ref,
            supersedes=digest_from_hex(supersedes) if supersedes else None,
            subject=kind.subject_hash(subject),
            valid_from=_day(document["validFrom"]),
            valid_until=_day(document.get("validUntil")),
        )


def record_digest(body: bytes) -> RecordDigest:
    """Return the hash of a record's canonical bytes, proof included."""
    return RecordDigest(sha256(body))


def check_shape(document: Any) -> None:
    """Check that a document has the closed shape of its kind.

    Raises:
        VerificationError: It does not; the message names the member.
    """
    kind = type_of(document)
    _SHAPES[kind](document, "record")
    if "validUntil" in document and document["validUntil"] < document["validFrom"]:
        raise shape.shape_error(
            "record.validUntil", document["validUntil"], "validFrom or later", "不早于 validFrom"
        )
    if "credentialStatus" in document:
        _check_status(document["credentialStatus"])
    for name in KIND_OF_TYPE[kind].checks:
        _CHECKS[name](document)


def _check_status(status: Mapping[str, Any]) -> None:
    """Check that a record names one entry of a list, and the same in both ways."""
    index = int(status["statusListIndex"])
    if index >= STATUS_ENTRIES:
        least = f"below {STATUS_ENTRIES}"
        raise shape.shape_error(
            "credentialStatus.statusListIndex", index, least, f"小于 {STATUS_ENTRIES}"
        )
    expected = status_reference(status["statusListCredential"], index)
    if status["id"] != expected:
        raise shape.shape_error("credentialStatus.id", status["id"], expected, f" {expected}")


def _check_key_event(document: Mapping[str, Any]) -> None:
    """Check that a key event has the members of its kind and no other's."""
    subject = document["credentialSubject"]
    event = subject["event"]
    found = subject.keys() & {"previousMultibase", "reason"}
    if found != KEY_EVENTS[event]:
        listed = ", ".join(sorted(KEY_EVENTS[event])) or "none"
        raise shape.shape_error(
            "credentialSubject",
            sorted(found),
            f"with the event {event} of these: {listed}",
            f"事件 {event} 仅含：{listed}",
        )


def _check_period(document: Mapping[str, Any]) -> None:
    """Check that a period does not end before it begins."""
    subject = document["credentialSubject"]
    if subject["periodEnd"] < subject["periodStart"]:
        raise shape.shape_error(
            "credentialSubject.periodEnd",
            subject["periodEnd"],
            "periodStart or later",
            "不早于 periodStart",
        )


def _check_attestation(document: Mapping[str, Any]) -> None:
    """Check what the members of an attestation say of one another."""
    subject = document["credentialSubject"]
    start = document["validFrom"][: len("2026-11-23")]
    if subject["asOf"] != start:
        raise shape.shape_error("credentialSubject.asOf", subject["asOf"], start, f" {start}")
    decisive = [each for each in subject["findings"] if each["severity"] in _DECISIVE]
    if decisive and subject["conformity"] == "conforming":
        raise shape.shape_error(
            "credentialSubject.findings",
            decisive,
            "none that is blocking or major where the listing conforms",
            "合规时不得有阻断或重大发现项",
        )


_CHECKS: Mapping[CrossCheck, Callable[[Mapping[str, Any]], None]] = {
    "attestation": _check_attestation,
    "key-event": _check_key_event,
    "period": _check_period,
}


def record_of_document(document: Any) -> Record:
    """Return the record of a parsed document of the right shape. The proof is not checked here.

    Raises:
        VerificationError: The document does not have the shape of a record.
    """
    check_shape(document)
    return Record(document, canonical(document))


def record_of_shape(document: Mapping[str, Any]) -> Record:
    """Return the record of a document inside the profile that was found to have its shape."""
    return Record(document, canonical_within(document))


def parse_record(body: bytes) -> Record:
    """Return the record of canonical bytes. The proof is not checked here.

    Raises:
        RecordFormatError: The bytes are not canonical JSON.
        VerificationError: The document does not have the shape of a record.
    """
    document = parse_canonical(body)
    check_shape(document)
    return Record(document, body)


def signing_key(record: Record) -> bytes:
    """Return the public key that the proof names.

    Raises:
        VerificationError: It names none, or one of another issuer.
    """
    issuer, public_key = split_verification_method(record.document["proof"]["verificationMethod"])
    if issuer != record.issuer:
        raise VerificationError(
            "CRN-V-012",
            Text(
                f"The proof is by a key of {shape.shown(issuer)}, not of the issuer.",
                f"证明由 {shape.shown(issuer)} 的密钥作出，而不是签发方的密钥。",
            ),
        )
    return public_key


def verify_record(record: Record) -> None:
    """Check the proof of a record under the key that it names, trusted or not.

    Raises:
        VerificationError: The proof does not verify.
    """
    verify_proof(record.document, signing_key(record), is_within=True)


def new_salt() -> str:
    """Return 128 random bits in hex."""
    return secrets.token_hex(SALT_SIZE)


def urn_of_digest(digest: bytes) -> str:
    """Return a urn:uuid that follows from a digest, so that the same thing is recorded once.

    Source: RFC 9562, section 5.8 (UUIDv8).
    """
    value = int.from_bytes(digest[:16], "big")
    value = value & ~(0xF << 76) | (8 << 76)
    value = value & ~(0x3 << 62) | (2 << 62)
    text = f"{value:032x}"
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Validity(NamedTuple):
    """From when and until when a record holds; no end where `until` is None."""

    start: datetime
    until: datetime | None = None


class Issuer(NamedTuple):
    """An identifier and the key it signs with."""

    id: str
    signer: Signer


def sign_record(
    type_name: str,
    subject: Mapping[str, Any],
    *,
    record_id: str,
    issuer: Issuer,
    validity: Validity,
    created: datetime,
    supersedes: bytes | None = None,
    status: Mapping[str, Any] | None = None,
) -> Record:
    """Return a signed record.

    Args:
        type_name: Of the kind.
        subject: What is stated, salt included.
        record_id: The record's own identifier.
        issuer: Who states it.
        validity: When it holds.
        created: When it is signed.
        supersedes: The hash of the record that it replaces.
        status: Its entry of a status list, from `status_entry`.

    Raises:
        VerificationError: The subject does not have the shape of its type.
    """
    document: dict[str, Any] = {
        "@context": list(CONTEXT),
        "id": record_id,
        "type": ["VerifiableCredential", type_name],
        "issuer": issuer.id,
        "validFrom": format_instant(validity.start),
        "credentialSubject": dict(subject),
    }
    if validity.until is not None:
        document["validUntil"] = format_instant(validity.until)
    if supersedes is not None:
        document["supersedes"] = supersedes.hex()
    if status is not None:
        document["credentialStatus"] = dict(status)
    method = verification_method(issuer.id, issuer.signer.public_key)
    options = proof_options(document, method, created)
    # Before it is signed: what has the shape lies inside the profile, and nothing else is signed.
    check_shape({**document, "proof": {**options, "proofValue": _ANY_PROOF_VALUE}})
    record = record_of_shape(sign_under(document, options, issuer.signer, is_within=True))
    # The key of another issuer would make a record that nobody can verify.
    signing_key(record)
    return record

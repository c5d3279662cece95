"""Records: signed statements as W3C Verifiable Credentials 2.0, each kind of one closed shape.

A record is never edited: a later one supersedes it. Its hash covers the document with its proof;
the 128-bit salt inside makes that hash a commitment that tells nothing.

Left out here: status lists, which come with their own kind of record.

Source: W3C VC Data Model 2.0, section 4; docs/spec/record-and-log.md, section 1.
"""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import day_number, format_instant, parse_instant
from carnet.core.digests import RecordDigest, digest_from_hex, sha256
from carnet.core.errors import VerificationError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.did import split_verification_method, verification_method
from carnet.ledger.entry import ATTESTATION_PREFIX, CONFORMITIES, KEY_EVENT, LogEntry, issuer_id
from carnet.ledger.proof import CRYPTOSUITE, PROOF_PURPOSE, PROOF_TYPE, add_proof, verify_proof
from carnet.ledger.signer import Signer

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://carnet.example/ns/v1"]
ATTESTATION_TYPE = "CarnetListingAttestation"
KEY_EVENT_TYPE = "CarnetKeyEvent"
LISTING_URN = "urn:carnet:listing:"
SALT_SIZE = 16
KEY_ROLES = ("issuer", "log", "officer", "witness")
REVOCATION_REASONS = ("compromised", "lost", "retired")
SEVERITIES = ("blocking", "info", "major", "minor")
_KEY_EVENTS: Mapping[str, frozenset[str]] = {
    "add": frozenset(),
    "rotate": frozenset({"previousMultibase"}),
    "revoke": frozenset({"reason"}),
}
"""The members that each event has besides those of all."""

_DECISIVE = frozenset({"blocking", "major"})
FINDINGS_MAX = 500
MEASURES_MAX = 200


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_MULTIBASE = shape.text(
    r"z[1-9A-HJ-NP-Za-km-z]{1,127}", 128, "base58 multibase", " base58 多重编码"
)
_SALT = shape.text(r"[0-9a-f]{32}", 32, "32 lower-case hex digits", " 32 位小写十六进制数字")
_NAME = shape.text(r"[A-Za-z0-9._:/-]{1,200}", 200, "a name", "名称")
_DAY = shape.where(_is_day, "a date like 2026-11-23", "形如 2026-11-23 的日期")
_URN_UUID = shape.text(
    r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 45, "urn:uuid:...", " urn:uuid:..."
)
_METHOD = shape.text(r"did:[!-~]{1,400}", 404, "a verification method", "验证方法")


def _counted(shape_of_value: shape.Shape) -> shape.Shape:
    return shape.table(r"[A-Za-z0-9._-]{1,64}", shape_of_value, MEASURES_MAX)


_PROOF = shape.obj(
    {
        "type": shape.exactly(PROOF_TYPE),
        "cryptosuite": shape.exactly(CRYPTOSUITE),
        "created": shape.instant,
        "verificationMethod": _METHOD,
        "proofPurpose": shape.exactly(PROOF_PURPOSE),
        "@context": shape.exactly(CONTEXT),
        "proofValue": _MULTIBASE,
    }
)
_ATTESTATION_FIELDS: dict[str, shape.Shape] = {
    "listing": shape.identifier,
    "seller": shape.identifier,
    "measures": _counted(shape.integer()),
    "outputs": _counted(shape.integer()),
}
"""The fields that may be withheld."""

_ATTESTATION_SUBJECT = shape.obj(
    {
        "id": shape.text(LISTING_URN + r"[0-9a-f]{64}", 83, f"{LISTING_URN}hash", "上架商品的哈希"),
        "pack": shape.obj({"id": _NAME, "version": _NAME, "digest": shape.digest}),
        "asOf": _DAY,
        "conformity": shape.one_of(CONFORMITIES),
        "officerConfirmed": shape.array(_NAME, MEASURES_MAX, is_set=True),
        "findings": shape.array(
            shape.obj({"rule": _NAME, "severity": shape.one_of(SEVERITIES)}), FINDINGS_MAX
        ),
        "decisionDigest": shape.digest,
        "salt": _SALT,
    },
    {
        **_ATTESTATION_FIELDS,
        "_sd": shape.array(
            shape.text(r"[A-Za-z0-9_-]{43}", 43, "a digest", "摘要"), MEASURES_MAX, is_set=True
        ),
    },
)
_KEY_EVENT_SUBJECT = shape.obj(
    {
        "id": issuer_id,
        "event": shape.one_of(_KEY_EVENTS),
        "role": shape.one_of(KEY_ROLES),
        "name": _NAME,
        "publicKeyMultibase": _MULTIBASE,
        "salt": _SALT,
    },
    {"previousMultibase": _MULTIBASE, "reason": shape.one_of(REVOCATION_REASONS)},
)
_SUBJECTS = {ATTESTATION_TYPE: _ATTESTATION_SUBJECT, KEY_EVENT_TYPE: _KEY_EVENT_SUBJECT}


def _record_shape(type_name: str, subject: shape.Shape) -> shape.Shape:
    return shape.obj(
        {
            "@context": shape.exactly(CONTEXT),
            "id": _URN_UUID,
            "type": shape.exactly(["VerifiableCredential", type_name]),
            "issuer": issuer_id,
            "validFrom": shape.instant,
            "credentialSubject": subject,
            "proof": _PROOF,
        },
        {"validUntil": shape.instant, "supersedes": shape.digest},
    )


_SHAPES = {name: _record_shape(name, subject) for name, subject in _SUBJECTS.items()}


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


def _day(value: str | None) -> int | None:
    return None if value is None else day_number(parse_instant(value).date())


@dataclass(frozen=True, slots=True)
class Record:
    """One signed document and its canonical bytes, from `parse_record` or `sign_record`."""

    document: Mapping[str, Any]
    body: bytes

    @property
    def record_id(self) -> str:
        """The identifier, ``urn:uuid:``..."""
        return str(self.document["id"])

    @property
    def issuer(self) -> str:
        """Who states it."""
        return str(self.document["issuer"])

    @property
    def subject(self) -> Mapping[str, Any]:
        """What is stated."""
        found: Mapping[str, Any] = self.document["credentialSubject"]
        return found

    @property
    def digest(self) -> RecordDigest:
        """The hash that the log carries."""
        return record_digest(self.body)

    @property
    def kind(self) -> str:
        """The kind that its log entry names."""
        if type_of(self.document) == KEY_EVENT_TYPE:
            return KEY_EVENT
        return f"{ATTESTATION_PREFIX}{self.subject['conformity']}"

    @property
    def valid_from(self) -> datetime:
        """The instant from which it holds."""
        return parse_instant(self.document["validFrom"])

    @property
    def valid_until(self) -> datetime | None:
        """The last instant at which it holds."""
        return _instant(self.document.get("validUntil"))

    @property
    def entry(self) -> LogEntry:
        """The log entry of this record: it follows from the record alone."""
        urn = str(self.subject["id"])
        supersedes = self.document.get("supersedes")
        is_listing = urn.startswith(LISTING_URN)
        return LogEntry(
            kind=self.kind,
            record_hash=self.digest,
            issuer=self.issuer,
            supersedes=digest_from_hex(supersedes) if supersedes else None,
            subject=digest_from_hex(urn.removeprefix(LISTING_URN)) if is_listing else None,
            valid_from=_day(self.document["validFrom"]),
            valid_until=_day(self.document.get("validUntil")),
        )


def record_digest(body: bytes) -> RecordDigest:
    """Return the hash of a record's canonical bytes, proof included."""
    return RecordDigest(sha256(body))


def check_shape(document: Any) -> None:
    """Check that a document has the closed shape of its kind.

    Raises:
        VerificationError: It does not; the message names the member.
    """
    _SHAPES[type_of(document)](document, "record")
    if "validUntil" in document and document["validUntil"] < document["validFrom"]:
        raise shape.shape_error(
            "record.validUntil", document["validUntil"], "validFrom or later", "不早于 validFrom"
        )
    if type_of(document) == ATTESTATION_TYPE:
        _check_attestation(document)
    if type_of(document) == KEY_EVENT_TYPE:
        _check_key_event(document["credentialSubject"])


def _check_key_event(subject: Mapping[str, Any]) -> None:
    """Check that a key event has the members of its kind and no other's."""
    event = subject["event"]
    found = subject.keys() & {"previousMultibase", "reason"}
    if found != _KEY_EVENTS[event]:
        listed = ", ".join(sorted(_KEY_EVENTS[event])) or "none"
        raise shape.shape_error(
            "credentialSubject",
            sorted(found),
            f"with the event {event} of these: {listed}",
            f"事件 {event} 仅含：{listed}",
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


def record_of_document(document: Any) -> Record:
    """Return the record of a parsed document of the right shape. The proof is not checked here.

    Raises:
        VerificationError: The document does not have the shape of a record.
    """
    check_shape(document)
    return Record(document, canonical(document))


def parse_record(body: bytes) -> Record:
    """Return the record of canonical bytes. The proof is not checked here.

    Raises:
        RecordFormatError: The bytes are not canonical JSON.
        VerificationError: The document does not have the shape of a record.
    """
    return record_of_document(parse_canonical(body))


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
    verify_proof(record.document, signing_key(record))


def check_disclosed(fields: Mapping[str, Any]) -> None:
    """Check revealed fields: their shapes, and that listing and seller are those of the subject.

    Args:
        fields: The subject of an attestation with the revealed fields in place.

    Raises:
        VerificationError: A field cannot be withheld, has another shape, or names another listing.
    """
    for name, value in fields.items():
        if name in _ATTESTATION_FIELDS:
            _ATTESTATION_FIELDS[name](value, name)
    unknown = sorted(fields.keys() - set(_FIELDS_KNOWN))
    if unknown:
        raise shape.shape_error(
            "disclosures", unknown, "fields that can be withheld", "可隐藏的字段"
        )
    if "listing" in fields and "seller" in fields:
        expected = LISTING_URN + listing_hash(fields["listing"], fields["seller"]).hex()
        if fields["id"] != expected:
            raise shape.shape_error("credentialSubject.id", fields["id"], expected, f" {expected}")


_FIELDS_KNOWN = (
    *("id", "pack", "asOf", "conformity", "officerConfirmed", "findings", "decisionDigest", "salt"),
    *_ATTESTATION_FIELDS,
)


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
    return f"urn:uuid:{uuid.UUID(int=value)}"


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
) -> Record:
    """Return a signed record.

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
    method = verification_method(issuer.id, issuer.signer.public_key)
    record = record_of_document(add_proof(document, method, issuer.signer, created))
    verify_record(record)
    return record

"""Withheld fields: salted digests stand in the document, the holder reveals what may be seen.

A disclosure is the base64url of the JSON array ``[salt, name, value]``; the document carries the
base64url SHA-256 of that text in a sorted ``_sd`` list. An issuer here writes the array in
canonical form, so a disclosure too has one spelling; `disclosure_digest` fits any spelling.

Source: RFC 9901, sections 4.2.1 and 4.2.3.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.digests import sha256
from carnet.core.errors import RecordFormatError, VerificationError
from carnet.core.text import Text
from carnet.ledger.encoding import base64url_decode, base64url_encode

SALT_SIZE = 16
DISCLOSURE_SIZE_MAX = 16 * 1024
DISCLOSURES_MAX = 200
_ARRAY_LENGTH = 3
_RESERVED = frozenset({"_sd", "...", "id", "salt"})


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One field that a holder may reveal, with its text."""

    name: str
    value: Any
    text: str

    @property
    def digest(self) -> str:
        """What the document carries in its place."""
        return disclosure_digest(self.text)


def _disclosure_error(en: str, zh: str) -> VerificationError:
    return VerificationError(
        "CRN-V-009", Text(f"A disclosure is not valid: {en}.", f"披露项无效：{zh}。")
    )


def disclosure_digest(text: str) -> str:
    """Return the digest of a disclosure's text. Source: RFC 9901, section 4.2.3."""
    return base64url_encode(sha256(text.encode()))


def make_disclosure(name: str, value: Any, salt: bytes | None = None) -> Disclosure:
    """Return the disclosure of a field under a new salt of 128 bits."""
    assert name not in _RESERVED, "reserved names are never withheld"
    chosen = secrets.token_bytes(SALT_SIZE) if salt is None else salt
    assert len(chosen) >= SALT_SIZE, "a salt has at least 128 bits"
    return Disclosure(
        name, value, base64url_encode(canonical([base64url_encode(chosen), name, value]))
    )


def withhold(
    fields: Mapping[str, Any], names: Sequence[str]
) -> tuple[dict[str, Any], list[Disclosure]]:
    """Return the fields with some of them withheld, and the disclosures of those."""
    disclosures = [make_disclosure(name, fields[name]) for name in names]
    open_fields = {name: value for name, value in fields.items() if name not in set(names)}
    if disclosures:
        open_fields["_sd"] = sorted(item.digest for item in disclosures)
    return open_fields, disclosures


def parse_disclosure(text: str) -> Disclosure:
    """Return a disclosure from its text.

    Raises:
        VerificationError: It is not one, or not in its one spelling.
    """
    if len(text) > DISCLOSURE_SIZE_MAX:
        raise _disclosure_error("it is too long", "过长")
    try:
        array = parse_canonical(base64url_decode(text))
    except (ValueError, RecordFormatError) as error:
        raise _disclosure_error("it is not canonical", "不是规范写法") from error
    is_array = isinstance(array, list) and len(array) == _ARRAY_LENGTH
    if not is_array or not isinstance(array[0], str) or not isinstance(array[1], str):
        raise _disclosure_error("it is not salt, name and value", "不是盐、名称和值")
    if array[1] in _RESERVED:
        raise _disclosure_error("it names a reserved field", "名称为保留字段")
    return Disclosure(array[1], array[2], text)


def reveal(subject: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a subject with the revealed ones in their places.

    Raises:
        VerificationError: A disclosure is malformed, stands twice, is not part of the subject, or
            names a field that is there already.

    Source: RFC 9901, section 7.1.
    """
    digests = set(subject.get("_sd", []))
    result = {name: value for name, value in subject.items() if name != "_sd"}
    for text in texts:
        item = parse_disclosure(text)
        if item.digest not in digests:
            raise _disclosure_error("the record does not contain it", "记录中没有该披露项")
        # So too where one disclosure stands twice.
        if item.name in result:
            raise _disclosure_error("its field is there already", "该字段已存在")
        result[item.name] = item.value
    return result

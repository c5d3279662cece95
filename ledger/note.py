"""Signed notes: text with signature lines, in the one spelling of the C2SP specification.

A note is parsed strictly, so that `parse_note(text).to_text() == text` for every text it accepts.
Signatures of unknown keys are kept and ignored; a signature of a known key must verify.

Source: C2SP signed-note v1.0.0.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from carnet.core.errors import CheckpointError
from carnet.core.text import Text
from carnet.ledger.encoding import base64_decode, base64_encode
from carnet.ledger.signer import Signer, check_public_key, sign_checked, verify_signature

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
KEY_ID_SIZE = 4
NOTE_SIZE_MAX = 64 * 1024
SIGNATURES_MAX = 32
KEYS_CACHED = 1024
_NAME = re.compile(r"[^\s+\x00-\x20\x7f]+")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_SIGNATURE_LINE = re.compile(r"— ([^ \n]+) ([^ \n]+)\n")
_REFUSED = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
"""Control characters other than newline, and what is not UTF-8."""


def note_error(en: str, zh: str) -> CheckpointError:
    """Return the error of a malformed or unsigned note."""
    return CheckpointError(
        "CRN-V-003", Text(f"The signed note is not valid: {en}.", f"签名注记无效：{zh}。")
    )


@lru_cache(maxsize=KEYS_CACHED)
def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Return the four bytes that tell one key of a name from another."""
    data = name.encode() + b"\n" + bytes([signature_type]) + public_key
    return hashlib.sha256(data).digest()[:KEY_ID_SIZE]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under the name it signs notes with.

    Args:
        name: The key name, such as the origin of a log.
        signature_type: `ED25519` of a log or `COSIGNATURE_V1` of a witness.
        public_key: 32 bytes.
    """

    name: str
    signature_type: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that go before each signature."""
        return key_id(self.name, self.signature_type, self.public_key)

    def to_text(self) -> str:
        """Return the text form that policies carry."""
        material = base64_encode(bytes([self.signature_type]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{material}"


def _key_error(text: str, en: str, zh: str) -> CheckpointError:
    return CheckpointError(
        "CRN-V-004",
        Text(f"The verifier key {text[:120]!r} {en}.", f"验证密钥 {text[:120]!r} {zh}。"),
        Text(
            "Copy it whole, as `name+hash+key`, from the operator of the log or of the witness.",
            "请从日志或见证者运营者处完整复制，格式为 name+hash+key。",
        ),
    )


@lru_cache(maxsize=KEYS_CACHED)
def parse_verifier_key(text: str) -> VerifierKey:
    """Return the verifier key of its text form.

    Raises:
        CheckpointError: It is malformed, of another type, or its key id does not fit.
        SignatureError: The key itself is not sound.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]) or not _KEY_ID.fullmatch(parts[1]):  # noqa: PLR2004 - the three parts named in the specification
        raise _key_error(text, "is not of the form name+hash+key", "不符合 name+hash+key 的格式")
    try:
        material = base64_decode(parts[2])
    except ValueError as error:
        raise _key_error(text, "does not end in base64", "结尾不是 base64") from error
    if not material or material[0] not in {ED25519, COSIGNATURE_V1}:
        raise _key_error(text, "is of an unknown type", "类型未知")
    key = VerifierKey(parts[0], material[0], material[1:])
    if key.key_id.hex() != parts[1]:
        raise _key_error(text, "does not match its own hash", "与其自身的哈希不符")
    check_public_key(key.public_key)
    return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes

    def to_line(self) -> str:
        """Return the line, with its newline."""
        return f"— {self.name} {base64_encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures; the text ends in a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_text(self) -> str:
        """Return the note as it is written."""
        return self.text + "\n" + "".join(item.to_line() for item in self.signatures)

    def signatures_of(self, key: VerifierKey) -> list[NoteSignature]:
        """Return the signature lines that claim to be of a key."""
        return [
            item for item in self.signatures if item.name == key.name and item.key_id == key.key_id
        ]


def _parse_signature(name: str, encoded: str) -> NoteSignature:
    if not _NAME.fullmatch(name):
        raise note_error(f"{name[:80]!r} is no key name", f"{name[:80]!r} 不是密钥名称")
    try:
        data = base64_decode(encoded)
    except ValueError as error:
        raise note_error("a signature is not base64", "签名不是 base64") from error
    if len(data) <= KEY_ID_SIZE:
        raise note_error("a signature is too short", "签名过短")
    return NoteSignature(name, data[:KEY_ID_SIZE], data[KEY_ID_SIZE:])


def is_key_name(text: str) -> bool:
    """Return whether a text can name a key: not empty, no space, no plus, no control character."""
    return _NAME.fullmatch(text) is not None


def parse_signature_lines(text: str) -> list[NoteSignature]:
    """Return the signatures of lines that stand alone, as a witness gives them.

    Raises:
        CheckpointError: There is none, or the text is not exactly signature lines.
    """
    if len(text) > NOTE_SIZE_MAX:
        raise note_error(f"it is longer than {NOTE_SIZE_MAX} characters", "超过长度上限")
    found = [_parse_signature(*line) for line in _SIGNATURE_LINE.findall(text)]
    if not found or len(found) > SIGNATURES_MAX:
        raise note_error("it has no signature, or too many", "没有签名，或签名过多")
    if "".join(item.to_line() for item in found) != text:
        raise note_error("a line is not a signature line", "存在不是签名行的行")
    return found


def parse_note(text: str) -> Note:
    """Return a note from its text.

    Raises:
        CheckpointError: It is not in the one spelling of a note.
    """
    if len(text) > NOTE_SIZE_MAX:
        raise note_error(f"it is longer than {NOTE_SIZE_MAX} characters", "超过长度上限")
    if _REFUSED.search(text):
        raise note_error(
            "it holds a control character or no Unicode", "含有控制字符或非 Unicode 字符"
        )
    body, separator, tail = text.rpartition("\n\n")
    lines = _SIGNATURE_LINE.findall(tail)
    if not separator or not lines:
        raise note_error("it has no signature", "没有签名")
    if len(lines) > SIGNATURES_MAX:
        raise note_error(f"it has more than {SIGNATURES_MAX} signatures", "签名数量超过上限")
    note = Note(f"{body}\n", tuple(_parse_signature(*line) for line in lines))
    if note.to_text() != text:
        raise note_error("a line is not a signature line", "存在不是签名行的行")
    signers = [(item.name, item.key_id) for item in note.signatures]
    if len(set(signers)) != len(signers):
        raise note_error("one key signed twice", "同一密钥签名两次")
    return note


def sign_note(text: str, name: str, signer: Signer) -> NoteSignature:
    """Return the plain Ed25519 signature of a note's text."""
    assert text.endswith("\n"), "the text of a note ends in a newline"
    assert _NAME.fullmatch(name), "a key name has no space and no plus"
    signature = sign_checked(signer, text.encode())
    return NoteSignature(name, key_id(name, ED25519, signer.public_key), signature)


def verify_note(note: Note, key: VerifierKey) -> None:
    """Check that a note is signed by a key of type `ED25519`.

    Raises:
        CheckpointError: The note does not carry a signature of the key.
        SignatureError: It carries one that does not verify.
    """
    assert key.signature_type == ED25519, "cosignatures are checked with their timestamp"
    found = note.signatures_of(key)
    if not found:
        raise note_error(f"{key.name} did not sign it", f"{key.name} 没有签名")
    for item in found:
        verify_signature(key.public_key, note.text.encode(), item.signature)

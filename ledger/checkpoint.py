"""Checkpoints: the signed statement of a log that its tree of a size has a root, and cosignatures.

The body is exactly three lines: origin, size and root. Extension lines are refused, since no
monitor could audit them.

Source: C2SP tlog-checkpoint v1.0.0 and tlog-cosignature v1.0.0 (cosignature/v1).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from carnet.core.digests import DIGEST_SIZE, RootHash, sha256
from carnet.core.errors import CheckpointError
from carnet.core.text import Text
from carnet.ledger.encoding import base64_decode, base64_encode
from carnet.ledger.merkle import SIZE_MAX
from carnet.ledger.note import (
    COSIGNATURE_V1,
    Note,
    NoteSignature,
    VerifierKey,
    key_id,
    note_error,
    parse_note,
    sign_note,
    verify_note,
)
from carnet.ledger.signer import Signer, sign_checked, verify_signature

TIMESTAMP_SIZE = 8
TIMESTAMP_MAX = 2**63 - 1
BODY_LINES = 3
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_ORIGIN = re.compile(r"[!-*,-~]{1,255}")


def is_origin(text: str) -> bool:
    """Return whether a text is an origin: printable ASCII without space and plus.

    >>> is_origin("carnet.example/log"), is_origin("a log")
    (True, False)
    """
    return _ORIGIN.fullmatch(text) is not None


def origin_hash(origin: str) -> bytes:
    """Return the SHA-256 of an origin, under which a chain keeps its anchors."""
    return sha256(origin.encode())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states: the root of its tree of a size."""

    origin: str
    size: int
    root: RootHash

    def to_body(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64_encode(self.root)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the note that carries it, verbatim."""

    checkpoint: Checkpoint
    note: Note

    @property
    def text(self) -> str:
        """The note as it is published."""
        return self.note.to_text()


def _checkpoint_error(en: str, zh: str) -> CheckpointError:
    return CheckpointError(
        "CRN-V-005", Text(f"The checkpoint is not valid: {en}.", f"检查点无效：{zh}。")
    )


def parse_body(body: str) -> Checkpoint:
    """Return the checkpoint of a note's text.

    Raises:
        CheckpointError: The text is not exactly origin, size and root.
    """
    lines = body.split("\n")
    if len(lines) != BODY_LINES + 1 or lines[-1]:
        raise _checkpoint_error("it does not have exactly three lines", "不是恰好三行")
    origin, size, root_text = lines[:BODY_LINES]
    if not is_origin(origin):
        raise _checkpoint_error(f"{origin[:80]!r} is no origin", f"{origin[:80]!r} 不是来源名称")
    if not _SIZE.fullmatch(size) or int(size) > SIZE_MAX:
        raise _checkpoint_error(f"{size[:40]!r} is no tree size", f"{size[:40]!r} 不是树大小")
    try:
        root = base64_decode(root_text)
    except ValueError as error:
        raise _checkpoint_error("the root is not base64", "根不是 base64") from error
    if len(root) != DIGEST_SIZE:
        raise _checkpoint_error("the root is not 32 bytes", "根不是 32 字节")
    return Checkpoint(origin, int(size), RootHash(root))


def parse_checkpoint(text: str) -> SignedCheckpoint:
    """Return the checkpoint of a note. No signature is checked here.

    Raises:
        CheckpointError: It is not a note, or its text is not a checkpoint.
    """
    note = parse_note(text)
    return SignedCheckpoint(parse_body(note.text), note)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> SignedCheckpoint:
    """Return a checkpoint signed by its log, whose key is named as its origin."""
    body = checkpoint.to_body()
    assert parse_body(body) == checkpoint, "what is signed can be read again"
    return SignedCheckpoint(checkpoint, Note(body, (sign_note(body, checkpoint.origin, signer),)))


def verify_checkpoint(signed: SignedCheckpoint, key: VerifierKey) -> None:
    """Check that a log signed a checkpoint.

    Raises:
        CheckpointError: It is of another origin, or not signed by the key.
        SignatureError: The signature does not verify.
    """
    if signed.checkpoint.origin != key.name:
        origin = signed.checkpoint.origin
        raise _checkpoint_error(f"{origin!r} is not {key.name!r}", f"{origin!r} 不是 {key.name!r}")
    verify_note(signed.note, key)


def _cosigned_message(body: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{body}".encode()


def cosign(checkpoint: Checkpoint, name: str, signer: Signer, at: datetime) -> NoteSignature:
    """Return a witness's timestamped cosignature.

    The caller has checked that the checkpoint is consistent with all it cosigned before.

    Source: C2SP tlog-cosignature, "Ed25519 signed message".
    """
    timestamp = int(at.timestamp())
    assert 0 < timestamp <= TIMESTAMP_MAX, "a time after the epoch"
    signature = sign_checked(signer, _cosigned_message(checkpoint.to_body(), timestamp))
    identity = key_id(name, COSIGNATURE_V1, signer.public_key)
    return NoteSignature(name, identity, timestamp.to_bytes(TIMESTAMP_SIZE, "big") + signature)


def with_signatures(
    signed: SignedCheckpoint, signatures: tuple[NoteSignature, ...]
) -> SignedCheckpoint:
    """Return the checkpoint with further signature lines."""
    note = Note(signed.note.text, (*signed.note.signatures, *signatures))
    return SignedCheckpoint(signed.checkpoint, note)


def verify_cosignature(signed: SignedCheckpoint, key: VerifierKey) -> int:
    """Check a witness's cosignature and return its POSIX timestamp.

    Raises:
        CheckpointError: The checkpoint carries no cosignature of the key.
        SignatureError: It carries one that does not verify.
    """
    assert key.signature_type == COSIGNATURE_V1, "plain signatures carry no timestamp"
    found = signed.note.signatures_of(key)
    if not found:
        raise note_error(f"{key.name} did not cosign it", f"{key.name} 没有联署")
    data = found[0].signature
    timestamp = int.from_bytes(data[:TIMESTAMP_SIZE], "big")
    if timestamp > TIMESTAMP_MAX:
        raise note_error(f"{key.name} gave no valid time", f"{key.name} 的时间无效")
    message = _cosigned_message(signed.note.text, timestamp)
    verify_signature(key.public_key, message, data[TIMESTAMP_SIZE:])
    return timestamp

"""SHA-256 digests with a type for each thing that is hashed. Hex is only for the edges."""

import hashlib
import re
from typing import NewType

RecordDigest = NewType("RecordDigest", bytes)
LeafHash = NewType("LeafHash", bytes)
NodeHash = NewType("NodeHash", bytes)
RootHash = NewType("RootHash", bytes)
PackDigest = NewType("PackDigest", bytes)

DIGEST_SIZE = 32
_HEX = re.compile(r"[0-9a-f]{64}")


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of some bytes (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def digest_from_hex(text: str) -> bytes:
    """Return the 32 bytes of a digest in its one spelling, 64 lower-case hex digits.

    Raises:
        ValueError: The text is not of that form.
    """
    if not _HEX.fullmatch(text):
        message = f"expected 64 lower-case hex digits, found {text[:80]!r}"
        raise ValueError(message)
    return bytes.fromhex(text)

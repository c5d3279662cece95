"""Encodings with one spelling each: base64, base58 multibase, hex. Anything else is refused."""

import base64
import binascii

import base58

MULTIBASE_BASE58 = "z"
BASE58_LENGTH_MAX = 128
"""Characters of one multibase value; decoding base58 takes time quadratic in its length."""


def base64_encode(data: bytes) -> str:
    """Return standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def base64_decode(text: str) -> bytes:
    """Return the bytes of standard base64 in its one spelling.

    Raises:
        ValueError: It is not base64, or not the canonical spelling.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"not base64: {text[:40]!r}"
        raise ValueError(message) from error
    if base64_encode(data) != text:
        message = f"not canonical base64: {text[:40]!r}"
        raise ValueError(message)
    return data


def base64url_encode(data: bytes) -> str:
    """Return base64url without padding (RFC 4648, section 5; RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def base64url_decode(text: str) -> bytes:
    """Return the bytes of unpadded base64url in its one spelling.

    Raises:
        ValueError: It is not base64url, or not the canonical spelling.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"not base64url: {text[:40]!r}"
        raise ValueError(message) from error
    if base64url_encode(data) != text:
        message = f"not canonical base64url: {text[:40]!r}"
        raise ValueError(message)
    return data


def multibase_encode(data: bytes) -> str:
    """Return base58btc with the multibase prefix ``z``."""
    return MULTIBASE_BASE58 + base58.b58encode(data).decode("ascii")


def multibase_decode(text: str) -> bytes:
    """Return the bytes of a base58btc multibase value in its one spelling.

    Raises:
        ValueError: It is not such a value.
    """
    if not text.startswith(MULTIBASE_BASE58) or len(text) > BASE58_LENGTH_MAX:
        message = f"not a base58 multibase value: {text[:40]!r}"
        raise ValueError(message)
    # The library strips white space and accepts bytes outside the alphabet only by an error.
    data = bytes(base58.b58decode(text[1:]))
    if multibase_encode(data) != text:
        message = f"not canonical base58: {text[:40]!r}"
        raise ValueError(message)
    return data

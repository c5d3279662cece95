"""Encodings with one spelling each: base64, base58 multibase, hex. Anything else is refused."""

import base64
import binascii

MULTIBASE_BASE58 = "z"
BASE58_LENGTH_MAX = 128
"""Characters of one multibase value; decoding base58 takes time quadratic in its length."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Two digits at a time: a signature has 88, and dividing so large a number takes the time."""

_PAIR_COUNT = len(_PAIRS)
_BASE = len(_ALPHABET)
_ZERO = _ALPHABET[0]
_NONE = 0xFF
_DIGITS = bytes(
    _ALPHABET.index(chr(code)) if chr(code) in _ALPHABET else _NONE for code in range(256)
)
"""The value of each character's digit."""


def _join_steps() -> list[tuple[int, int, int]]:
    """Return how digits, one to a byte, become a number: neighbours are joined, all at a time.

    A step takes every second lane of its width, and counts it as digits of base 58 instead of as
    higher bits of the lane beside it; lanes are twice as wide then. No lane ever overflows.
    """
    bits, width, steps = 8 * BASE58_LENGTH_MAX, 8, []
    while width < bits:
        mask = sum(((1 << width) - 1) << place for place in range(0, bits, 2 * width))
        steps.append((width, mask, (1 << width) - _BASE ** (width // 8)))
        width *= 2
    return steps


_JOIN_STEPS = _join_steps()


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


def _base58_encode(data: bytes) -> str:
    number, pairs = int.from_bytes(data, "big"), []
    while number:
        number, value = divmod(number, _PAIR_COUNT)
        pairs.append(_PAIRS[value])
    # Each zero byte at the beginning is one digit of its own.
    zeros = len(data) - len(data.lstrip(b"\x00"))
    return _ZERO * zeros + "".join(reversed(pairs)).lstrip(_ZERO)


def _base58_decode(text: str) -> bytes:
    """Return the bytes of base58, of at most `BASE58_LENGTH_MAX` digits.

    Raises:
        ValueError: A character lies outside the alphabet.
    """
    digits = text.encode("ascii").translate(_DIGITS)
    if _NONE in digits:
        message = f"not base58: {text[:40]!r}"
        raise ValueError(message)
    number = int.from_bytes(digits, "big")
    for width, mask, excess in _JOIN_STEPS:
        number -= (number >> width & mask) * excess
    zeros = len(text) - len(text.lstrip(_ZERO))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def multibase_encode(data: bytes) -> str:
    """Return base58btc with the multibase prefix ``z``."""
    return MULTIBASE_BASE58 + _base58_encode(data)


def multibase_decode(text: str) -> bytes:
    """Return the bytes of a base58btc multibase value. Every value has one spelling.

    Raises:
        ValueError: It is not such a value.
    """
    if not text.startswith(MULTIBASE_BASE58) or len(text) > BASE58_LENGTH_MAX:
        message = f"not a base58 multibase value: {text[:40]!r}"
        raise ValueError(message)
    return _base58_decode(text[1:])

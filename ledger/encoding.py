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
_VALUES = {digit: value for value, digit in enumerate(_ALPHABET)}
_BASE = len(_ALPHABET)
_GROUP = 10
_ZERO = _ALPHABET[0]


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
    """Return the bytes of base58; raises KeyError for a character outside the alphabet."""
    digits = text.lstrip(_ZERO)
    number = 0
    for start in range(0, len(digits), _GROUP):
        # A group fits a machine word, so that few of the multiplications are of large numbers.
        group, value = digits[start : start + _GROUP], 0
        for digit in group:
            value = value * _BASE + _VALUES[digit]
        number = number * _BASE ** len(group) + value
    zeros = len(text) - len(digits)
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
    try:
        return _base58_decode(text[1:])
    except KeyError as error:
        message = f"not base58: {text[:40]!r}"
        raise ValueError(message) from error

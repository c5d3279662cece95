"""The bits of a status list, packed as the standard says, and unpacked within a bound.

A list has two bits an entry, the first entry in the highest bits of the first byte. It is packed
with GZIP: one member, no name, no comment, no time; a reader takes nothing else, and stops at the
size that a list has, whatever the packed bytes would unfold to.

Source: W3C Bitstring Status List v1.0, sections 3.3 and 3.4; RFC 1952; RFC 1951.
"""

import zlib
from collections.abc import Mapping

from carnet.core.errors import VerificationError
from carnet.core.text import Text
from carnet.ledger.encoding import base64url_decode, base64url_encode
from carnet.ledger.kinds.status import STATUS_ENTRIES, STATUS_SIZE

LIST_BYTES = STATUS_ENTRIES * STATUS_SIZE // 8
_PER_BYTE = 8 // STATUS_SIZE
_MASK = (1 << STATUS_SIZE) - 1
_MULTIBASE = "u"
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
"""GZIP, deflate, no flags, no time."""

_HEADER_SIZE = len(_HEADER) + 2
_TRAILER_SIZE = 8
_RAW = -zlib.MAX_WBITS


def _malformed(en: str, zh: str) -> VerificationError:
    return VerificationError(
        "CRN-V-050", Text(f"The status list cannot be read: {en}.", f"状态列表无法读取：{zh}。")
    )


def _shift(index: int) -> int:
    return 8 - STATUS_SIZE - STATUS_SIZE * (index % _PER_BYTE)


def encode_list(values: Mapping[int, int]) -> str:
    """Return the packed list in which some entries have values; the others are 0."""
    bits = bytearray(LIST_BYTES)
    for index, value in values.items():
        assert 0 <= index < STATUS_ENTRIES, "an index lies in its list"
        assert 0 <= value <= _MASK, "a value fits its bits"
        bits[index // _PER_BYTE] |= value << _shift(index)
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    packed = packer.compress(bytes(bits)) + packer.flush()
    trailer = zlib.crc32(bits).to_bytes(4, "little") + LIST_BYTES.to_bytes(4, "little")
    return _MULTIBASE + base64url_encode(_HEADER + b"\x02\xff" + packed + trailer)


def decode_list(text: str) -> bytes:
    """Return the bits of a packed list.

    Raises:
        VerificationError: It is not packed so, damaged, or of another size.
    """
    try:
        data = base64url_decode(text.removeprefix(_MULTIBASE))
    except ValueError as error:
        raise _malformed("it is not base64url", "不是 base64url") from error
    if not data.startswith(_HEADER) or len(data) < _HEADER_SIZE + _TRAILER_SIZE:
        raise _malformed("it is not plain GZIP", "不是普通 GZIP")
    unpacker = zlib.decompressobj(_RAW)
    try:
        bits = unpacker.decompress(data[_HEADER_SIZE:], LIST_BYTES + 1)
    except zlib.error as error:
        raise _malformed("it is damaged or of another size", "已损坏或大小不符") from error
    trailer = zlib.crc32(bits).to_bytes(4, "little") + len(bits).to_bytes(4, "little")
    if len(bits) != LIST_BYTES or not unpacker.eof or unpacker.unused_data != trailer:
        raise _malformed("it is damaged or of another size", "已损坏或大小不符")
    return bits


def value_at(bits: bytes, index: int) -> int:
    """Return the value of an entry."""
    return bits[index // _PER_BYTE] >> _shift(index) & _MASK

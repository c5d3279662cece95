"""Packed status lists: any values come back, and no bytes are read as more than a list."""

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.core.errors import VerificationError
from carnet.ledger.encoding import base64url_decode, base64url_encode
from carnet.ledger.kinds.status import STATUS_ENTRIES
from carnet.ledger.status_list import LIST_BYTES, decode_list, encode_list, value_at

VALUES = st.dictionaries(st.integers(0, STATUS_ENTRIES - 1), st.integers(0, 3), max_size=200)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_list__values_come_back(values: dict[int, int]) -> None:
    text = encode_list(values)
    bits = decode_list(text)
    assert all(value_at(bits, index) == value for index, value in values.items())
    neighbours = {index ^ 1 for index in values} - values.keys()
    assert all(value_at(bits, index) == 0 for index in neighbours)
    assert gzip.decompress(base64url_decode(text[1:])) == bits


@given(VALUES, st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_list__a_byte_changed_is_the_same_list_or_none(
    values: dict[int, int], place: int, other: int
) -> None:
    data = bytearray(base64url_decode(encode_list(values)[1:]))
    data[place % len(data)] = other
    try:
        bits = decode_list("u" + base64url_encode(bytes(data)))
    except VerificationError:
        return
    assert bits == decode_list(encode_list(values)), "the checksum tells"


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_list__any_bytes_are_refused_or_a_list(data: bytes) -> None:
    try:
        assert len(decode_list("u" + base64url_encode(data))) == LIST_BYTES
    except VerificationError as error:
        assert error.code == "CRN-V-050"  # noqa: PT017 - either outcome is right

"""Canonical JSON: equal to RFC 8785 inside the profile, refused outside it."""

import json
import math
import os
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from carnet.core.canonical import (
    DEPTH_MAX,
    INTEGER_MAX,
    JsonValue,
    canonical,
    canonical_within,
    parse_canonical,
    parse_strict,
)
from carnet.core.errors import RecordFormatError

ASCII = st.text(st.characters(max_codepoint=127), max_size=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXT
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ASCII, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_canonical__equals_rfc_8785_and_reads_back(value: JsonValue) -> None:
    data = canonical(value)
    assert data == rfc8785.dumps(value)  # type: ignore[arg-type]  # its stub knows no recursion
    assert parse_canonical(data) == value


@given(VALUES)
def test_parse_canonical__refuses_every_other_spelling(value: JsonValue) -> None:
    for other in (json.dumps(value, indent=1).encode(), canonical(value) + b" "):
        if other != canonical(value):
            with pytest.raises(RecordFormatError):
                parse_canonical(other)
            assert parse_strict(other) == value


@given(st.binary(max_size=60))
def test_parse__never_raises_anything_else(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except RecordFormatError:
        return
    assert canonical(value) == data


@pytest.mark.parametrize(
    "value",
    [1.0, math.nan, INTEGER_MAX + 1, -INTEGER_MAX - 1, {"é": 1}, "\ud800", (1,), {1: 2}, b"x"],
    ids=repr,
)
def test_canonical__refuses_what_lies_outside_the_profile(value: object) -> None:
    with pytest.raises(RecordFormatError):
        canonical(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-0",
        b"9007199254740992",
        b"1" * 5000,
        b"[" * 100_000,
        b'"\xff"',
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b"",
        b"\xef\xbb\xbf1",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_parse_canonical__refuses(data: bytes) -> None:
    with pytest.raises(RecordFormatError):
        parse_canonical(data)


def test_depth__is_bounded() -> None:
    deep: JsonValue = 1
    for _ in range(DEPTH_MAX):
        deep = [deep]
    assert parse_canonical(canonical(deep)) == deep
    with pytest.raises(RecordFormatError, match="nesting"):
        canonical([deep])


def test_size__is_bounded() -> None:
    with pytest.raises(RecordFormatError, match="bytes, at most 3"):
        parse_strict(b"12345", size_max=3)


def test_public_vectors__inside_the_profile_are_reproduced() -> None:
    """The RFC 8785 author's files, where the folder is given; one of them always."""
    assert canonical({"\u0031": {"f": {"f": "hi", "F": 5}, "\n": 56}}) == (
        b'{"1":{"\\n":56,"f":{"F":5,"f":"hi"}}}'
    )
    folder = os.environ.get("CARNET_VECTORS")
    if folder is None:
        return
    ran = refused = 0
    for path in sorted((Path(folder) / "rfc8785-jcs/testdata/input").glob("*.json")):
        expected = (path.parents[1] / "output" / path.name).read_bytes()
        try:
            assert canonical(parse_strict(path.read_bytes())) == expected
            ran += 1
        except RecordFormatError:
            refused += 1
    print(f"RFC 8785 files: {ran} reproduced, {refused} outside the profile")
    assert ran == 2
    assert ran + refused == 6


def test_canonical_within__text_that_is_no_unicode_is_refused() -> None:
    # A record's shape lets any line of text through, and a file's name in Python may be such.
    with pytest.raises(RecordFormatError, match="surrogate"):
        canonical_within({"name": "a\ud800"})

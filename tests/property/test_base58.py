"""Our base58 against the library of that name, which is slower and less strict."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet.ledger.encoding import multibase_decode, multibase_encode

DATA = st.builds(lambda zeros, rest: bytes(zeros) + rest, st.integers(0, 4), st.binary(max_size=70))


@given(DATA)
def test_multibase__equals_the_library_and_reads_back(data: bytes) -> None:
    text = multibase_encode(data)
    assert text == "z" + base58.b58encode(data).decode()
    assert multibase_decode(text) == data


@given(st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl é+\n", max_size=90))
def test_multibase_decode__reads_one_spelling_or_refuses(text: str) -> None:
    try:
        data = multibase_decode("z" + text)
    except ValueError:
        assert set(text) & set("0OIl é+\n")
        return
    assert multibase_encode(data) == "z" + text
    assert data == base58.b58decode(text)


@pytest.mark.parametrize("text", ["", "1", "Z1", "z" + "1" * 128])
def test_multibase_decode__refuses(text: str) -> None:
    with pytest.raises(ValueError, match="multibase"):
        multibase_decode(text)

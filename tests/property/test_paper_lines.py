"""Breaking lines for a terminal: nothing is lost, nothing is wider than the room."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from carnet.cli.render.paper import Paper, break_lines

TEXTS = st.text(alphabet="ab c证书，。（）- éx=:/", max_size=60)


@given(TEXTS, st.integers(4, 30))
def test_lines__keep_every_word_and_the_room(text: str, room: int) -> None:
    lines = break_lines(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= room and line == line.strip() for line in lines)


@given(st.text(max_size=40), st.one_of(st.none(), st.integers(40, 120)))
def test_lines__hold_no_control_character(text: str, width: int | None) -> None:
    lines = Paper(width).lines(text, "- ", "  ")
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for line in lines for each in line)

"""Lines for people: broken at the width of the terminal, in colour where that is wanted.

A Chinese character takes two cells, and a line may break between any two of them; closing marks
stay with what they close. Without a width nothing is broken, so that a pipe can be searched.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len

WIDTH_RANGE: Final = (40, 120)
Tone = Literal["plain", "bold", "dim", "bad", "warn", "good"]
_CODES: Final[dict[Tone, str]] = {
    "plain": "",
    "bold": "1",
    "dim": "2",
    "bad": "1;31",
    "warn": "33",
    "good": "32",
}
_WIDE: Final = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60"
_CONTROLS: Final = dict.fromkeys([*range(32), *range(127, 160)], "\ufffd")
_CLOSING: Final = "，。；：！？、）》」』”’…％"
_ATOM: Final = re.compile(rf"[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+[{_CLOSING}]*|\s+")


@dataclass(frozen=True, slots=True)
class Paper:
    """What lines are written on.

    Args:
        width: Cells of a line; None where lines are not broken.
        is_coloured: Whether colours are written.
    """

    width: int | None = None
    is_coloured: bool = False

    def tint(self, text: str, tone: Tone) -> str:
        """Return a text in a colour."""
        code = _CODES[tone]
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_coloured and code else text

    def lines(self, text: str, first: str, rest: str) -> list[str]:
        """Return a text as lines, the first one behind `first` and the others behind `rest`.

        What a fact says cannot move the cursor: control characters show as a replacement.
        """
        text = text.translate(_CONTROLS)
        if self.width is None:
            return [f"{first}{text}"]
        room = max(self.width - max(cell_len(first), cell_len(rest)), WIDTH_RANGE[0] // 2)
        broken = break_lines(text, room) or [""]
        return [f"{rest if number else first}{line}" for number, line in enumerate(broken)]


def break_lines(text: str, room: int) -> list[str]:
    """Return a text as lines of at most some cells.

    >>> break_lines("one two three", 7)
    ['one two', 'three']
    >>> break_lines("证书已过期，请换证。", 8)
    ['证书已过', '期，请换', '证。']
    """
    lines: list[str] = []
    line = ""
    for atom in _ATOM.findall(text):
        if cell_len(line) + cell_len(atom.rstrip()) > room and line.strip():
            lines.append(line.rstrip())
            line = ""
        if line or not atom.isspace():
            line += atom
        while cell_len(line.rstrip()) > room:
            head = _head(line, room)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line.rstrip()] if line.strip() else lines


def _head(word: str, room: int) -> str:
    """Return as much of a word as finds room; at least one character."""
    end = 1
    while end < len(word) and cell_len(word[: end + 1]) <= room:
        end += 1
    return word[:end]

"""One value of a pack as one cell of a sheet, and back.

A number, a date and a yes or no are cells of that type; a text is a cell of text, in quotes only
where it would be read as something else; a list is text with one item a line, as YAML.

Source: docs/spec/pack-format.md, PF-61.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.format.emit import emit_flow, emit_yaml, has_escape, quote
from carnet.rules.format.yaml_strict import SCALAR_SIZE_MAX, has_control, parse_yaml

CELL_SIZE_MAX: Final = 32_000
"""Characters of one cell; the format allows 32,767, counted in another way."""

_DIGITS_MAX: Final = 15
"""Digits of a number that a spreadsheet keeps."""

_FIRST_DAY: Final = date(1900, 3, 1)
"""Before this day, spreadsheets disagree on how days are counted."""

_TYPED = re.compile(r"-?(?:0|[1-9][0-9]*)|true|false|[0-9]{4}-[0-9]{2}-[0-9]{2}", re.IGNORECASE)
_MARKED = re.compile(r"[\"'\[{]|-(?:\s|\Z)")
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

CellValue = str | int | bool | date


class CellError(Exception):
    """A cell cannot be read; the text says why."""

    def __init__(self, message: Text) -> None:
        super().__init__(message.en)
        self.message = message


def is_risky(text: str) -> bool:
    """Return whether a spreadsheet might take a text for a formula when it is entered again."""
    return text.startswith(_RISKY)


def _is_plain(text: str) -> bool:
    if not text or text != text.strip() or _MARKED.match(text) or _TYPED.fullmatch(text):
        return False
    return text.replace("\n", "").isprintable() and not has_escape(text)


def text_to_cell(text: str) -> str:
    """Return a text as a cell spells it."""
    if _is_plain(text):
        return text
    return quote(text)


def value_to_cell(value: Any) -> CellValue:
    """Return a value of a pack as one cell; it may be longer than a cell can be."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if len(str(abs(value))) <= _DIGITS_MAX else str(value)
    if isinstance(value, date):
        return value if value >= _FIRST_DAY else value.isoformat()
    if isinstance(value, str):
        return text_to_cell(value)
    spelled = emit_flow(value) if isinstance(value, Mapping) or not value else emit_yaml(value)
    return spelled.removesuffix("\n")


def _typed(cell: str) -> CellValue:
    lowered = cell.lower()
    if lowered in {"true", "false"}:
        return lowered == "true"
    if cell[4:5] == "-":
        return date.fromisoformat(cell)
    return int(cell)


def cell_to_value(cell: Any) -> Any:
    """Return the value of a cell as the reader of workbooks gives it; "" is no value.

    Raises:
        CellError: It holds what no pack may.
    """
    if isinstance(cell, bool | int):
        return cell
    if isinstance(cell, dict):
        return _special(cell)
    text = cell.strip()
    try:
        if _MARKED.match(text):
            return parse_yaml(cell.encode("utf-8"), "cell")
        if _TYPED.fullmatch(text):
            return _typed(text)
    except RulePackError as error:
        raise CellError(error.message) from error
    except ValueError:
        raise CellError(
            Text(f"{text:.60} is not a date of the calendar.", f"{text:.60} 不是有效日期。")
        ) from None
    # What stands in quotes was judged by the reader of YAML.
    if has_control(text) or len(text) > SCALAR_SIZE_MAX:
        raise CellError(
            Text(
                f"a control character, or more than {SCALAR_SIZE_MAX} characters",
                f"含有控制字符，或超过 {SCALAR_SIZE_MAX} 个字符",
            )
        )
    return text


def _special(cell: Mapping[str, str]) -> date:
    ((kind, found),) = cell.items()
    if kind == "date":
        return date.fromisoformat(found)
    if kind == "datetime" and found.endswith("T00:00:00"):
        return date.fromisoformat(found.removesuffix("T00:00:00"))
    raise CellError(
        Text(
            f"The cell holds {found:.60} ({kind}), which no pack may hold.",
            f"单元格为 {found:.60}（{kind}），规则包不接受。",
        )
    )

"""The language of cells: what an input must be, and what an output is.

Source: OMG DMN 1.5, 10.3.1.4 (unary tests); docs/spec/pack-format.md, PF-42.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.rules.ast import Cell, Interval, Scalar, ValueKind
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.grid import cell_text
from carnet.rules.format.names import suggest

TESTS_MAX = 64
"""Values and intervals of one cell."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\["\\])*"')
_BARE = re.compile(r'[^"<>()\[\],]+')
_PART = re.compile(r'"(?:[^"\\]|\\["\\])*"|[^",]+')
_RANGE = re.compile(r"([\[(])\s*(.+?)\s*\.\.\s*(.+?)\s*([\])])")
_NOT = re.compile(r"not\s*\((.*)\)")
_ORDER = re.compile(r"(<=|>=|<|>)\s*(.+)")
_FORMS: dict[ValueKind, Text] = {
    "integer": Text("a whole number such as 8000", "整数，例如 8000"),
    "date": Text("a date such as 2026-01-31", "日期，例如 2026-01-31"),
    "boolean": Text("true or false", "true 或 false"),
    "string": Text(
        'text, in double quotes where it holds , ( ) [ ] < > or "',
        '文本；含 , ( ) [ ] < > 或 " 时请加双引号',
    ),
}


def _fault(text: str, kind: ValueKind, hint: Text | None = None) -> ExpressionError:
    expected = _FORMS[kind]
    return ExpressionError(
        Text(
            f"{text!r:.80} is not {expected.en}.", f"{text!r:.80} 不符合要求；应为{expected.zh}。"
        ),
        hint,
    )


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > INTEGER_MAX or text == "-0":
        raise _fault(text, "integer")
    return int(text)


def _date(text: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _fault(text, "date")


def _string(text: str) -> str:
    if _QUOTED.fullmatch(text):
        text = re.sub(r"\\([\"\\])", r"\1", text[1:-1])
    elif not _BARE.fullmatch(text):
        raise _fault(text, "string")
    if not text:
        raise _fault(text, "string")
    return text


def constant(text: str, kind: ValueKind) -> Scalar:
    """Return a value written in a cell.

    Raises:
        ExpressionError: It is not of the kind of the column.
    """
    if kind == "integer":
        return _integer(text)
    if kind == "date":
        return _date(text)
    if kind == "boolean":
        if text not in {"true", "false"}:
            raise _fault(text, kind)
        return text == "true"
    return _string(text)


def output_of(cell: Scalar, kind: ValueKind) -> Scalar | None:
    """Return an output; None where the cell is empty.

    Raises:
        ExpressionError: It is not of the kind of the column.
    """
    if cell == "":
        return None
    return constant(_text_for(cell, kind), kind)


def _text_for(cell: Scalar, kind: ValueKind) -> str:
    """Return the text of a cell, refusing a number or date where text belongs."""
    if kind == "string" and not isinstance(cell, str):
        raise _fault(
            cell_text(cell),
            kind,
            Text(
                "Format the cell as text: 0598 typed as a number has lost its zero.",
                "请将单元格设为文本格式：0598 作为数字会丢失前导零。",
            ),
        )
    return cell_text(cell)


# --- tests of inputs --------------------------------------------------------------------------


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the commas of a cell that are not inside quotes."""
    position = 0
    while True:
        match = _PART.match(text, position)
        part = match[0] if match else ""
        # Blanks and quotes may follow one another; a part ends at the next comma.
        while match and match.end() < len(text) and text[match.end()] != ",":
            match = _PART.match(text, match.end())
            part += match[0] if match else ""
            if match is None:
                break
        if match is None or not part.strip():
            raise ExpressionError(
                Text(
                    f"The cell {text!r:.80} has an empty part or an open quote.",
                    f"单元格 {text!r:.80} 有空项或未闭合的引号。",
                )
            )
        yield part.strip()
        if match.end() == len(text):
            return
        position = match.end() + 1


def _interval(text: str, kind: ValueKind) -> Interval:
    ordered = kind in {"integer", "date"}
    if (match := _RANGE.fullmatch(text)) and ordered:
        low, high = constant(match[2], kind), constant(match[3], kind)
        result = Interval(low, high, match[1] == "[", match[4] == "]")
        if is_empty(result):
            raise ExpressionError(
                Text(f"The interval {text} holds no value.", f"区间 {text} 不含任何值。"),
                Text("Write the lower end first.", "请先写下限。"),
            )
        return result
    if (match := _ORDER.fullmatch(text)) and ordered:
        value = constant(match[2], kind)
        if match[1] in {"<", "<="}:
            return Interval(None, value, includes_high=match[1] == "<=")
        return Interval(value, None, includes_low=match[1] == ">=")
    value = constant(text, kind)
    return Interval(value, value)


def _number(value: Scalar | None) -> int | None:
    if isinstance(value, date):
        return value.toordinal()
    assert value is None or isinstance(value, int), "only integers and dates are ordered"
    return value


def bounds_of(one: Interval) -> tuple[int | None, int | None]:
    """Return the least and the greatest number of an interval of integers or dates, both in it."""
    low, high = _number(one.low), _number(one.high)
    if low is not None and not one.includes_low:
        low += 1
    if high is not None and not one.includes_high:
        high -= 1
    return low, high


def is_empty(one: Interval) -> bool:
    """Return whether an interval of integers or dates holds no value."""
    low, high = bounds_of(one)
    return low is not None and high is not None and low > high


@lru_cache(maxsize=16_384, typed=True)
def cell_of(raw: Scalar, kind: ValueKind, choices: tuple[str, ...] = ()) -> Cell:
    """Return what a cell asks of an input.

    Args:
        raw: What stands in the cell.
        kind: The kind of the column.
        choices: The values that the input may have; empty where it is open.

    Raises:
        ExpressionError: The cell does not follow the language.
    """
    text = _text_for(raw, kind)
    if text in {"", "-"}:
        return Cell(())
    negated = _NOT.fullmatch(text)
    parts = list(_parts(negated[1] if negated else text))
    if len(parts) > TESTS_MAX:
        raise ExpressionError(
            Text(
                f"The cell has {len(parts)} values; at most {TESTS_MAX} are allowed.",
                f"单元格有 {len(parts)} 个值；最多 {TESTS_MAX} 个。",
            )
        )
    intervals = tuple(_interval(part, kind) for part in parts)
    for one in intervals:
        if choices and one.low not in choices:
            raise ExpressionError(
                Text(f"The input is never {one.low!r}.", f"该输入不会取值 {one.low!r}。"),
                suggest(str(one.low), choices),
            )
    return Cell(intervals, is_negated=negated is not None)


# --- spelling ---------------------------------------------------------------------------------


def constant_text(value: Scalar) -> str:
    """Return a value as a cell spells it.

    >>> constant_text("a, b"), constant_text("toy"), constant_text(-5)
    ('"a, b"', 'toy', '-5')
    """
    if not isinstance(value, str):
        return cell_text(value)
    plain = _BARE.fullmatch(value) and value == value.strip() and value != "-"
    if plain and not value.startswith("not"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _interval_text(one: Interval) -> str:
    if one.low is None:
        assert one.high is not None, "an interval has an end"
        return f"{'<=' if one.includes_high else '<'} {constant_text(one.high)}"
    if one.high is None:
        return f"{'>=' if one.includes_low else '>'} {constant_text(one.low)}"
    if one.low == one.high:
        return constant_text(one.low)
    low, high = "[" if one.includes_low else "(", "]" if one.includes_high else ")"
    return f"{low}{constant_text(one.low)}..{constant_text(one.high)}{high}"


def spell_cell(cell: Cell) -> str:
    """Return a cell as a table spells it; `cell_of` reads it back.

    >>> spell_cell(Cell((Interval(8000, 9000, includes_high=False),)))
    '[8000..9000)'
    """
    if not cell.intervals:
        return "-"
    listed = ", ".join(_interval_text(one) for one in cell.intervals)
    return f"not({listed})" if cell.is_negated else listed

"""From raw values to the checked fields of one fact, or to everything that is wrong with them.

A converter turns the spelling of a file into a scalar where it can and leaves the value alone where
it cannot; the model of the type then refuses it. So there is one judge, the model, and this module
only puts its verdict into words.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import ValidationError

from carnet.core.text import Text
from carnet.facts.issue import Found, Problem, outlined, shown
from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES, FactType, Field, Kind
from carnet.facts.types.base import CROSS_CHECK

Scalar: TypeAlias = str | int | bool | date | datetime
Converter: TypeAlias = Callable[[str], Any]

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_INTEGER_LOOSE = re.compile(r"[+-]?[0-9][0-9 ,._']*", re.ASCII)
_DATE_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_DATE_LENGTH = len("YYYY-MM-DD")
_INSTANT_LENGTH = len("YYYY-MM-DDTHH:MM:SSZ")
_CACHE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Unusable:
    """A value of the file that no field can hold: a fraction, null, a duplicated key, an error.

    Args:
        found: How a message shows it.
        remedy: What to do about it.
    """

    found: Found
    remedy: Text

    def __str__(self) -> str:
        return str(self.found)


NULL = Unusable(
    "null",
    Text("Leave the field out where there is no value.", "没有值时请省略该字段，不要写 null。"),
)


def fraction(found: str) -> Unusable:
    """Return a number with a fraction or an exponent, which no field takes."""
    return Unusable(
        found,
        Text(
            "Numbers are whole: money in minor units (12.50 as 1250), rates in basis points"
            " (5 % as 500).",
            "数字一律为整数：金额以最小货币单位计（12.50 写作 1250），"
            "比率以基点计（5% 写作 500）。",
        ),
    )


def text_to_date(text: str) -> date | str:
    """Return the date of ``YYYY-MM-DD``, or the text itself where it is none."""
    return _cached_date(text) if len(text) == _DATE_LENGTH else text


@lru_cache(_CACHE_SIZE)
def _cached_date(text: str) -> date | str:
    if _DATE_SHAPE.fullmatch(text) is None:
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def text_to_instant(text: str) -> datetime | str:
    """Return the instant of ``YYYY-MM-DDTHH:MM:SSZ``, or the text itself where it is none."""
    return _cached_instant(text) if len(text) == _INSTANT_LENGTH else text


@lru_cache(_CACHE_SIZE)
def _cached_instant(text: str) -> datetime | str:
    if _INSTANT_SHAPE.fullmatch(text) is None:
        return text
    try:
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    except ValueError:
        return text


def text_to_integer(text: str) -> int | str:
    """Return the integer that the digits spell, or the text itself where they do not."""
    return int(text) if _INTEGER.fullmatch(text) else text


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


def text_to_boolean(text: str) -> bool | str:
    """Return the truth value of ``true`` or ``false``, or the text itself."""
    return _BOOLEANS.get(text, text)


TEXT_CONVERTERS: Mapping[Kind, Converter] = {
    "integer": text_to_integer,
    "boolean": text_to_boolean,
    "date": text_to_date,
    "instant": text_to_instant,
}
"""How a file that holds only text, such as CSV, spells each kind; strings stay as they are."""

JSON_CONVERTERS: Mapping[Kind, Converter] = {"date": text_to_date, "instant": text_to_instant}
"""How JSON spells each kind in a string; integers and booleans are of their own there."""


def check_fields(fact_type: FactType, values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the fields of one fact, `id` included, absent ones left out.

    Args:
        fact_type: The type of the fact.
        values: Scalars by column, without null.

    Raises:
        ValidationError: Something is wrong; `problems_of` tells what.
    """
    model = fact_type.model.model_validate(values)
    return {name: value for name, value in model.__dict__.items() if value is not None}


def problems_of(
    fact_type: FactType, values: Mapping[str, Any], error: ValidationError
) -> list[Problem]:
    """Return everything that a model found wrong with the values, in words."""
    problems: list[Problem] = []
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == CROSS_CHECK:
            problems += _cross_problems(fact_type, values, detail.get("ctx", {})["failed"])
            continue
        name = str(detail["loc"][0])
        if detail["type"] == "extra_forbidden":
            problems.append(unknown_column(fact_type, name))
        elif detail["type"] == "missing":
            problems.append(missing_value(fact_type.column(name)))
        else:
            problems.append(_wrong_value(fact_type.column(name), values[name]))
    return problems


def _cross_problems(
    fact_type: FactType, values: Mapping[str, Any], failed: Iterable[int]
) -> list[Problem]:
    problems = []
    for index in failed:
        check = fact_type.checks[index]
        found = ", ".join(f"{name} = {values.get(name, '')}" for name in check.fields)
        remedy = Text("Compare both with the document.", "请对照原始文件核对这两项。")
        problems.append(Problem(check.fields[-1], found, check.expected(), remedy))
    return problems


def did_you_mean(name: str, known: Iterable[str]) -> Text | None:
    """Return a question for a name that is close to a known one."""
    close = difflib.get_close_matches(name[:64], list(known), n=1, cutoff=0.7)
    if not close:
        return None
    return Text(f"Did you mean {close[0]}?", f"是否应为 {close[0]}？")


def unknown_column(fact_type: FactType, name: str) -> Problem:
    """Return the problem of a column that the type does not have."""
    columns = fact_type.columns
    return Problem(
        shown(name).strip("'"),
        shown(name),
        Text(
            f"a column of {fact_type.name}: {', '.join(columns)}",
            f"{fact_type.name} 的列：{'、'.join(columns)}",
        ),
        did_you_mean(name, columns)
        or Text("Remove the column, or correct its name.", "请删除该列，或更正列名。"),
    )


def missing_value(field: Field) -> Problem:
    """Return the problem of a required field without a value."""
    return Problem(
        field.name,
        "",
        field.expected,
        Text(f"{field.name} is required: fill it in.", f"{field.name} 为必填项：请填写。"),
    )


def _wrong_value(field: Field, value: object) -> Problem:
    if field.is_required and (value is NULL or value == ""):
        return Problem(field.name, outlined(value), field.expected, missing_value(field).remedy)
    if isinstance(value, Unusable):
        return Problem(field.name, value.found, field.expected, value.remedy)
    return Problem(field.name, outlined(value), field.expected, _remedy(field, value))


def _remedy(field: Field, value: object) -> Text:
    """Return what to do about a wrong value: the particular advice, or that of its form."""
    if isinstance(value, str):
        return _text_remedy(field, value) or field.remedy
    if field.kind == "string" and isinstance(value, int):
        return Text(
            "This is text: put it in quotes; in a spreadsheet, format the column as text.",
            "此项为文本：请加引号；在电子表格中请将该列设为文本格式。",
        )
    if isinstance(value, int) and value < 0 and field.minimum is not None and field.minimum >= 0:
        return Text(
            "Write it without the minus sign: the fact itself tells the direction.",
            "请去掉负号：方向由事实本身决定。",
        )
    return field.remedy


def _text_remedy(field: Field, value: str) -> Text | None:
    if not value:
        return Text(
            "Leave the field out where there is no value.", "没有值时请省略该字段，不要写空文本。"
        )
    if value != value.strip():
        return Text("Remove the blanks before and after the value.", "请删除该值前后的空格。")
    if field.choices:
        return did_you_mean(value.lower(), field.choices) or did_you_mean(value, field.choices)
    if field.kind == "date" and _DATE_SHAPE.fullmatch(value):
        return Text(
            "The calendar has no such day, or it is out of range; look at the document again.",
            "日历中没有这一天，或超出范围；请再次核对文件。",
        )
    if field.kind == "integer" and _INTEGER_LOOSE.fullmatch(value) is None:
        return Text(
            f"{field.name} is a number: write digits only.", f"{field.name} 是数字：请只填写数字。"
        )
    return None


def unknown_type(name: object) -> Problem:
    """Return the problem of a fact, a file or a sheet whose type does not exist."""
    close = did_you_mean(name, FACT_TYPES) if isinstance(name, str) else None
    if isinstance(name, str) and name in COMPUTED_TYPES:
        close = Text(
            f"Facts of the type {name} are computed from the decisions of earlier stages and are"
            " never imported: name the packs under 'after' of pack.yaml.",
            f"{name} 类事实由前一阶段的判定计算得出，不能导入："
            "请在 pack.yaml 的 after 中列出规则包。",
        )
    return Problem(
        "type",
        shown(name),
        Text(f"a fact type: {', '.join(FACT_TYPES)}", f"事实类型：{'、'.join(FACT_TYPES)}"),
        close or Text("See docs/facts.md for the types.", "类型见 docs/facts.md。"),
    )


def json_values(fact_type: FactType, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a JSON object as scalars, `type` left out."""
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if value is None:
            values[name] = NULL
        elif isinstance(value, str) and name in fact_type.fields:
            convert = JSON_CONVERTERS.get(fact_type.fields[name].kind)
            values[name] = convert(value) if convert else value
        elif isinstance(value, float):
            values[name] = fraction(str(value))
        elif name != "type":
            values[name] = value
    values.pop("type", None)
    return values


def parse_object(raw: object) -> tuple[FactType, dict[str, Scalar]] | list[Problem]:
    """Return the type and the fields of a JSON object, or what is wrong with it."""
    if not isinstance(raw, Mapping):
        return [
            Problem(
                None,
                raw.found if isinstance(raw, Unusable) else outlined(raw),
                Text("a JSON object", "一个 JSON 对象"),
                Text(
                    'Write each fact as {"type": ..., "id": ..., ...}.',
                    '每条事实写作 {"type": …, "id": …, …}。',
                ),
            )
        ]
    name = raw.get("type", "")
    fact_type = FACT_TYPES.get(name) if isinstance(name, str) else None
    if fact_type is None:
        return [unknown_type(name)]
    values = json_values(fact_type, raw)
    try:
        return fact_type, check_fields(fact_type, values)
    except ValidationError as error:
        return problems_of(fact_type, values, error)

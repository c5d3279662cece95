"""Facts as they are given: checked once more before any engine sees them, whatever produced them.

Source: docs/spec/pack-format.md, PF-4.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.schema import FACT_TYPES

STRING_SIZE_MAX = 1024
"""Bytes of a text that engines compare."""
_FACTS_AT_ONCE = 4096
"""Facts whose columns are looked at together."""

FactKey = tuple[str, str]
"""Type and id."""


def _fault(fact: Fact, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-R-030",
        Text(
            f"The fact {fact.type}/{fact.id} cannot be used: {en}.",
            f"事实 {fact.type}/{fact.id} 无法使用：{zh}。",
        ),
        Text(
            "Import it through carnet import, which checks every field.",
            "请通过 carnet import 导入，导入时会检查每个字段。",
        ),
    )


_KINDS: dict[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "date": date,
    "instant": datetime,
}
_Shape = tuple[frozenset[str], dict[str, type]]


def _shapes() -> dict[str, _Shape]:
    return {
        name: (
            frozenset(field.name for field in one.fields.values() if field.is_required),
            {field.name: _KINDS[field.kind] for field in one.fields.values()},
        )
        for name, one in FACT_TYPES.items()
    }


_SHAPES: dict[str, _Shape] = _shapes()


# --- one fact ---------------------------------------------------------------------------------


def check_fact(fact: Fact) -> None:
    """Check what the engines rely on.

    A float, an integer beyond 2**53 - 1 or a missing required field would be read differently by
    different engines, so it is refused before any of them sees it.

    Raises:
        InputError: The fact has no such type, lacks a required field or holds a wrong value.
    """
    shape = _SHAPES.get(fact.type)
    if shape is None:
        raise _fault(fact, "there is no such fact type", "没有该事实类型")
    required, kinds = shape
    fields = fact.fields
    missing = required - fields.keys()
    if missing:
        name = min(missing)
        raise _fault(fact, f"the field {name} is missing", f"缺少字段 {name}")
    for name, value in fields.items():
        kind = kinds.get(name)
        if kind is None:
            raise _fault(fact, f"there is no field {name!r:.80}", f"没有字段 {name!r:.80}")
        # Exact types: bool is an int to Python, and a datetime is a date.
        if type(value) is not kind:
            raise _fault(
                fact,
                f"{name} is {value!r:.80}, not of kind {kind.__name__}",
                f"{name} 的值为 {value!r:.80}，类型应为 {kind.__name__}",
            )
        _check_value(fact, name, value)


def _check_value(fact: Fact, name: str, value: object) -> None:
    """Refuse a value that is of its kind but that engines would read differently."""
    if isinstance(value, datetime) and not _is_whole_second(value):
        raise _fault(
            fact,
            f"{name} is {value.isoformat()}, not UTC to the second",
            f"{name} 的值为 {value.isoformat()}，并非精确到秒的协调世界时",
        )
    if isinstance(value, str) and not _is_short(value):
        size = _size_of(value)
        raise _fault(
            fact,
            f"{name} has {size} bytes, at most {STRING_SIZE_MAX}",
            f"{name} 有 {size} 字节，上限 {STRING_SIZE_MAX}",
        )
    if isinstance(value, int) and not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise _fault(fact, f"{name} is beyond 2^53 - 1", f"{name} 超出 2^53-1")


def _size_of(value: str) -> int:
    return len(value.encode("utf-8", "replace"))


def _is_short(value: str) -> bool:
    # No character takes more than four bytes, so that hardly any text has to be encoded.
    return len(value) <= STRING_SIZE_MAX // 4 or _size_of(value) <= STRING_SIZE_MAX


def _is_whole_second(value: datetime) -> bool:
    return value.utcoffset() == timedelta(0) and not value.microsecond


# --- many facts -------------------------------------------------------------------------------


def key_facts(facts: Iterable[Fact]) -> dict[FactKey, Fact]:
    """Return checked facts by type and id.

    Raises:
        InputError: A fact stands twice or holds what no engine can compare safely.
    """
    listed = list(facts)
    result: dict[FactKey, Fact] = {}
    is_in_order = True
    for start in range(0, len(listed), _FACTS_AT_ONCE):
        is_in_order &= _add(listed[start : start + _FACTS_AT_ONCE], result)
    if not is_in_order:
        # One by one tells which fact it is, and what is wrong with it.
        for fact in listed:
            check_fact(fact)
    if len(result) < len(listed):
        raise _fault(_repeated(listed), "it stands twice", "该事实重复出现")
    return result


def _repeated(facts: Iterable[Fact]) -> Fact:
    """Return the first of some facts that stood before; one of them did."""
    seen: set[FactKey] = set()
    for fact in facts:
        if (fact.type, fact.id) in seen:
            break
        seen.add((fact.type, fact.id))
    return fact


def _add(facts: Iterable[Fact], result: dict[FactKey, Fact]) -> bool:
    """Add facts to a result, and return whether all are in order.

    Facts of one type with the same fields are looked at together, column by column: that takes
    half of the time of looking at them one by one.
    """
    alike: dict[tuple[str, tuple[str, ...]], list[Iterable[object]]] = defaultdict(list)
    for fact in facts:
        kind, fields = fact.type, fact.fields
        result[kind, fact.id] = fact
        alike[kind, tuple(fields)].append(fields.values())
    return all(_are_in_order(*alike_in, rows) for alike_in, rows in alike.items())


def _are_in_order(fact_type: str, names: tuple[str, ...], rows: Iterable[Iterable[object]]) -> bool:
    """Return whether facts of a type with some fields, given as their values, are in order."""
    shape = _SHAPES.get(fact_type)
    if shape is None or not shape[0].issubset(names):
        return False
    columns = zip(*rows, strict=True)
    return all(map(_is_column_in_order, map(shape[1].get, names), columns))


def _is_column_in_order(kind: type | None, column: Sequence[Any]) -> bool:
    if kind is None or set(map(type, column)) != {kind}:
        return False
    if kind is str:
        return max(map(len, column)) <= STRING_SIZE_MAX // 4 or all(map(_is_short, column))
    if kind is int:
        return bool(min(column) >= -INTEGER_MAX and max(column) <= INTEGER_MAX)
    return kind is not datetime or all(map(_is_whole_second, column))

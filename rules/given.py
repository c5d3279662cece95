"""Facts as they are given: checked once more before any engine sees them, whatever produced them.

Source: docs/spec/pack-format.md, PF-4.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.schema import FACT_TYPES

STRING_SIZE_MAX = 1024
"""Bytes of a text that engines compare."""
_FACTS_AT_ONCE = 512
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
    result = {(fact.type, fact.id): fact for fact in listed}
    if len(result) < len(listed):
        refuse_twice(listed)
    check_facts(listed, listed)
    return result


def refuse_twice(facts: Iterable[Fact]) -> None:
    """Refuse the first fact that stands twice among some.

    Raises:
        InputError: One does.
    """
    seen: set[FactKey] = set()
    for fact in facts:
        if (fact.type, fact.id) in seen:
            raise _fault(fact, "it stands twice", "该事实重复出现")
        seen.add((fact.type, fact.id))


def check_facts(facts: Iterable[Fact], given: Iterable[Fact]) -> None:
    """Check facts, column by column, which takes less time than one by one.

    Args:
        facts: The facts to check.
        given: All facts, in the order in which they were given: the first one that cannot be used
            is named, wherever the fault was come upon.

    Raises:
        InputError: A fact holds what no engine can compare safely.
    """
    source = iter(facts)
    while some := list(islice(source, _FACTS_AT_ONCE)):
        by_type: dict[str, list[_Fields]] = defaultdict(list)
        for fact in some:
            by_type[fact.type].append(fact.fields)
        if not all(map(_are_usable, by_type, by_type.values())):
            for fact in given:
                check_fact(fact)


_Fields = Mapping[str, object]


def _are_usable(fact_type: str, listed: Sequence[_Fields]) -> bool:
    """Return whether facts of a type, given as their fields, are in order."""
    # Most facts of a type have the same fields: to fetch these is faster than to ask for them.
    names = tuple(listed[0])
    if len(names) > 1 and set(map(len, listed)) == {len(names)}:
        with suppress(KeyError):
            return _are_in_order(fact_type, names, list(map(itemgetter(*names), listed)))
    alike: dict[tuple[str, ...], list[Iterable[object]]] = defaultdict(list)
    for fields in listed:
        alike[tuple(fields)].append(fields.values())
    return all(_are_in_order(fact_type, names, rows) for names, rows in alike.items())


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

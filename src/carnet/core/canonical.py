"""Canonical JSON: RFC 8785 (JCS) restricted to a profile in which every value has one spelling.

The profile: objects with ASCII keys, arrays, strings of valid Unicode, booleans, null, and integers
within +-(2**53 - 1). No floats, no duplicate keys. Inside it orjson with sorted keys writes the
same bytes as RFC 8785 and is much faster, so the profile is checked first and orjson writes.

The rule of a reader is `canonical(parse(data)) == data`: `parse_canonical` refuses anything else.
"""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import orjson

from carnet.core.errors import RecordFormatError
from carnet.core.text import Text

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 32
SIZE_MAX = 4 * 1024 * 1024
"""Bytes of one canonical document."""

_INTEGER_TEXT_MAX = len(str(-INTEGER_MAX))

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | bool | None


def _refuse(reason_en: str, reason_zh: str) -> RecordFormatError:
    return RecordFormatError(
        "CRN-C-010",
        Text(
            f"The document is not canonical JSON: {reason_en}.",
            f"文档不是规范 JSON：{reason_zh}。",
        ),
    )


def _check_keys(value: dict[Any, Any]) -> None:
    try:
        if "".join(value).isascii():
            return
    except TypeError:
        pass
    key = next(key for key in value if not isinstance(key, str) or not key.isascii())
    raise _refuse(f"the key {key!r:.80} is not ASCII text", f"键 {key!r:.80} 不是 ASCII 文本")


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _refuse("a string holds a lone surrogate", "字符串含有孤立代理项") from None
    elif value is None or isinstance(value, bool):
        return
    elif not isinstance(value, int):
        name = type(value).__name__
        raise _refuse(f"a {name} has no canonical form here", f"类型 {name} 没有规范形式")
    elif not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise _refuse(f"the integer {value} is beyond 2**53-1", f"整数 {value} 超出 2**53-1")


def _check_items(items: Collection[Any], depth: int) -> None:
    if depth > DEPTH_MAX and items:
        raise _refuse(f"nesting is deeper than {DEPTH_MAX}", f"嵌套超过 {DEPTH_MAX} 层")
    for item in items:
        # Most values are text in ASCII, which is all that the profile asks of it.
        if type(item) is str and item.isascii():
            continue
        if isinstance(item, dict | list):
            check_profile(item, depth)
        else:
            _check_scalar(item)


def check_profile(value: Any, depth: int = 0) -> None:
    """Check that a value lies inside the profile.

    Raises:
        RecordFormatError: It does not; the message names the first fault.
    """
    if isinstance(value, dict):
        _check_keys(value)
        _check_items(value.values(), depth + 1)
    elif isinstance(value, list):
        _check_items(value, depth + 1)
    else:
        _check_scalar(value)


def canonical(value: Any) -> bytes:
    """Return the one spelling of a value.

    Raises:
        RecordFormatError: The value lies outside the profile.

    Source: RFC 8785, section 3.2; docs/adr/0003-record-format.md.
    """
    check_profile(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical_within(value: Any) -> bytes:
    """Return the one spelling of a value that is known to lie inside the profile.

    So does every part of what `parse_strict` returned or `canonical` wrote, and what has the closed
    shape of a record, but for text that is no Unicode.

    Raises:
        RecordFormatError: A string holds a lone surrogate.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        check_profile(value)
        raise


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _refuse("a key stands twice in one object", "同一对象中有重复的键")
    return result


def _no_float(text: str) -> Any:
    raise _refuse(f"{text[:40]} is not an integer", f"{text[:40]} 不是整数")


def _bounded_integer(text: str) -> int:
    if len(text) > _INTEGER_TEXT_MAX:
        raise _refuse(f"the integer {text[:40]} is too large", f"整数 {text[:40]} 过大")
    return int(text)


class Parsed(NamedTuple):
    """A value that was read, and what was found out about it on the way.

    Args:
        value: Inside the profile.
        is_canonical: Whether it was read from its one spelling.
        fits: Whether it fits what was asked for.
    """

    value: Any
    is_canonical: bool
    fits: bool


def _parse_quickly(data: bytes, fits: Callable[[Any], bool] | None) -> Parsed | None:
    """Return the value of a canonical document, None where the long way has to tell.

    What orjson writes again as the same bytes has no key twice and no other spelling.
    """
    try:
        value = orjson.loads(data)
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
            return None
        if fits is not None and fits(value):
            return Parsed(value, is_canonical=True, fits=True)
        check_profile(value)
    except (ValueError, TypeError, RecordFormatError):
        return None
    return Parsed(value, is_canonical=True, fits=False)


def parse_fitting(
    data: bytes, fits: Callable[[Any], bool] | None, *, size_max: int = SIZE_MAX
) -> Parsed:
    """Return the value of JSON text inside the profile, in any spelling, and whether it fits.

    Args:
        data: The text.
        fits: Holds of no JSON value that lies outside the profile, so that a value that fits is not
            looked through a second time.
        size_max: The largest text.

    Raises:
        RecordFormatError: It is too large, not JSON, or outside the profile.
    """
    if len(data) > size_max:
        raise _refuse(
            f"{len(data)} bytes, at most {size_max}", f"{len(data)} 字节，上限 {size_max}"
        )
    found = _parse_quickly(data, fits)
    if found is not None:
        return found
    value = _parse_slowly(data)
    return Parsed(value, canonical_within(value) == data, fits is not None and fits(value))


def parse_strict(data: bytes, *, size_max: int = SIZE_MAX) -> Any:
    """Return the value of JSON text inside the profile, in any spelling.

    Raises:
        RecordFormatError: It is too large, not JSON, or outside the profile.
    """
    return parse_fitting(data, None, size_max=size_max).value


def _parse_slowly(data: bytes) -> Any:
    try:
        # orjson bounds the depth of nesting by itself. The standard library relies on the
        # interpreter's recursion limit, which other packages raise until deep input kills the
        # process instead of raising an error.
        orjson.loads(data)
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_float=_no_float,
            parse_int=_bounded_integer,
            parse_constant=_no_float,
        )
    except (ValueError, RecursionError) as error:
        raise _refuse(f"it cannot be read ({error})", f"无法读取（{error}）") from error
    check_profile(value)
    return value


def parse_canonical(data: bytes, *, size_max: int = SIZE_MAX) -> Any:
    """Return the value of a canonical document.

    Raises:
        RecordFormatError: It is not JSON of the profile, or not in its one spelling.
    """
    found = parse_fitting(data, None, size_max=size_max)
    if not found.is_canonical:
        raise _refuse("it is not in its canonical spelling", "不是规范写法")
    return found.value

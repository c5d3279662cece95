"""Closed shapes of JSON documents: every member named, every value bounded, nothing unknown.

A shape is a function that takes a value and its path and raises VerificationError. What it quotes
from a document is shown escaped and shortened: the text of a stranger must not reach a terminal.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.clock import format_instant, parse_instant
from carnet.core.errors import VerificationError
from carnet.core.text import Text

Shape = Callable[[Any, str], None]
SHOWN_MAX = 60


def shown(value: object) -> str:
    """Return a value for a message: escaped, in ASCII, and short."""
    text = ascii(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def shape_error(path: str, value: object, en: str, zh: str) -> VerificationError:
    """Return the error of a value that does not have its shape."""
    return VerificationError(
        "CRN-V-007",
        Text(
            f"{path or 'The document'} is {shown(value)}, expected {en}.",
            f"{path or '文档'} 的值为 {shown(value)}，应为{zh}。",
        ),
    )


def text(pattern: str, length_max: int, en: str, zh: str) -> Shape:
    """Return the shape of a string that matches a pattern in full."""
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        is_fit = isinstance(value, str) and len(value) <= length_max
        if not is_fit or not compiled.fullmatch(value):
            raise shape_error(path, value, en, zh)

    return check


def where(holds: Callable[[str], bool], en: str, zh: str) -> Shape:
    """Return the shape of a string of which something holds."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not holds(value):
            raise shape_error(path, value, en, zh)

    return check


def integer(least: int = -INTEGER_MAX, most: int = INTEGER_MAX) -> Shape:
    """Return the shape of an integer within bounds."""

    def check(value: Any, path: str) -> None:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not least <= value <= most:
            bounds = f"{least} .. {most}"
            raise shape_error(path, value, f"an integer in {bounds}", f" {bounds} 内的整数")

    return check


def one_of(choices: Collection[str]) -> Shape:
    """Return the shape of one string out of several."""
    listed = " | ".join(sorted(choices))

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or value not in choices:
            raise shape_error(path, value, listed, f" {listed}")

    return check


def exactly(expected: Any) -> Shape:
    """Return the shape of one value alone."""

    def check(value: Any, path: str) -> None:
        if type(value) is not type(expected) or value != expected:
            raise shape_error(path, value, shown(expected), f" {shown(expected)}")

    return check


def nullable(shape: Shape) -> Shape:
    """Return the shape of null or a value of a shape."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            shape(value, path)

    return check


def array(shape: Shape, length_max: int, *, is_set: bool = False) -> Shape:
    """Return the shape of a list; a set is in strictly rising order."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list) or len(value) > length_max:
            most = f"a list of at most {length_max}"
            raise shape_error(path, value, most, f"最多 {length_max} 项的列表")
        for index, item in enumerate(value):
            shape(item, f"{path}[{index}]")
        if is_set and value != sorted(set(value)):
            raise shape_error(path, value, "sorted items without repetition", "已排序且不重复的项")

    return check


def table(key_pattern: str, shape: Shape, length_max: int) -> Shape:
    """Return the shape of an object of any names of a pattern with values of one shape."""
    compiled = re.compile(key_pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict) or len(value) > length_max:
            most = f"an object of at most {length_max} members"
            raise shape_error(path, value, most, f"最多 {length_max} 个成员的对象")
        for key, item in value.items():
            if not compiled.fullmatch(key):
                raise shape_error(
                    path, key, f"names like {key_pattern}", f"形如 {key_pattern} 的名称"
                )
            shape(item, f"{path}.{shown(key)}")

    return check


def members(value: Any, path: str, required: Collection[str], optional: Collection[str]) -> None:
    """Check that a value is an object with all required and no unknown members.

    Raises:
        VerificationError: It is not.
    """
    if not isinstance(value, dict):
        raise shape_error(path, value, "an object", "对象")
    unknown = sorted(value.keys() - set(required) - set(optional))
    if unknown:
        names = ", ".join(sorted({*required, *optional}))
        raise shape_error(path, unknown, f"no member besides {names}", f"仅含成员 {names}")
    missing = sorted(set(required) - value.keys())
    if missing:
        raise shape_error(
            path, sorted(value), f"also {', '.join(missing)}", f"还含 {'、'.join(missing)}"
        )


def obj(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """Return the shape of an object with exactly these members; optional ones may be absent."""
    others = optional or {}

    def check(value: Any, path: str) -> None:
        members(value, path, required.keys(), others.keys())
        for name, item in value.items():
            shape = required.get(name) or others[name]
            shape(item, f"{path}.{name}" if path else name)

    return check


def _is_instant(value: str) -> bool:
    try:
        return format_instant(parse_instant(value)) == value
    except ValueError:
        return False


instant = where(
    _is_instant, "an instant like 2026-11-23T08:00:00Z", "形如 2026-11-23T08:00:00Z 的时刻"
)
digest = text(r"[0-9a-f]{64}", 64, "64 lower-case hex digits", " 64 位小写十六进制数字")
identifier = text(r"[A-Za-z0-9._:/-]{1,64}", 64, "an id", "标识")

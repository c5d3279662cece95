"""Closed shapes of JSON documents: every member named, every value bounded, nothing unknown.

A shape takes a value and its path and raises VerificationError. What it quotes from a document is
shown escaped and shortened: the text of a stranger must not reach a terminal.

Each shape has two programs of one meaning: `accepts` says yes or no and builds no path, which is
all that a good document needs; `check` finds the fault of one that is refused. The first is made of
C functions wherever one will do, since a call in Python takes longer than what most members ask.

Shapes of documents lie inside the canonical profile: ASCII names, bounded integers, no floats, and
no nesting without end. So what has one of these shapes need not be checked against the profile too.

Every shape also describes itself as JSON, so that the verify page reads the very shapes that Python
checks instead of a copy. A description is a list: the name of the combinator, then its arguments.
Patterns are written in the part of the syntax that Python and JavaScript share.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import call
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.clock import format_instant, parse_instant
from carnet.core.errors import VerificationError
from carnet.core.text import Text

Check = Callable[[Any, str], None]
Accepts = Callable[[Any], object]
"""Returns something true where a value has the shape.

Where it has not, TypeError, KeyError and ValueError say the same: a value of another type has no
members, fits no pattern and is in no set.
"""

Description = list[Any]
SHOWN_MAX = 60
DAYS_CACHED = 4096
DAY_LENGTH = len("2026-11-23")
DIGEST_LENGTH = 64
INSTANT_LENGTH = len("2026-11-23T08:00:00Z")


@dataclass(frozen=True, slots=True)
class Shape:
    """A check of a value at a path, and its description.

    Args:
        check: Raises VerificationError where a value does not have the shape.
        description: The combinator and its arguments, as JSON.
        holds: The program behind `accepts`.
    """

    check: Check
    description: Description
    holds: Accepts

    def accepts(self, value: Any) -> bool:
        """Return whether a value has the shape."""
        try:
            return bool(self.holds(value))
        except (TypeError, KeyError, ValueError):
            return False

    def __call__(self, value: Any, path: str) -> None:
        """Check a value; the path names it in the message."""
        if not self.accepts(value):
            self.check(value, path)
            message = f"a shape accepts and refuses {path}"
            raise AssertionError(message)


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


def _simple(holds: Accepts, en: str, zh: str, description: Description) -> Shape:
    """Return the shape of a value that has no parts to name."""

    def check(value: Any, path: str) -> None:
        if not shape.accepts(value):
            raise shape_error(path, value, en, zh)

    shape = Shape(check, description, holds)
    return shape


def _matching(pattern: str, length_max: int) -> Accepts:
    """Return the program of strings that match a pattern in full, and are not too long."""
    # Any character at all, in the way that Python repeats without looking at each.
    quick = pattern.replace(r"[\s\S]", "(?s:.)")
    return re.compile(rf"(?=(?s:.{{0,{length_max}}})\Z)(?:{quick})").fullmatch


def text(pattern: str, length_max: int, en: str, zh: str) -> Shape:
    """Return the shape of a string that matches a pattern in full."""
    description = ["text", pattern, length_max, en, zh]
    return _simple(_matching(pattern, length_max), en, zh, description)


def where(name: str, holds: Callable[[str], bool], en: str, zh: str) -> Shape:
    """Return the shape of a string of which something holds.

    Args:
        name: What the page calls the same test.
        holds: The test.
        en: What is expected.
        zh: The same.
    """

    def accepts(value: Any) -> bool:
        return isinstance(value, str) and holds(value)

    return _simple(accepts, en, zh, ["where", name, en, zh])


def named(name: str, check: Check) -> Shape:
    """Return a shape that has a program of its own, which the page has under the same name."""

    def accepts(value: Any) -> bool:
        try:
            check(value, "")
        except VerificationError:
            return False
        return True

    return Shape(check, ["named", name], accepts)


def integer(least: int = -INTEGER_MAX, most: int = INTEGER_MAX) -> Shape:
    """Return the shape of an integer within bounds."""
    bounds = f"{least} .. {most}"

    def accepts(value: Any) -> bool:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and least <= value <= most

    en, zh = f"an integer in {bounds}", f" {bounds} 内的整数"
    return _simple(accepts, en, zh, ["integer", least, most])


def one_of(choices: Collection[str]) -> Shape:
    """Return the shape of one string out of several."""
    known = frozenset(choices)
    listed = " | ".join(sorted(known))

    return _simple(known.__contains__, listed, f" {listed}", ["choice", sorted(known)])


def exactly(expected: Any) -> Shape:
    """Return the shape of one value alone."""
    kind = type(expected)

    def accepts(value: Any) -> bool:
        return type(value) is kind and bool(value == expected)

    return _simple(accepts, shown(expected), f" {shown(expected)}", ["exactly", expected])


def nullable(shape: Shape) -> Shape:
    """Return the shape of null or a value of a shape."""
    inner = shape.holds

    def check(value: Any, path: str) -> None:
        if value is not None:
            shape.check(value, path)

    def accepts(value: Any) -> object:
        return value is None or inner(value)

    return Shape(check, ["nullable", shape.description], accepts)


def _are_digests(values: list[Any]) -> bool:
    """Return whether all of a list are digests, as `digest` says of one: proofs have many."""
    joined = "".join(values)
    is_each = {DIGEST_LENGTH}.issuperset(map(len, values))
    return is_each and bytes.fromhex(joined).hex() == joined


def array(shape: Shape, length_max: int, *, is_set: bool = False) -> Shape:
    """Return the shape of a list; a set is in strictly rising order."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list) or len(value) > length_max:
            most = f"a list of at most {length_max}"
            raise shape_error(path, value, most, f"最多 {length_max} 项的列表")
        for index, item in enumerate(value):
            shape.check(item, f"{path}[{index}]")
        if is_set and value != sorted(set(value)):
            raise shape_error(path, value, "sorted items without repetition", "已排序且不重复的项")

    inner = shape.holds
    all_hold: Accepts = _are_digests if shape is digest else lambda value: all(map(inner, value))

    def accepts(value: Any) -> object:
        is_fit = isinstance(value, list) and len(value) <= length_max and all_hold(value)
        return is_fit and not (is_set and value != sorted(set(value)))

    return Shape(check, ["array", shape.description, length_max, is_set], accepts)


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
            shape.check(item, f"{path}.{shown(key)}")

    matches, inner = compiled.fullmatch, shape.holds

    def accepts(value: Any) -> bool:
        is_fit = isinstance(value, dict) and len(value) <= length_max
        return is_fit and all(map(matches, value)) and all(map(inner, value.values()))

    return Shape(check, ["table", key_pattern, shape.description, length_max], accepts)


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
    checks = {name: shape.check for name, shape in (*required.items(), *others.items())}

    def check(value: Any, path: str) -> None:
        members(value, path, required.keys(), others.keys())
        for name, item in value.items():
            checks[name](item, f"{path}.{name}" if path else name)

    needed = frozenset(required)
    known = {name: shape.holds for name, shape in (*required.items(), *others.items())}

    def accepts(value: Any) -> bool:
        is_whole = isinstance(value, dict) and needed <= value.keys()
        # A name that is not known raises KeyError.
        return is_whole and all(map(call, map(known.__getitem__, value), value.values()))

    return Shape(check, ["object", describe(required), describe(others)], accepts)


def describe(shapes: Mapping[str, Shape]) -> dict[str, Description]:
    """Return the descriptions of some members."""
    return {name: shape.description for name, shape in shapes.items()}


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise shape_error(path, value, "true or false", " true 或 false")


@lru_cache(maxsize=DAYS_CACHED)
def _written_again(value: str) -> str:
    """Return a day or an instant as it is spelled; raises ValueError."""
    if len(value) == DAY_LENGTH:
        return date.fromisoformat(value).isoformat()
    return format_instant(parse_instant(value))


def _is_instant(value: str) -> bool:
    try:
        return len(value) == INSTANT_LENGTH and _written_again(value) == value
    except ValueError:
        return False


def _is_day(value: str) -> bool:
    try:
        return len(value) == DAY_LENGTH and _written_again(value) == value
    except ValueError:
        return False


boolean = named("boolean", _boolean)
instant = where(
    "instant",
    _is_instant,
    "an instant like 2026-11-23T08:00:00Z",
    "形如 2026-11-23T08:00:00Z 的时刻",
)
day = where("day", _is_day, "a date like 2026-11-23", "形如 2026-11-23 的日期")
digest = text(
    rf"[0-9a-f]{{{DIGEST_LENGTH}}}",
    DIGEST_LENGTH,
    "64 lower-case hex digits",
    " 64 位小写十六进制数字",
)
identifier = text(r"[A-Za-z0-9._:/-]{1,64}", 64, "an id", "标识")
name = text(r"[A-Za-z0-9._:/-]{1,200}", 200, "a name", "名称")
multibase = text(r"z[1-9A-HJ-NP-Za-km-z]{1,127}", 128, "base58 multibase", " base58 多重编码")
currency = text(r"[A-Z]{3}", 3, "a currency like USD", "形如 USD 的币种")

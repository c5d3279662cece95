"""Closed shapes of JSON documents: every member named, every value bounded, nothing unknown.

A shape takes a value and its path and raises VerificationError. What it quotes from a document is
shown escaped and shortened: the text of a stranger must not reach a terminal.

Each shape has two programs of one meaning: `accepts` says yes or no and builds no path, which is
all that a good document needs; `check` finds the fault of one that is refused. The first is written
from the description when it is first asked for (`carnet.ledger.program`).

Shapes of documents lie inside the canonical profile: ASCII names, bounded integers, no floats, and
no nesting without end. So what has one of these shapes need not be checked against the profile too.

Every shape also describes itself as JSON, so that the verify page reads the very shapes that Python
checks instead of a copy. A description is a list: the name of the combinator, then its arguments.
Patterns are written in the part of the syntax that Python and JavaScript share.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.core.clock import format_instant, parse_instant
from carnet.core.errors import VerificationError
from carnet.core.kept import Kept
from carnet.core.text import Text
from carnet.ledger.program import (
    DIGEST_LENGTH,
    DIGEST_PATTERN,
    Accepts,
    Description,
    compiled,
)

Check = Callable[[Any, str], None]
Tests = Mapping[str, Accepts]
SHOWN_MAX = 60
DAYS_CACHED = 4096
DAY_LENGTH = len("2026-11-23")
INSTANT_LENGTH = len("2026-11-23T08:00:00Z")


@dataclass(frozen=True)
class Shape:
    """A check of a value at a path, and its description. Without slots, to keep the program.

    Args:
        check: Raises VerificationError where a value does not have the shape.
        description: The combinator and its arguments, as JSON.
        tests: The tests that the description names.
    """

    check: Check
    description: Description
    tests: Tests = field(default_factory=dict)

    @Kept
    def accepts(self) -> Accepts:
        """The program that returns whether a value has the shape."""
        return compiled(self.description, self.tests)

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


def _tests_of(shapes: Iterable[Shape]) -> Tests:
    """Return the tests that some shapes name."""
    found: dict[str, Accepts] = {}
    for shape in shapes:
        for name, test in shape.tests.items():
            assert found.setdefault(name, test) is test, f"one test is called {name}"
    return found


def _simple(
    holds: Accepts, en: str, zh: str, description: Description, tests: Tests | None = None
) -> Shape:
    """Return the shape of a value that has no parts to name."""

    def check(value: Any, path: str) -> None:
        if not holds(value):
            raise shape_error(path, value, en, zh)

    return Shape(check, description, tests or {})


def text(pattern: str, length_max: int, en: str, zh: str) -> Shape:
    """Return the shape of a string that matches a pattern in full.

    Args:
        pattern: In the part of the syntax that Python and JavaScript share.
        length_max: In characters.
        en: What is expected.
        zh: The same.
    """
    matches = re.compile(pattern).fullmatch

    def holds(value: Any) -> bool:
        is_fit = isinstance(value, str) and len(value) <= length_max
        return is_fit and matches(value) is not None

    return _simple(holds, en, zh, ["text", pattern, length_max, en, zh])


def where(name: str, test: Callable[[str], bool], en: str, zh: str) -> Shape:
    """Return the shape of a string of which something holds.

    Args:
        name: What the page calls the same test.
        test: The test.
        en: What is expected.
        zh: The same.
    """

    def holds(value: Any) -> bool:
        return isinstance(value, str) and test(value)

    return _simple(holds, en, zh, ["where", name, en, zh], {name: test})


def named(name: str, check: Check) -> Shape:
    """Return a shape that has a program of its own, which the page has under the same name."""

    def accepts(value: Any) -> bool:
        try:
            check(value, "")
        except VerificationError:
            return False
        return True

    return Shape(check, ["named", name], {name: accepts})


def integer(least: int = -INTEGER_MAX, most: int = INTEGER_MAX) -> Shape:
    """Return the shape of an integer within bounds."""
    bounds = f"{least} .. {most}"

    def holds(value: Any) -> bool:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and least <= value <= most

    en, zh = f"an integer in {bounds}", f" {bounds} 内的整数"
    return _simple(holds, en, zh, ["integer", least, most])


def one_of(choices: Collection[str]) -> Shape:
    """Return the shape of one string out of several."""
    known = frozenset(choices)
    listed = " | ".join(sorted(known))

    def holds(value: Any) -> bool:
        return isinstance(value, str) and value in known

    return _simple(holds, listed, f" {listed}", ["choice", sorted(known)])


def exactly(expected: Any) -> Shape:
    """Return the shape of one value alone."""
    kind = type(expected)

    def holds(value: Any) -> bool:
        return type(value) is kind and bool(value == expected)

    return _simple(holds, shown(expected), f" {shown(expected)}", ["exactly", expected])


def nullable(shape: Shape) -> Shape:
    """Return the shape of null or a value of a shape."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            shape.check(value, path)

    return Shape(check, ["nullable", shape.description], shape.tests)


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

    return Shape(check, ["array", shape.description, length_max, is_set], shape.tests)


def table(key_pattern: str, shape: Shape, length_max: int) -> Shape:
    """Return the shape of an object of any names of a pattern with values of one shape."""
    matches = re.compile(key_pattern).fullmatch

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict) or len(value) > length_max:
            most = f"an object of at most {length_max} members"
            raise shape_error(path, value, most, f"最多 {length_max} 个成员的对象")
        for key, item in value.items():
            if not matches(key):
                raise shape_error(
                    path, key, f"names like {key_pattern}", f"形如 {key_pattern} 的名称"
                )
            shape.check(item, f"{path}.{shown(key)}")

    return Shape(check, ["table", key_pattern, shape.description, length_max], shape.tests)


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

    tests = _tests_of((*required.values(), *others.values()))
    return Shape(check, ["object", describe(required), describe(others)], tests)


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
    DIGEST_PATTERN,
    DIGEST_LENGTH,
    "64 lower-case hex digits",
    " 64 位小写十六进制数字",
)
identifier = text(r"[A-Za-z0-9._:/-]{1,64}", 64, "an id", "标识")
name = text(r"[A-Za-z0-9._:/-]{1,200}", 200, "a name", "名称")
multibase = text(r"z[1-9A-HJ-NP-Za-km-z]{1,127}", 128, "base58 multibase", " base58 多重编码")
currency = text(r"[A-Z]{3}", 3, "a currency like USD", "形如 USD 的币种")

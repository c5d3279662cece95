"""JSON of a credential: bounded in size and depth, no key twice, every fault with its path.

Numbers with a fraction stay as they are written: a credential may hold them, and nothing here reads
one.

Source: RFC 8259; RFC 7493, section 2.3.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from carnet.core.text import Text
from carnet.facts.intake.untp.faults import ROOT, at, member
from carnet.facts.issue import outlined, shown

DEPTH_MAX: Final = 32
"""Levels of nesting; the published credentials of version 0.6 have ten."""

_DIGITS_MAX: Final = 40
_JSON: Final = Text("JSON", "JSON 格式")


@dataclass(frozen=True, slots=True)
class _Repeated:
    """An object in which a key stands twice."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> Any:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    counts = Counter(key for key, _ in pairs)
    return _Repeated(next(key for key, count in counts.items() if count > 1))


def _number(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS_MAX else Decimal(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_int=_number, parse_constant=Decimal
)


def read_object(data: bytes, path: str = ROOT) -> dict[str, Any]:
    """Return the JSON object of some bytes.

    Args:
        data: UTF-8 text.
        path: How messages name the whole of it.

    Raises:
        CredentialRefusedError: It is not JSON, no object, nested too deeply or has a key twice.
    """
    try:
        # orjson bounds the depth by itself; the decoder has only the interpreter's recursion limit.
        orjson.loads(data)
        value = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise at(path, Text(str(error), f"无法解析的内容（{error}）"), _JSON) from None
    _check(value, path)
    if not isinstance(value, dict):
        raise at(path, outlined(value), Text("a JSON object", "一个 JSON 对象"))
    return value


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _check(value: Any, path: str) -> None:
    """Check that no object has a key twice and nothing is nested too deeply."""
    waiting = [(value, path, 0)]
    while waiting:
        found, place, depth = waiting.pop()
        if isinstance(found, _Repeated):
            raise at(
                place,
                Text(f"the key {shown(found.key)} twice", f"键 {shown(found.key)} 出现两次"),
                Text("each key once", "每个键只出现一次"),
            )
        if depth > DEPTH_MAX:
            raise at(
                place,
                Text("nested too deeply", "嵌套过深"),
                Text(f"at most {DEPTH_MAX} levels", f"嵌套不超过 {DEPTH_MAX} 层"),
            )
        waiting += [(each, member(place, key), depth + 1) for key, each in _items(found)]

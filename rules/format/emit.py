"""YAML written so that the strict reader reads the same values back.

Source: docs/spec/pack-format.md, PF-3.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

_INDENT: Final = 2
_LINE_MAX: Final = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_READ_OTHERWISE = re.compile(r"true|false|null|yes|no|on|off|y|n", re.IGNORECASE)
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
_WORKBOOK_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""Readers of workbooks take `_x000D_` for an escape of theirs, so that it is never written."""

_BYTE, _PLANE = 0x100, 0x10000


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if character.isprintable():
        return character
    if code < _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _PLANE else f"\\U{code:08x}"


def quote(text: str) -> str:
    """Return a text in quotes, on one line: single quotes where nothing must be escaped.

    >>> print(quote('c.kind == "eu_doc"'))
    'c.kind == "eu_doc"'
    """
    if '"' in text and "'" not in text and text.isprintable() and not has_escape(text):
        return f"'{text}'"
    escaped = "".join(map(_escape, text))
    hidden = _WORKBOOK_ESCAPE.sub(lambda _: "\\x5f", escaped)
    return f'"{hidden}"'


def has_escape(text: str) -> bool:
    """Return whether a reader of workbooks would take a part of a text for an escape."""
    return _WORKBOOK_ESCAPE.search(text) is not None


def emit_scalar(value: Any) -> str:
    """Return a text, integer, boolean or date as YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, str), f"a pack holds no {type(value).__name__}"
    is_plain = _PLAIN.fullmatch(value) and not _READ_OTHERWISE.fullmatch(value)
    if is_plain and not has_escape(value):
        return value
    return quote(value)


def emit_flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        pairs = (f"{emit_scalar(key)}: {emit_flow(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(emit_flow, value)) + "]"
    return emit_scalar(value)


def _is_small(value: Any) -> bool:
    """Return whether a value is read best on one line: a scalar, or one level of scalars."""
    if isinstance(value, Mapping):
        return all(not isinstance(item, Mapping | list) for item in value.values())
    return not isinstance(value, list) or not value


def _lines(value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _mapping(value, indent)
    else:
        yield from _sequence(value, indent)


def _mapping(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, item in value.items():
        start = f"{' ' * indent}{emit_scalar(key)}:"
        line = f"{start} {emit_flow(item)}" if _is_small(item) else ""
        if line and (len(line) <= _LINE_MAX or not isinstance(item, Mapping)):
            yield line
        else:
            yield start
            yield from _lines(item, indent + _INDENT)


def _sequence(value: Sequence[Any], indent: int) -> Iterator[str]:
    for item in value:
        start = f"{' ' * indent}- "
        if _is_small(item):
            yield start + emit_flow(item)
        else:
            first, *rest = _lines(item, indent + _INDENT)
            yield start + first.lstrip(" ")
            yield from rest


def emit_yaml(value: Any) -> str:
    """Return a document of mappings, lists and scalars as YAML in lines.

    Args:
        value: What `parse_yaml` may return; not deeper than it accepts.
    """
    if not isinstance(value, Mapping | list) or not value:
        return emit_flow(value) + "\n"
    return "\n".join(_lines(value, 0)) + "\n"

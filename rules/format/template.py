"""Texts of findings with placeholders.

Source: docs/spec/pack-format.md, PF-13.
"""

import re
from datetime import date

from carnet.core.text import Text
from carnet.rules.ast import (
    AsOf,
    Call,
    Constant,
    FieldRef,
    Lookup,
    MeasureRef,
    ParameterRef,
    Template,
    Value,
)
from carnet.rules.format.expression import parse_path
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import Names

_OPERATORS = frozenset({"+", "-", "*"})
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _template_parts(text: str, names: Names) -> tuple[str | Value, ...]:
    parts: list[str | Value] = []
    for index, part in enumerate(_PLACEHOLDER.split(text)):
        if index % 2 == 0:
            if "{" in part or "}" in part:
                raise ExpressionError(Text("A brace has no partner.", "花括号不配对。"))
            if part:
                parts.append(part)
            continue
        parts.append(parse_path(part, names))
    return tuple(parts)


def parse_template(text: Text, names: Names) -> Template:
    """Return a text with its placeholders resolved.

    Raises:
        ExpressionError: A placeholder names nothing.
    """
    return Template(_template_parts(text.en, names), _template_parts(text.zh, names))


def text_of(value: Value) -> str:
    """Return the spelling of a value in the pack, for the keys of `values`."""
    if isinstance(value, Lookup):
        arguments = "".join(f", {text_of(one)}" for one in value.arguments)
        return f"lookup({value.table}.{value.column}{arguments})"
    if isinstance(value, Constant):
        return _constant(value)
    if isinstance(value, Call):
        return _call(value)
    if isinstance(value, FieldRef):
        return value.text
    if isinstance(value, ParameterRef):
        return f"param.{value.id}"
    if isinstance(value, MeasureRef):
        return f"measure.{value.name}"
    assert isinstance(value, AsOf)
    return "as_of"


def _constant(constant: Constant) -> str:
    value = constant.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return f'date("{value.isoformat()}")'
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _call(call: Call) -> str:
    if call.function in _OPERATORS:
        left, right = call.arguments
        return f"({text_of(left)} {call.function} {text_of(right)})"
    return f"{call.function}({', '.join(text_of(one) for one in call.arguments)})"

"""Texts of findings with placeholders.

Source: docs/spec/pack-format.md, PF-13.
"""

import re

from carnet.core.text import Text
from carnet.rules.ast import AsOf, FieldRef, MeasureRef, ParameterRef, Template, Value
from carnet.rules.format.expression import parse_path
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import Names

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
    """Return the spelling of a value that a placeholder may name, for the keys of `values`."""
    if isinstance(value, FieldRef):
        return value.text
    if isinstance(value, ParameterRef):
        return f"param.{value.id}"
    if isinstance(value, MeasureRef):
        return f"measure.{value.name}"
    assert isinstance(value, AsOf)
    return "as_of"

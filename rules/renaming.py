"""Lines of a rule under other aliases.

Source: docs/adr/0006-durable-rules-safe-profile.md; docs/spec/pack-format.md, PF-53.
"""

from collections.abc import Mapping
from dataclasses import replace

from carnet.rules.ast import (
    Call,
    Comparison,
    Condition,
    FieldRef,
    Line,
    Lookup,
    Membership,
    Presence,
    Value,
)


def rename_value(value: Value, names: Mapping[str, str]) -> Value:
    """Return a value with its aliases renamed."""
    if isinstance(value, FieldRef):
        return replace(value, alias=names.get(value.alias, value.alias))
    if isinstance(value, Call | Lookup):
        return replace(value, arguments=tuple(rename_value(one, names) for one in value.arguments))
    return value


def rename_condition(condition: Condition, names: Mapping[str, str]) -> Condition:
    """Return a condition with its aliases renamed."""
    if isinstance(condition, Comparison):
        left, right = rename_value(condition.left, names), rename_value(condition.right, names)
        return Comparison(condition.operator, left, right)
    if isinstance(condition, Presence):
        renamed = rename_value(condition.field, names)
        assert isinstance(renamed, FieldRef), "a field stays a field"
        return replace(condition, field=renamed)
    value = rename_value(condition.value, names)
    if isinstance(condition, Membership) and isinstance(condition.items, Lookup):
        items = rename_value(condition.items, names)
        assert isinstance(items, Lookup), "a lookup stays a lookup"
        return replace(condition, value=value, items=items)
    return replace(condition, value=value)


def rename_line(line: Line, names: Mapping[str, str]) -> Line:
    """Return a line with its aliases renamed."""
    return replace(
        line,
        conditions=tuple(rename_condition(one, names) for one in line.conditions),
        aliases=frozenset(names.get(alias, alias) for alias in line.aliases),
    )

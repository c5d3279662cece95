"""What a line may name of tables and of facts that the pack computes.

Source: docs/spec/pack-format.md, PF-44 and PF-45.
"""

from collections.abc import Callable
from typing import Any

from lark import Token, Tree

from carnet.core.text import Text
from carnet.rules.ast import Constant, FieldRef, Lookup, Value, ValueKind
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import Names, suggest


def check_choice(one: Value, other: Value) -> None:
    """Refuse a comparison of a value of a closed list with what it never is.

    Raises:
        ExpressionError: The constant is not in the list.
    """
    if not isinstance(one, FieldRef | Lookup) or not isinstance(other, Constant):
        return
    if one.choices and other.value not in one.choices:
        shown = one.text if isinstance(one, FieldRef) else f"{one.table}.{one.column}"
        raise ExpressionError(
            Text(
                f"{shown} is never {other.value!r}.",
                f"{shown} 不会取值 {other.value!r}。",
            ),
            suggest(str(other.value), one.choices),
        )


def computed_field(alias: str, owner: str, parts: list[str], names: Names) -> FieldRef:
    """Return a field of computed facts.

    Raises:
        ExpressionError: They have no such field; they have no references either.
    """
    fields = names.computed[owner]
    name = ".".join(parts)
    if name == "id":
        return FieldRef(alias, (), owner, name, "string", is_certain=True)
    if name not in fields:
        raise ExpressionError(
            Text(f"{alias}.{name} is not known here.", f"此处没有 {alias}.{name}。"),
            suggest(name, ["id", *fields]),
        )
    found = fields[name]
    return FieldRef(
        alias,
        (),
        owner,
        name,
        found.kind,
        is_certain=found.is_certain,
        choices=found.choices,
    )


def lookup_of(
    children: list[Any], typed: Callable[[Tree[Token]], Value], names: Names
) -> tuple[Lookup, ValueKind]:
    """Return a lookup and the kind of its column.

    Raises:
        ExpressionError: There is no such table or column, or its inputs are of other kinds.
    """
    first = children[0] if children else None
    is_path = isinstance(first, Tree) and first.data == "path"
    parts = [str(part) for part in first.children] if isinstance(first, Tree) and is_path else []
    table = names.tables.get(parts[0]) if len(parts) == 2 else None  # noqa: PLR2004 (table.column)
    if table is None:
        raise ExpressionError(
            Text(
                "lookup(...) begins with table.column of a table of the pack.",
                "lookup(...) 须以规则包中的“表.列”开头。",
            ),
            suggest(parts[0] if parts else "", names.tables),
        )
    if parts[1] not in table.columns:
        raise ExpressionError(
            Text(
                f"A lookup in {parts[0]} cannot give {parts[1]}.",
                f"在 {parts[0]} 中查找不能得到 {parts[1]}。",
            ),
            suggest(parts[1], table.columns),
        )
    given: tuple[Value | None, ...] = tuple(typed(child) for child in children[1:])
    arguments = tuple(one for one in given or table.own_values() if one is not None)
    if tuple(one.kind for one in arguments) != tuple(kind for _, kind in table.inputs):
        listed = ", ".join(f"{name}: {kind}" for name, kind in table.inputs)
        raise ExpressionError(
            Text(
                f"A lookup in {parts[0]} takes ({listed}).",
                f"在 {parts[0]} 中查找的参数为（{listed}）。",
            ),
            Text(
                "Arguments may be left out only where every input of the table has a value.",
                "只有当表的每个输入列都写有 value 时才可省略参数。",
            ),
        )
    column = table.columns[parts[1]]
    kind: ValueKind = "strings" if table.gives_list else column.kind
    result = Lookup(parts[0], parts[1], arguments, kind, column.position, column.choices)
    return result, column.kind

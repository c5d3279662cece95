"""The language of conditions: a subset of CEL, parsed by an LALR grammar and typed on the spot.

Nothing of what is refused here can reach an engine: unknown names, comparisons of two types,
order on strings, values outside a closed list, arithmetic over two matched facts.

Source: docs/spec/pack-format.md, PF-8, PF-13, PF-15.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, cast

from lark import Token, Tree

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import (
    AsOf,
    Call,
    Comparison,
    Condition,
    Constant,
    FieldRef,
    Line,
    MeasureRef,
    Membership,
    Operator,
    ParameterRef,
    Presence,
    Truth,
    Value,
    ValueKind,
    fields_of,
    values_of,
)
from carnet.rules.format.computed import check_choice, computed_field, lookup_of
from carnet.rules.format.grammar import ExpressionError, parse_tree
from carnet.rules.format.names import Names, suggest

ITEMS_MAX = 64
REFERENCES_MAX = 3
ARGUMENTS_MAX = 8

_ORDERED: frozenset[ValueKind] = frozenset({"integer", "date", "instant"})
_COMMON: dict[str, tuple[tuple[ValueKind, ...], ValueKind]] = {
    "date_of": (("instant",), "date"),
    "days_between": (("date", "date"), "integer"),
    "add_days": (("date", "integer"), "date"),
    "add_months": (("date", "integer"), "date"),
    "add_years": (("date", "integer"), "date"),
}
_DIVISIONS: dict[str, tuple[tuple[ValueKind, ...], ValueKind]] = dict.fromkeys(
    ("div_down", "div_up", "ratio_bps_down", "ratio_bps_up", "wilson_lower_bps"),
    (("integer", "integer"), "integer"),
)
RESERVED = frozenset({"as_of", "param", "measure", "has", "in", "date", "true", "false", "lookup"})


def _kind_name(kind: ValueKind) -> Text:
    return {
        "string": Text("text", "文本"),
        "integer": Text("an integer", "整数"),
        "boolean": Text("a boolean", "布尔值"),
        "date": Text("a date", "日期"),
        "instant": Text("an instant", "时刻"),
        "strings": Text("a list of texts", "文本列表"),
    }[kind]


class _Typer:
    """Turns the tree of one line into typed nodes."""

    def __init__(self, names: Names) -> None:
        self.names = names

    # -- conditions --

    def condition(self, tree: Tree[Token]) -> Condition:
        build: dict[str, Callable[[list[Any]], Condition]] = {
            "comparison": self._comparison,
            "member": lambda children: self._membership(children, is_negated=False),
            "not_member": lambda children: self._membership(children, is_negated=True),
            "truth": lambda children: self._truth(children[0], is_negated=False),
            "not_truth": lambda children: self._truth(children[0], is_negated=True),
        }
        result = build[tree.data](tree.children)
        self._check_one_alias(result)
        return result

    def _comparison(self, children: list[Any]) -> Condition:
        left, operator, right = self.value(children[0]), str(children[1]), self.value(children[2])
        if left.kind != right.kind or left.kind == "strings":
            one, other = _kind_name(left.kind), _kind_name(right.kind)
            raise ExpressionError(
                Text(
                    f"{operator!r} compares {one.en} with {other.en}.",
                    f"{operator!r} 两侧类型不同：{one.zh}与{other.zh}。",
                ),
                Text('A date is written date("2026-12-11").', '日期写作 date("2026-12-11")。'),
            )
        if operator not in {"==", "!="} and left.kind not in _ORDERED:
            name = _kind_name(left.kind)
            raise ExpressionError(
                Text(
                    f"{operator!r} needs integers or dates, not {name.en}.",
                    f"{operator!r} 只能用于整数或日期，不能用于{name.zh}。",
                )
            )
        check_choice(left, right)
        check_choice(right, left)
        return Comparison(cast("Operator", operator), left, right)

    def _membership(self, children: list[Any], *, is_negated: bool) -> Condition:
        value, tree = self.value(children[0]), children[1]
        if tree.data == "list":
            return Membership(value, self._items(value, tree), is_negated)
        if tree.data == "call":
            return self._in_lookup(value, tree, is_negated=is_negated)
        items = self._path([str(part) for part in tree.children[0].children])
        if not isinstance(items, ParameterRef) or items.kind != "strings" or value.kind != "string":
            raise ExpressionError(
                Text(
                    "'in' needs text on the left and a list or a parameter of kind strings on the"
                    " right.",
                    "“in” 左侧须为文本，右侧须为列表或 strings 类参数。",
                )
            )
        return Membership(value, items, is_negated)

    def _in_lookup(self, value: Value, tree: Tree[Token], *, is_negated: bool) -> Condition:
        if str(tree.children[0]) != "lookup":
            raise ExpressionError(
                Text(
                    "'in' takes a list, a parameter or a lookup.", "in 右侧为列表、参数或 lookup。"
                )
            )
        items, kind = lookup_of(tree.children[1:], self.value, self.names)
        read = {one.alias for part in (value, items) for one in fields_of(part)}
        if items.kind != "strings" or value.kind != kind or len(read & self.names.matched) > 1:
            raise ExpressionError(
                Text(
                    "'in lookup(...)' needs a table whose hit policy gives a list, a value of the"
                    " column's type on the left, and one matched fact at most.",
                    "“in lookup(...)” 要求命中策略给出列表、左侧与该列同类型，"
                    "且最多读取一个匹配事实。",
                )
            )
        if isinstance(value, Constant):
            check_choice(items, value)
        return Membership(value, items, is_negated)

    def _lookup(self, children: list[Any]) -> Value:
        result, _ = lookup_of(children, self.value, self.names)
        if result.kind == "strings":
            raise ExpressionError(
                Text(
                    f"A lookup in {result.table} gives a list, which stands right of 'in' only.",
                    f"在 {result.table} 中查找得到列表，只能用于“in”右侧。",
                )
            )
        return result

    def _items(self, value: Value, tree: Tree[Token]) -> tuple[Any, ...]:
        items = [self.value(cast("Tree[Token]", child)) for child in tree.children]
        if not 1 <= len(items) <= ITEMS_MAX:
            raise ExpressionError(
                Text(
                    f"A list has 1 to {ITEMS_MAX} items, not {len(items)}.",
                    f"列表须有 1 至 {ITEMS_MAX} 项，而非 {len(items)} 项。",
                )
            )
        for item in items:
            if not isinstance(item, Constant) or item.kind != value.kind or value.kind == "boolean":
                raise ExpressionError(
                    Text(
                        "The items of a list are constants of the type on its left.",
                        "列表各项须为与左侧同类型的常量。",
                    )
                )
            check_choice(value, item)
        return tuple(item.value for item in items if isinstance(item, Constant))

    def _truth(self, tree: Tree[Token], *, is_negated: bool) -> Condition:
        while tree.data == "group":
            tree = cast("Tree[Token]", tree.children[0])
        if tree.data == "call" and str(tree.children[0]) == "has":
            return Presence(self._has_argument(tree), is_negated)
        value = self.value(tree)
        if value.kind != "boolean":
            name = _kind_name(value.kind)
            raise ExpressionError(
                Text(
                    f"A line must be a comparison or a boolean, not {name.en}.",
                    f"每行须为比较或布尔值，不能是{name.zh}。",
                )
            )
        return Truth(value, is_negated)

    def _has_argument(self, tree: Tree[Token]) -> FieldRef:
        arguments = [self.value(cast("Tree[Token]", child)) for child in tree.children[1:]]
        if len(arguments) != 1 or not isinstance(arguments[0], FieldRef):
            raise ExpressionError(Text("has(...) takes one field.", "has(...) 须带一个字段。"))
        return arguments[0]

    def _check_one_alias(self, condition: Condition) -> None:
        for value in values_of(condition):
            read = {field.alias for field in fields_of(value)} & self.names.matched
            if len(read) > 1:
                listed = sorted(read)
                raise ExpressionError(
                    Text(
                        f"One side of a comparison reads two matched facts: {', '.join(listed)}.",
                        f"比较的一侧读取了两个匹配事实：{'、'.join(listed)}。",
                    ),
                    Text(
                        "Move one to the other side, or compute it as a derived field.",
                        "请移到比较的另一侧，或定义为派生字段。",
                    ),
                )

    # -- values --

    def value(self, tree: Tree[Token]) -> Value:
        children: list[Any] = tree.children
        if tree.data == "path":
            return self._path([str(part) for part in children])
        if tree.data == "call":
            return self._call(str(children[0]), children[1:])
        if tree.data == "group":
            return self.value(children[0])
        if tree.data == "negative":
            return self._negative(str(children[0]), self.value(children[1]))
        if tree.data in {"sum", "product"}:
            return self._arithmetic(children)
        return self._literal(str(tree.data), children)

    def _literal(self, data: str, children: list[Any]) -> Constant:
        if data in {"true", "false"}:
            return Constant(data == "true", "boolean")
        text = str(children[0])
        if data == "string":
            return Constant(text[1:-1].replace('\\"', '"').replace("\\\\", "\\"), "string")
        if len(text) > len(str(INTEGER_MAX)) or int(text) > INTEGER_MAX:
            raise ExpressionError(
                Text(
                    f"The integer {text[:40]} is beyond 2^53 - 1.",
                    f"整数 {text[:40]} 超出 2^53-1。",
                )
            )
        return Constant(int(text), "integer")

    def _integer(self, value: Value, operator: str) -> Value:
        if value.kind != "integer":
            name = _kind_name(value.kind)
            raise ExpressionError(
                Text(
                    f"{operator!r} needs integers, not {name.en}.",
                    f"{operator!r} 只用于整数，不能用于{name.zh}。",
                ),
                Text(
                    "For dates: add_days, add_months, add_years, days_between.",
                    "日期请用 add_days、add_months、add_years、days_between。",
                ),
            )
        return value

    def _negative(self, sign: str, value: Value) -> Value:
        self._integer(value, sign)
        if sign == "+":
            return value
        if isinstance(value, Constant):
            return Constant(-cast("int", value.value), "integer")
        return Call("-", (Constant(0, "integer"), value), "integer")

    def _arithmetic(self, children: list[Any]) -> Value:
        result = self._integer(self.value(children[0]), str(children[1]))
        for operator, operand in zip(children[1::2], children[2::2], strict=True):
            right = self._integer(self.value(operand), str(operator))
            result = Call(str(operator), (result, right), "integer")
        return result

    def _call(self, name: str, children: list[Any]) -> Value:
        if name == "date":
            return self._date(children)
        if name == "lookup":
            return self._lookup(children)
        known = _COMMON | (_DIVISIONS if self.names.divisions else {})
        if name not in known:
            hint = (
                Text(
                    "Divide in a measure or a derived field.", "除法请放在 measures 或 derived 中。"
                )
                if name in _DIVISIONS
                else suggest(name, known)
            )
            raise ExpressionError(
                Text(f"There is no function {name} here.", f"此处没有函数 {name}。"), hint
            )
        kinds, result = known[name]
        arguments = tuple(self.value(child) for child in children)
        if tuple(argument.kind for argument in arguments) != kinds:
            raise ExpressionError(
                Text(
                    f"{name} takes ({', '.join(kinds)}).",
                    f"{name} 的参数为（{'、'.join(kinds)}）。",
                )
            )
        return Call(name, arguments, result)

    def _date(self, children: list[Any]) -> Constant:
        try:
            (tree,) = children
            assert tree.data == "string"
            return Constant(date.fromisoformat(str(tree.children[0])[1:-1]), "date")
        except (ValueError, AssertionError):
            raise ExpressionError(
                Text(
                    'date(...) takes one date such as date("2026-12-11").',
                    'date(...) 须写作 date("2026-12-11")。',
                )
            ) from None

    # -- names --

    def _path(self, parts: list[str]) -> Value:
        head = parts[0]
        if parts == ["as_of"]:
            return AsOf()
        name = ".".join(parts[1:])
        if head == "param":
            if name not in self.names.parameters:
                raise self._unknown(f"param.{name}", name, self.names.parameters)
            return ParameterRef(name, self.names.parameters[name])
        if head == "measure":
            if name not in self.names.measures:
                raise self._unknown(f"measure.{name}", name, self.names.measures)
            return MeasureRef(name)
        if head not in self.names.aliases:
            raise self._unknown(".".join(parts), head, self.names.aliases)
        if len(parts) == 1:
            raise ExpressionError(
                Text(f"{head} is a fact: name one of its fields.", f"{head} 是事实：请写出其字段。")
            )
        return self._field(head, parts[1:-1], parts[-1])

    def _unknown(self, text: str, name: str, known: Iterable[str]) -> ExpressionError:
        return ExpressionError(
            Text(f"{text} is not known here.", f"此处没有 {text}。"), suggest(name, known)
        )

    def _field(self, alias: str, steps: list[str], name: str) -> FieldRef:
        owner = self.names.aliases[alias]
        if owner in self.names.computed:
            return computed_field(alias, owner, [*steps, name], self.names)
        references: list[tuple[str, str]] = []
        for step in steps:
            target = self._reference(owner, step)
            references.append((f"{step}_id", target))
            owner = target
        if len(references) > REFERENCES_MAX:
            raise ExpressionError(
                Text(
                    f"More than {REFERENCES_MAX} references in a row.",
                    f"连续引用超过 {REFERENCES_MAX} 层。",
                )
            )
        return self._field_of(alias, tuple(references), owner, name)

    def _reference(self, owner: str, step: str) -> str:
        column = RULE_TYPES[owner].fields.get(f"{step}_id")
        if column is None or len(column.refers_to) != 1:
            single = [c.name.removesuffix("_id") for c in RULE_TYPES[owner].references]
            raise self._unknown(f"{owner}.{step}", step, single)
        (target,) = column.refers_to
        if target not in self.names.types:
            raise ExpressionError(
                Text(
                    f"{owner}.{step} leads to {target}, which has no path to the case.",
                    f"{owner}.{step} 指向 {target}，但该类型没有到达案件的路径。",
                ),
                Text("Add its path to pack.yaml.", "请在 pack.yaml 中添加其路径。"),
            )
        return target

    def _field_of(
        self, alias: str, references: tuple[tuple[str, str], ...], owner: str, name: str
    ) -> FieldRef:
        if (owner, name) in self.names.derived:
            kind = self.names.derived[owner, name]
            return FieldRef(alias, references, owner, name, kind, is_derived=True)
        base = name.removesuffix("_reason")
        if base != name and (owner, base) in self.names.reasons:
            return FieldRef(
                alias, references, owner, name, "string", is_derived=True, is_reason=True
            )
        fact_type = RULE_TYPES[owner]
        if name not in fact_type.columns:
            derived = [field for known, field in self.names.derived if known == owner]
            raise self._unknown(f"{owner}.{name}", name, [*fact_type.columns, *derived])
        column = fact_type.column(name)
        is_certain = column.is_required and not references
        return FieldRef(
            alias,
            references,
            owner,
            name,
            column.kind,
            is_certain=is_certain,
            choices=column.choices,
        )


def _refuse_reasons(value: Value) -> Value:
    for field in fields_of(value):
        if field.is_reason:
            raise ExpressionError(
                Text(
                    f"{field.text} is a text for messages, not for conditions.",
                    f"{field.text} 仅用于文字说明，不能用于条件。",
                )
            )
    return value


def parse_line(text: str, names: Names, number: int = 0) -> Line:
    """Return a typed line.

    Raises:
        ExpressionError: It is not understood, or compares what cannot be compared.
    """
    typer = _Typer(names)
    tree = parse_tree(text, "line")
    conditions = tuple(typer.condition(cast("Tree[Token]", child)) for child in tree.children)
    if len(conditions) > ARGUMENTS_MAX:
        raise ExpressionError(
            Text(
                f"More than {ARGUMENTS_MAX} alternatives in a line.",
                f"一行内的备选条件超过 {ARGUMENTS_MAX} 个。",
            )
        )
    aliases: set[str] = set()
    for condition in conditions:
        for value in values_of(condition):
            _refuse_reasons(value)
            aliases |= {field.alias for field in fields_of(value)}
    return Line(text, conditions, number, frozenset(aliases))


def parse_value(text: str, names: Names) -> Value:
    """Return a typed value.

    Raises:
        ExpressionError: It is not understood, or of no type.
    """
    value = _refuse_reasons(_Typer(names).value(parse_tree(text, "sum")))
    read = {field.alias for field in fields_of(value)} & names.matched
    if len(read) > 1:
        raise ExpressionError(
            Text("A value reads at most one matched fact.", "一个值最多读取一个匹配事实。")
        )
    return value


def parse_reference(text: str, names: Names) -> tuple[FieldRef, str]:
    """Return a reference field such as ``listing.product_id`` and the fact type it leads to.

    Raises:
        ExpressionError: It is no reference, or one to several types.
    """
    value = parse_value(text, names)
    if isinstance(value, FieldRef) and not value.references and not value.is_derived:
        targets = RULE_TYPES[value.owner].column(value.name).refers_to
        if len(targets) == 1:
            return value, targets[0]
    raise ExpressionError(
        Text(f"{text} is not a reference to one fact type.", f"{text} 不是指向单一事实类型的引用。")
    )


def parse_path(text: str, names: Names) -> Value:
    """Return what a placeholder names: a field, a parameter, a measure or `as_of`.

    Raises:
        ExpressionError: It names nothing.
    """
    tree = parse_tree(text, "sum")
    if tree.data != "path":
        raise ExpressionError(
            Text(
                f"{{{text}}} is not a field, parameter or measure.",
                f"{{{text}}} 不是字段、参数或指标。",
            )
        )
    return _Typer(names).value(tree)

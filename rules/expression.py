"""The language of conditions: a subset of CEL, parsed by an LALR grammar and typed on the spot.

Nothing of what is refused here can reach an engine: unknown names, comparisons of two types,
order on strings, values outside a closed list, arithmetic over two matched facts.

Source: docs/spec/pack-format.md, PF-8, PF-13, PF-15.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.facts.schema import FACT_TYPES
from carnet.rules.ast import (
    AsOf,
    Call,
    Comparison,
    Condition,
    FieldRef,
    Line,
    Literal_,
    MeasureRef,
    Membership,
    Operator,
    ParameterRef,
    Presence,
    Template,
    Truth,
    Value,
    ValueKind,
    fields_of,
    values_of,
)

TEXT_SIZE_MAX = 1024
"""Bytes of one line, and of one string in it."""
ITEMS_MAX = 64
REFERENCES_MAX = 3
ARGUMENTS_MAX = 8

_GRAMMAR = r"""
line: condition ("||" condition)*
condition: sum COMPARE sum -> comparison
    | sum "in" items -> member
    | "!" "(" sum "in" items ")" -> not_member
    | "!" primary -> not_truth
    | sum -> truth
?sum: product (SIGN product)*
?product: unary (STAR unary)*
?unary: primary
    | SIGN unary -> negative
?primary: INTEGER -> integer
    | STRING -> string
    | "true" -> true
    | "false" -> false
    | path
    | NAME "(" [sum ("," sum)*] ")" -> call
    | "(" sum ")" -> group
path: NAME ("." NAME)*
items: "[" [sum ("," sum)*] "]" -> list
    | path
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
SIGN: "+" | "-"
STAR: "*"
INTEGER: /0|[1-9][0-9]*/
STRING: /"(?:[^"\\\x00-\x1f]|\\["\\])*"/
NAME: /[a-z][a-z0-9_]*/
%ignore /[ \t]+/
"""

_ORDERED: frozenset[ValueKind] = frozenset({"integer", "date"})
_COMMON: dict[str, tuple[tuple[ValueKind, ...], ValueKind]] = {
    "days_between": (("date", "date"), "integer"),
    "add_days": (("date", "integer"), "date"),
    "add_months": (("date", "integer"), "date"),
    "add_years": (("date", "integer"), "date"),
}
_DIVISIONS: dict[str, tuple[tuple[ValueKind, ...], ValueKind]] = {
    name: (("integer", "integer"), "integer")
    for name in ("div_down", "div_up", "ratio_bps_down", "ratio_bps_up", "wilson_lower_bps")
}
RESERVED = frozenset({"as_of", "param", "measure", "has", "in", "date", "true", "false"})
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class ExpressionFault(ValueError):
    """A line that cannot be used; the reader of the pack adds file and line."""

    def __init__(self, message: Text, hint: Text | None = None) -> None:
        super().__init__(message.en)
        self.message = message
        self.hint = hint or Text("", "")


@dataclass(frozen=True, slots=True)
class Names:
    """What a line may name.

    Args:
        aliases: Fact type of each alias in reach.
        matched: Those of them that are matched, at most one of which a value may read.
        parameters: Kind of each parameter.
        measures: Names of the measures.
        derived: Kind of each derived field by fact type and name.
        reasons: The derived fields whose candidates have reasons.
        types: Fact types that references may lead to.
        divisions: Whether the functions that divide may be called.
        references: What an alias path may continue through, where the schema does not say.
    """

    aliases: Mapping[str, str]
    matched: frozenset[str]
    parameters: Mapping[str, ValueKind]
    measures: frozenset[str]
    derived: Mapping[tuple[str, str], ValueKind]
    reasons: frozenset[tuple[str, str]]
    types: frozenset[str]
    divisions: bool = False

    def with_aliases(self, aliases: Mapping[str, str]) -> "Names":
        """Return these names with further matched aliases."""
        return replace(
            self, aliases={**self.aliases, **aliases}, matched=self.matched | aliases.keys()
        )


def _suggest(name: str, known: Iterable[str]) -> Text:
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=3)
    if close:
        return Text(f"Did you mean {', '.join(close)}?", f"是否指：{'、'.join(close)}？")
    if not options:
        return Text("", "")
    shown = options[:12]
    return Text(f"Known: {', '.join(shown)}.", f"可用：{'、'.join(shown)}。")


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", start=["line", "sum"], maybe_placeholders=False)


def _syntax_fault(text: str, error: UnexpectedInput) -> ExpressionFault:
    if isinstance(error, UnexpectedEOF) or (
        isinstance(error, UnexpectedToken) and error.token.type == "$END"
    ):
        found, column = Text("the line ends too early", "该行过早结束"), len(text)
    elif isinstance(error, UnexpectedCharacters):
        column = error.column
        shown = text[column - 1 : column + 9]
        found = Text(f"{shown!r} is not understood", f"无法识别 {shown!r}")
    else:
        column = cast("Any", error).column
        shown = str(getattr(error, "token", ""))
        found = Text(f"{shown!r} does not fit here", f"此处不应出现 {shown!r}")
    return ExpressionFault(
        Text(
            f"Cannot read the line {text!r}: {found.en} (column {column}).",
            f"无法解析 {text!r}：{found.zh}（第 {column} 列）。",
        ),
        Text(
            'Write one comparison, such as c.kind == "eu_doc"; see docs/spec/pack-format.md, PF-8.',
            '请写成一个比较，例如 c.kind == "eu_doc"；见 docs/spec/pack-format.md PF-8。',
        ),
    )


@lru_cache(maxsize=8192)
def _parse(text: str, start: str) -> Tree[Token]:
    if len(text.encode()) > TEXT_SIZE_MAX:
        raise ExpressionFault(
            Text(
                f"The line is longer than {TEXT_SIZE_MAX} bytes.",
                f"该行超过 {TEXT_SIZE_MAX} 字节。",
            )
        )
    try:
        return cast("Tree[Token]", _parser().parse(text, start=start))
    except UnexpectedInput as error:
        raise _syntax_fault(text, error) from None
    except RecursionError:
        raise ExpressionFault(Text("The line is nested too deeply.", "该行嵌套过深。")) from None


def _kind_name(kind: ValueKind) -> Text:
    return {
        "string": Text("text", "文本"),
        "integer": Text("an integer", "整数"),
        "boolean": Text("a boolean", "布尔值"),
        "date": Text("a date", "日期"),
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
            raise ExpressionFault(
                Text(
                    f"{operator!r} compares {one.en} with {other.en}.",
                    f"{operator!r} 两侧类型不同：{one.zh}与{other.zh}。",
                ),
                Text('A date is written date("2026-12-11").', '日期写作 date("2026-12-11")。'),
            )
        if operator not in {"==", "!="} and left.kind not in _ORDERED:
            name = _kind_name(left.kind)
            raise ExpressionFault(
                Text(
                    f"{operator!r} needs integers or dates, not {name.en}.",
                    f"{operator!r} 只能用于整数或日期，不能用于{name.zh}。",
                )
            )
        self._check_choice(left, right)
        self._check_choice(right, left)
        return Comparison(cast("Operator", operator), left, right)

    def _check_choice(self, one: Value, other: Value) -> None:
        if not isinstance(one, FieldRef) or not one.choices or not isinstance(other, Literal_):
            return
        if other.value not in one.choices:
            raise ExpressionFault(
                Text(
                    f"{one.text} is never {other.value!r}.",
                    f"{one.text} 不会取值 {other.value!r}。",
                ),
                _suggest(str(other.value), one.choices),
            )

    def _membership(self, children: list[Any], *, is_negated: bool) -> Condition:
        value, tree = self.value(children[0]), children[1]
        if tree.data == "list":
            return Membership(value, self._items(value, tree), is_negated)
        items = self._path([str(part) for part in tree.children[0].children])
        if not isinstance(items, ParameterRef) or items.kind != "strings" or value.kind != "string":
            raise ExpressionFault(
                Text(
                    "'in' needs text on the left and a list or a parameter of kind strings on the right.",
                    "“in” 左侧须为文本，右侧须为列表或 strings 类参数。",
                )
            )
        return Membership(value, items, is_negated)

    def _items(self, value: Value, tree: Tree[Token]) -> tuple[Any, ...]:
        items = [self.value(cast("Tree[Token]", child)) for child in tree.children]
        if not 1 <= len(items) <= ITEMS_MAX:
            raise ExpressionFault(
                Text(
                    f"A list has 1 to {ITEMS_MAX} items, not {len(items)}.",
                    f"列表须有 1 至 {ITEMS_MAX} 项，而非 {len(items)} 项。",
                )
            )
        for item in items:
            if not isinstance(item, Literal_) or item.kind != value.kind or value.kind == "boolean":
                raise ExpressionFault(
                    Text(
                        "The items of a list are constants of the type on its left.",
                        "列表各项须为与左侧同类型的常量。",
                    )
                )
            self._check_choice(value, item)
        return tuple(item.value for item in items if isinstance(item, Literal_))

    def _truth(self, tree: Tree[Token], *, is_negated: bool) -> Condition:
        while tree.data == "group":
            tree = cast("Tree[Token]", tree.children[0])
        if tree.data == "call" and str(tree.children[0]) == "has":
            return Presence(self._has_argument(tree), is_negated)
        value = self.value(tree)
        if value.kind != "boolean":
            name = _kind_name(value.kind)
            raise ExpressionFault(
                Text(
                    f"A line must be a comparison or a boolean, not {name.en}.",
                    f"每行须为比较或布尔值，不能是{name.zh}。",
                )
            )
        return Truth(value, is_negated)

    def _has_argument(self, tree: Tree[Token]) -> FieldRef:
        arguments = [self.value(cast("Tree[Token]", child)) for child in tree.children[1:]]
        if len(arguments) != 1 or not isinstance(arguments[0], FieldRef):
            raise ExpressionFault(Text("has(...) takes one field.", "has(...) 须带一个字段。"))
        return arguments[0]

    def _check_one_alias(self, condition: Condition) -> None:
        for value in values_of(condition):
            read = {field.alias for field in fields_of(value)} & self.names.matched
            if len(read) > 1:
                listed = sorted(read)
                raise ExpressionFault(
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

    def _literal(self, data: str, children: list[Any]) -> Literal_:
        if data in {"true", "false"}:
            return Literal_(data == "true", "boolean")
        text = str(children[0])
        if data == "string":
            return Literal_(text[1:-1].replace('\\"', '"').replace("\\\\", "\\"), "string")
        if len(text) > len(str(INTEGER_MAX)) or int(text) > INTEGER_MAX:
            raise ExpressionFault(
                Text(
                    f"The integer {text[:40]} is beyond 2^53 - 1.",
                    f"整数 {text[:40]} 超出 2^53-1。",
                )
            )
        return Literal_(int(text), "integer")

    def _integer(self, value: Value, operator: str) -> Value:
        if value.kind != "integer":
            name = _kind_name(value.kind)
            raise ExpressionFault(
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
        if isinstance(value, Literal_):
            return Literal_(-cast("int", value.value), "integer")
        return Call("-", (Literal_(0, "integer"), value), "integer")

    def _arithmetic(self, children: list[Any]) -> Value:
        result = self._integer(self.value(children[0]), str(children[1]))
        for operator, operand in zip(children[1::2], children[2::2], strict=True):
            right = self._integer(self.value(operand), str(operator))
            result = Call(str(operator), (result, right), "integer")
        return result

    def _call(self, name: str, children: list[Any]) -> Value:
        if name == "date":
            return self._date(children)
        known = _COMMON | (_DIVISIONS if self.names.divisions else {})
        if name not in known:
            hint = (
                Text(
                    "Divide in a measure or a derived field.", "除法请放在 measures 或 derived 中。"
                )
                if name in _DIVISIONS
                else _suggest(name, known)
            )
            raise ExpressionFault(
                Text(f"There is no function {name} here.", f"此处没有函数 {name}。"), hint
            )
        kinds, result = known[name]
        arguments = tuple(self.value(child) for child in children)
        if tuple(argument.kind for argument in arguments) != kinds:
            raise ExpressionFault(
                Text(
                    f"{name} takes ({', '.join(kinds)}).",
                    f"{name} 的参数为（{'、'.join(kinds)}）。",
                )
            )
        return Call(name, arguments, result)

    def _date(self, children: list[Any]) -> Literal_:
        try:
            (tree,) = children
            assert tree.data == "string"
            return Literal_(date.fromisoformat(str(tree.children[0])[1:-1]), "date")
        except (ValueError, AssertionError):
            raise ExpressionFault(
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
        if head == "param" and len(parts) == 2:
            if parts[1] not in self.names.parameters:
                raise self._unknown(f"param.{parts[1]}", parts[1], self.names.parameters)
            return ParameterRef(parts[1], self.names.parameters[parts[1]])
        if head == "measure" and len(parts) == 2:
            if parts[1] not in self.names.measures:
                raise self._unknown(f"measure.{parts[1]}", parts[1], self.names.measures)
            return MeasureRef(parts[1])
        if head not in self.names.aliases:
            raise self._unknown(".".join(parts), head, self.names.aliases)
        if len(parts) == 1:
            raise ExpressionFault(
                Text(f"{head} is a fact: name one of its fields.", f"{head} 是事实：请写出其字段。")
            )
        return self._field(head, parts[1:-1], parts[-1])

    def _unknown(self, text: str, name: str, known: Iterable[str]) -> ExpressionFault:
        return ExpressionFault(
            Text(f"{text} is not known here.", f"此处没有 {text}。"), _suggest(name, known)
        )

    def _field(self, alias: str, steps: list[str], name: str) -> FieldRef:
        owner = self.names.aliases[alias]
        references: list[tuple[str, str]] = []
        for step in steps:
            target = self._reference(owner, step)
            references.append((f"{step}_id", target))
            owner = target
        if len(references) > REFERENCES_MAX:
            raise ExpressionFault(
                Text(
                    f"More than {REFERENCES_MAX} references in a row.",
                    f"连续引用超过 {REFERENCES_MAX} 层。",
                )
            )
        return self._field_of(alias, tuple(references), owner, name)

    def _reference(self, owner: str, step: str) -> str:
        column = FACT_TYPES[owner].fields.get(f"{step}_id")
        if column is None or len(column.refers_to) != 1:
            single = [c.name.removesuffix("_id") for c in FACT_TYPES[owner].references]
            raise self._unknown(f"{owner}.{step}", step, single)
        (target,) = column.refers_to
        if target not in self.names.types:
            raise ExpressionFault(
                Text(
                    f"{owner}.{step} leads to {target}, which has no path to the case.",
                    f"{owner}.{step} 指向 {target}，但该类型没有到达案例的路径。",
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
        fact_type = FACT_TYPES[owner]
        if name not in fact_type.columns:
            derived = [field for known, field in self.names.derived if known == owner]
            raise self._unknown(f"{owner}.{name}", name, [*fact_type.columns, *derived])
        column = fact_type.column(name)
        if column.kind == "instant":
            raise ExpressionFault(
                Text(
                    f"{owner}.{name} is an instant; rules compare dates.",
                    f"{owner}.{name} 是时刻；规则只比较日期。",
                )
            )
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
            raise ExpressionFault(
                Text(
                    f"{field.text} is a text for messages, not for conditions.",
                    f"{field.text} 仅用于文字说明，不能用于条件。",
                )
            )
    return value


def parse_line(text: str, names: Names, number: int = 0) -> Line:
    """Return a typed line.

    Raises:
        ExpressionFault: It is not understood, or compares what cannot be compared.
    """
    typer = _Typer(names)
    tree = _parse(text, "line")
    conditions = tuple(typer.condition(cast("Tree[Token]", child)) for child in tree.children)
    if len(conditions) > ARGUMENTS_MAX:
        raise ExpressionFault(
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
        ExpressionFault: It is not understood, or of no type.
    """
    value = _refuse_reasons(_Typer(names).value(_parse(text, "sum")))
    read = {field.alias for field in fields_of(value)} & names.matched
    if len(read) > 1:
        raise ExpressionFault(
            Text("A value reads at most one matched fact.", "一个值最多读取一个匹配事实。")
        )
    return value


def parse_reference(text: str, names: Names) -> tuple[FieldRef, str]:
    """Return a reference field such as ``listing.product_id`` and the fact type it leads to.

    Raises:
        ExpressionFault: It is no reference, or one to several types.
    """
    value = parse_value(text, names)
    if isinstance(value, FieldRef) and not value.references and not value.is_derived:
        targets = FACT_TYPES[value.owner].column(value.name).refers_to
        if len(targets) == 1:
            return value, targets[0]
    raise ExpressionFault(
        Text(f"{text} is not a reference to one fact type.", f"{text} 不是指向单一事实类型的引用。")
    )


def _template_parts(text: str, names: Names) -> tuple[str | Value, ...]:
    parts: list[str | Value] = []
    typer = _Typer(names)
    for index, part in enumerate(_PLACEHOLDER.split(text)):
        if index % 2 == 0:
            if "{" in part or "}" in part:
                raise ExpressionFault(Text("A brace has no partner.", "花括号不配对。"))
            if part:
                parts.append(part)
            continue
        tree = _parse(part, "sum")
        if tree.data != "path":
            raise ExpressionFault(
                Text(
                    f"{{{part}}} is not a field, parameter or measure.",
                    f"{{{part}}} 不是字段、参数或指标。",
                )
            )
        parts.append(typer.value(tree))
    return tuple(parts)


def parse_template(text: Text, names: Names) -> Template:
    """Return a text with its placeholders resolved.

    Raises:
        ExpressionFault: A placeholder names nothing.
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

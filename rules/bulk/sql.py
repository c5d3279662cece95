"""Short names for the nodes of queries that the compiler builds.

Every name is quoted: a pack may call an alias `order` or a field `type`. Arguments are taken as
they are and copied where a node would otherwise stand in two trees.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Final

from sqlglot import exp

from carnet.core.text import Text
from carnet.rules.ast import Scalar, ValueKind

Sql = exp.Expr
Pair = tuple[Sql, Sql]
"""A text in English and in Chinese."""

TRUE, FALSE, NULL = exp.true(), exp.false(), exp.null()
SQL_TYPES: dict[ValueKind, str] = {
    "string": "TEXT",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "instant": "BIGINT",
    "strings": "TEXT",
}


def name_of(text: str) -> exp.Identifier:
    """Return a quoted name."""
    return exp.Identifier(this=text, quoted=True)


# Names and columns stand in many queries and are never changed: each is made once.
_shared_name = lru_cache(maxsize=4096)(name_of)


@lru_cache(maxsize=16_384)
def column(table: str, name: str) -> exp.Column:
    """Return a column of a table."""
    return exp.Column(this=_shared_name(name), table=_shared_name(table))


def relation(name: str, alias: str) -> exp.Table:
    """Return a table or view under an alias."""
    return exp.Table(this=name_of(name), alias=exp.TableAlias(this=name_of(alias)))


def aliased(value: Sql, name: str) -> exp.Alias:
    """Return a value under a name."""
    return exp.Alias(this=value, alias=name_of(name))


# --- constants --------------------------------------------------------------------------------


def text(value: str) -> Sql:
    """Return a constant text."""
    return exp.Literal.string(value)


def pair(value: Text) -> Pair:
    """Return a constant text in both languages."""
    return text(value.en), text(value.zh)


def number(value: int) -> Sql:
    """Return a constant integer."""
    literal = exp.Literal.number(abs(value))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


@cache
def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name)


def cast(value: Sql, sql_type: str) -> Sql:
    """Return a value as another type."""
    return exp.Cast(this=value, to=_type(sql_type))


def typed_null(kind: ValueKind) -> Sql:
    """Return the absent value of a kind."""
    return cast(NULL, SQL_TYPES[kind])


def constant(value: Scalar) -> Sql:
    """Return a constant of a pack."""
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return cast(number(value), "BIGINT")
    return cast(text(value.isoformat()), "DATE") if isinstance(value, date) else text(value)


# --- logic ------------------------------------------------------------------------------------


def _wrapped(value: Sql) -> Sql:
    return exp.Paren(this=value)


_ROW_MAX: Final = 32
"""Operands that stand in a row; the depth of a parsed query grows with their number."""


def _joined(kind: type[exp.Binary], values: Sequence[Sql], loose: tuple[type[Sql], ...]) -> Sql:
    """Return an associative operator between values: rows of it, and a balanced tree of rows.

    Args:
        kind: The operator.
        values: At least one value.
        loose: The operators that bind no closer than it does and stand in parentheses.
    """
    if len(values) > _ROW_MAX:
        middle = len(values) // 2
        halves = (_joined(kind, half, loose) for half in (values[:middle], values[middle:]))
        values = [_wrapped(half) for half in halves]
    result, *others = [_wrapped(one) if isinstance(one, loose) else one for one in values]
    for one in others:
        result = kind(this=result, expression=one)
    return result


def both(*values: Sql) -> Sql:
    """Return Kleene's conjunction of conditions; true of none."""
    kept = [value for value in values if value != TRUE]
    return _joined(exp.And, kept, (exp.Or,)) if kept else TRUE


def either(*values: Sql) -> Sql:
    """Return Kleene's disjunction of conditions; false of none."""
    kept = [value for value in values if value != FALSE]
    return _joined(exp.Or, kept, ()) if kept else FALSE


def negated(value: Sql) -> Sql:
    """Return Kleene's negation of a condition."""
    if isinstance(value, exp.Boolean):
        return FALSE if value == TRUE else TRUE
    return exp.Not(this=value if isinstance(value, exp.Exists) else _operand(value))


def is_null(value: Sql) -> Sql:
    """Return whether a value is unknown."""
    return exp.Is(this=_operand(value), expression=NULL)


def is_known(value: Sql) -> Sql:
    """Return whether a value is known."""
    return exp.Is(this=_operand(value), expression=exp.Not(this=NULL))


def is_false(value: Sql) -> Sql:
    """Return whether a condition is false, unknown counting as not."""
    return exp.Is(this=_operand(value), expression=FALSE)


def not_false(value: Sql) -> Sql:
    """Return whether a condition is true or unknown."""
    return negated(is_false(value))


def is_true(value: Sql) -> Sql:
    """Return whether a condition is true, unknown counting as not."""
    return exp.Is(this=_operand(value), expression=TRUE)


_CLOSED = (exp.Column, exp.Literal, exp.Cast, exp.Paren, exp.Case, exp.Boolean, exp.Coalesce)
"""What needs no parentheses beside an operator."""
_COMPARISONS: dict[str, type[exp.Binary]] = {
    "==": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}


def compared(left: Sql, operator: str, right: Sql) -> Sql:
    """Return a comparison, unknown where a side is."""
    return _COMPARISONS[operator](this=_operand(left), expression=_operand(right))


def equal(left: Sql, right: Sql) -> Sql:
    """Return whether two values are equal."""
    return compared(left, "==", right)


def _operand(value: Sql) -> Sql:
    return value if isinstance(value, _CLOSED) else _wrapped(value)


def among(value: Sql, items: Iterable[Sql]) -> Sql:
    """Return whether a value is one of some."""
    return exp.In(this=_operand(value), expressions=list(items))


def case(branches: Iterable[tuple[Sql, Sql]], default: Sql | None = None) -> Sql:
    """Return the value of the first branch whose condition is true."""
    listed = [exp.If(this=test, true=value) for test, value in branches]
    if not listed:
        return default or NULL
    return exp.Case(ifs=listed, default=default if default is not None else None)


# --- values -----------------------------------------------------------------------------------


def binary(kind: type[exp.Binary], left: Sql, right: Sql) -> Sql:
    """Return an operator applied to two values."""
    return exp.Paren(this=kind(this=_operand(left), expression=_operand(right)))


def coalesced(value: Sql, other: Sql) -> Sql:
    """Return a value, or another where it is unknown."""
    return exp.Coalesce(this=value, expressions=[other])


def joined_text(parts: Sequence[Sql]) -> Sql:
    """Return texts one after another; unknown if one is."""
    if not parts:
        return text("")
    return _joined(exp.DPipe, _merged(parts), _OPERATORS)


def _merged(parts: Sequence[Sql]) -> list[Sql]:
    """Return texts with constants side by side as one."""
    result: list[Sql] = []
    for part in parts:
        for one in _row_of(part):
            if result and _is_text(one) and _is_text(result[-1]):
                result[-1] = text(result[-1].name + one.name)
            else:
                result.append(one)
    return result


def _row_of(part: Sql) -> Iterator[Sql]:
    """Yield the texts that a text is joined of."""
    if isinstance(part, exp.DPipe):
        yield from _row_of(part.this)
        yield from _row_of(part.expression)
    else:
        yield part


def _is_text(part: Sql) -> bool:
    return isinstance(part, exp.Literal) and part.is_string


_OPERATORS = (exp.Binary, exp.Not)
"""What stands in parentheses where texts are joined."""


def as_text(value: Sql) -> Sql:
    """Return a value of any kind but boolean as Python spells it."""
    return cast(value, "TEXT")


# --- queries ----------------------------------------------------------------------------------


def exists(query: exp.Select) -> Sql:
    """Return whether a query has rows."""
    return exp.Exists(this=query)


def all_of(queries: Sequence[exp.Query]) -> exp.Query:
    """Return the rows of several queries one after another."""
    if len(queries) == 1:
        return queries[0]
    middle = len(queries) // 2
    left, right = all_of(queries[:middle]), all_of(queries[middle:])
    return exp.Union(this=_selected(left), expression=_selected(right), distinct=False)


def _selected(query: exp.Query) -> exp.Query:
    """Return a union as a plain query, so that unions nest as a balanced tree."""
    if isinstance(query, exp.Union):
        return exp.select("*").from_(query.subquery(alias=name_of("u"), copy=False))
    return query

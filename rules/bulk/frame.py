"""One SELECT in the making: which table each alias of a rule stands for, joined when first read.

A frame begins with one relation. Whatever a value needs beyond it (the case's fields, a fact that a
reference leads to, a derived field that has a table of its own, a measure) is joined on the way, so
that a query reads nothing that its lines do not name. A frame inside another (the block of a
`without`) reads the outer one's aliases as correlated columns.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlglot import exp

from carnet.rules.ast import FieldRef
from carnet.rules.bulk.plan import OF_CASE, Computed, Plan
from carnet.rules.bulk.sql import (
    Sql,
    aliased,
    both,
    column,
    equal,
    name_of,
    relation,
)


class Bound(Protocol):
    """A fact under an alias."""

    def column(self, name: str) -> Sql:
        """Return a column of its view: a field, or what is computed of it alone."""
        ...


class Row:
    """A fact that a table of the query holds."""

    def __init__(self, table: str) -> None:
        self.table = table

    def column(self, name: str) -> Sql:
        """Return a column of the table."""
        return column(self.table, name)


class CaseFact:
    """A fact that the case names; its fields are columns of the relation of cases."""

    def __init__(self, frame: "Frame", alias: str, fact_type: str) -> None:
        self._frame = frame
        self._alias = alias
        self._type = fact_type

    def column(self, name: str) -> Sql:
        """Return a field from the cases, or what is computed from the fact's own view."""
        if (self._type, name.partition("$")[0]) not in self._frame.plan.pack.derived:
            return column(self._frame.case_table(), f"{self._alias}${name}")
        return self._frame.view_of(self._alias, self._type).column(name)


class Key:
    """A fact known by its id; its row is joined when more than the id is read."""

    def __init__(self, frame: "Frame", fact_type: str, key: Sql) -> None:
        self._frame = frame
        self._type = fact_type
        self._key = key
        self._row: Row | None = None

    def column(self, name: str) -> Sql:
        """Return the id, or a column of the joined row."""
        if name == "id":
            return self._key
        if self._row is None and self._frame.plan.is_computed(self._type):
            # A computed fact is one of its case; its id says nothing beyond.
            case_id = self._frame.case_id
            table = self._frame.join(
                f"m_{self._type}",
                "",
                lambda one: [equal(one(OF_CASE), case_id), equal(one("id"), self._key)],
            )
            self._row = Row(table)
        if self._row is None:
            table = self._frame.join(
                self._frame.plan.view_of(self._type), "", lambda one: [equal(one("id"), self._key)]
            )
            self._row = Row(table)
        return self._row.column(name)


class Frame:
    """A query in the making.

    Args:
        plan: The compilation.
        first: The relation it begins with.
        case_id: The column of `first` that holds the case's id, if it has one.
        outer: The frame around it.
        inside: The tables of definitions whose columns `first` has: of the fact that its rows are
            about, under the alias that is its type, or of the case.
        has_cases: Whether `first` has the columns of the cases as well.
    """

    def __init__(
        self,
        plan: Plan,
        first: str | exp.Query,
        *,
        case_id: str | None = None,
        outer: "Frame | None" = None,
        inside: frozenset[str] = frozenset(),
        has_cases: bool = False,
    ) -> None:
        self.plan = plan
        self.outer = outer
        self.table = plan.fresh()
        self._first = first
        self._case_id = case_id
        self._joins: list[exp.Join] = []
        self.inside = inside
        self._cases: str | None = self.table if has_cases or first == plan.cases else None
        self._bound: dict[str, tuple[str, Bound]] = {}
        self.followed: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[str, Bound]] = {}
        self.tables: dict[tuple[str, ...], Row] = {}
        self.conditions: list[Sql] = []

    # --- aliases ------------------------------------------------------------------------------

    def bind(self, alias: str, fact_type: str, bound: Bound) -> None:
        """Let an alias stand for a fact of this frame."""
        self._bound[alias] = (fact_type, bound)

    def bind_case(self) -> None:
        """Bind the aliases of the case, except those bound already."""
        definition = self.plan.pack.case
        named = [(definition.alias, definition.fact_type)]
        named += [(alias, kind) for alias, _, kind in definition.named]
        for alias, fact_type in named:
            self._bound.setdefault(alias, (fact_type, CaseFact(self, alias, fact_type)))

    def holder(self, alias: str) -> tuple["Frame", str, Bound]:
        """Return the frame an alias is bound in, its fact type and what it is bound to."""
        if alias in self._bound:
            return (self, *self._bound[alias])
        assert self.outer is not None, f"{alias} is bound nowhere"
        return self.outer.holder(alias)

    @property
    def case_id(self) -> Sql:
        """The id of the case."""
        if self._case_id is not None:
            return column(self.table, self._case_id)
        return column(self.case_table(), "case_id")

    def case_table(self) -> str:
        """Return the alias of the cases, joining them where nothing did."""
        if self._cases is None:
            if self._case_id is None and self.outer is not None:
                return self.outer.case_table()
            cases = self.plan.cases
            on = [] if self._case_id is None else [column(self.table, self._case_id)]
            self._cases = self.join(
                cases, "", lambda one: [equal(one("case_id"), key) for key in on]
            )
        return self._cases

    # --- joins --------------------------------------------------------------------------------

    def join(
        self,
        name: str | exp.Query,
        side: str,
        conditions: "Conditions",
    ) -> str:
        """Join a relation and return its alias."""
        alias = self.plan.fresh()
        on = both(*conditions(lambda field: column(alias, field)))
        joined = _source(name, alias)
        kind = {"side": side} if side else {"kind": "CROSS" if on == exp.true() else ""}
        clause = None if on == exp.true() and not side else on
        self._joins.append(exp.Join(this=joined, on=clause, **{k: v for k, v in kind.items() if v}))
        return alias

    def join_members(self, fact_type: str) -> Row:
        """Join the facts of a type that are in the case."""
        member = self.plan.members[fact_type]
        case_id = self.case_id if member.has_case else None

        def on(one: "Columns") -> list[Sql]:
            return [] if case_id is None else [equal(one(OF_CASE), case_id)]

        return Row(self.join(member.relation, "", on))

    def referred(self, field: FieldRef) -> tuple[str, Bound]:
        """Return the type and the fact that the references of a field lead to."""
        frame, fact_type, bound = self.holder(field.alias)
        for count in range(1, len(field.references) + 1):
            steps = field.references[:count]
            key = (field.alias, steps)
            if key not in frame.followed:
                frame.followed[key] = frame.follow(bound, *steps[-1])
            fact_type, bound = frame.followed[key]
        return fact_type, bound

    def follow(self, near: Bound, name: str, target: str) -> tuple[str, Bound]:
        """Join the fact of the case that a reference leads to, if there is one."""
        member = self.plan.members[target]
        reference = near.column(name)
        case_id = self.case_id if member.has_case else None

        def on(one: "Columns") -> list[Sql]:
            keys = [equal(one("id"), reference)]
            return keys if case_id is None else [equal(one(OF_CASE), case_id), *keys]

        return target, Row(self.join(member.relation, "LEFT", on))

    def view_of(self, alias: str, fact_type: str) -> Row:
        """Return the view of a fact that the case names."""
        key = ("view", alias)
        if key not in self.tables:
            own = column(self.case_table(), f"{alias}$id")
            self.tables[key] = Row(
                self.join(self.plan.view_of(fact_type), "", lambda one: [equal(one("id"), own)])
            )
        return self.tables[key]

    def computed_of(self, info: Computed, field: FieldRef) -> Row:
        """Return the row of a derived field that has a table of its own."""
        frame, _, _ = self.holder(field.alias)
        _, bound = self.referred(field)
        is_own = not field.references and field.alias == info.key[0]
        if is_own and info.relation in frame.inside:
            return Row(frame.table)
        key = ("derived", info.relation, field.alias, *(name for name, _ in field.references))
        if key not in frame.tables:
            own, case_id = bound.column("id"), frame.case_id
            frame.tables[key] = Row(
                frame.join(
                    info.relation,
                    "LEFT",
                    lambda one: [equal(one("case_id"), case_id), equal(one("id"), own)],
                )
            )
        return frame.tables[key]

    def measure_of(self, info: Computed) -> Row:
        """Return the row of a measure."""
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        if info.relation in frame.inside:
            return Row(frame.table)
        key = ("measure", info.relation)
        if key not in frame.tables:
            case_id = frame.case_id
            frame.tables[key] = Row(
                frame.join(info.relation, "LEFT", lambda one: [equal(one("case_id"), case_id)])
            )
        return frame.tables[key]

    # --- the query ----------------------------------------------------------------------------

    def where(self, *conditions: Sql) -> None:
        """Add conditions that must be true."""
        self.conditions += conditions

    def select(self, columns: Iterable[tuple[str, Sql]], *, distinct: bool = False) -> exp.Select:
        """Return the query of some columns under their names."""
        listed = [aliased(value, name) for name, value in columns]
        query = exp.Select(expressions=listed or [exp.Literal.number(1)])
        query.set("from_", exp.From(this=_source(self._first, self.table)))
        query.set("joins", list(self._joins))
        kept = [one for one in self.conditions if one != exp.true()]
        if kept:
            query.set("where", exp.Where(this=both(*kept)))
        return query.distinct() if distinct else query


def _source(name: str | exp.Query, alias: str) -> exp.Expr:
    if isinstance(name, str):
        return relation(name, alias)
    return name.subquery(alias=name_of(alias), copy=False)


class Columns(Protocol):
    """Names a column of the relation that is being joined."""

    def __call__(self, field: str) -> Sql:
        """Return the column."""
        ...


class Conditions(Protocol):
    """Gives the conditions of a join."""

    def __call__(self, one: Columns, /) -> Sequence[Sql]:
        """Return the conditions."""
        ...

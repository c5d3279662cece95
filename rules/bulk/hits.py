"""The rows of decision tables that hit for a case, as facts of it: `m_<table>`.

Where the hit policy takes one row, `h_<table>` says which, and `z_<table>` for which cases that
cannot be told. Where it takes all rows, each is a fact with a column `$sure`: TRUE, or NULL where
it cannot be told whether the row hits.

Source: docs/spec/pack-format.md, PF-45; `rules/hits.py` is the meaning.
"""

from collections.abc import Sequence

from sqlglot import exp

from carnet.rules.ast import Table, TableRow
from carnet.rules.bulk.closures import add_closure, rests_closure
from carnet.rules.bulk.frame import Bound, Frame
from carnet.rules.bulk.plan import OF_CASE, Membership, Plan
from carnet.rules.bulk.rests import rests_value
from carnet.rules.bulk.sql import (
    FALSE,
    SQL_TYPES,
    Sql,
    aliased,
    all_of,
    case,
    cast,
    column,
    constant,
    either,
    equal,
    is_known,
    is_null,
    not_false,
    relation,
    text,
    typed_null,
)
from carnet.rules.bulk.tables import Hits, row_rests, row_tests
from carnet.rules.bulk.values import worth_of
from carnet.rules.bulk.worth import Verdict, Worth

_SINGLE = frozenset({"U", "A", "P", "F"})


def takes_one_row(table: Table) -> bool:
    """Return whether the hit policy takes at most one row."""
    return table.hit_policy in _SINGLE


def _frame(plan: Plan) -> Frame:
    frame = Frame(plan, plan.cases, case_id="case_id")
    frame.bind_case()
    return frame


def _own(frame: Frame, table: Table) -> list[Worth]:
    """Return what the inputs of a table hold for a case."""
    values = [column.value for column in table.inputs]
    return [worth_of(frame, value) for value in values if value is not None]


def add_hits(plan: Plan, name: str) -> None:
    """Add the computed facts of a type, unless they are there."""
    if name in plan.members:
        return
    if name in plan.pack.closures:
        add_closure(plan, name)
        return
    table = plan.pack.tables[name]
    if takes_one_row(table):
        _add_single(plan, table)
        plan.members[name] = Membership(name, has_case=True, may_be_untold=True)
    else:
        _add_all(plan, table)
        plan.members[name] = Membership(name, has_case=True, may_be_unsure=True)


def _add_single(plan: Plan, table: Table) -> None:
    frame = _frame(plan)
    hits = Hits(table, row_tests(plan, table, _own(frame, table)))
    undetermined = hits.undetermined
    picked = hits.picked(lambda row: text(row.id)) if hits.tests else typed_null("string")
    en, zh = hits.cause()
    columns = [
        ("case_id", frame.case_id),
        ("id", case([(undetermined, typed_null("string"))], picked)),
        ("en", case([(undetermined, en)])),
        ("zh", case([(undetermined, zh)])),
    ]
    plan.add(f"h_{table.id}", frame.select(columns))
    own = column("h", "id")
    listed = [aliased(column("h", "case_id"), OF_CASE), aliased(own, "id")]
    for place, output in enumerate(table.outputs):
        branches = [
            (equal(own, text(row.id)), constant(value))
            for row in table.rows
            if (value := row.outputs[place]) is not None
        ]
        shown = case(branches) if branches else typed_null(output.kind)
        listed.append(aliased(cast(shown, SQL_TYPES[output.kind]), output.name))
    hit = exp.select(*listed).from_(relation(f"h_{table.id}", "h")).where(is_known(own))
    plan.add(f"m_{table.id}", hit, is_view=True)
    names = ("case_id", "en", "zh")
    untold = exp.select(*(aliased(column("h", one), one) for one in names))
    untold = untold.from_(relation(f"h_{table.id}", "h")).where(is_known(column("h", "en")))
    plan.add(f"z_{table.id}", untold, is_view=True)


def _add_all(plan: Plan, table: Table) -> None:
    queries: list[exp.Query] = []
    count = len(row_tests(plan, table, _own(_frame(plan), table)))
    for place in range(count):
        frame = _frame(plan)
        test = row_tests(plan, table, _own(frame, table))[place]
        frame.where(test.sql if test.is_certain else not_false(test.sql))
        en, zh = test.cause()
        unknown = is_null(test.sql)
        queries.append(
            frame.select(
                [
                    (OF_CASE, frame.case_id),
                    ("id", text(test.row.id)),
                    *_constants(table, test.row),
                    ("$sure", cast(test.sql, "BOOLEAN")),
                    ("$en", case([(unknown, en)])),
                    ("$zh", case([(unknown, zh)])),
                ]
            )
        )
    plan.add(f"m_{table.id}", all_of(queries) if queries else _empty(table))


def _constants(table: Table, row: TableRow) -> list[tuple[str, Sql]]:
    return [
        (output.name, typed_null(output.kind) if value is None else constant(value))
        for output, value in zip(table.outputs, row.outputs, strict=True)
    ]


def _empty(table: Table) -> exp.Select:
    """Return no rows, where none of a table is in force."""
    nothing = [aliased(typed_null(output.kind), output.name) for output in table.outputs]
    names = [aliased(typed_null("string"), one) for one in (OF_CASE, "id", "$en", "$zh")]
    sure = aliased(typed_null("boolean"), "$sure")
    return exp.select(*names, *nothing, sure).where(exp.false())


# --- what is read of them ---------------------------------------------------------------------


def presence(plan: Plan, fact_type: str, bound: Bound) -> list[Verdict]:
    """Return whether a fact is there for certain, where that may be unknown."""
    if not plan.members[fact_type].may_be_unsure:
        return []
    en, zh = bound.column("$en"), bound.column("$zh")
    return [Verdict(bound.column("$sure"), is_certain=False, cause=lambda: (en, zh))]


def rests_type(frame: Frame, fact_type: str, parameter: str) -> Sql:
    """Return whether the facts of a type rest on a parameter, whichever of them are taken."""
    table = frame.plan.pack.tables.get(fact_type)
    if fact_type in frame.plan.pack.closures:
        return rests_closure(frame, fact_type, parameter)
    if table is None or parameter not in frame.plan.reads.of_type(fact_type):
        return FALSE
    values = [column.value for column in table.inputs if column.value is not None]
    found = [rests_value(frame, value, parameter) for value in values]
    name, _, row = parameter.partition(".")
    if name == table.id and row and takes_one_row(table):
        tests = row_tests(frame.plan, table, _own(frame, table))
        found.append(row_rests(table, tests, row))
    return either(*found)


def rests_fact(plan: Plan, fact_type: str, bound: Bound, parameter: str) -> Sql:
    """Return whether one fact rests on a parameter: a row of status U that is taken for itself."""
    table = plan.pack.tables.get(fact_type)
    name, _, row = parameter.partition(".")
    if table is None or takes_one_row(table) or name != table.id or not row:
        return FALSE
    return equal(bound.column("id"), text(row))


def citations_of(plan: Plan, fact_type: str, bound: Bound) -> Sql | None:
    """Return the law facts that a matched row cites; None where no row of the table does."""
    table = plan.pack.tables.get(fact_type)
    if table is None or not any(row.citation for row in table.rows):
        return None
    branches = [
        (equal(bound.column("id"), text(row.id)), text_list([text(one) for one in row.citation]))
        for row in table.rows
        if row.citation
    ]
    return case(branches, text_list([]))


def text_list(values: Sequence[Sql]) -> Sql:
    """Return a list of texts."""
    return cast(exp.Array(expressions=list(values)), "ARRAY<TEXT>")

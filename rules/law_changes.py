"""What changes in the law that a pack holds: dated values, rows of tables, and days they name.

A change is dated by the first day on which it may decide otherwise. A parameter that is a day, or
a day among the outputs of a row, changes nothing in the pack when it comes; but what compares it
with the day of the decision does, on that day where it is a first day, on the next where it is a
last one. Both are looked at.

A pack can be had without a change, as if the law stayed as it was: what differs between the two on
one day is what the change does, whatever else falls on that day.

Source: docs/spec/pack-format.md, PF-6, PF-41 and PF-76.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, Literal

from carnet.core.clock import add_years
from carnet.core.text import Text
from carnet.rules.ast import (
    Citation,
    DatedValue,
    MeasureRef,
    Pack,
    Parameter,
    Rule,
    Table,
    TableRow,
    Value,
    conditions_of,
    parts_of,
    row_key,
    said_by,
    values_of,
    values_of_definition,
)
from carnet.rules.parameters import Known, value_in_force
from carnet.rules.reads import Reads, values_of_types
from carnet.rules.run import reads_of
from carnet.rules.tables import is_in_force
from carnet.rules.values import day_or_value

What = Literal["begins", "ends", "changes", "day"]
Status = Literal["V", "S", "U"]
FAR_YEARS: Final = 100
"""How far a day is moved that is to come never."""

ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LawChange:
    """One change in the law of a pack.

    Args:
        name: The parameter, or the row as officers confirm it: `<table>.<row>`.
        table: The table of the row, None for a parameter.
        what: Whether a value or row begins, ends or changes, or a day that it names comes.
        day: The first day after the change; for a day that is named, that day.
        title: What it is called.
        before: The value before; for a row, none.
        after: The value from then on; where a day comes, that day.
        status: Whether it was read in a primary text (V), a secondary one (S), or not (U).
        citation: Where it is written down.
        corrigenda: What was published wrongly first.
    """

    name: str
    table: str | None
    what: What
    day: date
    title: Text
    before: Known | None
    after: Known | None
    status: Status
    citation: tuple[Citation, ...]
    corrigenda: tuple[Text, ...] = ()

    @property
    def days(self) -> tuple[date, ...]:
        """The days on which something may be decided otherwise than on the day before."""
        return (self.day, self.day + ONE_DAY) if self.what == "day" else (self.day,)

    @property
    def key(self) -> tuple[str, What, date]:
        """What makes it this change in its pack."""
        return self.name, self.what, self.day

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON."""
        return {
            "day": self.day.isoformat(),
            "what": self.what,
            "name": self.name,
            "kind": "parameter" if self.table is None else "row",
            "title": self.title.to_json(),
            "before": _plain(self.before),
            "after": _plain(self.after),
            "status": self.status,
            "citation": [
                {"fact": one.fact, "title": one.title, "article": one.article, "link": one.link}
                for one in self.citation
            ],
            "corrigenda": [one.to_json() for one in self.corrigenda],
        }


def _plain(value: Known | None) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if value is None else day_or_value(value)


# --- finding them -------------------------------------------------------------------------------


def law_changes(pack: Pack, after: date, until: date) -> list[LawChange]:
    """Return what changes in the law of a pack after one day until another, by day and name."""
    found = [one for each in pack.parameters.values() for one in _of_parameter(each, after, until)]
    for table in pack.tables.values():
        for row in table.rows:
            found += _of_row(pack, table, row, after, until)
    return sorted(found, key=lambda one: (one.day, one.name, one.what))


def _starts(value: DatedValue | TableRow) -> date:
    days = (value.valid_from, value.known_from)
    return max((day for day in days if day is not None), default=date.min)


def _turns(values: Collection[DatedValue], after: date, until: date) -> list[date]:
    """Return the days on which another value may come into force."""
    days = {_starts(value) for value in values}
    ends = {value.valid_to for value in values if value.valid_to is not None}
    days |= {end + ONE_DAY for end in ends if end < date.max}
    return sorted(day for day in days if after < day <= until)


def _of_parameter(parameter: Parameter, after: date, until: date) -> Iterator[LawChange]:
    for day in _turns(parameter.values, after, until):
        old = value_in_force(parameter, day - ONE_DAY)
        new = value_in_force(parameter, day)
        before = old.value if old is not None else None
        now = new.value if new is not None else None
        if before != now:
            what: What = "begins" if old is None else "ends" if new is None else "changes"
            yield _change_of(parameter, what, day, before, now)
    for value in parameter.values:
        day_named = value.value
        if isinstance(day_named, date) and after < day_named <= until:
            in_force = value_in_force(parameter, day_named)
            if in_force is not None and in_force.value == day_named:
                yield _change_of(parameter, "day", day_named, None, day_named)


def _change_of(
    parameter: Parameter, what: What, day: date, before: Known | None, after: Known | None
) -> LawChange:
    return LawChange(
        parameter.id,
        None,
        what,
        day,
        parameter.title,
        before,
        after,
        parameter.status,
        (parameter.citation,),
        parameter.corrigenda,
    )


def _of_row(
    pack: Pack, table: Table, row: TableRow, after: date, until: date
) -> Iterator[LawChange]:
    begins = _starts(row)
    if after < begins <= until and is_in_force(row, begins):
        yield _change_in(pack, table, row, "begins", begins, None)
    if row.valid_to is not None and row.valid_to < date.max and is_in_force(row, row.valid_to):
        ends = row.valid_to + ONE_DAY
        if after < ends <= until:
            yield _change_in(pack, table, row, "ends", ends, None)
    for value in sorted({value for value in row.outputs if isinstance(value, date)}):
        if after < value <= until and is_in_force(row, value):
            yield _change_in(pack, table, row, "day", value, value)


def _change_in(
    pack: Pack, table: Table, row: TableRow, what: What, day: date, after: Known | None
) -> LawChange:
    return LawChange(
        row_key(table.id, row.id),
        table.id,
        what,
        day,
        name_of_row(table, row),
        None,
        after,
        row.status,
        tuple(pack.law.get(each) or Citation(each, "", "", "") for each in row.citation),
    )


def name_of_row(table: Table, row: TableRow) -> Text:
    """Return what a row is called: by its outputs `name_*` or `text_*`, else its table and id."""
    named = dict(zip((column.name for column in table.outputs), row.outputs, strict=True))
    for stem in ("name", "text"):
        en, zh = named.get(f"{stem}_en"), named.get(f"{stem}_zh")
        if isinstance(en, str) and isinstance(zh, str):
            return Text(en, zh)
    return Text(f"{table.title.en}: {row.id}", f"{table.title.zh}：{row.id}")


# --- the law without them -----------------------------------------------------------------------


def undo(pack: Pack, changes: Collection[LawChange]) -> Pack:
    """Return a pack as if some changes of its law never came.

    It is for the days of the changes alone: values and rows that come into force later are not in
    it for certain.
    """
    parameters, tables = dict(pack.parameters), dict(pack.tables)
    for change in changes:
        if change.table is None:
            parameters[change.name] = _parameter_without(parameters[change.name], change)
        else:
            tables[change.table] = _table_without(tables[change.table], change)
    return replace(pack, parameters=parameters, tables=tables)


def moved(day: date) -> date:
    """Return a day put off so far that it never comes."""
    return add_years(day, FAR_YEARS) if day.year + FAR_YEARS <= date.max.year else date.max


def _parameter_without(parameter: Parameter, change: LawChange) -> Parameter:
    if change.what == "day":
        old = value_in_force(parameter, change.day)
        assert old is not None, "the day is that of a value in force"
        kept: tuple[DatedValue, ...] = (replace(old, value=moved(change.day), valid_to=None),)
    else:
        before = value_in_force(parameter, change.day - ONE_DAY)
        kept = (replace(before, valid_to=None),) if before is not None else ()
    return replace(parameter, values=kept)


def _table_without(table: Table, change: LawChange) -> Table:
    rows = (_row_without(table, row, change) for row in table.rows)
    return replace(table, rows=tuple(row for row in rows if row is not None))


def _row_without(table: Table, row: TableRow, change: LawChange) -> TableRow | None:
    if row_key(table.id, row.id) != change.name:
        return row
    if change.what == "begins":
        return None
    if change.what == "ends":
        return replace(row, valid_to=None)
    outputs = tuple(
        moved(value) if isinstance(value, date) and value == change.day else value
        for value in row.outputs
    )
    return replace(row, outputs=outputs)


# --- what reads them ----------------------------------------------------------------------------


def as_verified(pack: Pack, names: frozenset[str]) -> Pack:
    """Return a pack in which what officers confirmed is as good as read in a primary text.

    What a decision rests on is then not looked for, which takes most of the time; decisions are the
    same but for the names that they carry as confirmed.
    """
    marked = _with_statuses(pack, lambda name, status: "V" if name in names else status)
    rules = tuple(
        replace(
            rule,
            unverified=rule.unverified - names,
            direct=rule.direct - names,
            scope_unverified=rule.scope_unverified - names,
        )
        for rule in pack.rules
    )
    return replace(marked, rules=rules)


def readers_of(pack: Pack, changes: Collection[LawChange]) -> tuple[Rule, ...]:
    """Return the rules that may read some changes, and those that set an output with one of them.

    An output is combined of what all rules give to it.
    """
    reads = _reads_of_changes(pack, {change.name for change in changes})
    found = {rule.id: rule for rule in pack.rules if _reads_any(rule, reads)}
    outputs = {setting.output for rule in found.values() for setting in rule.settings}
    return tuple(
        rule
        for rule in pack.rules
        if rule.id in found or any(setting.output in outputs for setting in rule.settings)
    )


def _reads_of_changes(pack: Pack, names: Collection[str]) -> Reads:
    """Return which of some names a value may read: they stand in for the U parameters."""
    return reads_of(_with_statuses(pack, lambda name, _: "U" if name in names else "V"))


def _with_statuses(pack: Pack, status_of: Callable[[str, Status], Status]) -> Pack:
    """Return a pack in which the status of each parameter and row is another one."""
    parameters = {
        name: replace(one, status=status_of(name, one.status))
        for name, one in pack.parameters.items()
    }
    tables = {
        name: replace(
            table,
            rows=tuple(
                replace(row, status=status_of(row_key(name, row.id), row.status))
                for row in table.rows
            ),
        )
        for name, table in pack.tables.items()
    }
    return replace(pack, parameters=parameters, tables=tables)


def _values_of_rule(rule: Rule) -> list[Value]:
    lines = [*(one.line for one in rule.scope), *rule.when]
    lines += [line for block in rule.without for line in block.when]
    return [value for one in conditions_of(tuple(lines)) for value in values_of(one)] + [
        *said_by(rule)
    ]


def _reads_any(rule: Rule, reads: Reads) -> bool:
    return bool(
        reads.of_values(_values_of_rule(rule))
        or any(reads.of_type(kind) for _, kind in rule.aliases)
    )


def with_rules(pack: Pack, rules: tuple[Rule, ...]) -> Pack:
    """Return a pack with some of its rules alone, and without the measures that nothing reads."""
    types = values_of_types(pack.tables, pack.closures)
    read = [value for rule in rules for value in _values_of_rule(rule)]
    read += [value for values in types.values() for value in values]
    read += [value for one in pack.derived.values() for value in values_of_definition(one)]
    names: set[str] = set()
    waiting = _measures_in(read)
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting |= _measures_in(values_of_definition(pack.measures[name]))
    measures = {name: one for name, one in pack.measures.items() if name in names}
    return replace(pack, rules=rules, measures=measures)


def _measures_in(values: Iterable[Value]) -> set[str]:
    parts = (part for value in values for part in parts_of(value))
    return {part.name for part in parts if isinstance(part, MeasureRef)}

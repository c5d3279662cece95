"""Derived fields and measures: columns of the fact's view, or tables by case and fact.

Beside the value stand, where they can differ: `$absent` (whether it is known that there is none),
`$en` and `$zh` (why it is unknown), `$pick` (which candidate decided) and `$rests$<parameter>`.

Source: docs/spec/pack-format.md, PF-14 and PF-15; `rules/values.py` is the meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from carnet.rules.ast import (
    Aggregation,
    Choice,
    Definition,
    Value,
    conditions_of,
    parts_of,
    values_of,
    values_of_definition,
)
from carnet.rules.bulk.frame import Frame, Row
from carnet.rules.bulk.plan import (
    Computed,
    Plan,
    closures_read,
    is_local,
    key_of,
    keys_read,
    order_of_definitions,
)
from carnet.rules.bulk.rests import rests_choice, rests_value
from carnet.rules.bulk.sql import (
    FALSE,
    NULL,
    TRUE,
    Pair,
    Sql,
    both,
    case,
    either,
    equal,
    is_false,
    is_null,
    is_true,
    joined_text,
    name_of,
    number,
    text,
)
from carnet.rules.bulk.values import all_hold, guards_of, line_verdicts, worth_of
from carnet.rules.reads import DefinitionKey

Columns = list[tuple[str, Sql]]
INLINED_MAX = 3
"""Candidates of a type's derived fields up to which they are worked out wherever they are read."""


# --- a choice of candidates -------------------------------------------------------------------


def _candidates(frame: Frame, name: str, choice: Choice) -> tuple[list["Candidate"], Columns]:
    """Return the candidates over columns of their own, so that no condition is spelled twice."""
    result: list[Candidate] = []
    columns: Columns = []
    for place, one in enumerate(choice.candidates):
        holds = all_hold(line_verdicts(frame, one.when))
        worth = worth_of(frame, one.value, guards_of(one.when))
        told: list[tuple[Sql, Pair]] = []
        if not holds.is_certain:
            told.append((is_null(holds.sql), holds.cause()))
        if not worth.is_certain:
            told.append((both(holds.sql, is_null(worth.sql)), worth.cause()))
        columns += [(f"{name}$when{place}", holds.sql), (f"{name}$of{place}", worth.sql)]
        for index, language in enumerate(("en", "zh") if told else ()):
            texts = [(test, pair[index]) for test, pair in told]
            columns.append((f"{name}${language}{place}", case(texts)))
        result.append(Candidate(place, holds.is_certain, worth.is_certain, holds.sql == TRUE))
    return result, columns


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate whose condition and value are columns.

    Args:
        place: Its place among the candidates.
        is_judged: Whether its condition is never unknown.
        is_known: Whether its value is never unknown where its condition holds.
        is_always: Whether its condition always holds.
    """

    place: int
    is_judged: bool
    is_known: bool
    is_always: bool

    @property
    def may_be_open(self) -> bool:
        """Whether it can leave the result undetermined."""
        return not (self.is_judged and self.is_known)


@dataclass(frozen=True, slots=True)
class _Choosing:
    """A choice over the columns of one row."""

    row: Row
    name: str
    choose: str
    candidates: list[Candidate]

    def _column(self, one: Candidate, what: str) -> Sql:
        return self.row.column(f"{self.name}${what}{one.place}")

    @property
    def is_absent(self) -> Sql:
        """Whether no candidate applies; a constant where that is the same for all rows."""
        if any(one.is_always for one in self.candidates):
            return FALSE
        if self.choose != "first" and self.is_open == FALSE:
            return TRUE
        if self.choose == "first" and not any(one.may_be_open for one in self.candidates):
            return TRUE
        return is_false(either(*(self._column(one, "when") for one in self.candidates)))

    @property
    def is_certain(self) -> bool:
        """Whether there always is a value."""
        is_open = any(one.may_be_open for one in self.candidates)
        return not is_open and any(one.is_always for one in self.candidates)

    @property
    def is_open(self) -> Sql:
        """Whether a candidate leaves the result undetermined, whatever the others are."""
        found: list[Sql] = []
        for one in self.candidates:
            when = self._column(one, "when")
            if not one.is_judged:
                found.append(is_null(when))
            if not one.is_known:
                found.append(both(when, is_null(self._column(one, "of"))))
        return either(*found)

    @property
    def value(self) -> Sql:
        """The value that decides."""
        if self.choose == "first":
            return case(self._in_order(lambda one: self._column(one, "of")))
        applied = [
            self._column(one, "of")
            if one.is_always
            else case([(self._column(one, "when"), self._column(one, "of"))])
            for one in self.candidates
        ]
        best = applied[0]
        if len(applied) > 1:
            kind = exp.Least if self.choose == "min" else exp.Greatest
            best = kind(this=applied[0], expressions=applied[1:], ignore_nulls=True)
        return best if self.is_open == FALSE else case([(self.is_open, NULL)], best)

    @property
    def pick(self) -> Sql:
        """The place of the candidate that decides."""
        if self.choose == "first":
            return case(self._in_order(lambda one: number(one.place)))
        best = self.row.column(self.name)
        return case(
            (
                both(self._column(one, "when"), equal(self._column(one, "of"), best)),
                number(one.place),
            )
            for one in self.candidates
        )

    def _in_order(self, result: Callable[[Candidate], Sql]) -> list[tuple[Sql, Sql]]:
        branches: list[tuple[Sql, Sql]] = []
        for one in self.candidates:
            when = self._column(one, "when")
            if not one.is_judged:
                branches.append((is_null(when), NULL))
            if not one.is_known:
                branches.append((both(when, is_null(self._column(one, "of"))), NULL))
            branches.append((when, result(one)))
        return branches

    def cause(self, language: str, no_value: Sql) -> Sql:
        """Return why there is no value: the cause of the first candidate that is open."""
        told: list[Sql] = [
            self._column(one, language) for one in self.candidates if one.may_be_open
        ]
        return exp.Coalesce(this=told[0], expressions=[*told[1:], no_value]) if told else no_value


def _no_value(definition: Definition, row: Row) -> Pair:
    shown: Sql = text(f"measure.{definition.name}")
    if definition.fact_type is not None:
        parts = [text(f"{definition.fact_type}/"), row.column("id"), text(f".{definition.name}")]
        shown = joined_text(parts)
    return joined_text([shown, text(" is absent.")]), joined_text([shown, text(" 没有值。")])


def _chosen(
    frame: Frame, key: DefinitionKey, body: Choice, relation: str
) -> tuple[Computed, exp.Query]:
    """Return the query of a choice: candidates, then the value, then what is said about it."""
    plan, definition = frame.plan, definition_of(frame.plan, key)
    rests = _rests(plan, definition)
    info = Computed.start(key, definition, relation, rests)
    name = info.column()
    candidates, columns = _candidates(frame, name, body)
    columns += [(info.column(f"rests${one}"), rests_choice(frame, body, one)) for one in rests]
    inner = Frame(plan, _with_all(frame, columns))
    chosen = _Choosing(Row(inner.table), name, body.choose, candidates)
    last = Frame(plan, _with_all(inner, [(name, chosen.value)]))
    row = Row(last.table)
    chosen = _Choosing(row, name, body.choose, candidates)
    absent = chosen.is_absent
    info = replace(
        info,
        is_certain=chosen.is_certain,
        is_absent_only=absent == TRUE,
        never_absent=absent == FALSE,
    )
    told: Columns = []
    if not chosen.is_certain:
        unknown = is_null(row.column(name))
        texts = _no_value(definition, row)
        for index, language in enumerate(("en", "zh")):
            cause = chosen.cause(language, texts[index])
            told.append((info.column(language), case([(unknown, cause)])))
    if absent not in (TRUE, FALSE):
        told.append((info.column("absent"), absent))
    if info.has_reasons:
        told.append((info.column("pick"), chosen.pick))
    return info, _with_all(last, told)


def _with_all(frame: Frame, columns: Columns) -> exp.Query:
    """Return all columns of the frame's first relation, and further ones."""
    query = frame.select(columns)
    star = exp.Column(this=exp.Star(), table=name_of(frame.table))
    query.set("expressions", [star, *(query.expressions if columns else [])])
    return query


# --- a single value ---------------------------------------------------------------------------


def _single(
    frame: Frame, key: DefinitionKey, body: Value, relation: str
) -> tuple[Computed, exp.Query]:
    """Return the query of a definition that is one value."""
    plan, definition = frame.plan, definition_of(frame.plan, key)
    worth = worth_of(frame, body)
    absent = worth.absent
    info = replace(
        Computed.start(key, definition, relation, _rests(plan, definition)),
        is_certain=worth.is_certain,
        is_absent_only=absent == TRUE,
        never_absent=absent == FALSE,
    )
    columns: Columns = [(info.column(), worth.sql)]
    if not worth.is_certain:
        unknown = is_null(worth.sql)
        # Told only where there is something to tell: most rows keep an empty column.
        for language, cause in zip(("en", "zh"), worth.cause(), strict=True):
            columns.append((info.column(language), case([(unknown, cause)])))
        if absent not in (TRUE, FALSE):
            columns.append((info.column("absent"), is_true(absent)))
    columns += [(info.column(f"rests${one}"), rests_value(frame, body, one)) for one in info.rests]
    return info, _with_all(frame, columns)


def _rests(plan: Plan, definition: Definition) -> tuple[str, ...]:
    return tuple(sorted(plan.reads.of_values(list(values_of_definition(definition)))))


def definition_of(plan: Plan, key: DefinitionKey) -> Definition:
    """Return a definition by its key."""
    return plan.pack.derived[key] if key[0] else plan.pack.measures[key[1]]


def computed(frame: Frame, key: DefinitionKey, relation: str = "") -> tuple[Computed, exp.Query]:
    """Return how a value or a choice is compiled, and the frame's rows with its columns.

    Args:
        frame: The frame; its first relation holds what is read of the fact itself.
        key: The definition.
        relation: The table that is being made; empty where the columns are the fact's own view.
    """
    body = definition_of(frame.plan, key).body
    assert not isinstance(body, Aggregation), "aggregations are grouped"
    if isinstance(body, Choice):
        return _chosen(frame, key, body, relation)
    return _single(frame, key, body, relation)


# --- steps ------------------------------------------------------------------------------------


def add_views(plan: Plan, types: list[str]) -> list[DefinitionKey]:
    """Add `v_<type>`: the facts of a type with every derived field that reads them alone, if any.

    Returns:
        The definitions that need tables of their own, each after those it reads.
    """
    left: list[DefinitionKey] = []
    views: dict[str, exp.Query] = {}
    for key in order_of_definitions(plan.pack):
        definition = definition_of(plan, key)
        reads = {one for one in keys_read(plan.pack, definition) if one in left}
        if reads or not is_local(plan, definition):
            left.append(key)
            continue
        owner, _ = key
        frame = Frame(plan, views.get(owner, f"f_{owner}"))
        frame.bind(owner, owner, Row(frame.table))
        plan.computed[key], views[owner] = computed(frame, key)
    for one in types:
        if one in views:
            _add_view(plan, one, views[one])
    return left


def _add_view(plan: Plan, fact_type: str, query: exp.Query) -> None:
    """Add `v_<type>`: a view where little is computed, else a table of what the pack reads.

    A view is spelled out wherever it is read, so a long one would cost each query its planning.
    """
    name = f"v_{fact_type}"
    own = [one for one in plan.computed.values() if one.key[0] == fact_type]
    if sum(_weight(one) for one in own) <= INLINED_MAX:
        plan.add(name, query, is_view=True)
        return
    columns = [
        *plan.columns_read(fact_type),
        *(column for one in own for column in columns_of(one)),
    ]
    inner = Frame(plan, query)
    plan.add(name, inner.select([(one, inner_column(inner, one)) for one in columns]))


def inner_column(frame: Frame, name: str) -> Sql:
    """Return a column of a frame's first relation."""
    return Row(frame.table).column(name)


def _weight(info: Computed) -> int:
    body = info.definition.body
    return len(body.candidates) if isinstance(body, Choice) else 1


def columns_of(info: Computed) -> list[str]:
    """Return the columns of a definition that others read."""
    told: list[str] = []
    if not info.is_certain:
        told += ["en", "zh"]
        if not (info.is_absent_only or info.never_absent):
            told.append("absent")
    if info.has_reasons:
        told.append("pick")
    return [info.column(), *map(info.column, [*told, *(f"rests${one}" for one in info.rests)])]


def read_early(plan: Plan) -> frozenset[DefinitionKey]:
    """Return the definitions that `case.when` or a closure reads, directly or through others."""
    lines = [plan.pack.case.when]
    lines += [plan.pack.closures[name].when for name in closures_read(plan.pack)]
    found = {
        key
        for some in lines
        for condition in conditions_of(some)
        for value in values_of(condition)
        for part in parts_of(value)
        if (key := key_of(part)) is not None
    }
    waiting = list(found)
    while waiting:
        for key in keys_read(plan.pack, definition_of(plan, waiting.pop())):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return frozenset(found)

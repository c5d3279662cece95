"""What one compilation knows: the pack on a date, who is in which case, what is computed where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import count

from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES
from carnet.rules.ast import (
    Aggregation,
    Choice,
    Definition,
    FieldRef,
    MeasureRef,
    Pack,
    Value,
    conditions_of,
    parts_of,
    said_by,
    values_of,
    values_of_definition,
)
from carnet.rules.bulk.sql import Sql
from carnet.rules.bulk.steps import Rounds, Step
from carnet.rules.parameters import Known, Unknown, resolve_parameters
from carnet.rules.reads import DefinitionKey, Reads, values_of_types
from carnet.rules.run import reads_of, unverified_of

ALL_TYPES = {**FACT_TYPES, **COMPUTED_TYPES}
CASES, NAMED_CASES = "k", "kn"
"""The cases that rules decide; all cases whose named facts were found, before `case.when`."""
OF_CASE = "$case"
"""The column of `m_<type>` that holds the id of the case; `case_id` is a field of some types."""


@dataclass(frozen=True, slots=True)
class Computed:
    """How a definition is compiled.

    Args:
        key: Its fact type (empty for a measure) and name.
        definition: The definition.
        is_local: Whether it reads its own fact alone, so that it is a column of the fact's view;
            else it is a column of a table by case and fact, or by case.
        is_certain: Whether it always has a value.
        is_absent_only: Whether it is absent wherever it has no value, never undetermined.
        never_absent: Whether it is undetermined wherever it has no value.
        rests: The U parameters it may rest on, sorted.
        relation: The table by case and fact that holds it; empty where it is local.
    """

    key: DefinitionKey
    definition: Definition
    is_local: bool
    is_certain: bool
    is_absent_only: bool
    never_absent: bool
    rests: tuple[str, ...]
    relation: str = ""

    @classmethod
    def start(
        cls,
        key: DefinitionKey,
        definition: Definition,
        relation: str,
        rests: tuple[str, ...] = (),
    ) -> "Computed":
        """Return one of which it is not known yet when it has a value."""
        return cls(
            key,
            definition,
            is_local=not relation,
            is_certain=False,
            is_absent_only=False,
            never_absent=False,
            rests=rests,
            relation=relation,
        )

    def column(self, what: str = "") -> str:
        """Return the name of the column of its value, or of what is said about it.

        Args:
            what: `absent`, `en`, `zh`, `pick` or `rests$<parameter>`; empty for the value.
        """
        own = self.key[1] if self.is_local else f"$${self.key[1]}"
        return f"{own}${what}" if what else own

    @property
    def has_reasons(self) -> bool:
        """Whether the candidate that decides is of interest."""
        body = self.definition.body
        return isinstance(body, Choice) and body.candidates[0].reason is not None


@dataclass(frozen=True, slots=True)
class Membership:
    """How the facts of a type come into cases: the view `m_<type>`.

    Args:
        fact_type: The type.
        has_case: Whether the view has a column `$case`; else its facts are in every case.
        case_field: The field that holds the case's id itself, where nothing need be joined.
        may_be_unsure: Whether it may be unknown of a computed fact whether it is there.
        may_be_untold: Whether the computed facts of a case may be unknown altogether.
    """

    fact_type: str
    has_case: bool
    case_field: str | None = None
    may_be_unsure: bool = False
    may_be_untold: bool = False

    @property
    def relation(self) -> str:
        """The name of the view."""
        return f"m_{self.fact_type}"


def order_of_definitions(pack: Pack) -> list[DefinitionKey]:
    """Return the definitions so that each comes after those it reads."""
    definitions: dict[DefinitionKey, Definition] = {
        **pack.derived,
        **{("", name): one for name, one in pack.measures.items()},
    }
    waiting = {key: set(keys_read(pack, one)) for key, one in definitions.items()}
    result: list[DefinitionKey] = []
    while waiting:
        ready = [key for key, reads in waiting.items() if not reads & waiting.keys()]
        assert ready, "the pack's reader refuses circles"
        result += ready
        for key in ready:
            del waiting[key]
    return result


def keys_read(pack: Pack, definition: Definition) -> set[DefinitionKey]:
    """Return the definitions that a definition reads itself, or through a computed type."""
    values = list(values_of_definition(definition))
    if isinstance(definition.body, Aggregation):
        values += values_of_types(pack.tables, pack.closures).get(definition.body.fact_type, ())
    return {
        key for value in values for part in parts_of(value) if (key := key_of(part)) is not None
    }


def table_of(key: DefinitionKey) -> str:
    """Return the name of a table of definitions that begins with one."""
    owner, name = key
    return f"d_{owner}${name}" if owner else f"q_{name}"


def closures_read(pack: Pack) -> list[str]:
    """Return the closures whose pairs a rule or an aggregation reads."""
    read = {kind for rule in pack.rules for _, kind in rule.aliases}
    for one in [*pack.derived.values(), *pack.measures.values()]:
        if isinstance(one.body, Aggregation):
            read.add(one.body.fact_type)
    return sorted(read & pack.closures.keys())


def key_of(value: Value) -> DefinitionKey | None:
    """Return the definition that a value names."""
    if isinstance(value, MeasureRef):
        return "", value.name
    if isinstance(value, FieldRef) and value.is_derived:
        return value.owner, value.name.removesuffix("_reason") if value.is_reason else value.name
    return None


def values_of_pack(pack: Pack) -> Iterator[Value]:
    """Yield every value that a pack reads anywhere."""
    lines = [pack.case.when]
    for rule in pack.rules:
        lines += [tuple(one.line for one in rule.scope), rule.when]
        lines += [block.when for block in rule.without]
        yield from said_by(rule)
    for closure in pack.closures.values():
        yield from (closure.start, closure.end)
    for some_values in values_of_types(pack.tables, pack.closures).values():
        yield from some_values
    definitions: list[Definition] = [*pack.derived.values(), *pack.measures.values()]
    for definition in definitions:
        yield from values_of_definition(definition)
    for some in lines:
        for condition in conditions_of(some):
            yield from values_of(condition)


def names_read(pack: Pack) -> frozenset[str]:
    """Return the names of all fields that a pack reads of any type."""
    result = {"id"}
    for path in pack.paths:
        for link in path.links:
            result |= {link.near_field, link.far_field}
    result |= {reference.name for _, reference, _ in pack.case.named}
    for value in values_of_pack(pack):
        for part in parts_of(value):
            if isinstance(part, FieldRef):
                result |= {part.name, *(name for name, _ in part.references)}
    return frozenset(result)


@dataclass(slots=True)
class Plan:
    """One compilation.

    Args:
        pack: The pack.
        as_of: The date of the decisions.
        confirmed: The U parameters that count.
        parameters: What each parameter is worth.
        reads: Which U parameters a value may read.
        members: How each type comes into cases.
        computed: The definitions compiled so far.
        steps: The steps so far.
        cases: The relation that definitions compiled now are computed for.
        names: The names of all fields that the pack reads of any type.
    """

    pack: Pack
    as_of: date
    confirmed: frozenset[str]
    parameters: Mapping[str, Known | Unknown]
    reads: Reads
    names: frozenset[str]
    members: dict[str, Membership] = field(default_factory=dict)
    computed: dict[DefinitionKey, Computed] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    cases: str = CASES
    _numbers: "count[int]" = field(default_factory=count)

    def fresh(self, stem: str = "t") -> str:
        """Return a table alias that stands nowhere else."""
        return f"{stem}{next(self._numbers)}"

    def add(
        self,
        name: str,
        query: Sql,
        *,
        is_view: bool = False,
        rounds: Rounds | None = None,
        beyond: Mapping[str, int] | None = None,
    ) -> None:
        """Append a step."""
        self.steps.append(Step(name, query, is_view, rounds, beyond))

    def view_of(self, fact_type: str) -> str:
        """Return the relation of a type's facts with what is computed of each alone."""
        is_plain = all(
            key[0] != fact_type or not one.is_local for key, one in self.computed.items()
        )
        return f"f_{fact_type}" if is_plain else f"v_{fact_type}"

    def columns_read(self, fact_type: str) -> list[str]:
        """Return the columns of a type that the pack or the compiler may read."""
        if fact_type in COMPUTED_TYPES:
            return list(ALL_TYPES[fact_type].columns)
        return [one for one in ALL_TYPES[fact_type].columns if one in self.names or one == "id"]

    def is_required(self, fact_type: str, name: str) -> bool:
        """Return whether every fact of a type has a field."""
        if name == "id":
            return True
        table = self.pack.tables.get(fact_type)
        if table is not None:
            place = [one.name for one in table.outputs].index(name)
            return all(row.outputs[place] is not None for row in table.rows)
        if fact_type in self.pack.closures:
            return True
        return ALL_TYPES[fact_type].column(name).is_required

    def is_computed(self, fact_type: str) -> bool:
        """Return whether the pack computes the facts of a type."""
        return fact_type in self.pack.tables or fact_type in self.pack.closures

    def is_inside(self, holder: str, reference: str, target: str) -> bool:
        """Return whether a reference of a case's fact always leads to a fact of the case.

        It does where it is the very link by which the holder came into the case.
        """
        paths = [path for path in self.pack.paths if path.fact_type == holder]
        if len(paths) != 1 or not paths[0].links:
            return False
        first, *rest = paths[0].links
        if (first.near_field, first.far_type, first.far_field) != (reference, target, "id"):
            return False
        onward = [path.links for path in self.pack.paths if path.fact_type == target]
        return not rest or tuple(rest) in onward


def start_plan(pack: Pack, as_of: date, confirmed: frozenset[str]) -> Plan:
    """Return an empty plan."""
    counted = confirmed & unverified_of(pack)
    parameters = resolve_parameters(pack.parameters, as_of, counted)
    return Plan(pack, as_of, counted, parameters, reads_of(pack), names_read(pack))


def is_local(plan: Plan, definition: Definition) -> bool:
    """Return whether a derived field reads nothing but its own fact, and parameters."""
    if definition.fact_type is None or isinstance(definition.body, Aggregation):
        return False
    for value in values_of_definition(definition):
        for part in parts_of(value):
            if isinstance(part, MeasureRef):
                return False
            if isinstance(part, FieldRef):
                if part.alias != definition.fact_type or part.references:
                    return False
                key = key_of(part)
                if key is not None and not plan.computed[key].is_local:
                    return False
    return True

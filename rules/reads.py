"""Which U parameters values may read, whatever the case: what need not be looked at again.

Source: docs/spec/pack-format.md, PF-7.
"""

from collections.abc import Iterable, Mapping, Sequence

from carnet.rules.ast import (
    Aggregation,
    Closure,
    Definition,
    FieldRef,
    Lookup,
    MeasureRef,
    Parameter,
    ParameterRef,
    Table,
    Value,
    conditions_of,
    parts_of,
    row_key,
    values_of,
    values_of_definition,
)

DefinitionKey = tuple[str, str]
"""Fact type (empty for a measure) and name."""


_NOTHING: frozenset[str] = frozenset()


def values_of_types(
    tables: Mapping[str, Table], closures: Mapping[str, Closure]
) -> dict[str, Sequence[Value]]:
    """Return for each type of computed facts the values that they read of a case."""
    read: dict[str, Sequence[Value]] = {
        name: [column.value for column in table.inputs if column.value is not None]
        for name, table in tables.items()
        if table.has_hits
    }
    for name, closure in closures.items():
        read[name] = [value for one in conditions_of(closure.when) for value in values_of(one)]
    return read


class Reads:
    """Which U parameters a value may read, directly or through definitions.

    Args:
        parameters: The parameters of the pack.
        definitions: Its derived fields and measures.
        tables: Its tables, whose rows of status U count as parameters.
        closures: Its closures.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        definitions: Mapping[DefinitionKey, Definition],
        tables: Mapping[str, Table] | None = None,
        closures: Mapping[str, Closure] | None = None,
    ) -> None:
        tables = tables or {}
        self._unverified = {name for name, one in parameters.items() if one.status == "U"}
        self._rows = {
            name: frozenset(row_key(name, row.id) for row in one.rows if row.status == "U")
            for name, one in tables.items()
        }
        self._types = values_of_types(tables, closures or {})
        self._of_type: dict[str, frozenset[str]] = {}
        self._definitions = definitions
        self._cache: dict[DefinitionKey, frozenset[str]] = {}
        self._may_rest: dict[int, bool] = {}
        self._kept: list[Value] = []

    def _of_definition(self, key: DefinitionKey) -> frozenset[str]:
        if key not in self._cache:
            definition = self._definitions.get(key)
            result = self.of_values(values_of_definition(definition) if definition else ())
            if definition is not None and isinstance(definition.body, Aggregation):
                result |= self.of_type(definition.body.fact_type)
            self._cache[key] = result
        return self._cache[key]

    def of_type(self, fact_type: str) -> frozenset[str]:
        """Return the U parameters that the facts of a computed type may rest on."""
        if fact_type not in self._types:
            return _NOTHING
        if fact_type not in self._of_type:
            rows = self._rows.get(fact_type, _NOTHING)
            self._of_type[fact_type] = rows | self.of_values(self._types[fact_type])
        return self._of_type[fact_type]

    def direct(self, values: Iterable[Value]) -> frozenset[str]:
        """Return the U parameters that values name."""
        return frozenset(
            part.id
            for value in values
            for part in parts_of(value)
            if isinstance(part, ParameterRef) and part.id in self._unverified
        )

    def of_values(self, values: Iterable[Value]) -> frozenset[str]:
        """Return the U parameters that values may read."""
        listed = list(values)
        result = self.direct(listed)
        for value in listed:
            for part in parts_of(value):
                if isinstance(part, Lookup):
                    result |= self._rows.get(part.table, _NOTHING)
                elif isinstance(part, MeasureRef):
                    result |= self._of_definition(("", part.name))
                elif isinstance(part, FieldRef) and part.is_derived:
                    name = part.name.removesuffix("_reason") if part.is_reason else part.name
                    result |= self._of_definition((part.owner, name))
        return result

    def may_rest(self, value: Value) -> bool:
        """Return whether a value may read a U parameter in some case; remembered for each value."""
        known = self._may_rest.get(id(value))
        if known is None:
            known = bool(self.of_values([value]))
            self._may_rest[id(value)] = known
            # The value is kept so that its identity stays its own.
            self._kept.append(value)
        return known

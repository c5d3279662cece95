"""Which U parameters values may read, whatever the case: what need not be looked at again.

Source: docs/spec/pack-format.md, PF-7.
"""

from collections.abc import Iterable, Mapping

from carnet.rules.ast import (
    Definition,
    FieldRef,
    MeasureRef,
    Parameter,
    ParameterRef,
    Value,
    parts_of,
    values_of_definition,
)

DefinitionKey = tuple[str, str]
"""Fact type (empty for a measure) and name."""


class Reads:
    """Which U parameters a value may read, directly or through definitions."""

    def __init__(
        self, parameters: Mapping[str, Parameter], definitions: Mapping[DefinitionKey, Definition]
    ) -> None:
        self._unverified = {name for name, one in parameters.items() if one.status == "U"}
        self._definitions = definitions
        self._cache: dict[DefinitionKey, frozenset[str]] = {}
        self._may_rest: dict[int, bool] = {}
        self._kept: list[Value] = []

    def _of_definition(self, key: DefinitionKey) -> frozenset[str]:
        if key not in self._cache:
            definition = self._definitions.get(key)
            read = values_of_definition(definition) if definition else ()
            self._cache[key] = self.of_values(read)
        return self._cache[key]

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
                if isinstance(part, MeasureRef):
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

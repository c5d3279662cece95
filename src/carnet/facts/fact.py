"""Facts: frozen, typed, flat; and batches of them with the place where each was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from carnet.core.clock import format_instant
from carnet.facts.issue import ONE_FACT, IntakeError, Issue, Source
from carnet.facts.parse import Scalar, parse_object

__all__ = ["Fact", "FactBatch", "Scalar", "Source", "fact_from_json", "parse_fact"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that has passed the checks of its type.

    Args:
        type: Its type, a key of `FACT_TYPES`.
        id: Its id, unique in its type.
        fields: Its other fields, read-only; an absent field is absent.
    """

    type: str
    id: str
    fields: Mapping[str, Scalar]

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be pickled; processes exchange facts as their parts.
        return (_restore, (self.type, self.id, dict(self.fields)))

    def to_json(self) -> dict[str, str | int | bool]:
        """Return the fact as a flat JSON object; `fact_from_json` reads it back."""
        result: dict[str, str | int | bool] = {"type": self.type, "id": self.id}
        for name, value in self.fields.items():
            result[name] = scalar_to_json(value)
        return result


@dataclass(frozen=True, slots=True)
class FactBatch:
    """Facts that belong together, each with its place.

    Args:
        facts: The facts, in the order in which they were read.
        sources: The place of each fact, in the same order.
    """

    facts: tuple[Fact, ...] = ()
    sources: tuple[Source, ...] = field(default=())

    def __post_init__(self) -> None:
        assert len(self.facts) == len(self.sources), "every fact has its place"

    def __len__(self) -> int:
        return len(self.facts)


def _restore(type_name: str, fact_id: str, fields: dict[str, Scalar]) -> Fact:
    return Fact(type_name, fact_id, MappingProxyType(fields))


def scalar_to_json(value: Scalar) -> str | int | bool:
    """Return a value as JSON spells it: dates and instants as text."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def make_fact(type_name: str, fields: dict[str, Scalar]) -> Fact:
    """Return a fact of checked fields, `id` among them; the dictionary is given away."""
    fact_id = fields.pop("id")
    assert isinstance(fact_id, str), "the model checked the id"
    return Fact(type_name, fact_id, MappingProxyType(fields))


def fact_from_json(raw: Mapping[str, Any]) -> Fact:
    """Return the fact of a flat JSON object with `type`, `id` and fields.

    Raises:
        IntakeError: It is not a fact; every problem is named.
    """
    parsed = parse_object(raw)
    if isinstance(parsed, list):
        place = Source(f"{raw.get('type', '')}/{raw.get('id', '')}"[:160])
        raise IntakeError(ONE_FACT, [Issue.at(place, problem) for problem in parsed])
    fact_type, fields = parsed
    return make_fact(fact_type.name, fields)


parse_fact = fact_from_json
"""The same under the name of what it does to an untrusted mapping."""

"""Gathers facts and issues over all files of one import."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from carnet.core.text import Text
from carnet.facts.fact import Fact, FactBatch, make_fact
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.issue import IssueLog, Problem, Source, shown
from carnet.facts.parse import Scalar, check_fields, parse_object, problems_of
from carnet.facts.schema import FactType


class TooManyRowsError(Exception):
    """Reading stops: the import holds more facts than the limit."""


@dataclass(slots=True)
class Collector:
    """Facts with their places, and everything that is wrong.

    Args:
        limits: The bounds of this import.
    """

    limits: IntakeLimits
    log: IssueLog = field(init=False)
    facts: list[Fact] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    _places: dict[tuple[str, str], Source] = field(default_factory=dict)
    _row_count: int = 0

    def __post_init__(self) -> None:
        self.log = IssueLog(self.limits.issues_max)

    def add_values(self, fact_type: FactType, values: dict[str, Any], source: Source) -> None:
        """Check the values of one row and keep the fact or its problems."""
        self._count(source)
        try:
            fields = check_fields(fact_type, values)
        except ValidationError as error:
            self.log.extend(source, problems_of(fact_type, values, error))
        else:
            self._keep(fact_type.name, fields, source)

    def add_object(self, raw: object, source: Source) -> None:
        """Check a JSON object and keep the fact or its problems."""
        self._count(source)
        parsed = parse_object(raw)
        if isinstance(parsed, list):
            self.log.extend(source, parsed)
        else:
            self._keep(parsed[0].name, parsed[1], source)

    def _count(self, source: Source) -> None:
        self._row_count += 1
        if self._row_count <= self.limits.rows_max:
            return
        limit = self.limits.rows_max
        self.log.add(
            source,
            Problem(
                None,
                Text(f"fact {self._row_count}", f"第 {self._row_count} 条事实"),
                Text(f"at most {limit} facts an import", f"每次导入不超过 {limit} 条事实"),
                Text(
                    "Import the files in several steps, or raise the limit in the settings.",
                    "请分次导入，或在设置中提高上限。",
                ),
            ),
        )
        raise TooManyRowsError

    def _keep(self, type_name: str, fields: dict[str, Scalar], source: Source) -> None:
        fields.setdefault("source", source.label)
        fact = make_fact(type_name, fields)
        first = self._places.setdefault((fact.type, fact.id), source)
        if first is not source:
            self.log.add(source, _duplicate(fact, first))
            return
        self.facts.append(fact)
        self.sources.append(source)

    def batch(self) -> FactBatch:
        """Return what was gathered."""
        return FactBatch(tuple(self.facts), tuple(self.sources))


def _duplicate(fact: Fact, first: Source) -> Problem:
    return Problem(
        "id",
        shown(fact.id),
        Text(
            f"an id that no other {fact.type} has; it stands already at {first}",
            f"未被其他 {fact.type} 使用的标识；它已出现在 {first}",
        ),
        Text(
            "Remove one of the two, or give it an id of its own.",
            "请删除其中之一，或另取标识。",
        ),
    )

"""References between facts: every id that a fact names must exist, in the import or before it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from carnet.core.text import Text
from carnet.facts.fact import FactBatch
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.issue import REFERENCES, IssueLog, Problem, Source, TooManyProblemsError, shown
from carnet.facts.schema import FACT_TYPES, Field

Existing: TypeAlias = Callable[[str, frozenset[str]], frozenset[str]]
"""Tells which of some ids of one type are stored already."""

_REFERENCES = {name: fact_type.references for name, fact_type in FACT_TYPES.items()}


def check_references(
    batch: FactBatch, existing: Existing, limits: IntakeLimits | None = None
) -> None:
    """Check that no reference of a batch dangles.

    Args:
        batch: The facts to check; they may refer to each other in any order.
        existing: Returns, of the ids of one type, those that are stored already.
        limits: How many issues the error lists.

    Raises:
        IntakeError: Some reference leads nowhere; every one is named.
    """
    known = _known_ids(batch, existing)
    log = IssueLog((limits or IntakeLimits()).issues_max)
    is_complete = True
    try:
        for source, field, target in _references(batch):
            if not any(target in known[name] for name in field.refers_to):
                log.add(source, _dangling(field, target))
    except TooManyProblemsError:
        is_complete = False
    log.raise_if_any(REFERENCES, is_complete=is_complete)


def _references(batch: FactBatch) -> Iterator[tuple[Source, Field, str]]:
    for fact, source in zip(batch.facts, batch.sources, strict=True):
        for field in _REFERENCES[fact.type]:
            target = fact.fields.get(field.name)
            if isinstance(target, str):
                yield source, field, target


def _known_ids(batch: FactBatch, existing: Existing) -> Mapping[str, set[str]]:
    """Return the ids of each type that the batch holds or that are stored and referred to."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for fact in batch.facts:
        known[fact.type].add(fact.id)
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for _, field, target in _references(batch):
        if not any(target in known[name] for name in field.refers_to):
            for name in field.refers_to:
                wanted[name].add(target)
    for name, ids in wanted.items():
        known[name] |= existing(name, frozenset(ids))
    return known


def _dangling(field: Field, target: str) -> Problem:
    types_en, types_zh = " or ".join(field.refers_to), "或 ".join(field.refers_to)
    return Problem(
        field.name,
        shown(target),
        Text(
            f"the id of a {types_en} that is imported or in the same import",
            f"已导入或在本次导入中的 {types_zh} 的标识",
        ),
        Text(
            f"Correct the id, or import the {types_en} as well.",
            f"请更正标识，或同时导入该 {types_zh}。",
        ),
    )

"""Tracing units, batches and material lots of a workspace, backward and forward."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts
from carnet.trace.graph import Direction, Link, Trace, trace

NODE_TYPES: Final = ("material_lot", "batch", "unit")
LINK_TYPE: Final = "trace_link"


@dataclass(frozen=True, slots=True)
class TracedNode:
    """One node of a trace with what is known of it.

    Args:
        fact: The lot, batch or unit.
        depth: Links from the start.
        evidence: The facts that prove how it was reached, as ``type/id``.
    """

    fact: Fact
    depth: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TraceReport:
    """A trace of a workspace.

    Args:
        start: Where it began.
        direction: ``back`` or ``forward``.
        nodes: What it reached, nearest first.
        is_complete: False where it stopped at its depth bound.
    """

    start: Fact
    direction: Direction
    nodes: tuple[TracedNode, ...]
    is_complete: bool


def _links(facts: list[Fact]) -> Iterator[Link]:
    """Yield the links that facts state: trace links, and the batch that a unit names."""
    for fact in facts:
        name = f"{fact.type}/{fact.id}"
        if fact.type == LINK_TYPE:
            yield Link(name, str(fact.fields["from_id"]), str(fact.fields["to_id"]))
        elif fact.type == "unit" and "batch_id" in fact.fields:
            yield Link(name, str(fact.fields["batch_id"]), fact.id)


def _read(connection: Connection) -> tuple[dict[str, Fact], list[Link]]:
    facts = list(current_facts(connection, [*NODE_TYPES, LINK_TYPE]))
    nodes = {fact.id: fact for fact in facts if fact.type in NODE_TYPES}
    return nodes, list(_links(facts))


def trace_from(workspace: Workspace, start: str, direction: Direction) -> TraceReport:
    """Return what leads to a lot, batch or unit, or what it leads to.

    Raises:
        NotFoundError: Nothing of this id is stored.
    """
    with reading(workspace.engine) as connection:
        nodes, links = _read(connection)
    if start not in nodes:
        raise NotFoundError(
            "CRN-F-090",
            Text(
                f"There is no material lot, batch or unit {start!r}.",
                f"没有标识为 {start!r} 的原料批、批次或单件。",
            ),
            Text("Import it first, or check the id.", "请先导入，或检查标识。"),
        )
    return _report(nodes, nodes[start], direction, trace(links, start, direction))


def _report(nodes: dict[str, Fact], start: Fact, direction: Direction, found: Trace) -> TraceReport:
    # Every end of a link is a stored node: the import refuses dangling references.
    traced = tuple(TracedNode(nodes[r.id], r.depth, r.evidence) for r in found.reached)
    return TraceReport(start, direction, traced, found.is_complete)

"""Reachability over trace links, backward to inputs and forward to outputs.

A link leads from what went in to what came out. Cycles and diamonds are met once: a node is
reported at its least depth, with every link that reaches it there as evidence.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["back", "forward"]
DEPTH_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the graph.

    Args:
        id: What proves it: the id of the fact that states it.
        source: The id of what went in.
        target: The id of what came out.
    """

    id: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A node that a trace reached.

    Args:
        id: The node.
        depth: Links from the start, at least 1.
        evidence: The ids of the links that lead to it from the depth before, sorted.
    """

    id: str
    depth: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace reached.

    Args:
        reached: The nodes by depth, then id.
        is_complete: False where the depth bound ended the trace before its end.
    """

    reached: tuple[Reached, ...]
    is_complete: bool


def _neighbours(links: Iterable[Link], direction: Direction) -> dict[str, list[tuple[str, str]]]:
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for link in links:
        near, far = link.source, link.target
        if direction == "back":
            near, far = far, near
        found[near].append((far, link.id))
    return found


def trace(
    links: Iterable[Link], start: str, direction: Direction, *, depth_max: int = DEPTH_MAX
) -> Trace:
    """Return everything that leads to a node, or that a node leads to.

    Args:
        links: All links.
        start: The id of the node to start from; it is not reported, even in a cycle.
        direction: ``back`` to what went in, ``forward`` to what came out.
        depth_max: How many links away the trace goes.
    """
    neighbours = _neighbours(links, direction)
    seen = {start}
    edge = [start]
    reached: list[Reached] = []
    for depth in range(1, depth_max + 1):
        evidence: defaultdict[str, list[str]] = defaultdict(list)
        for node in edge:
            for far, link_id in neighbours.get(node, ()):
                if far not in seen:
                    evidence[far].append(link_id)
        edge = sorted(evidence)
        seen.update(edge)
        reached += [Reached(node, depth, tuple(sorted(evidence[node]))) for node in edge]
        if not edge:
            return Trace(tuple(reached), is_complete=True)
    is_open = any(far not in seen for node in edge for far, _ in neighbours.get(node, ()))
    return Trace(tuple(reached), is_complete=not is_open)

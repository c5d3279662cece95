"""A step of a compiled pack: one query and the name of the table that holds its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Step:
    """One query of a compiled pack.

    Args:
        name: The table that the rows of the query become; `r_...` is a result.
        query: The query, over the tables of earlier steps and the facts `f_<type>`.
        is_view: Whether the rows are computed whenever they are read, so that they are never all
            in memory; what a view names is kept.
    """

    name: str
    query: exp.Expr
    is_view: bool = False

    @property
    def reads(self) -> frozenset[str]:
        """The tables that the query names, its own common table expressions left out."""
        named = {table.name for table in self.query.find_all(exp.Table)}
        return frozenset(named - {inner.alias for inner in self.query.find_all(exp.CTE)})


def is_kept(name: str) -> bool:
    """Return whether a table is wanted after the last step: a result, or facts."""
    return name.startswith(("r_", "f_"))


def last_reads(steps: Sequence[Step]) -> Iterator[tuple[Step, frozenset[str]]]:
    """Yield each step with the tables that nothing later reads, so that they can be dropped."""
    views = [step for step in steps if step.is_view]
    kept = frozenset({view.name for view in views}).union(*(view.reads for view in views))
    needed: list[frozenset[str]] = []
    later = kept
    for step in reversed(steps):
        needed.append(later)
        later |= step.reads
    known: set[str] = set()
    for step, later in zip(steps, reversed(needed), strict=True):
        known |= step.reads | {step.name}
        unread = frozenset(name for name in known - later if not is_kept(name))
        known -= unread
        yield step, unread

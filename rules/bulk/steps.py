"""A step of a compiled pack: one query and the name of the table that holds its rows.

A step may be repeated: a second query then says what follows from the rows added last, and its rows
are added until there are none. SQL has a recursion of its own, but engines differ in what it may
read; rounds are the same in all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is added to the table of a step, round by round, until nothing is.

    Args:
        query: The rows of one more round, over the step's own table and, under the name that
            `last_of` gives, the rows of the round before.
        most: How many rounds there are at most.
    """

    query: exp.Expr
    most: int


def last_of(name: str) -> str:
    """Return the name of the rows that the last round added to a table."""
    return f"{name}$last"


@dataclass(frozen=True, slots=True)
class Step:
    """One query of a compiled pack.

    Args:
        name: The table that the rows of the query become; `r_...` is a result.
        query: The query, over the tables of earlier steps and the facts `f_<type>`.
        is_view: Whether the rows are computed whenever they are read, so that they are never all
            in memory; what a view names is kept.
        rounds: How further rows follow from these, if they do.
    """

    name: str
    query: exp.Expr
    is_view: bool = False
    rounds: Rounds | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The tables that the query names, its own common table expressions left out."""
        queries = [self.query, self.rounds.query] if self.rounds else [self.query]
        named = {table.name for query in queries for table in query.find_all(exp.Table)}
        inner = {one.alias for query in queries for one in query.find_all(exp.CTE)}
        return frozenset(named - inner - {self.name, last_of(self.name)})


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

"""A step of a compiled pack: one query and the name of the table that holds its rows.

A step may be repeated: a second query then says what follows from the rows added last, and its rows
are added until there are none. SQL has a recursion of its own, but engines differ in what it may
read; rounds are the same in all of them.

Most packs know more types than a run has facts of, and most rules find nothing. So a step is asked
what is left of it where some relations hold no rows (`prune.py`): often nothing, and then no query
is made at all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from carnet.rules.bulk.dialect import Dialect, render
from carnet.rules.bulk.prune import names_in, prunable, remaining


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
class Left:
    """What is left of a step where some relations hold no rows.

    Args:
        text: Its query.
        reads: The tables that this names.
        further: The query of a further round.
    """

    text: str
    reads: frozenset[str]
    further: str = ""


@dataclass(frozen=True)
class Step:
    """One query of a compiled pack.

    Args:
        name: The table that the rows of the query become; `r_...` is a result.
        query: The query, over the tables of earlier steps and the facts `f_<type>`.
        is_view: Whether the rows are computed whenever they are read, so that they are never all
            in memory; what a view names is kept.
        rounds: How further rows follow from these, if they do.
        beyond: Numbers of facts: unless one of the relations has more, there are no rows.
    """

    name: str
    query: exp.Expr
    is_view: bool = False
    rounds: Rounds | None = None
    beyond: Mapping[str, int] | None = None
    _left: dict[tuple[Dialect, frozenset[str]], Left | None] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @cached_property
    def _named(self) -> Counter[str]:
        return names_in(self.query)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The tables that the query names, its own common table expressions left out."""
        further = names_in(self.rounds.query) if self.rounds else ()
        return frozenset({*self._named, *further} - {self.name, last_of(self.name)})

    @cached_property
    def needs(self) -> frozenset[str]:
        """The tables that it reads and that must be there, even where they hold nothing."""
        kept = (self._named - Counter(prunable(self.query))).keys()
        staying = [one for one in kept if one in names_in(remaining(self.query, {one}))]
        further = names_in(self.rounds.query) if self.rounds else ()
        return frozenset({*staying, *further} & self.reads)

    def is_below(self, counts: Mapping[str, int]) -> bool:
        """Return whether facts are too few for it to have any rows.

        Args:
            counts: How many facts the relations have.
        """
        if self.beyond is None:
            return False
        return all(counts.get(name, most + 1) <= most for name, most in self.beyond.items())

    def left(self, empty: AbstractSet[str], dialect: Dialect) -> Left | None:
        """Return what is left of it where some relations hold no rows; None if there are none."""
        key = dialect, self.reads & empty
        if key not in self._left:
            query = remaining(self.query, key[1]) if key[1] else self.query
            self._left[key] = None if query is None else self._rendered(query, dialect)
        return self._left[key]

    def whole(self, dialect: Dialect) -> Left:
        """Return it with all its parts."""
        return self._rendered(self.query, dialect)

    def _rendered(self, query: exp.Expr, dialect: Dialect) -> Left:
        further = render(self.rounds.query, dialect) if self.rounds else ""
        is_whole = query is self.query or self.rounds is not None
        reads = self.reads if is_whole else frozenset(names_in(query))
        return Left(render(query, dialect), reads, further)


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


@dataclass(frozen=True)
class Program:
    """The steps of a compiled pack, and which of their tables must be there."""

    steps: tuple[Step, ...]

    @cached_property
    def needed(self) -> frozenset[str]:
        """The tables that are made even where they hold nothing, with all that those read."""
        found: set[str] = set()
        for step in reversed(self.steps):
            found |= step.reads if step.name in found else step.needs
        return frozenset(found)

    @cached_property
    def ordered(self) -> tuple[tuple[Step, frozenset[str]], ...]:
        """Each step with the tables that nothing later reads."""
        return tuple(last_reads(self.steps))

    @property
    def facts(self) -> frozenset[str]:
        """The relations of facts that it reads."""
        made = {step.name for step in self.steps}
        return frozenset(name for step in self.steps for name in step.reads - made)

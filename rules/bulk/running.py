"""The steps of a pack, one after another; what holds no rows is passed over.

What is told of decisions becomes no table: its query is kept and becomes part of those that read
it, so that each takes what it needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from carnet.rules.bulk.dialect import Dialect
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.sieve import named
from carnet.rules.bulk.steps import Left, Program, Step, last_of

FEW = 10_000
"""Facts up to which views are tables: a view is planned again in every query that reads it."""


class Run(ABC):
    """One run of a program over the facts of a database.

    Args:
        database: The database that holds the facts.
        program: The steps.
    """

    dialect: Dialect

    def __init__(self, database: BulkDatabase, program: Program) -> None:
        self.database = database
        self.program = program
        self.counts = {name: one.count for name, one in database.facts.items()}
        self.is_few = sum(self.counts.values()) <= FEW
        self.empty = {name for name in program.facts if self.counts.get(name) == 0}

    def finish(self) -> None:
        """Execute all steps.

        Raises:
            InputError: Memory and disk do not suffice.
        """
        self.make_needed()
        for step, unread in self.program.ordered:
            self.take(step)
            if not self.is_few:
                for name in sorted(unread - self.empty):
                    self.drop(name)

    def make_needed(self) -> None:
        """Make the relations of facts that must be there although they hold nothing."""
        for name in sorted(self.empty & self.program.needed):
            self.make_nothing(name, self.database.facts[name].columns)

    def is_nothing(self, step: Step) -> bool:
        """Return whether a step is known to have no rows."""
        return step.is_below(self.counts) or step.left(self.empty, self.dialect) is None

    def take(self, step: Step) -> None:
        """Execute one step; what has no rows is passed over."""
        left = None if step.is_below(self.counts) else step.left(self.empty, self.dialect)
        if left is None:
            self.empty.add(step.name)
            if step.name not in self.program.needed:
                return
            left = step.whole(self.dialect)
        if not step.is_view:
            if not self.make_table(step, left):
                self.empty.add(step.name)
        elif step.name.startswith("r_"):
            self.make_result(step, left)
        else:
            self.make_view(step, left)

    @abstractmethod
    def make_nothing(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a relation of facts without rows."""

    @abstractmethod
    def make_table(self, step: Step, left: Left) -> int:
        """Make the table of a step; return how many rows it has."""

    @abstractmethod
    def make_view(self, step: Step, left: Left) -> None:
        """Make what other steps read; it may be computed whenever they do."""

    @abstractmethod
    def make_result(self, step: Step, left: Left) -> None:
        """Note the query of a result that is no table."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Drop a table that no later step reads."""


class DuckRun(Run):
    """A run on DuckDB."""

    dialect: Dialect = "duckdb"

    def __init__(self, database: BulkDatabase, program: Program) -> None:
        super().__init__(database, program)
        self._waiting: dict[str, Left] = {}

    def make_nothing(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a relation of facts without rows."""
        listed = ", ".join(f"CAST(NULL AS {kind}) AS {named(one)}" for one, kind in columns.items())
        self.database.create(name, f"SELECT {listed} WHERE false")

    def make_table(self, step: Step, left: Left) -> int:
        """Make the table of a step; return how many rows it has."""
        self._make_waiting(left)
        count = self.database.create(step.name, left.text)
        if count:
            self.database.relations[step.name] = named(step.name)
        if count and step.rounds is not None:
            self._repeat(step.name, left.further, step.rounds.most)
        return count

    def make_view(self, step: Step, left: Left) -> None:
        """Make a view or, of few facts, a table when it is first read."""
        if self.is_few:
            self._waiting[step.name] = left
        else:
            self.database.create_view(step.name, left.text)

    def make_result(self, step: Step, left: Left) -> None:
        """Note the query of a result."""
        self._make_waiting(left)
        self.database.relations[step.name] = f"({left.text})"

    def drop(self, name: str) -> None:
        """Drop a table."""
        self.database.drop(name)

    def _make_waiting(self, left: Left) -> None:
        """Make the tables that a query reads and that nothing has read before."""
        for name in sorted(left.reads & self._waiting.keys()):
            waiting = self._waiting.pop(name)
            self._make_waiting(waiting)
            self.database.create(name, waiting.text)

    def _repeat(self, name: str, query: str, most: int) -> None:
        """Add the rows of further rounds to a table until a round has none."""
        database, last, following = self.database, last_of(name), f"{name}$next"
        database.create(last, f"FROM {named(name)}")
        for _ in range(most):
            count = database.create(following, query)
            database.drop(last)
            database.create(last, f"FROM {named(following)}")
            database.drop(following)
            if not count:
                break
            database.execute(f"INSERT INTO {named(name)} FROM {named(last)}")
        database.drop(last)

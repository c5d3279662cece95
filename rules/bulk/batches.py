"""Many cases, a batch at a time: what is worked out for a case needs the facts of that case alone.

The steps up to the cases are run once. Then, for one part of the cases after another, the facts of
these cases become tables and the steps over them are run; what results read is put together at the
end. So what a query holds in memory is bounded by the batch, however many cases there are, and a
step reads the facts of its batch instead of finding them among all facts anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.plan import CASES, OF_CASE
from carnet.rules.bulk.running import DuckRun
from carnet.rules.bulk.sieve import named, quoted
from carnet.rules.bulk.steps import Program, Step

BATCH_CASES = 20_000
"""Cases whose facts and values are in memory together."""


@dataclass(frozen=True)
class Parts:
    """The steps of a program around its cases.

    Args:
        before: Those that no case is needed for, the facts of each case among them.
        cases: The cases themselves.
        inside: Those over the cases.
        results: Those that are read when all is done.
    """

    before: tuple[Step, ...]
    cases: Step
    inside: tuple[Step, ...]
    results: tuple[Step, ...]

    @cached_property
    def lasting(self) -> frozenset[str]:
        """The tables over the cases that results read, directly or through views."""
        read = {name for step in self.results for name in step.reads}
        for step in reversed(self.inside):
            if step.is_view and step.name in read:
                read |= step.reads
        return frozenset(step.name for step in self.inside if step.name in read)

    @cached_property
    def members(self) -> tuple[Step, ...]:
        """The views of the facts of each case that steps over the cases read."""
        read = {name for step in self.inside for name in step.reads}
        return tuple(
            step for step in self.before if step.is_view and step.name in read and _has_case(step)
        )


_IDS = f"(SELECT case_id FROM {named(CASES)})"  # noqa: S608 (our own name)


def _has_case(step: Step) -> bool:
    listed = step.query.expressions
    return bool(listed) and listed[0].alias == OF_CASE


def part(program: Program) -> Parts:
    """Return the steps of a program around its cases."""
    (cases,) = (step for step in program.steps if step.name == CASES)
    by_case = {CASES}
    before: list[Step] = []
    inside: list[Step] = []
    results: list[Step] = []
    for step in program.steps:
        if step is cases:
            continue
        if step.name.startswith("r_") and step.name != "r_handed":
            results.append(step)
        elif step.reads & by_case:
            by_case.add(step.name)
            inside.append(step)
        else:
            before.append(step)
    return Parts(tuple(before), cases, tuple(inside), tuple(results))


class BatchedRun(DuckRun):
    """A run on DuckDB over as many cases as there are."""

    def __init__(self, database: BulkDatabase, program: Program) -> None:
        super().__init__(database, program)
        self._parts = part(program)

    def finish(self) -> None:
        """Execute all steps.

        Raises:
            InputError: Memory and disk do not suffice.
        """
        parts = self._parts
        self.make_needed()
        for step in parts.before:
            self.take(step)
        if self.is_nothing(parts.cases):
            for step in (parts.cases, *parts.inside):
                self.take(step)
        else:
            self._all_batches()
        for step in parts.results:
            self.take(step)

    def _all_batches(self) -> None:
        made: dict[str, list[str]] = {}
        outside = set(self.empty)
        members = [step for step in self._parts.members if not self.is_nothing(step)]
        for number, bounds in enumerate(self._bounds()):
            self.empty = set(outside)
            self._narrow(members, bounds)
            for name in self._one_batch():
                made.setdefault(name, []).append(f"{name}${number}")
                self.database.rename(name, f"{name}${number}")
        self.empty = outside
        self._widen(members)
        self._join(made)

    def _bounds(self) -> Iterator[str]:
        """Yield conditions on the case's id that part the cases, in order."""
        left = self._parts.cases.left(self.empty, self.dialect)
        assert left is not None, "there are cases"
        query = (
            "SELECT case_id FROM (SELECT case_id, row_number() OVER (ORDER BY case_id) AS place"  # noqa: S608 (our own names)
            f" FROM ({left.text})) WHERE place % {BATCH_CASES} = 0 ORDER BY case_id"
        )
        low = "true"
        for (case_id,) in self.database.rows(query):
            yield f"{low} AND {{}} <= {quoted(case_id)}"
            low = f"{{}} > {quoted(case_id)}"
        yield low

    def _narrow(self, members: Sequence[Step], bounds: str) -> None:
        """Let the cases, and the facts of each case, be tables of one batch."""
        database = self.database
        for step in (self._parts.cases, *members):
            left = step.left(self.empty, self.dialect)
            assert left is not None, "others were left out"
            if database.is_made(step.name):
                database.drop(step.name)
            own = "case_id" if step is self._parts.cases else OF_CASE
            where = bounds.replace("{}", named(own))
            if step is not self._parts.cases:
                where += f" AND {named(own)} IN (FROM {_IDS})"
            query = f"SELECT * FROM ({left.text}) WHERE {where}"  # noqa: S608 (our own names)
            if not database.create(step.name, query):
                self.empty.add(step.name)

    def _one_batch(self) -> list[str]:
        """Run the steps over the cases of a batch; return the tables that results read."""
        inside, database = self._parts.inside, self.database
        for step in inside:
            self.take(step)
        lasting: list[str] = []
        for step in reversed(inside):
            if not database.is_made(step.name):
                continue
            if step.is_view or step.name not in self._parts.lasting:
                database.drop(step.name)
            else:
                lasting.append(step.name)
        return lasting

    def _widen(self, members: Sequence[Step]) -> None:
        """Let the cases, and the facts of each case, be all of them again."""
        for step in (self._parts.cases, *members):
            self.database.drop(step.name)
            self.take(step)

    def _join(self, made: dict[str, list[str]]) -> None:
        """Put together what the batches left; a step without rows in all of them is empty."""
        for step in self._parts.inside:
            if step.is_view:
                self.take(step)
            elif step.name not in made:
                self.empty.add(step.name)
            else:
                self._put_together(step.name, made[step.name])

    def _put_together(self, name: str, some: Sequence[str]) -> None:
        database = self.database
        if len(some) == 1:
            database.rename(some[0], name)
            count = database.count(name)
        else:
            queries = (f"SELECT * FROM {named(one)}" for one in some)  # noqa: S608 (our own names)
            count = database.create(name, " UNION ALL ".join(queries))
            for one in some:
                database.drop(one)
        if count:
            database.relations[name] = named(name)
        else:
            self.empty.add(name)


def run_on_duck(database: BulkDatabase, program: Program) -> None:
    """Execute the steps of a pack over the facts of a database.

    Raises:
        InputError: Memory and disk do not suffice.
    """
    run = DuckRun(database, program)
    has_cases = any(step.name == CASES for step in program.steps)
    if run.is_few or not has_cases:
        run.finish()
        return
    BatchedRun(database, program).finish()

"""What a value is worth in SQL, and whether a condition holds: NULL is Kleene's unknown."""

from collections.abc import Callable
from dataclasses import dataclass

from carnet.rules.bulk.sql import FALSE, TRUE, Pair, Sql, case, is_known, is_null


@dataclass(frozen=True, slots=True)
class Worth:
    """A value of some row.

    Args:
        sql: The value; NULL where it is unknown.
        is_certain: Whether it is never NULL.
        absent: Whether it is known that there is no value, for rows where it is NULL; the
            constants TRUE and FALSE where that is the same for all of them.
        cause: Builds the text that says why it is unknown; asked for where errors are told only.
    """

    sql: Sql
    is_certain: bool
    absent: Sql
    cause: Callable[[], Pair]

    @property
    def presence(self) -> Sql:
        """Whether there is a value; NULL where that is undetermined."""
        if self.is_certain:
            return TRUE
        if self.absent == TRUE:
            return is_known(self.sql)
        branches = [(is_known(self.sql), TRUE)]
        return case(branches if self.absent == FALSE else [*branches, (self.absent, FALSE)])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition on some row.

    Args:
        sql: The condition; NULL where it is unknown.
        is_certain: Whether it is never NULL.
        cause: Builds the text that says why it is unknown.
        open: Whether it is unknown, if values say so: an engine knows of a column without NULL that
            nothing of it is.
    """

    sql: Sql
    is_certain: bool
    cause: Callable[[], Pair]
    open: Sql | None = None

    @property
    def is_open(self) -> Sql:
        """Whether it is unknown."""
        return is_null(self.sql) if self.open is None else self.open


def first_cause(unknowns: list[tuple[Sql, Callable[[], Pair]]]) -> Pair:
    """Return the cause of the first of some values or conditions that is NULL."""
    pairs = [(is_null(sql), cause()) for sql, cause in unknowns]
    if len(pairs) == 1:
        return pairs[0][1]
    return (
        case([(test, texts[0]) for test, texts in pairs]),
        case([(test, texts[1]) for test, texts in pairs]),
    )

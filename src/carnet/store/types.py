"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import TIMESTAMP, BigInteger, Date, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from carnet.core.clock import format_instant, parse_instant

BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; on SQLite a primary key of this type is the rowid."""

Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and sorted by its bytes, whatever the locale of the server."""

Bytes = LargeBinary()


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant to the second: RFC 3339 text on SQLite, TIMESTAMPTZ on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that stores instants on one kind of database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Return what is stored; an instant with a fraction of a second is a programming error."""
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant is always aware"
        assert value.microsecond == 0, "the clock counts whole seconds"
        return value.astimezone(UTC) if dialect.name == "postgresql" else format_instant(value)

    def process_result_value(
        self, value: datetime | str | None, dialect: Dialect
    ) -> datetime | None:
        """Return what was stored, in UTC."""
        del dialect
        if value is None:
            return None
        return parse_instant(value) if isinstance(value, str) else value.astimezone(UTC)


class Day(TypeDecorator[date]):
    """A calendar date: ISO 8601 text on SQLite, whose strict tables know no DATE, else DATE."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that stores dates on one kind of database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Date())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> date | str | None:
        """Return what is stored; an instant is not a date."""
        assert not isinstance(value, datetime), "a date has no time of day"
        if value is None or dialect.name == "postgresql":
            return value
        return value.isoformat()

    def process_result_value(self, value: date | str | None, dialect: Dialect) -> date | None:
        """Return what was stored."""
        del dialect
        return date.fromisoformat(value) if isinstance(value, str) else value

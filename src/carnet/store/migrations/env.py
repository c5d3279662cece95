"""What alembic executes for each command, on the connection and in the transaction it is handed."""

from alembic import context
from sqlalchemy import Connection

from carnet.store.tables import METADATA


def run(connection: Connection) -> None:
    """Run the migrations asked for.

    The caller's transaction makes them all or none: both databases change their schema inside
    transactions, SQLite because `carnet.store.engine` keeps Python's driver from committing.
    """
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

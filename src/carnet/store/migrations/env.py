"""What alembic executes for each command: one transaction on the connection it was handed."""

from alembic import context
from sqlalchemy import Connection

from carnet.store.tables import METADATA


def run(connection: Connection) -> None:
    """Run the migrations asked for, all or none of them.

    Both databases change their schema inside transactions; alembic assumes the contrary of SQLite
    because of Python's driver, which `carnet.store.engine` keeps out of it.
    """
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])

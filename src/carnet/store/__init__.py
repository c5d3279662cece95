"""The database: tables, transactions, migrations, and the repositories over them.

A transaction is opened only by `carnet.store.engine`: `reading` never changes anything and is
never blocked, `writing` is the one way to change a row.
"""

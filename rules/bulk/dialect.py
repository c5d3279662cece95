"""The few places where engines spell one query differently.

Source: docs/adr/0011-packs-become-sql.md.
"""

from typing import Literal

from sqlglot import exp

Dialect = Literal["duckdb", "spark"]


def _for_spark(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.INT128:
        # Spark has no 128-bit integers; decimals of 38 digits hold 126 bits.
        return exp.DataType.build("DECIMAL(38, 0)")
    if isinstance(node, exp.Identifier) and "$" in node.name:
        # A view of Spark is called by letters, digits and underscores.
        return exp.Identifier(this=view_name(node.name), quoted=True)
    return node


def view_name(name: str) -> str:
    """Return a name as Spark lets a view be called: letters, digits and underscores.

    >>> view_name("d_certificate$ends")
    'd_certificate__ends'
    """
    return name.replace("$", "__")


def render(query: exp.Expr, dialect: Dialect) -> str:
    """Return a query as text for an engine.

    The generator may change what it renders: the steps of one compilation are for one engine.
    """
    if dialect == "spark":
        query = query.copy().transform(_for_spark)
    return query.sql(dialect, copy=False)

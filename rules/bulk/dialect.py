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
    return node


def render(query: exp.Expr, dialect: Dialect) -> str:
    """Return a query as text for an engine."""
    if dialect == "spark":
        query = query.copy().transform(_for_spark)
    return query.sql(dialect)

"""The bulk engine: a pack as sqlglot ASTs, run by DuckDB on one machine or by Spark on many.

Source: docs/adr/0004-evaluator-triad.md.
"""

"""Statements of platforms and banks as facts: CSV exports and ISO 20022 camt.053 and camt.054.

A statement map, which an officer writes once for each platform, says what its codes and columns
mean; nothing is guessed. `read_statement` reads one file with it.
"""

from carnet.facts.intake.statements.mapping import StatementMap, read_statement_map
from carnet.facts.intake.statements.reading import (
    STATEMENT_NAME,
    XML_SUFFIX,
    is_statement,
    read_statement,
)

__all__ = [
    "STATEMENT_NAME",
    "XML_SUFFIX",
    "StatementMap",
    "is_statement",
    "read_statement",
    "read_statement_map",
]

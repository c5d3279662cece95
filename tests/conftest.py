"""Fixtures that several test folders share, one module for each part."""

pytest_plugins = [
    "tests.fixtures_chain",
    "tests.fixtures_ledger",
    "tests.fixtures_contracts",
    "tests.fixtures_decisions",
    "tests.fixtures_findings",
    "tests.fixtures_store",
    "tests.fixtures_story",
]

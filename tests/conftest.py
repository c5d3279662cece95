"""Fixtures that several test folders share, one module for each part."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from carnet.cli import language

TESTS = Path(__file__).parent

pytest_plugins = [
    "tests.fixtures_chain",
    "tests.fixtures_ledger",
    "tests.fixtures_contracts",
    "tests.fixtures_decisions",
    "tests.fixtures_findings",
    "tests.fixtures_store",
    "tests.fixtures_story",
]

# How long one example takes tells about the machine and what else it does, not about Carnet.
settings.register_profile("carnet", deadline=None)
settings.load_profile("carnet")

LONG = (
    "differential/test_rules_spark.py",
    "e2e/test_law_calendar.py",
    "differential/test_rules_engines.py",
    "browser/test_verify_html_equal.py",
    "faults/test_append_server_killed.py",
    "contract/test_book_machine.py",
    "differential/test_rules_bulk.py",
    "e2e/test_key_commands.py",
    "e2e/test_demo.py",
    "faults/test_anchor_crash.py",
)
"""Modules that take longest, as pytest's --durations tells them, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long modules: one that begins last keeps one process busy alone."""
    places = {TESTS / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(autouse=True)
def _no_language_of_another_workspace() -> Iterator[None]:
    """Forget the language that a command took from its workspace, as the end of a process does."""
    yield
    language._preferred.clear()

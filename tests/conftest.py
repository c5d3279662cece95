"""Fixtures that several test folders share, one module for each part."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from carnet.cli import language

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


@pytest.fixture(autouse=True)
def _no_language_of_another_workspace() -> Iterator[None]:
    """Forget the language that a command took from its workspace, as the end of a process does."""
    yield
    language._preferred.clear()

"""Each status that a document can have is reached in a test of the pack that derives it."""

import pytest

from carnet.rules.pack import load_shipped
from carnet.rules.testing import PackTest, read_tests

STATUSES = (
    *("missing", "present_unverified", "not_yet_valid", "valid", "window_open"),
    *("window_closing", "window_missed", "expired", "review_overdue", "superseded_standard"),
    *("wrong_scope", "wrong_body", "wrong_language", "revoked", "not_applicable", "undetermined"),
)


@pytest.fixture(scope="module")
def counted() -> dict[str, int]:
    """Return the highest count that a test of the pack expects for each measure."""
    found: dict[str, int] = {}
    for test in read_tests(load_shipped("eu-ce")):
        if isinstance(test, PackTest):
            for case in test.expect:
                for name, value in (case.measures or {}).items():
                    found[name] = max(found.get(name, 0), value or 0)
    return found


@pytest.mark.parametrize("status", STATUSES)
def test_status__is_reached_in_a_test_of_the_pack(counted: dict[str, int], status: str) -> None:
    assert counted.get(f"status_{status}", 0) >= 1


def test_statuses__are_all_that_the_pack_counts() -> None:
    names = {definition.name for definition in load_shipped("eu-ce").measures.values()}
    own = {name.removeprefix("status_") for name in names if name.startswith("status_")}
    assert own == set(STATUSES)

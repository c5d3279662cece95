"""What differs between two packs is told piece by piece, and never passed over."""

import copy
import random
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.rules.difference import Change, differences
from carnet.rules.pack import digest_of, read_documents
from carnet.rules.shelf import SHELF, shelved_packs
from tests.fixtures_rules import TEXT, header, parameter, rule

SHIPPED = {f"{each.id}@{each.version}": each.folder for each in shelved_packs(SHELF)}
TABLE = [
    ["hit_policy", "U"],
    ["kind", "in", "out", "citation"],
    ["name", "score", "tier"],
    ["r1", "> 5", "A", "LAW-1"],
    ["r2", "<= 5", "B"],
]


def documents(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "pack.yaml": header(),
        "parameters.yaml": {"parameters": [parameter("limit", "integer", 5)]},
        "rules/all.yaml": {"rules": [rule(when=["a", "b"]), rule("rule-2", when=["c"])]},
        "tables/tiers.csv": TABLE,
    }
    return copy.deepcopy(base | changes)


def changed_rule(**changes: Any) -> dict[str, Any]:
    first = rule(**{"when": ["a", "b"], **changes})
    return documents(**{"rules/all.yaml": {"rules": [first, rule("rule-2", when=["c"])]}})


def told(after: dict[str, Any], before: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    found = differences(before or documents(), after)
    return [(c.level, c.kind, c.id, c.part, c.before, c.after) for c in found]


def test_same_content__has_no_difference() -> None:
    assert differences(documents(), documents()) == []


@pytest.mark.parametrize(
    ("changes", "part", "before", "after"),
    [
        ({"severity": "minor"}, "severity", "blocking", "minor"),
        ({"citation": ["LAW-2"]}, "citation", "LAW-1", None),
        ({"when": ["a"]}, "when", "b", None),
        ({"when": ["a", "b", "d"]}, "when", None, "d"),
        ({"when": ["b", "a"]}, "when (order)", ["a", "b"], ["b", "a"]),
        ({"title": {**TEXT, "zh": "新"}}, "title.zh", "文本", "新"),
        (
            {"finding": {"message": TEXT, "remedy": {**TEXT, "en": "Do."}}},
            "finding.remedy.en", "text", "Do.",
        ),
        ({"without": [{"a": "product"}]}, "without", None, [{"a": "product"}]),
        ({"scope": [{"when": "x"}]}, "scope", None, [{"when": "x"}]),
        ({"action": "stop"}, "action", None, "stop"),
    ],
)  # fmt: skip
def test_rule__is_told_part_by_part(
    changes: dict[str, Any], part: str, before: Any, after: Any
) -> None:
    first = told(changed_rule(**changes))[0]
    kind = "added" if before is None else "removed" if after is None else "changed"
    assert first == ("rule", kind, "rule-1", part, before, after)


def test_rules__added_removed_moved_and_in_another_order() -> None:
    one, two, three = (rule(f"rule-{n}", when=["a", "b"] if n == 1 else ["c"]) for n in (1, 2, 3))
    found = told(documents(**{"rules/all.yaml": {"rules": [two, three]}}))
    assert [(row[1], row[2], row[3]) for row in found] == [
        ("removed", "rule-1", ""), ("added", "rule-3", ""),
    ]  # fmt: skip
    (row,) = told(documents(**{"rules/all.yaml": {"rules": [two, one]}}))
    assert row[2:] == ("*", "order", ["rule-1", "rule-2"], ["rule-2", "rule-1"])
    split = {"rules/all.yaml": {"rules": [one]}, "rules/more.yaml": {"rules": [two]}}
    (row,) = told(documents(**split))
    assert row == ("rule", "changed", "rule-2", "file", "rules/all.yaml", "rules/more.yaml")


def test_parameter__is_told_value_by_value() -> None:
    after = parameter("limit", "integer", 6)
    late = {"value": 7, "valid_from": date(2027, 1, 1), "known_from": date(2026, 1, 1)}
    after["values"].append(late)
    found = told(documents(**{"parameters.yaml": {"parameters": [after]}}))
    days = "valid_from 2000-01-01 known_from 2000-01-01"
    assert found[0] == ("parameter", "changed", "limit", f"{days}.value", 5, 6)
    assert found[1][:4] == (
        "parameter", "added", "limit", "valid_from 2027-01-01 known_from 2026-01-01",
    )  # fmt: skip
    assert found[1][5]["value"] == 7


def test_table__is_told_by_row_and_column() -> None:
    rows = copy.deepcopy(TABLE)
    rows[0][1] = "F"
    rows[3][2] = "C"
    rows[4:] = [["r3", "<= 5", "B"]]
    found = told(documents(**{"tables/tiers.csv": rows}))
    assert found == [
        ("table", "changed", "tiers", "hit_policy:.score", "U", "F"),
        ("table", "changed", "tiers", "r1.tier", "A", "C"),
        ("table", "removed", "tiers", "r2", {"score": "<= 5", "tier": "B"}, None),
        ("table", "added", "tiers", "r3", None, {"score": "<= 5", "tier": "B"}),
    ]


def test_table__rows_and_columns_in_another_order() -> None:
    turned = [[row[0], *reversed(row[1:3]), *row[3:]] if len(row) > 2 else row for row in TABLE]
    assert "order of columns" in [row[3] for row in told(documents(**{"tables/tiers.csv": turned}))]
    swapped = [*TABLE[:3], TABLE[4], TABLE[3]]
    (row,) = told(documents(**{"tables/tiers.csv": swapped}))
    assert row[3] == "order of rows"


def test_value__of_another_type_differs() -> None:
    values = [5, 1, True, "true", "5", date(2026, 1, 1), "2026-01-01", [5], {"a": 5}]
    for one in values:
        for other in values:
            before, after = (
                documents(**{"pack.yaml": header(stage=each)}) for each in (one, other)
            )
            assert bool(differences(before, after)) == (repr(one) != repr(other))


def test_empty_section__differs_from_none() -> None:
    after = documents()
    after["rules/all.yaml"]["derived"] = []
    assert told(after) == [
        ("pack", "changed", "*", "files", sorted(documents()), sorted(documents()))
    ]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for n, item in enumerate(value) for leaf in _leaves(item, (*path, n))]
    return [path]


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(sorted(SHIPPED)), seed=st.integers(0, 2**32))
def test_shipped_pack__no_edit_is_passed_over(name: str, seed: int) -> None:
    before = _documents(name)
    after = copy.deepcopy(before)
    chosen = random.Random(seed)
    for _ in range(chosen.randint(1, 3)):
        # A pack without parameters has a file of them in which nothing stands.
        file = chosen.choice(
            [
                name
                for name, each in after.items()
                if not name.startswith("tables/") and _leaves(each)
            ]
        )
        path = chosen.choice(_leaves(after[file]))
        owner = after[file]
        for step in path[:-1]:
            owner = owner[step]
        if chosen.random() < 0.5 and isinstance(owner, dict) and path[-1] not in {"id", "name"}:
            del owner[path[-1]]
            break
        owner[path[-1]] = chosen.choice(["other", 7, date(2001, 1, 1), "b"])
    digests = {digest_of(_without_tables(each)).hex() for each in (before, after)}
    assert bool(differences(before, after)) == (len(digests) > 1)


def _without_tables(documents: dict[str, Any]) -> dict[str, Any]:
    """Return the documents that are edited above; a table counts by what its cells mean."""
    return {name: each for name, each in documents.items() if not name.startswith("tables/")}


_READ: dict[str, dict[str, Any]] = {}


def _documents(name: str) -> dict[str, Any]:
    if name not in _READ:
        _READ[name] = read_documents(SHIPPED[name])
    return _READ[name]


def test_change__is_published_as_json() -> None:
    change = Change("rule", "changed", "r", "severity", "minor", "major")
    assert change.to_json() == {
        "level": "rule", "kind": "changed", "id": "r", "part": "severity",
        "before": "minor", "after": "major",
    }  # fmt: skip

"""References are checked against the batch and the store; every dangling one is told."""

from typing import Any

import pytest

from carnet.facts.fact import FactBatch, Source, fact_from_json
from carnet.facts.intake import IntakeError, IntakeLimits, check_references
from carnet.facts.issue import PROBLEMS_READ_MAX
from tests.fixtures_facts import certificate

PARTY = {"type": "party", "id": "S-1", "name": "Example Co", "country": "CN"}
LINK: dict[str, Any] = {
    "type": "trace_link",
    "id": "T-1",
    "from_id": "X-1",
    "to_id": "X-2",
    "kind": "transformed",
    "occurred_at": "2026-01-01T00:00:00Z",
}
UNIT = {"type": "unit", "id": "X-2", "product_id": "P-1", "serial": "1"}


def batch(*raw: dict[str, Any]) -> FactBatch:
    sources = tuple(Source("facts.json", index) for index in range(len(raw)))
    return FactBatch(tuple(map(fact_from_json, raw)), sources)


def nothing(_type: str, _ids: frozenset[str]) -> frozenset[str]:
    return frozenset()


def dangling(facts: FactBatch, stored: Any = nothing, **limits: int) -> list[tuple[Any, ...]]:
    with pytest.raises(IntakeError) as caught:
        check_references(facts, stored, IntakeLimits(**limits))
    assert caught.value.code == "CRN-F-002"
    return [(issue.row, issue.column, issue.found) for issue in caught.value.issues]


def test_references__to_nothing() -> None:
    facts = batch(PARTY, certificate(issuer_id="S-1", test_lab_id="L-9"))
    assert dangling(facts) == [(1, "product_id", "'P-1'"), (1, "test_lab_id", "'L-9'")]


def test_references__to_a_fact_of_another_type() -> None:
    assert dangling(batch(PARTY, certificate(product_id="S-1"))) == [(1, "product_id", "'S-1'")]


def test_references__to_what_is_stored_is_asked_once_a_type() -> None:
    asked: list[tuple[str, frozenset[str]]] = []

    def stored(type_name: str, ids: frozenset[str]) -> frozenset[str]:
        asked.append((type_name, ids))
        return ids & {"P-1"}

    check_references(batch(certificate(), certificate(id="C-2")), stored)
    assert asked == [("product", frozenset({"P-1"}))]


def test_references__within_the_batch_in_any_order() -> None:
    facts = batch(LINK, UNIT, UNIT | {"id": "X-1"})
    check_references(facts, lambda name, ids: ids if name == "product" else frozenset())


def test_references__none_at_all_asks_nothing() -> None:
    def stored(_type: str, _ids: frozenset[str]) -> frozenset[str]:
        raise AssertionError("nothing is asked for")

    check_references(batch(PARTY), stored)


def test_references__to_one_of_several_types() -> None:
    stored = {"product": {"P-1"}, "material_lot": {"X-1"}}
    check_references(batch(LINK, UNIT), lambda name, ids: ids & stored.get(name, set()))
    stored["material_lot"].clear()
    stored["batch"] = {"X-1"}
    check_references(batch(LINK, UNIT), lambda name, ids: ids & stored.get(name, set()))
    stored["batch"].clear()
    found = dangling(batch(LINK, UNIT), lambda name, ids: ids & stored.get(name, set()))
    assert found == [(0, "from_id", "'X-1'")]


def test_references__role_and_registration_ids_are_free() -> None:
    raw = {
        "type": "batch",
        "id": "B",
        "product_id": "P-1",
        "lot": "1",
        "produced_on": "2026-01-01",
        "quantity": 1,
        "uom": "C62",
        "site_id": "SITE-7",
        "inspector_id": "QC-07",
    }
    check_references(batch(raw), lambda _, ids: ids & {"P-1"})


def test_references__issues_are_bounded() -> None:
    facts = batch(*(certificate(id=f"C-{index}") for index in range(5)))
    with pytest.raises(IntakeError) as caught:
        check_references(facts, nothing, IntakeLimits(issues_max=2))
    assert (len(caught.value.issues), caught.value.hidden_count) == (2, 3)


def test_references__checking_stops_where_everything_dangles() -> None:
    link = fact_from_json(LINK)
    count = PROBLEMS_READ_MAX // 2 + 1
    facts = FactBatch((link,) * count, (Source("facts.json", 0),) * count)
    with pytest.raises(IntakeError) as caught:
        check_references(facts, nothing)
    assert caught.value.problem_count == PROBLEMS_READ_MAX
    assert not caught.value.is_complete

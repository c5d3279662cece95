"""A window of days is a matter of lines, in every engine."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.engine import evaluate
from tests.fixtures_rules import AS_OF, TEXT, listing, make_pack, product, rule

PATHS = {
    "product": "product <- listing.product_id",
    "batch": "batch.product_id -> product",
    "inspection": "inspection.batch_id -> batch",
}
RECENT = {
    "name": "recent",
    "title": TEXT,
    "function": "count",
    "over": {"i": "inspection"},
    "when": [
        "days_between(i.inspected_on, as_of) >= 0",
        "days_between(i.inspected_on, as_of) < 90",
    ],
}


def _batch() -> Fact:
    return fact_from_json(
        {
            "type": "batch", "id": "B1", "product_id": "P1", "lot": "1",
            "produced_on": "2020-01-01", "quantity": 1, "uom": "C62",
        }
    )  # fmt: skip


def _inspection(name: str, day: date) -> Fact:
    return fact_from_json(
        {
            "type": "inspection", "id": name, "batch_id": "B1", "inspector_id": "QC-07",
            "inspected_on": day.isoformat(), "result": "pass", "sample_size": 1, "critical": 0,
            "major": 0, "minor": 0,
        }
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["reference", "live"])
@pytest.mark.parametrize(
    ("days_ago", "count"), [(-1, 0), (0, 1), (1, 1), (89, 1), (90, 0), (100, 0), (1_000, 0)]
)
def test_window__holds_the_days_from_its_first_to_as_of(
    tmp_path: Path, engine: str, days_ago: int, count: int
) -> None:
    pack = make_pack(
        tmp_path,
        rule("seldom", when=["measure.recent == 0"]),
        rule("pair", match=[{"i": "inspection"}, {"j": "inspection"}],
             when=["i.inspected_on > add_days(j.inspected_on, 400)"]),
        paths=PATHS,
        measures=[RECENT],
    )  # fmt: skip
    facts = [
        listing(), product(), _batch(),
        _inspection("I1", AS_OF - timedelta(days_ago)),
        _inspection("I2", AS_OF - timedelta(500)),
    ]  # fmt: skip
    (decision,) = evaluate(pack, facts, AS_OF, engine).decisions
    assert decision.measures == {"recent": count}
    assert ("seldom" in {one.rule for one in decision.findings}) == (count == 0)
    assert ("pair" in {one.rule for one in decision.findings}) == (abs(days_ago - 500) > 400)

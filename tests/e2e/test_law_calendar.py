"""The decision changes on the day on which the law does: the day before, the day, the day after.

Each date of the calendar has three tests in the packs, or says why it changes no decision. All of
them are evaluated by every engine.
"""

import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests, run_test

CHANGES: dict[str, tuple[str, ...]] = {
    # Past on the day of the review.
    "2023-02-06": ("us-fcc",),
    "2025-09-08": ("us-fcc",),
    "2025-12-15": ("us-fcc",),
    "2025-12-22": ("us-fcc",),
    "2026-03-23": ("us-fcc",),
    "2026-06-11": ("eu-ce",),
    "2026-07-08": ("us-cpsc",),
    "2026-08-12": ("eu-ce",),
    "2026-08-18": ("eu-ce",),
    "2026-09-11": ("eu-ce",),
    # To come.
    "2026-12-10": ("eu-ce",),
    "2026-12-11": ("eu-ce",),
    "2027-01-08": ("us-cpsc",),
    "2027-01-20": ("eu-ce",),
    "2027-02-18": ("eu-ce",),
    "2027-06-11": ("eu-ce",),
    "2027-06-30": ("eu-ce",),
    "2027-08-18": ("eu-ce",),
    "2027-12-11": ("eu-ce",),
    "2027-12-31": ("eu-ce",),
    "2028-06-11": ("eu-ce",),
    "2029-01-01": ("us-fcc",),
    "2030-08-01": ("eu-ce",),
    "2031-02-01": ("eu-ce",),
}
UNCHANGED = {
    "2026-04-28": "common charger of laptops: no category of products is a laptop",
    "2026-06-15": "trusted test laboratories: priority and surveillance, no document",
    "2026-07-19": "product passport registry: no passport is required by it",
}
DAYS = ("day-before", "the-day", "day-after")
DATED = re.compile(
    r"(?P<name>.+?)-(?P<day>\d{4}-\d{2}-\d{2})(?P<rest>-.+?)?-(?P<when>day-before|the-day|day-after)"
)
REFERENCES = ("number", "body_number", "ce_mark_number")


def newest(pack_id: str) -> Pack:
    folders = sorted(
        (SHELF / pack_id).iterdir(), key=lambda path: [*map(int, path.name.split("."))]
    )
    return load_pack(folders[-1])


@pytest.fixture(scope="module")
def packs() -> dict[str, Pack]:
    return {name: newest(name) for name in ("eu-ce", "us-fcc", "us-cpsc")}


def dated(pack: Pack) -> dict[tuple[str, str], dict[str, PackTest]]:
    """Return the tests about a date, by what they are about, for the three days."""
    found: dict[tuple[str, str], dict[str, PackTest]] = defaultdict(dict)
    for test in read_tests(pack):
        match = DATED.fullmatch(test.id)
        if match is not None and isinstance(test, PackTest):
            found[match["day"], match["name"] + (match["rest"] or "")][match["when"]] = test
    return found


def test_calendar__every_date_has_its_three_days(packs: dict[str, Pack]) -> None:
    for day, pack_ids in CHANGES.items():
        for pack_id in pack_ids:
            groups = [group for (of, _), group in dated(packs[pack_id]).items() if of == day]
            assert groups, (day, pack_id)
            assert all(set(group) == set(DAYS) for group in groups), (day, pack_id)


def expected(test: PackTest) -> Any:
    (case,) = test.expect
    outputs = None if case.outputs is None else sorted(case.outputs)
    return case.conformity, sorted(finding.name for finding in case.findings), outputs


def test_calendar__the_decision_changes_on_the_date(packs: dict[str, Pack]) -> None:
    for day, pack_ids in CHANGES.items():
        for pack_id in pack_ids:
            groups = [group for (of, _), group in dated(packs[pack_id]).items() if of == day]
            assert any(
                len({repr(expected(group[when])) for when in DAYS}) == 2 for group in groups
            ), (day, pack_id)


def test_calendar__the_decision_stays_where_no_fact_shows_the_change(
    packs: dict[str, Pack],
) -> None:
    groups = [item for name in ("eu-ce", "us-fcc") for item in dated(packs[name]).items()]
    seen = {day for (day, _), _ in groups}
    assert seen >= UNCHANGED.keys()
    for (day, name), group in groups:
        if day in UNCHANGED:
            assert len({repr(expected(group[when])) for when in DAYS}) == 1, name


def test_calendar__tests_stand_on_the_days_they_name(packs: dict[str, Pack]) -> None:
    shifts: dict[str, int] = dict(zip(DAYS, (-1, 0, 1), strict=True))
    for (day, name), group in dated(packs["eu-ce"]).items():
        for when, test in group.items():
            assert test.as_of == date.fromisoformat(day) + timedelta(shifts[when]), (name, when)


@pytest.mark.parametrize("engine", ["reference", "live"])
@pytest.mark.parametrize("pack_id", ["eu-ce", "us-fcc", "us-cpsc"])
def test_calendar__is_decided_as_expected(
    packs: dict[str, Pack], pack_id: str, engine: str
) -> None:
    groups = dated(packs[pack_id]).values()
    results = [
        run_test(packs[pack_id], test, engine) for group in groups for test in group.values()
    ]
    assert results
    assert [(r.id, r.differences) for r in results if not r.is_passed] == []


def together(tests: list[PackTest]) -> dict[tuple[date, frozenset[str]], list[Fact]]:
    """Return the facts of tests that share a day as one set, their ids kept apart."""
    days: dict[tuple[date, frozenset[str]], list[Fact]] = defaultdict(list)
    numbers: dict[tuple[int, str], str] = {}
    for index, test in enumerate(tests):
        own = {fact.id for fact in test.facts}

        def renamed(name: str, value: Any, index: int = index, own: set[str] = own) -> Any:
            if name in REFERENCES and re.fullmatch(r"\d{4}", str(value)):
                return numbers.setdefault((index, value), f"{len(numbers):04d}")
            return f"t{index}.{value}" if value in own else value

        for fact in test.facts:
            fields = {name: renamed(name, value) for name, value in fact.fields.items()}
            days[test.as_of, test.confirmed].append(Fact(fact.type, f"t{index}.{fact.id}", fields))
    return days


@pytest.mark.slow
@pytest.mark.parametrize("day", CHANGES)
def test_calendar__is_decided_alike_in_bulk(packs: dict[str, Pack], day: str) -> None:
    for pack in (packs[pack_id] for pack_id in CHANGES[day]):
        groups = [group for (of, _), group in dated(pack).items() if of == day]
        tests = [test for group in groups for test in group.values()]
        for (as_of, confirmed), facts in together(tests).items():
            first, second = (
                evaluate(pack, facts, as_of, engine, confirmed).to_json() | {"engine": ""}
                for engine in ("reference", "bulk")
            )
            assert first == second, as_of

"""Instants in lines: compared with each other to the second, and by their day in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import InputError
from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.check.inspect import inspect_pack
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack
from tests.fixtures_rules import AS_OF, TEXT, listing, make_pack, product, rule, write_pack

PATHS = {"product": "product <- listing.product_id", "incident": "*"}
OPENED = "2026-11-22T23:59:59Z"
INCIDENTS = [{"i": "incident"}]


def incident(name: str = "I1", **fields: Any) -> Fact:
    base = {"seller_id": "S1", "kind": "late", "level": 2, "opened_at": OPENED}
    return fact_from_json({"type": "incident", "id": name, **base, **fields})


def _decide(pack: Pack, *incidents: Fact) -> Decision:
    facts = [listing(), product(), *incidents]
    reference = evaluate(pack, facts, AS_OF, "reference")
    live = evaluate(pack, facts, AS_OF, "live")
    assert live.to_json() | {"engine": "reference"} == reference.to_json()
    (decision,) = reference.decisions
    return decision


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("==", [False, True, False]),
        ("!=", [True, False, True]),
        (">=", [False, True, True]),
        (">", [False, False, True]),
    ],
)
def test_instants__are_compared_to_the_second(
    tmp_path: Path, operator: str, expected: list[bool]
) -> None:
    match = [{"i": "incident"}, {"j": "incident"}]
    when = ["i.level == 1", "j.level == 2", f"i.opened_at {operator} j.opened_at"]
    pack = make_pack(tmp_path, rule(match=match, when=when), paths=PATHS)
    others = ["2026-11-23T00:00:00Z", OPENED, "2026-11-22T23:59:58Z"]
    first = incident("I1", level=1)
    found = [bool(_decide(pack, first, incident("I2", opened_at=at)).findings) for at in others]
    assert found == expected


def test_instants__of_two_facts_are_joined(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        rule(
            match=[{"i": "incident"}, {"j": "incident"}],
            when=["i.opened_at < j.opened_at", "date_of(i.opened_at) == date_of(j.opened_at)"],
        ),
        paths=PATHS,
    )
    facts = [
        incident("I1", opened_at="2026-11-22T00:00:00Z"),
        incident("I2", opened_at=OPENED),
        incident("I3", opened_at="2026-11-23T00:00:00Z"),
    ]
    (finding,) = _decide(pack, *facts).findings
    assert finding.facts == (("incident", "I1"), ("incident", "I2"), ("listing", "L1"))


@pytest.mark.parametrize(
    ("opened_at", "days"),
    [(OPENED, 1), ("2026-11-23T00:00:00Z", 0), ("1969-12-31T23:59:59Z", 20_781)],
)
def test_date_of__is_the_day_in_utc(tmp_path: Path, opened_at: str, days: int) -> None:
    pack = make_pack(
        tmp_path,
        rule(match=INCIDENTS, when=[f"days_between(date_of(i.opened_at), as_of) == {days}"]),
        paths=PATHS,
    )
    assert len(_decide(pack, incident(opened_at=opened_at)).findings) == 1


def test_instant__is_spelled_in_utc(tmp_path: Path) -> None:
    texts = {"en": "opened {i.opened_at}", "zh": "{i.opened_at} 开始"}
    pack = make_pack(
        tmp_path,
        rule(
            match=INCIDENTS,
            when=["i.opened_at == i.opened_at"],
            finding={"message": texts, "remedy": TEXT},
        ),
        paths=PATHS,
    )
    (finding,) = _decide(pack, incident()).findings
    assert finding.message.en == f"opened {OPENED}"
    assert finding.values == {"i.opened_at": OPENED}


def test_instant__that_is_absent_is_undetermined(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path, rule(match=INCIDENTS, when=["i.opened_at < i.closed_at"]), paths=PATHS
    )
    decision = _decide(pack, incident())
    assert decision.conformity == "undetermined"
    assert "incident/I1.closed_at is absent" in decision.errors[0].cause.en


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("i.opened_at < as_of", "compares an instant with a date"),
        ("i.opened_at == 5", "compares an instant with an integer"),
        ("i.opened_at in [1]", "constants of the type on its left"),
        ("days_between(i.opened_at, as_of) > 1", "days_between takes (date, date)"),
        ("date_of(as_of) == as_of", "date_of takes (instant)"),
        ("i.opened_at + 1 > 2", "needs integers, not an instant"),
    ],
)
def test_check__keeps_instants_and_dates_apart(tmp_path: Path, line: str, expected: str) -> None:
    folder = write_pack(tmp_path, rule(match=INCIDENTS, when=[line]), paths=PATHS)
    _, (error,) = check_pack(folder)
    assert expected in str(error)


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 11, 22, 12),  # noqa: DTZ001  # naive on purpose
        datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC),
    ],
)
def test_engines__refuse_instants_that_no_import_makes(tmp_path: Path, instant: datetime) -> None:
    pack = make_pack(
        tmp_path, rule(match=INCIDENTS, when=["date_of(i.opened_at) < as_of"]), paths=PATHS
    )
    good = incident("I0")
    bad = Fact("incident", "I1", {**good.fields, "opened_at": instant})
    for facts in ([bad], [good, bad]):
        with pytest.raises(InputError, match="not UTC to the second"):
            evaluate(pack, [listing(), product(), *facts], AS_OF, "reference")


def test_inspection__knows_that_instants_are_ordered(tmp_path: Path) -> None:
    lines = ["i.opened_at <= i.reported_at", "i.opened_at == i.reported_at", "has(i.reported_at)"]
    folder = write_pack(tmp_path, rule(match=INCIDENTS, when=lines), paths=PATHS)
    assert "CRN-R-200" not in {one.code for one in inspect_pack(folder).defects}
    never = ["i.opened_at < i.reported_at", "i.opened_at > i.reported_at", "has(i.reported_at)"]
    found = inspect_pack(write_pack(tmp_path, rule(match=INCIDENTS, when=never), paths=PATHS))
    assert [one.code for one in found.defects] == ["CRN-R-200"]


def test_bulk__reads_and_spells_instants_as_the_reference(tmp_path: Path) -> None:
    texts = {"en": "{i.opened_at} to {i.closed_at}", "zh": "{i.opened_at}"}
    pack = make_pack(
        tmp_path,
        rule(
            "spelled",
            match=INCIDENTS,
            when=["date_of(i.opened_at) < as_of || i.opened_at < i.closed_at"],
            finding={"message": texts, "remedy": TEXT},
        ),
        rule("old", match=INCIDENTS, when=["days_between(date_of(i.opened_at), as_of) > 20000"]),
        paths=PATHS,
    )
    opened = ["1900-02-28T07:08:09Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", OPENED]
    facts = [
        listing(),
        product(),
        *(incident(f"I{n}", opened_at=at) for n, at in enumerate(opened)),
        incident("I8", closed_at="2026-11-23T00:00:00Z"),
        incident("I9", opened_at="2026-11-23T07:08:09Z"),
    ]
    reference = evaluate(pack, facts, AS_OF, "reference").to_json()
    bulk = evaluate(pack, facts, AS_OF, "bulk").to_json()
    assert bulk | {"engine": "reference"} == reference

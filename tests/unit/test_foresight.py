"""What a pack computes of facts, what changes in its law, and what that does to cases."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.derivation import derive
from carnet.rules.engine import evaluate
from carnet.rules.foresight import Effect, ForeseenChange, foresee
from carnet.rules.law_changes import law_changes, readers_of, undo, with_rules
from carnet.rules.pack import load_pack
from carnet.rules.parameters import value_in_force
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests
from tests.fixtures_rules import (
    AS_OF,
    TEXT,
    certificate,
    listing,
    make_pack,
    outcome_rule,
    output,
    parameter,
    product,
    rule,
)

SUNSET = date(2027, 3, 31)
ONE_DAY = timedelta(days=1)


def choice(name: str, kind: str, choose: str, *candidates: dict[str, Any]) -> dict[str, Any]:
    base = {"fact": "certificate", "name": name, "kind": kind, "title": TEXT, "choose": choose}
    return base | {"candidates": list(candidates)}


ENDS = choice(
    "ends",
    "date",
    "min",
    {
        "value": "certificate.printed_valid_until",
        "when": ["has(certificate.printed_valid_until)"],
        "reason": {"id": "printed", "en": "printed", "zh": "所载"},
    },
    {
        "value": "param.sunset",
        "when": ['certificate.act == "red"'],
        "reason": {"id": "sunset", "en": "sunset", "zh": "终止"},
    },
)
ENDED = rule("ended", match=[{"c": "certificate"}], when=["has(c.ends)", "c.ends < as_of"])


def sunset_pack(folder: Path, status: str = "V") -> Pack:
    sunset = parameter("sunset", "date", SUNSET, status)
    return make_pack(folder, ENDED, parameters=[sunset], derived=[ENDS])


def case_of(**fields: Any) -> list[Fact]:
    return [listing(), product(), certificate(**fields)]


def effects(
    pack: Pack, facts: Sequence[Fact], confirmed: frozenset[str] = frozenset()
) -> list[tuple[str, Effect]]:
    found = foresee(pack, facts, AS_OF, date(2028, 1, 1), confirmed)
    return [(one.change.name, effect) for one in found for effect in one.effects]


def findings_of(pack: Pack, facts: Sequence[Fact], day: date) -> list[str]:
    (decision,) = evaluate(pack, facts, day, "reference").decisions
    return [finding.rule for finding in decision.findings]


# --- derived fields -----------------------------------------------------------------------------


def test_derive__tells_the_value_and_what_decided_it(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path)
    facts = [
        *case_of(printed_valid_until="2027-01-31"),
        certificate("K2"),
        certificate("K3", act="ppe"),
    ]
    (case,) = derive(pack, facts, AS_OF)
    ends = {name: values["ends"] for (_, name), values in case.derived.items()}
    assert (ends["K1"].value, ends["K1"].reason and ends["K1"].reason.id) == (
        date(2027, 1, 31),
        "printed",
    )
    assert (ends["K2"].value, ends["K2"].reason and ends["K2"].reason.id) == (SUNSET, "sunset")
    assert (ends["K3"].value, ends["K3"].reason, ends["K3"].cause) == (None, None, None)
    assert ends["K3"].is_told


def test_derive__tells_why_a_value_cannot_be_told_until_officers_confirm(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path, "U")
    (case,) = derive(pack, case_of(), AS_OF)
    found = case.derived["certificate", "K1"]["ends"]
    assert found.value is None
    assert found.cause is not None
    assert "sunset" in found.cause.en
    assert found.rests_on == ("sunset",)
    (case,) = derive(pack, case_of(), AS_OF, frozenset({"sunset"}))
    found = case.derived["certificate", "K1"]["ends"]
    assert (found.value, found.rests_on) == (SUNSET, ("sunset",))
    assert found.to_json() == {
        "value": "2027-03-31",
        "reason": {"id": "sunset", "en": "sunset", "zh": "终止"},
        "cause": None,
    }


def test_derive__tells_only_the_fields_that_are_wanted_of_cases_of_the_pack(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path)
    (case,) = derive(pack, case_of(), AS_OF, names={"other"})
    assert case.derived == {}
    (case,) = derive(pack, [listing(product_id="P9")], AS_OF)
    assert case.broken
    assert case.derived == {}


# --- changes of the law -------------------------------------------------------------------------


def dated(name: str, *values: tuple[Any, str, str | None]) -> dict[str, Any]:
    known = date(2020, 1, 1)
    listed = [
        {"value": value, "valid_from": date.fromisoformat(start), "known_from": known}
        | ({"valid_to": date.fromisoformat(end)} if end else {})
        for value, start, end in values
    ]
    return parameter(name, "integer", 0) | {"values": listed}


def test_law_changes__are_dated_by_the_first_day_that_may_differ(tmp_path: Path) -> None:
    limit = dated("limit", (1, "2020-01-01", "2026-12-31"), (2, "2027-01-01", "2027-06-30"))
    sunset = parameter("sunset", "date", SUNSET)
    values = ["listing.id == listing.id", "param.limit > 5 || param.sunset < as_of"]
    pack = make_pack(tmp_path, rule(when=values), parameters=[limit, sunset])
    found = [
        (c.name, c.what, c.day.isoformat(), c.before, c.after)
        for c in law_changes(pack, AS_OF, date(2027, 12, 31))
    ]
    assert found == [
        ("limit", "changes", "2027-01-01", 1, 2),
        ("sunset", "day", "2027-03-31", None, SUNSET),
        ("limit", "ends", "2027-07-01", 2, None),
    ]
    assert law_changes(pack, date(2027, 1, 1), date(2027, 3, 30)) == []


def test_undo__is_the_law_of_the_day_before(tmp_path: Path) -> None:
    limit = dated("limit", (1, "2020-01-01", "2026-12-31"), (2, "2027-01-01", None))
    pack = make_pack(tmp_path, rule(when=["param.limit > 5"]), parameters=[limit])
    (change,) = law_changes(pack, AS_OF, date(2027, 12, 31))
    undone = undo(pack, [change]).parameters["limit"]
    (kept,) = [value_in_force(undone, date(2027, 1, 1))]
    assert kept is not None
    assert kept.value == 1


def test_readers__are_the_rules_that_a_change_may_reach(tmp_path: Path) -> None:
    measure = {"name": "red", "title": TEXT, "function": "count", "over": {"c": "certificate"}}
    other = rule("other", when=["measure.red > 3"])
    pack = make_pack(
        tmp_path,
        ENDED,
        other,
        parameters=[parameter("sunset", "date", SUNSET)],
        derived=[ENDS],
        measures=[measure],
    )
    changes = law_changes(pack, AS_OF, date(2028, 1, 1))
    readers = readers_of(pack, changes)
    assert [one.id for one in readers] == ["ended"]
    assert with_rules(pack, readers).measures == {}
    assert with_rules(pack, pack.rules).measures.keys() == {"red"}


# --- what they do -------------------------------------------------------------------------------


def test_foresee__finds_what_the_law_ends_and_from_when(tmp_path: Path) -> None:
    ((name, effect),) = effects(sunset_pack(tmp_path), case_of())
    assert (name, effect.day) == ("sunset", SUNSET + ONE_DAY)
    assert [one.rule for one in effect.added] == ["ended"]
    assert (effect.before, effect.after) == ("conforming", "nonconforming")


def test_foresee__leaves_out_what_ends_by_itself_on_the_same_day(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path)
    facts = case_of(act="ppe", printed_valid_until=SUNSET.isoformat())
    assert findings_of(pack, facts, SUNSET + ONE_DAY) == ["ended"]
    assert effects(pack, facts) == []


def test_foresee__counts_what_the_law_would_end_as_well(tmp_path: Path) -> None:
    facts = case_of(printed_valid_until=SUNSET.isoformat())
    ((name, effect),) = effects(sunset_pack(tmp_path), facts)
    assert (name, [one.rule for one in effect.added]) == ("sunset", ["ended"])


def test_foresee__keeps_the_work_of_the_law_apart_from_what_ends_beside_it(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path)
    facts = [*case_of(), certificate("K2", act="ppe", printed_valid_until=SUNSET.isoformat())]
    assert findings_of(pack, facts, SUNSET + ONE_DAY) == ["ended", "ended"]
    ((_, effect),) = effects(pack, facts)
    assert [one.facts[0] for one in effect.added] == [("certificate", "K1")]


def test_foresee__leaves_out_what_had_ended_before(tmp_path: Path) -> None:
    assert effects(sunset_pack(tmp_path), case_of(printed_valid_until="2027-01-31")) == []


def test_foresee__tells_what_an_unconfirmed_change_would_do(tmp_path: Path) -> None:
    pack = sunset_pack(tmp_path, "U")
    (found,) = foresee(pack, case_of(), AS_OF, date(2028, 1, 1))
    assert not found.is_confirmed
    assert [one.rule for one in found.effects[0].added] == ["ended"]
    (found,) = foresee(pack, case_of(), AS_OF, date(2028, 1, 1), frozenset({"sunset"}))
    assert found.is_confirmed


def test_foresee__takes_what_only_several_changes_do_as_the_work_of_each(tmp_path: Path) -> None:
    one = dated("one", (1, "2020-01-01", "2026-12-31"), (9, "2027-01-01", None))
    other = one | {"id": "other"}
    pack = make_pack(
        tmp_path, rule(when=["param.one > 5 || param.other > 5"]), parameters=[one, other]
    )
    assert [name for name, _ in effects(pack, case_of())] == ["one", "other"]


def test_foresee__tells_what_becomes_undetermined_and_what_outputs_change(tmp_path: Path) -> None:
    ending = dated("limit", (1, "2020-01-01", "2026-12-31"))
    years = dated("years", (5, "2020-01-01", "2027-01-31"), (10, "2027-02-01", None))
    pack = make_pack(
        tmp_path,
        rule("limit", when=["param.limit > 5"]),
        outcome_rule("keep", match=[{"c": "certificate"}], set={"kept": "param.years"}),
        parameters=[ending, years],
        outputs=[output("kept", "max")],
    )
    limit, kept = effects(pack, case_of())
    assert [one.rule for one in limit[1].untold] == ["limit"]
    assert (limit[1].before, limit[1].after) == ("conforming", "undetermined")
    assert (kept[0], kept[1].outputs) == ("years", {"kept": (5, 10)})
    assert kept[1].to_json()["outputs"] == {"kept": {"before": 5, "after": 10}}


def test_foresee__stops_where_the_pack_decides_no_more(tmp_path: Path) -> None:
    until = {"from": date(2020, 1, 1), "to": SUNSET}
    pack = make_pack(
        tmp_path,
        ENDED,
        parameters=[parameter("sunset", "date", SUNSET)],
        derived=[ENDS],
        effective=until,
    )
    (found,) = foresee(pack, case_of(), AS_OF, date(2028, 1, 1))
    assert (found.change.day, found.effects) == (SUNSET, ())


# --- the shipped packs --------------------------------------------------------------------------

DATED = re.compile(
    r"(?P<name>.+?)-(?P<day>\d{4}-\d{2}-\d{2})(?P<rest>-.+?)?-(?P<when>day-before|the-day|day-after)"
)
TO_COME = {
    "eu-ce": (
        *("2026-12-10", "2026-12-11", "2027-01-20", "2027-02-18", "2027-06-11", "2027-06-30"),
        *("2027-08-18", "2027-12-11", "2027-12-31", "2028-06-11", "2030-08-01", "2031-02-01"),
    ),
    "us-fcc": ("2029-01-01",),
    "us-cpsc": ("2027-01-08",),
}


@pytest.fixture(scope="module")
def packs() -> dict[str, Pack]:
    versions = {"eu-ce": "0.2.0", "us-fcc": "0.2.0", "us-cpsc": "0.1.0"}
    return {name: load_pack(SHELF / name / version) for name, version in versions.items()}


def groups_of(pack: Pack) -> dict[tuple[date, str], dict[str, PackTest]]:
    """Return the tests about a date that is to come, by what they are about."""
    found: dict[tuple[date, str], dict[str, PackTest]] = defaultdict(dict)
    for test in read_tests(pack):
        match = DATED.fullmatch(test.id)
        if match is None or not isinstance(test, PackTest) or match["day"] not in TO_COME[pack.id]:
            continue
        name = match["name"] + (match["rest"] or "")
        found[date.fromisoformat(match["day"]), name][match["when"]] = test
    return found


@pytest.mark.parametrize("pack_id", TO_COME)
def test_law_changes__has_every_date_of_the_law(packs: dict[str, Pack], pack_id: str) -> None:
    found = law_changes(packs[pack_id], AS_OF, date(2031, 12, 31))
    assert {date.fromisoformat(day) for day in TO_COME[pack_id]} <= {one.day for one in found}
    assert all(law.title and law.article for one in found for law in one.citation)


def differs(pack: Pack, test: PackTest, first: date, second: date) -> bool:
    """Return whether a case is decided differently on two days, measures aside."""
    results = [
        evaluate(pack, test.facts, day, "reference", test.confirmed) for day in (first, second)
    ]
    one, other = (
        [
            (d.case, [(f.rule, f.facts) for f in d.findings], {e.rule for e in d.errors}, d.outputs)
            for d in result.decisions
        ]
        for result in results
    )
    return one != other


@pytest.mark.parametrize("pack_id", TO_COME)
def test_foresee__agrees_with_the_decisions_around_every_date(
    packs: dict[str, Pack], pack_id: str
) -> None:
    pack = packs[pack_id]
    groups = groups_of(pack)
    assert {day.isoformat() for day, _ in groups} == {*TO_COME[pack_id]}
    for (day, name), group in groups.items():
        test = group["the-day"]
        found = foresee(pack, test.facts, day - 2 * ONE_DAY, day + ONE_DAY, test.confirmed)
        for one in (day, day + ONE_DAY):
            assert is_foreseen(found, one) == differs(pack, test, one - ONE_DAY, one), (name, one)


def is_foreseen(found: Sequence[ForeseenChange], day: date) -> bool:
    effects = [effect for one in found for effect in one.effects if effect.day == day]
    return any(
        effect.added or effect.removed or effect.untold or effect.told or effect.outputs
        for effect in effects
    )


def test_foresee__tells_what_one_row_ends_and_the_next_one_begins(packs: dict[str, Pack]) -> None:
    day = date(2030, 8, 1)
    test = next(g["the-day"] for (on, _), g in groups_of(packs["eu-ce"]).items() if on == day)
    found = foresee(packs["eu-ce"], test.facts, day - ONE_DAY, day, test.confirmed)
    told = {one.change.name: (one.change.what, one.effects) for one in found}
    what, (effect,) = told["requirements.toys_dir"]
    assert (what, list(effect.not_required)) == ("ends", [("requirements", "toys_dir")])
    what, (effect,) = told["requirements.toys_reg"]
    assert (what, [one.rule for one in effect.added]) == ("begins", ["product-passport-missing"])
    assert list(effect.required) == [("requirements", "toys_reg")]


def test_law_changes__tells_the_corrigendum(packs: dict[str, Pack]) -> None:
    found = law_changes(packs["eu-ce"], date(2027, 1, 19), date(2027, 1, 20))
    (machinery,) = [one for one in found if one.name == "machinery_regulation_from"]
    assert machinery.day == date(2027, 1, 20)
    assert "14 January 2027" in machinery.corrigenda[0].en
    assert law_changes(packs["eu-ce"], date(2027, 1, 13), date(2027, 1, 19)) == []

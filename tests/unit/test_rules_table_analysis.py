"""Gaps, overlaps, conflicts and rows that decide nothing, as `carnet pack check` tells them."""

import time
from pathlib import Path
from typing import Any

import pytest

from carnet.rules.check import tables as checked
from carnet.rules.check.inspect import inspect_pack
from carnet.rules.check.report import Defect
from carnet.rules.check.tables import table_defects
from tests.fixtures_rules import TEXT, parameter
from tests.fixtures_tables import table_pack, table_text


def _found(folder: Path, text: str, **changes: Any) -> list[Defect]:
    changes.setdefault("parameters", [])
    return list(table_defects(table_pack(folder, {"sample.csv": text}, **changes)))


def _told(folder: Path, text: str, **changes: Any) -> list[str]:
    return [f"{one.code[-2:]} {one.message.en}" for one in _found(folder, text, **changes)]


def test_table__without_gap_or_overlap_is_clean(tmp_path: Path) -> None:
    text = table_text(
        "U",
        "in n integer,in s string,in b boolean,in d date,out x integer",
        "a,<= 5,-,-,-,1",
        "b,> 5,toy,true,-,2",
        'c,> 5,"not(toy)",true,-,3',
        "d,> 5,-,false,<= 2026-01-01,4",
        "e,> 5,-,false,> 2026-01-01,5",
    )
    assert _found(tmp_path, text) == []


def test_gap__is_told_with_region_and_example(tmp_path: Path) -> None:
    text = table_text("U", "in n integer,in s string,out x integer", "a,[1..5],toy,1", "b,> 5,-,2")
    (second, first) = _found(tmp_path, text)
    assert first.message.en == (
        "tables/sample.csv:1: No row of the table sample holds for n: [1..5], s: any other"
        " (for example n = 1, s = other)."
    )
    assert "n: <= 0 (for example n = 0, s = toy)" in second.message.en
    assert "其他任意值" in first.message.zh
    assert first.severity == "warning"


def test_gap__is_an_error_where_the_table_is_declared_complete(tmp_path: Path) -> None:
    text = table_text("U", "in b boolean,out x integer", "a,true,1")
    (warned,) = _found(tmp_path / "open", text)
    complete = text.replace("title_zh,示例表", "title_zh,示例表\ncomplete,true")
    (faulty,) = _found(tmp_path / "complete", complete)
    assert (warned.severity, faulty.severity) == ("warning", "error")
    assert "b: false" in faulty.message.en
    inspection = inspect_pack(tmp_path / "complete")
    assert [one.code for one in inspection.errors] == ["CRN-R-015"]


def test_gap__is_a_note_where_nothing_may_be_collected(tmp_path: Path) -> None:
    (told,) = _found(tmp_path, table_text("C", "in b boolean,out x integer", "a,true,1"))
    assert (told.code, told.severity) == ("CRN-R-015", "note")


def test_gap__between_windows_and_before_publication(tmp_path: Path) -> None:
    text = table_text(
        "U",
        "in b boolean,out x integer,valid_from,valid_to,known_from",
        "a,-,1,,2026-05-31,",
        "b,-,2,2026-06-01,,2026-06-11",
    )
    (gap,) = _told(tmp_path, text)
    assert "as_of: [2026-06-01..2026-06-10]" in gap
    assert "as_of = 2026-06-01" in gap


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("product.min_age_months", "n: 0 "),
        ("measure.count", "n: 0 "),
        ("measure.wilson", "n: 0 | >= 10001"),
        ("param.p", "n: <= 0 | >= 10001"),
    ],
)
def test_gap__is_looked_for_where_the_input_can_be(tmp_path: Path, value: str, told: str) -> None:
    rows = ("a,[1..10000],1",) if "measure.count" not in value else ("a,>= 1,1",)
    rows = ("a,>= 1,1",) if "min_age" in value else rows
    text = table_text("U", "in n integer,out x integer", *rows, extra=(f"value,{value}",))
    measures = [
        {"name": "count", "title": TEXT, "function": "count", "over": {"c": "certificate"}},
        {"name": "wilson", "title": TEXT, "value": "wilson_lower_bps(measure.count, 5)"},
    ]
    found = _told(tmp_path, text, measures=measures, parameters=[parameter("p", "integer", 1)])
    if value == "measure.wilson":
        assert ["n: 0 (" in one for one in found] == [True]
    else:
        assert [told.strip() in one for one in found] == [True]


def test_gap__of_a_closed_input_names_its_values(tmp_path: Path) -> None:
    text = table_text("F", "in s string,out x integer", '"a","toy, helmet",1',
                      extra=("value,product.category",))  # fmt: skip
    (gap,) = _told(tmp_path, text)
    assert "s: not helmet | toy" in gap
    assert "s = charger" in gap


def test_overlap__under_unique_is_an_error_at_the_later_row(tmp_path: Path) -> None:
    text = table_text("U", "in n integer,in s string,out x integer",
                      "a,<= 5,-,1", "b,>= 5,toy,1", "c,> 5,-,2")  # fmt: skip
    found = [one for one in _found(tmp_path, text) if one.code == "CRN-R-016"]
    assert [(one.severity, one.line) for one in found] == [("error", 8), ("error", 9)]
    assert "rows a and b" in found[0].message.en
    assert "for n: 5, s: toy (for example n = 5, s = toy)" in found[0].message.en
    assert "n: >= 6, s: toy" in found[1].message.en


def test_overlap__of_rows_in_force_on_other_days_is_none(tmp_path: Path) -> None:
    text = table_text("U", "in b boolean,out x integer,valid_from,valid_to",
                      "a,-,1,,2026-05-31", "b,-,2,2026-06-01,")  # fmt: skip
    assert _found(tmp_path, text) == []
    late = text.replace("2026-06-01", "2026-05-31")
    (found,) = _told(tmp_path, late)
    assert "as_of: 2026-05-31" in found


def test_conflict__under_any_is_an_error_where_outputs_differ(tmp_path: Path) -> None:
    text = table_text("A", "in n integer,out x integer", "a,-,1", "b,> 5,1", "c,> 9,2")
    found = _found(tmp_path, text)
    assert [(one.code, one.severity) for one in found] == [
        ("CRN-R-017", "error"),
        ("CRN-R-017", "error"),
        ("CRN-R-018", "warning"),
    ]
    assert "rows a and c" in found[0].message.en
    assert "row b of the table sample lies within the row a" in found[2].message.en


@pytest.mark.parametrize("policy", ["F", "P"])
def test_masked__row_that_several_before_it_cover_never_decides(
    tmp_path: Path, policy: str
) -> None:
    text = table_text(
        policy,
        "in n integer,in b boolean,out x string",
        "a,<= 5,-,A",
        "b,> 5,true,A",
        "c,[1..9],true,B",
        "d,[1..9],false,B",
        "e,-,-,C",
        extra=('order,,,"A, B, C"',) if policy == "P" else (),
    )
    (found,) = _found(tmp_path, text)
    assert (found.code, found.severity) == ("CRN-R-018", "warning")
    assert "row c" in found.message.en


def test_masked__by_priority_and_not_by_place(tmp_path: Path) -> None:
    text = table_text("P", "in n integer,out x string", "a,> 5,low", "b,-,high",
                      extra=('order,,"high, low"',))  # fmt: skip
    (found,) = _told(tmp_path, text)
    assert "row a" in found


@pytest.mark.parametrize(("policy", "effect"), [("C", "adds nothing"), ("C+", "both count")])
def test_duplicate__and_row_within_another_are_told(
    tmp_path: Path, policy: str, effect: str
) -> None:
    text = table_text(policy, "in n integer,out x integer", "a,-,1", "b,-,1", "c,> 5,1", "d,> 5,2")
    found = _told(tmp_path, text)
    assert len(found) == 2
    assert "row b of the table sample is a duplicate of the row a" in found[0]
    assert "row c of the table sample lies within the row a" in found[1]
    assert effect in found[0]


def test_row__never_in_force_while_the_pack_is(tmp_path: Path) -> None:
    text = table_text("F", "in b boolean,out x integer,valid_to", "a,-,1,2019-12-31", "b,-,2,")
    (found,) = _told(tmp_path, text)
    assert "row a of the table sample never holds" in found


def test_check__that_would_take_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = table_text("U", "in n integer,out x integer", "a,1,1", "b,2,1")
    monkeypatch.setattr(checked, "STEPS_MAX", 10)
    (found,) = _found(tmp_path, text)
    assert (found.code, found.severity) == ("CRN-R-019", "warning")
    assert "not checked in full" in found.message.en


def test_check__of_a_hostile_table_ends_soon(tmp_path: Path) -> None:
    columns = ",".join([*(f"in n{n} integer" for n in range(24)), "out x integer"])
    rows = [
        f"r{n}," + ",".join(f"[{(n * k) % 97}..{(n * k) % 97 + 40}]" for k in range(1, 25)) + ",1"
        for n in range(400)
    ]
    pack = table_pack(tmp_path, {"sample.csv": table_text("A", columns, *rows)}, parameters=[])
    started = time.monotonic()
    found = list(table_defects(pack))
    assert time.monotonic() - started < 20
    assert found


def test_check__of_a_large_plain_table_is_done_in_full(tmp_path: Path) -> None:
    rows = [f"r{n},{n},{'toy' if n % 2 else 'helmet'},{n}" for n in range(1500)]
    text = table_text("U", "in n integer,in s string,out x integer", *rows)
    pack = table_pack(tmp_path, {"sample.csv": text}, parameters=[])
    started = time.monotonic()
    found = list(table_defects(pack))
    assert time.monotonic() - started < 20
    assert {one.code for one in found} == {"CRN-R-015"}

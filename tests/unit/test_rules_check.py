"""The analyses of ``carnet pack check``: what each finds, and what it leaves alone."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.rules.check.inspect import Inspection, inspect_pack
from carnet.rules.shelf import SHELF, shelved_packs
from tests.fixtures_rules import LAW, header, parameter, rule, spell, write_pack

RADIO = rule(when=["product.is_radio"])
CERTIFICATE = [{"c": "certificate"}]
TITLE = {"en": "title", "zh": "标题"}
SAID = {"message": {"en": "message", "zh": "说明"}, "remedy": {"en": "remedy", "zh": "处理"}}
QUIET = {"CRN-R-210", "CRN-R-211", "CRN-R-212", "CRN-R-213", "CRN-R-231"}
"""What the small packs here leave unused or untranslated on purpose."""


def _inspect(folder: Path, *rules: dict[str, Any], **changes: Any) -> Inspection:
    return inspect_pack(write_pack(folder, *rules, **changes))


def _codes(found: Inspection, ignored: Iterable[str] = QUIET) -> list[str]:
    return [one.code for one in found.defects if one.code not in ignored]


def _rule(lines: list[str], **changes: Any) -> dict[str, Any]:
    return rule(match=CERTIFICATE, when=lines, **changes)


# --- rules that can never find anything ------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ['c.kind == "eu_doc"', 'c.kind == "qa_cert"'],
        ['c.kind == "eu_doc"', 'c.kind != "eu_doc"'],
        ['c.kind == "eu_doc"', '!(c.kind in ["eu_doc", "qa_cert"])'],
        ['c.kind in ["eu_doc"]', 'c.kind in ["qa_cert", "tech_file"]'],
        ["c.is_verified", "!c.is_verified"],
        ["c.is_verified == true", "c.is_verified == false"],
        ["has(c.number)", "!has(c.number)"],
        ['c.number == "1"', "!has(c.number)"],
        ["!has(c.issued_on)"],
        ['c.issued_on < date("2020-01-01")', 'c.issued_on > date("2020-01-01")'],
        ['c.issued_on > date("2020-01-01")', 'c.issued_on < date("2020-01-02")'],
        ["c.issued_on < c.valid_from", "c.valid_from < c.issued_on"],
        ["c.issued_on < c.valid_from", "c.valid_from <= c.status_on", "c.status_on < c.issued_on"],
        ["add_days(c.issued_on, 5) < c.valid_from", "c.valid_from <= add_days(c.issued_on, 5)"],
        ["c.issued_on == c.valid_from", "c.issued_on != c.valid_from"],
        ["c.number == c.body_number", "c.number != c.body_number"],
        ["c.number == c.body_number", 'c.number == "1"', 'c.body_number == "2"'],
        ['c.kind == "eu_doc" || c.kind == "qa_cert"', 'c.kind == "tech_file"'],
        ['c.kind == "eu_doc" || c.is_verified', "!c.is_verified", 'c.kind != "eu_doc"'],
        ['product.category == "toy"', 'product.category == "drone"'],
        ["product.min_age_months < 0"],
        ["product.min_age_months > 3", "product.min_age_months < 5",
         "product.min_age_months != 4"],
        ["product.min_age_months in [1, 2]", "product.min_age_months > 2"],
        ["product.min_age_months + 2 < 4", "product.min_age_months > 3"],
        ["2 > 3"],
        ['"a" == "b"'],
        ["as_of < as_of"],
    ],
)  # fmt: skip
def test_reach__contradiction_is_an_error(tmp_path: Path, lines: list[str]) -> None:
    found = _inspect(tmp_path, _rule(lines))
    assert "CRN-R-200" in _codes(found)
    (error,) = found.errors
    assert (error.file, error.line) == ("rules/all.yaml", 1)
    assert "rule-1" in error.message.en
    assert "rule-1" in error.message.zh
    assert error.hint.en


@pytest.mark.parametrize(
    "lines",
    [
        ['c.kind == "eu_doc"', 'c.act == "red"'],
        ['c.kind == "eu_doc" || c.kind == "qa_cert"', 'c.kind == "qa_cert"'],
        ['c.issued_on >= date("2020-01-01")', 'c.issued_on <= date("2020-01-01")'],
        ["c.issued_on <= c.valid_from", "c.valid_from <= c.issued_on"],
        ["add_days(c.issued_on, 5) <= c.valid_from", "c.valid_from <= add_days(c.issued_on, 5)"],
        ["product.min_age_months > 3", "product.min_age_months < 5"],
        ["add_months(c.issued_on, 1) < c.issued_on"],
        ["c.number == c.body_number", "c.number != c.test_lab_id"],
        ["!has(c.number) || c.number == c.body_number", "!has(c.number)"],
    ],
)
def test_reach__what_may_hold_is_left_alone(tmp_path: Path, lines: list[str]) -> None:
    assert not _inspect(tmp_path, _rule(lines)).errors


def test_reach__scope_and_case_take_part(tmp_path: Path) -> None:
    scope = [{"when": 'listing.market == "US"', "reason": TITLE}]
    case = header()["case"] | {"when": ['listing.market == "EU"']}
    found = _inspect(tmp_path, rule(scope=scope), case=case)
    assert "CRN-R-200" in _codes(found)
    assert not _inspect(tmp_path / "other", rule(scope=scope)).errors


def test_reach__two_aliases_of_a_type_are_two_facts(tmp_path: Path) -> None:
    match = [{"c": "certificate"}, {"d": "certificate"}]
    assert "CRN-R-200" in _codes(_inspect(tmp_path, rule(match=match, when=["c.id == d.id"])))


def test_reach__error_names_only_the_lines_that_contradict(tmp_path: Path) -> None:
    lines = ["c.is_verified", 'c.kind == "eu_doc"', 'c.act == "red"', 'c.kind == "qa_cert"']
    (error,) = _inspect(tmp_path, _rule(lines)).errors
    assert 'c.kind == "eu_doc"; c.kind == "qa_cert"' in error.message.en
    assert "c.act" not in error.message.en


def _dated(*values: tuple[Any, str, str | None]) -> dict[str, Any]:
    listed = []
    for value, first, last in values:
        one: dict[str, Any] = {"value": value, "valid_from": date.fromisoformat(first)}
        one["known_from"] = date(2000, 1, 1)
        if last is not None:
            one["valid_to"] = date.fromisoformat(last)
        listed.append(one)
    return parameter("limit", "integer", 0) | {"values": listed}


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("product.min_age_months < param.limit", True),
        ("product.min_age_months <= param.limit", False),
        ("product.min_age_months < param.limit + 1", False),
    ],
)
def test_reach__parameters_are_taken_over_their_dates(
    tmp_path: Path, line: str, is_found: bool
) -> None:
    """Ages begin at 0, so that nothing is below a limit of 0 whenever it applies."""
    limit = _dated((0, "2000-01-01", "2023-12-31"), (-5, "2024-01-01", None))
    found = _inspect(tmp_path, rule(when=[line]), parameters=[limit])
    assert ("CRN-R-201" in _codes(found)) is is_found
    assert not found.errors


def test_reach__dates_and_values_are_taken_together(tmp_path: Path) -> None:
    """On no day is the limit the one and the date the other."""
    limit = _dated((1, "2000-01-01", "2023-12-31"), (2, "2024-01-01", None))
    lines = ['as_of < date("2024-01-01")', "param.limit == 2"]
    assert "CRN-R-201" in _codes(_inspect(tmp_path, rule(when=lines), parameters=[limit]))
    apart = ['as_of >= date("2024-01-01")', "param.limit == 2"]
    other = _inspect(tmp_path / "other", rule(when=apart), parameters=[limit])
    assert "CRN-R-201" not in _codes(other)


def test_reach__window_of_the_pack_counts(tmp_path: Path) -> None:
    window = {"from": date(2026, 1, 1), "to": date(2026, 12, 31)}
    late = rule(when=['as_of > date("2026-12-31")'])
    last = rule(when=['as_of > date("2026-12-30")'])
    assert "CRN-R-201" in _codes(_inspect(tmp_path / "a", late, effective=window))
    assert _codes(_inspect(tmp_path / "b", last, effective=window)) == []


def test_reach__block_that_finds_nothing(tmp_path: Path) -> None:
    block = {"n": "certificate", "when": ["n.kind == c.kind", 'n.kind == "qa_cert"']}
    found = _inspect(tmp_path, _rule(['c.kind == "eu_doc"'], without=[block]))
    assert _codes(found) == ["CRN-R-202"]
    fine = {"n": "certificate", "when": ["n.kind == c.kind", 'n.kind == "eu_doc"']}
    assert _codes(_inspect(tmp_path / "b", _rule(['c.kind == "eu_doc"'], without=[fine]))) == []


def test_reach__candidate_that_never_applies(tmp_path: Path) -> None:
    candidates = [
        {"value": "1", "when": ['certificate.kind == "eu_doc"', 'certificate.kind == "qa_cert"']},
        {"value": "2"},
        {"value": "3", "when": ["certificate.is_verified"]},
    ]
    field = {"fact": "certificate", "name": "rank", "kind": "integer", "title": TITLE}
    derived = [{**field, "choose": "first", "candidates": candidates}]
    found = _inspect(tmp_path, _rule(["c.rank > 1"]), derived=derived)
    messages = [one.message.en for one in found.defects if one.code == "CRN-R-203"]
    assert [message.split(": ")[1][:30] for message in messages] == ["rank"] * 2
    assert "candidate 1" in messages[0] + messages[1]
    assert "candidate 3" in messages[0] + messages[1]


# --- lines that say nothing ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (['c.kind == "eu_doc"', 'c.kind != "qa_cert"'], ["CRN-R-205"]),
        (['c.kind == "eu_doc"', 'c.kind == "eu_doc"'], ["CRN-R-205"]),
        (["c.is_verified || !c.is_verified"], ["CRN-R-205"]),
        (["c.issued_on < c.status_on", "c.issued_on <= c.status_on"], ["CRN-R-205"]),
        (['c.kind == "eu_doc"', 'c.act == "red" || c.kind == "qa_cert"'], ["CRN-R-204"]),
        (["has(c.number)", 'c.number == "1"'], []),
        (["product.min_age_months >= 0"], []),
        (["has(product.min_age_months)", "product.min_age_months >= 0"], ["CRN-R-205"]),
        (["as_of >= param.day"], []),
    ],
)
def test_lines__idle_ones_are_told(tmp_path: Path, lines: list[str], codes: list[str]) -> None:
    day = parameter("day", "date", date(2010, 1, 1))
    assert _codes(_inspect(tmp_path, _rule(lines), parameters=[day])) == codes


# --- overlap ---------------------------------------------------------------------------------


def _pair(first: dict[str, Any], second: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return rule("a", **first), rule("b", **second)


LINES = ['c.kind == "eu_doc"', "!c.is_verified"]
OTHER_NAMES = {"match": [{"x": "certificate"}], "when": ['x.kind == "eu_doc"', "!x.is_verified"]}


@pytest.mark.parametrize(
    ("first", "second", "needless"),
    [
        ({"match": CERTIFICATE, "when": LINES}, OTHER_NAMES, "b"),
        ({"match": CERTIFICATE, "when": LINES}, {"match": CERTIFICATE, "when": LINES[:1]}, "a"),
        ({"match": CERTIFICATE, "when": LINES[:1]}, {"match": CERTIFICATE, "when": LINES}, "b"),
        ({"match": CERTIFICATE, "when": LINES}, {**OTHER_NAMES, "severity": "minor"}, None),
        ({"match": CERTIFICATE, "when": LINES}, {"match": [{"c": "renewal_plan"}]}, None),
        ({"match": CERTIFICATE, "when": LINES[:1]},
         {"match": CERTIFICATE, "when": LINES[1:]}, None),
    ],
)  # fmt: skip
def test_overlap__needless_rule_is_named(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], needless: str | None
) -> None:
    found = [one for one in _inspect(tmp_path, *_pair(first, second)).defects
             if one.code == "CRN-R-206"]  # fmt: skip
    named = [one.message.en.split("The rule ")[1].split(" ")[0] for one in found]
    assert named == ([needless] if needless else [])


# --- what nothing uses -----------------------------------------------------------------------


def test_unused__everything_is_named_where_it_stands(tmp_path: Path) -> None:
    field = {"fact": "certificate", "name": "rank", "kind": "integer", "title": TITLE}
    folder = write_pack(
        tmp_path,
        rule(when=["product.is_radio"], citation=["LAW-2"], finding=SAID, title=TITLE),
        parameters=[parameter("idle", "integer", 1)],
        derived=[{**field, "value": "1"}],
        measures=[{"name": "count_of", "title": TITLE, "value": "1"}],
    )
    found = {(one.code, one.file): one.message.en for one in inspect_pack(folder).defects}
    assert "certificate.rank" in found["CRN-R-210", "rules/all.yaml"] or "count_of" in str(found)
    codes = sorted(one.code for one in inspect_pack(folder).defects if one.code in QUIET)
    unread = sorted(one.severity for one in inspect_pack(folder).defects if one.code == "CRN-R-210")
    assert unread == ["note", "warning"]
    assert codes.count("CRN-R-211") == 1
    assert codes.count("CRN-R-212") == 1
    assert "No rule cites LAW-1" in found["CRN-R-212", "law.yaml"]
    assert "param.idle" in found["CRN-R-211", "parameters.yaml"]
    paths = [o.message.en for o in inspect_pack(folder).defects if o.code == "CRN-R-213"]
    assert len(paths) == 4, "product alone is used"


def test_unused__what_a_path_leads_through_is_used(tmp_path: Path) -> None:
    block = {"a": "certificate_act", "when": ['a.act == "red"']}
    paths = {name: path for name, path in header()["paths"].items() if name in {
        "product", "certificate", "certificate_act"}}  # fmt: skip
    found = _inspect(tmp_path, rule(without=[block]), paths=paths)
    assert "CRN-R-213" not in {one.code for one in found.defects}


# --- dates and texts -------------------------------------------------------------------------


def test_dates__hole_is_a_warning_and_the_time_before_the_law_a_note(tmp_path: Path) -> None:
    limit = _dated((1, "2021-01-01", "2021-12-31"), (2, "2023-01-01", None))
    found = _inspect(tmp_path, rule(when=["param.limit > 0"]), parameters=[limit])
    gaps = [(one.severity, one.message.en) for one in found.defects if one.code == "CRN-R-220"]
    assert [severity for severity, _ in gaps] == ["note", "warning"]
    assert "from 2020-01-01 to 2020-12-31" in gaps[0][1]
    assert "from 2022-01-01 to 2022-12-31" in gaps[1][1]


def test_dates__value_known_only_later_leaves_a_hole(tmp_path: Path) -> None:
    limit = _dated((1, "2010-01-01", None))
    limit["values"][0]["known_from"] = date(2024, 5, 1)
    found = _inspect(tmp_path, rule(when=["param.limit > 0"]), parameters=[limit])
    (gap,) = [one for one in found.defects if one.code == "CRN-R-220"]
    assert (gap.severity, "to 2024-04-30" in gap.message.en) == ("warning", True)


def _saying(text: str) -> dict[str, Any]:
    return {"message": {"en": text, "zh": f"说明 {text}"}, "remedy": SAID["remedy"]}


@pytest.mark.parametrize(
    ("lines", "text", "is_told"),
    [
        ([], "number {c.number}", True),
        (["has(c.number)"], "number {c.number}", False),
        (['c.number == "1"'], "number {c.number}", False),
        (['c.number == "1" || c.is_verified'], "number {c.number}", True),
        ([], "kind {c.kind} of {product.model}", False),
    ],
)
def test_texts__placeholder_that_may_be_absent_is_noted(
    tmp_path: Path, lines: list[str], text: str, is_told: bool
) -> None:
    found = _inspect(tmp_path, _rule(['c.act == "red"', *lines], finding=_saying(text)))
    notes = [one for one in found.defects if one.code == "CRN-R-230"]
    assert bool(notes) is is_told
    assert all(one.severity == "note" for one in notes)


@pytest.mark.parametrize(
    ("title", "is_told"),
    [
        ({"en": "Radio", "zh": "无线电"}, False),
        ({"en": "Radio", "zh": "Radio"}, True),
        ({"en": "Radio", "zh": "radio equipment"}, True),
        ({"en": "无线电", "zh": "无线电设备"}, True),
        ({"en": "2014/53/EU", "zh": "第 2014/53/EU 号指令"}, False),
    ],
)
def test_texts__untranslated_is_told(tmp_path: Path, title: dict[str, str], is_told: bool) -> None:
    found = _inspect(tmp_path, rule(when=["product.is_radio"], title=title, finding=SAID))
    told = [one for one in found.defects if one.code == "CRN-R-231"]
    assert bool(told) is is_told


# --- the command -----------------------------------------------------------------------------


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["pack", "check", *arguments])
    return result.exit_code, result.stdout


def _clean(folder: Path, **changes: Any) -> Path:
    paths = {"product": "product <- listing.product_id"}
    content = {"when": ["product.is_radio"], "title": TITLE, "finding": SAID} | changes
    common = {"title": TITLE, "authority": TITLE, "paths": paths}
    return write_pack(folder, rule(**content), **common)


def test_command__strict_counts_warnings(tmp_path: Path) -> None:
    clean = _clean(tmp_path / "clean")
    idle = _clean(tmp_path / "idle", when=["product.is_radio", "product.is_radio"])
    assert _run(str(clean), "--strict") == (0, f"{clean}: no defect.\n")
    assert _run(str(idle))[0] == 0
    code, output = _run(str(idle), "--strict")
    assert code == 1
    assert "warning CRN-R-205 rules/all.yaml:1:" in output


def test_command__notes_are_printed_when_asked(tmp_path: Path) -> None:
    folder = _clean(tmp_path, finding=_saying("{product.brand}"))
    assert "CRN-R-230" not in _run(str(folder))[1]
    assert _run(str(folder), "--notes", "--strict")[0] == 0
    assert "CRN-R-230" in _run(str(folder), "--notes")[1]


def test_command__error_is_exit_one(tmp_path: Path) -> None:
    folder = _clean(tmp_path, when=["product.is_radio", "!product.is_radio"])
    assert _run(str(folder))[0] == 1


def test_check__every_message_is_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    folder = write_pack(
        tmp_path / "p",
        _rule(['c.kind == "eu_doc"', 'c.kind == "qa_cert"']),
        rule("b", when=["product.is_radio", "product.is_radio"]),
        parameters=[_dated((1, "2021-01-01", "2021-12-31"), (2, "2023-01-01", None))],
    )
    (folder / "law.yaml").write_text(spell(LAW))
    found = inspect_pack(folder).defects
    assert len({one.code for one in found}) >= 5
    for one in found:
        assert any("\u3400" <= sign <= "\u9fff" for sign in one.message.zh), one
        assert not any("\u3400" <= sign <= "\u9fff" for sign in one.message.en.split(": ")[0])


def test_check__shipped_packs_are_clean() -> None:
    for pack in shelved_packs(SHELF):
        found = inspect_pack(pack.folder)
        assert [one for one in found.defects if one.severity != "note"] == []

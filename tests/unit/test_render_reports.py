"""The forms of a report: whole, safe for what reads them, in both languages, always the same."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from carnet.cli.render.junit import to_junit
from carnet.cli.render.page import page_lines, sum_lines
from carnet.cli.render.paper import Paper
from carnet.cli.render.report import Report, Verdict
from carnet.cli.render.sarif import FINGERPRINT, to_sarif
from carnet.cli.render.sheet import COLUMNS, guarded, to_csv
from carnet.core.text import Language, Text
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.engine import evaluate
from carnet.rules.lifecycle import Evaluated, Step, WaiverApproved, WaiverProposed, follow
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.services.decisions import StoredDecision
from carnet.services.findings import TrackedFinding, key_of

EXAMPLES = Path(__file__).parents[2] / "examples" / "seller"
AS_OF = date(2026, 11, 23)
DAY = AS_OF.isoformat()
LEVELS = {"blocking": "error", "major": "error", "minor": "warning", "info": "note"}
FORMS: dict[str, Callable[[Report], str]] = {
    "sarif": to_sarif,
    "junit": to_junit,
    "csv": to_csv,
}
HOSTILE = "=cmd|'/C calc'!A1"
MARKUP = '<b>&"\x1b[31m]]>'


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(SHELF / "eu-ce" / "0.1.0")


@pytest.fixture(scope="module")
def document(pack: Pack) -> dict[str, Any]:
    facts = read_files(sorted(EXAMPLES.iterdir())).facts
    return evaluate(pack, facts, AS_OF, "reference").to_json()


def report_of(
    pack: Pack, decisions: list[dict[str, Any]], language: Language = "en", **more: Any
) -> Report:
    return Report(language, [Verdict(pack, DAY, each) for each in decisions], **more)


@pytest.fixture
def report(pack: Pack, document: dict[str, Any]) -> Report:
    more = {"unreached": document["unreached"]}
    listing = Text("No pack covers the market JP.", "没有规则包覆盖市场 JP。")
    return report_of(pack, document["decisions"], not_reviewed=[("LST-9", listing)], **more)


def decision(pack: Pack, severity: str = "major", **changes: Any) -> dict[str, Any]:
    """Return a decision whose words try to break out of their form."""
    rule = next(rule for rule in pack.rules if rule.severity == severity)
    finding = {
        "rule": rule.id,
        "severity": severity,
        "facts": [{"type": "certificate", "id": "CRT-1"}, {"type": "listing", "id": "L-1"}],
        "message": {"en": HOSTILE, "zh": HOSTILE},
        "remedy": {"en": MARKUP, "zh": MARKUP},
        "citation": [*rule.citation, "NO-SUCH-LAW"],
        "values": {"c.number": HOSTILE},
    }
    return {
        "case": {"type": "listing", "id": "L-1"},
        "conformity": "nonconforming",
        "officer_confirmed": [],
        "measures": {},
        "outputs": {},
        "findings": [finding],
        "not_applicable": [],
        "errors": [],
    } | changes


def life_of(pack: Pack, content: dict[str, Any], *acts: Step) -> dict[Any, TrackedFinding]:
    (finding,) = content["findings"]
    key = key_of(pack.id, content["case"], finding)
    life = follow([Evaluated(AS_OF, "d", "raised", finding["severity"]), *acts], AS_OF)
    assert life is not None
    stored = StoredDecision(b"", {"version": pack.version, "as_of": DAY})
    return {key: TrackedFinding(key, finding, stored, stored, life, None, {})}


WAIVED = (
    WaiverProposed(AS_OF, "w", "officer-1", date(2026, 12, 31), "Report is due."),
    WaiverApproved(AS_OF, "a", "officer-2", "w"),
)


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_form__is_the_same_each_time_and_in_each_language_another(
    report: Report, form: str
) -> None:
    text = FORMS[form](report)
    assert FORMS[form](report) == text
    chinese = FORMS[form](replace(report, language="zh"))
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert not re.search(r"[\u4e00-\u9fff]", text)


# --- what follows from rules ----------------------------------------------------------------------


@pytest.fixture
def acting(pack: Pack) -> Report:
    """A conforming case in which a rule sets an output and another one asks for an action."""
    fact = {"type": "certificate", "id": "CRT-1"}
    content = decision(
        pack,
        findings=[],
        conformity="conforming",
        outputs={"step_bps": 50},
        actions=[{"rule": "stop-sales", "action": "withdraw_listing", "facts": [fact]}],
        officer_confirmed=["lvd_applies_from"],
    )
    return report_of(pack, [content])


def test_csv__tells_outputs_actions_and_what_officers_confirmed(acting: Report) -> None:
    told = {row["kind"]: row for row in rows(acting)}
    assert set(told) == {"clear", "output", "action", "confirmed"}
    assert told["output"]["values"] == '{"step_bps": 50}'
    assert (told["action"]["rule"], told["action"]["message"]) == ("stop-sales", "withdraw_listing")
    assert told["action"]["facts"] == "certificate/CRT-1"
    assert told["confirmed"]["message"] == "lvd_applies_from"


def test_sarif__tells_outputs_actions_and_what_officers_confirmed(acting: Report) -> None:
    (run,) = json.loads(to_sarif(acting))["runs"]
    told = run["properties"]
    assert told["outputs"] == {"listing/L-1": {"step_bps": 50}}
    assert told["officerConfirmed"] == {"listing/L-1": ["lvd_applies_from"]}
    ((action,),) = told["actions"].values()
    assert (action["rule"], action["action"]) == ("stop-sales", "withdraw_listing")


def test_junit__tells_outputs_actions_and_what_officers_confirmed(acting: Report) -> None:
    root = ET.fromstring(to_junit(acting).encode())
    told = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert told["output listing/L-1 step_bps"] == "50"
    assert told["officer_confirmed listing/L-1"] == "lvd_applies_from"
    (case,) = [one for one in root.iter("testcase") if one.get("name") == "stop-sales"]
    assert case.findtext("system-out") == "Action: withdraw_listing (certificate/CRT-1)"
    assert case.find("failure") is None


# --- SARIF ----------------------------------------------------------------------------------------


def results(report: Report) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for run in json.loads(to_sarif(report))["runs"]:
        for result in run["results"]:
            yield run, result


def test_sarif__has_what_the_standard_demands(report: Report) -> None:
    log = json.loads(to_sarif(report))
    assert (log["version"], log["$schema"].rsplit("/", 1)[-1]) == (
        "2.1.0",
        "sarif-schema-2.1.0.json",
    )
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert driver["name"]
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(set(ids)) == len(ids)
        assert re.fullmatch(r"[a-z]{2}-[A-Z]{2}", run["language"])
        assert run["automationDetails"]["id"].endswith("/")
    for run, result in results(report):
        rules = run["tool"]["driver"]["rules"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        # 3.27.10: where the kind is not "fail", the level is "none".
        assert (result["kind"] == "fail") == (result["level"] != "none")
        for place in [*result["locations"], *result.get("relatedLocations", [])]:
            (logical,) = place["logicalLocations"]
            assert logical["fullyQualifiedName"].endswith(logical["name"])
        numbers = [place["id"] for place in result.get("relatedLocations", [])]
        assert len(set(numbers)) == len(numbers)


def test_sarif__says_every_finding_and_every_error(
    report: Report, document: dict[str, Any]
) -> None:
    told = sorted(
        (result["locations"][0]["logicalLocations"][0]["name"], result["ruleId"], result["level"])
        for _, result in results(report)
    )
    wanted = [
        (each["case"]["id"], one["rule"], LEVELS[one["severity"]])
        for each in document["decisions"]
        for one in each["findings"]
    ]
    wanted += [
        (each["case"]["id"], one["rule"], "none")
        for each in document["decisions"]
        for one in each["errors"]
    ]
    assert len(wanted) > 20
    assert told == sorted(wanted)


def test_sarif__explains_each_rule_by_its_law(report: Report, pack: Pack) -> None:
    run = json.loads(to_sarif(report))["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    for rule in pack.rules:
        described = rules[rule.id]
        law = pack.law[rule.citation[0]]
        assert described["shortDescription"]["text"] == rule.title.en
        assert law.title in described["help"]["text"]
        assert law.article in described["help"]["text"]
        assert described["helpUri"].startswith("https://")
        assert described["defaultConfiguration"]["level"] == LEVELS[str(rule.severity)]


def test_sarif__fingerprints_tell_findings_apart(report: Report) -> None:
    found = [
        result["partialFingerprints"][FINGERPRINT]
        for _, result in results(report)
        if result["kind"] == "fail"
    ]
    assert len(set(found)) == len(found) > 5


def test_sarif__says_what_nothing_decided(report: Report) -> None:
    run = json.loads(to_sarif(report))["runs"][-1]
    (invocation,) = run["invocations"]
    told = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert invocation["executionSuccessful"] is True
    assert told[0] == "No pack covers the market JP."
    assert len(told) == 1 + len(report.unreached)


def test_sarif__a_waiver_suppresses_a_result_that_stays(pack: Pack) -> None:
    content = decision(pack)
    (pair,) = results(report_of(pack, [content], lives=life_of(pack, content, *WAIVED)))
    (suppression,) = pair[1]["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == "Report is due."
    assert suppression["properties"] == {
        "officers": ["officer-1", "officer-2"],
        "until": "2026-12-31",
    }
    assert pair[1]["level"] == "error"


def test_sarif__a_proposed_waiver_is_under_review_and_none_is_none(pack: Pack) -> None:
    content = decision(pack)
    (pair,) = results(report_of(pack, [content], lives=life_of(pack, content, WAIVED[0])))
    assert [each["status"] for each in pair[1]["suppressions"]] == ["underReview"]
    (pair,) = results(report_of(pack, [content], lives=life_of(pack, content)))
    assert pair[1]["suppressions"] == []


def test_sarif__an_error_of_the_whole_case_has_a_rule(pack: Pack) -> None:
    cause = {"en": "Broken.", "zh": "损坏。"}
    content = decision(pack, findings=[], errors=[{"rule": "case", "cause": cause}])
    (pair,) = results(report_of(pack, [content]))
    assert (pair[1]["ruleId"], pair[1]["kind"]) == ("case", "open")


# --- JUnit ----------------------------------------------------------------------------------------


def test_junit__counts_what_it_holds(report: Report, document: dict[str, Any]) -> None:
    root = ET.fromstring(to_junit(report).encode())
    names = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    for suite in [*root.findall("testsuite"), root]:
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))
        for element, attribute in names.items():
            assert int(suite.get(attribute, "")) == len(list(suite.iter(element)))
    undetermined = sum(len({e["rule"] for e in each["errors"]}) for each in document["decisions"])
    assert int(root.get("errors", "")) == undetermined + len(report.not_reviewed)


def test_junit__has_a_case_for_every_rule_on_every_case(
    report: Report, document: dict[str, Any], pack: Pack
) -> None:
    root = ET.fromstring(to_junit(report).encode())
    suite = root.findall("testsuite")[0]
    found = {(case.get("classname"), case.get("name")) for case in suite.iter("testcase")}
    cases = [f"{each['case']['type']}/{each['case']['id']}" for each in document["decisions"]]
    assert found == {(case, rule.id) for case in cases for rule in pack.rules}


def test_junit__fails_exactly_where_a_case_is_nonconforming(
    report: Report, document: dict[str, Any]
) -> None:
    root = ET.fromstring(to_junit(report).encode())
    failing = {c.get("classname") for c in root.iter("testcase") if c.find("failure") is not None}
    assert failing == {
        f"listing/{each['case']['id']}"
        for each in document["decisions"]
        if each["conformity"] == "nonconforming"
    }


@pytest.mark.parametrize("severity", ["minor", "info"])
def test_junit__a_lesser_finding_is_told_without_failing(pack: Pack, severity: str) -> None:
    content = decision(pack, severity)
    text = to_junit(report_of(pack, [content]))
    assert "<failure" not in text
    assert "<system-out>" in text


def test_junit__holds_what_would_break_out_of_xml(pack: Pack) -> None:
    content = decision(pack)
    text = to_junit(report_of(pack, [content], lives=life_of(pack, content, *WAIVED)))
    root = ET.fromstring(text.encode())
    (failure,) = root.iter("failure")
    assert failure.get("message") == HOSTILE
    assert '<b>&"[31m]]>' in str(failure.text)
    assert "waived until 2026-12-31" in str(failure.text)
    assert "\x1b" not in text


# --- CSV ------------------------------------------------------------------------------------------


def rows(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(report), newline="")))


def test_csv__has_a_row_for_each_finding_and_error_and_silent_case(
    report: Report, document: dict[str, Any]
) -> None:
    found = rows(report)
    kinds = [row["kind"] for row in found]
    decisions = document["decisions"]
    assert kinds.count("finding") == sum(len(each["findings"]) for each in decisions)
    assert kinds.count("error") == sum(len(each["errors"]) for each in decisions)
    assert kinds.count("not_reviewed") == 1
    assert kinds.count("unreached") == len(report.unreached)
    assert {row["case"] for row in found if row["pack"]} == {
        f"listing/{each['case']['id']}" for each in decisions
    }


def test_csv__a_case_without_findings_is_not_left_out(pack: Pack) -> None:
    content = decision(pack, findings=[], conformity="conforming")
    (row,) = rows(report_of(pack, [content]))
    assert (row["kind"], row["conformity"]) == ("clear", "conforming")


def test_csv__no_cell_is_a_formula(pack: Pack) -> None:
    content = decision(pack)
    (row,) = rows(report_of(pack, [content], lives=life_of(pack, content, *WAIVED)))
    assert row["message"] == f"'{HOSTILE}"
    assert (row["state"], row["waived_until"]) == ("waived", "2026-12-31")
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert to_csv(report_of(pack, [content])).splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_csv__guards_every_start_of_a_formula(start: str) -> None:
    assert guarded(f"{start}1") == f"'{start}1"
    assert guarded(f"1{start}") == f"1{start}"


# --- for people -----------------------------------------------------------------------------------


def lines(report: Report, width: int | None = None, *, is_coloured: bool = False) -> list[str]:
    return list(page_lines(report, Paper(width, is_coloured=is_coloured)))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 72, 120])
def test_page__keeps_to_the_width(report: Report, width: int, language: Language) -> None:
    shown = lines(replace(report, language=language), width)
    prose = [line for line in shown if line.startswith("      ")]
    assert len(prose) > 50
    assert max(cell_len(line) for line in prose) <= width


def test_page__loses_no_word_when_it_breaks_lines(report: Report) -> None:
    whole = "".join("".join(lines(report)).split())
    broken = "".join("".join(lines(report, 60)).split())
    assert broken == whole


def test_page__says_what_is_wrong_by_which_law_and_what_to_do(pack: Pack) -> None:
    content = decision(pack)
    law = pack.law[content["findings"][0]["citation"][0]]
    shown = "\n".join(lines(report_of(pack, [content], lives=life_of(pack, content, *WAIVED))))
    assert "NONCONFORMING" in shown
    assert "waived until 2026-12-31" in shown
    assert f"law: {law.title}, {law.article} [{law.fact}]" in shown
    assert "law: NO-SUCH-LAW" in shown
    assert "facts: certificate/CRT-1 listing/L-1" in shown
    assert "\x1b" not in shown


def test_page__colours_only_where_they_are_asked_for(report: Report) -> None:
    plain = lines(report)
    coloured = lines(report, is_coloured=True)
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[1;31m" in line for line in coloured)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain


def test_page__gravest_findings_come_first(pack: Pack) -> None:
    findings = [decision(pack, severity)["findings"][0] for severity in ("info", "blocking")]
    shown = "\n".join(lines(report_of(pack, [decision(pack, findings=findings)])))
    assert shown.index("[blocking]") < shown.index("[info]")


def test_sums__name_the_pack_and_count_verdicts_and_severities(
    report: Report, document: Mapping[str, Any]
) -> None:
    (line,) = sum_lines(report)
    verdicts = [each["conformity"] for each in document["decisions"]]
    assert line.startswith("eu-ce 0.1.0 (")
    assert f"{verdicts.count('nonconforming')} NONCONFORMING" in line
    assert "blocking" in line
    assert list(sum_lines(Report("zh", []))) == ["没有判定任何案件。"]

"""JUnit XML: a suite for each pack, a test case for each rule on each case.

A test case fails where a finding makes the case nonconforming (blocking, major), so that a suite is
red exactly when the exit code says so; minor findings and remarks stand in its output. A rule that
does not apply is skipped, one that could not be evaluated is an error. A waiver leaves a failure a
failure and stands beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

from carnet.cli.render.report import (
    DECISIVE,
    Report,
    Verdict,
    law_of,
    name_of,
    raising_rules,
    spell_law,
)
from carnet.cli.render.standing import standing_of
from carnet.rules.ast import Pack
from carnet.services.words import SEVERITIES

Outcome = Literal["passed", "failure", "error", "skipped"]
_ILLEGAL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])
"""Characters that XML 1.0 cannot hold; surrogates never reach a report."""


@dataclass(frozen=True, slots=True)
class _Test:
    """One rule on one case."""

    case: str
    rule: str
    outcome: Outcome
    message: str = ""
    kind: str = ""
    text: str = ""
    output: str = ""


def to_junit(report: Report) -> str:
    """Return a report as JUnit XML."""
    suites, tests = [], []
    for pack, as_of, verdicts in report.by_pack():
        found = [test for each in verdicts for test in _tests(report, each)]
        tests += found
        suites.append(_suite(report, pack, as_of, found, _outcomes(verdicts)))
    unreviewed = [
        _Test(f"listing/{listing}", "review", "error", reason.in_language(report.language))
        for listing, reason in report.not_reviewed
    ]
    if report.nothing is not None:
        nothing = report.nothing.in_language(report.language)
        unreviewed.append(_Test("facts", "eval", "error", nothing))
    if unreviewed:
        tests += unreviewed
        named = {"name": unreviewed[0].rule, **_counts(unreviewed)}
        suites.append(_element("testsuite", named, unreviewed))
    attributes = _attributes({"name": "carnet", **_counts(tests)})
    body = "".join(suites)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{attributes}>\n{body}</testsuites>\n'
    )


def _outcomes(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Return what rules set for cases, and what officers confirmed, as properties."""
    found: dict[str, str] = {}
    for each in verdicts:
        outputs = each.content["outputs"].items()
        found |= {f"output {each.case} {name}": str(value) for name, value in outputs}
        if each.content["officer_confirmed"]:
            found[f"officer_confirmed {each.case}"] = " ".join(each.content["officer_confirmed"])
    return found


def _suite(
    report: Report, pack: Pack, as_of: str, tests: Sequence[_Test], outcomes: Mapping[str, str]
) -> str:
    properties = {"pack": pack.id, "version": pack.version, "as_of": as_of}
    properties["digest"] = pack.digest.hex()
    if report.unreached:
        properties["unreached"] = " ".join(map(name_of, report.unreached))
    properties |= outcomes
    listed = "".join(
        f"      <property{_attributes({'name': name, 'value': value})}/>\n"
        for name, value in properties.items()
    )
    named = {"name": f"{pack.id} {pack.version}", "timestamp": f"{as_of}T00:00:00"}
    return _element(
        "testsuite",
        {**named, **_counts(tests)},
        tests,
        f"    <properties>\n{listed}    </properties>\n",
    )


def _element(
    name: str, attributes: Mapping[str, str], tests: Sequence[_Test], head: str = ""
) -> str:
    body = "".join(_spell(test) for test in tests)
    return f"  <{name}{_attributes(attributes)}>\n{head}{body}  </{name}>\n"


def _counts(tests: Sequence[_Test]) -> dict[str, str]:
    outcomes = [test.outcome for test in tests]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
    }


# --- test cases ---------------------------------------------------------------------------------


def _tests(report: Report, verdict: Verdict) -> Iterator[_Test]:
    """Yield every rule of a pack on a case, and whatever else could not be evaluated."""
    content = verdict.content
    skipped = {each["rule"]: report.say(each["reason"]) for each in content["not_applicable"]}
    names = {rule.id for rule in raising_rules(verdict.pack)} | skipped.keys()
    names |= {each["rule"] for each in (*content["errors"], *content.get("actions", ()))}
    for name in sorted(names):
        yield _test(report, verdict, name, skipped.get(name))


def _test(report: Report, verdict: Verdict, rule: str, reason: str | None) -> _Test:
    content = verdict.content
    findings = [each for each in content["findings"] if each["rule"] == rule]
    causes = [report.say(each["cause"]) for each in content["errors"] if each["rule"] == rule]
    decisive = [each for each in findings if each["severity"] in DECISIVE]
    lesser = [each for each in findings if each["severity"] not in DECISIVE]
    asked = [_ask(report, each) for each in content.get("actions", ()) if each["rule"] == rule]
    output = "\n\n".join([*(_describe(report, verdict, each) for each in lesser), *asked])
    if decisive:
        text = "\n\n".join([*(_describe(report, verdict, each) for each in decisive), *causes])
        first = decisive[0]
        message = report.say(first["message"])
        return _Test(verdict.case, rule, "failure", message, first["severity"], text, output)
    if causes:
        text = "\n".join(causes)
        return _Test(verdict.case, rule, "error", causes[0], "undetermined", text, output)
    if reason is not None:
        return _Test(verdict.case, rule, "skipped", reason)
    return _Test(verdict.case, rule, "passed", output=output)


def _ask(report: Report, action: Mapping[str, Any]) -> str:
    facts = " ".join(map(name_of, action["facts"]))
    return report.t("Action: ", "动作：") + f"{action['action']} ({facts})"


def _describe(report: Report, verdict: Verdict, finding: Mapping[str, Any]) -> str:
    severity = SEVERITIES[finding["severity"]].in_language(report.language)
    life = report.life(verdict, finding)
    facts = " ".join(map(name_of, finding["facts"]))
    law = "; ".join(spell_law(each) for each in law_of(verdict.pack, finding["citation"]))
    lines = [
        f"[{severity}] {report.say(finding['message'])}",
        report.t("What to do: ", "处理：") + report.say(finding["remedy"]),
        report.t("Law: ", "依据：") + law,
        report.t("Facts: ", "事实：") + facts,
    ]
    if life is not None:
        lines.append(standing_of(life.life).in_language(report.language))
    return "\n".join(lines)


def _spell(test: _Test) -> str:
    named = _attributes({"classname": test.case, "name": test.rule})
    inner = ""
    if test.outcome != "passed":
        told = {"message": test.message} | ({"type": test.kind} if test.kind else {})
        text = escape(_legal(test.text), quote=False)
        inner = f"      <{test.outcome}{_attributes(told)}>{text}</{test.outcome}>\n"
    if test.output:
        output = escape(_legal(test.output), quote=False)
        inner += f"      <system-out>{output}</system-out>\n"
    return (
        f"    <testcase{named}>\n{inner}    </testcase>\n"
        if inner
        else (f"    <testcase{named}/>\n")
    )


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(
        f' {name}="{escape(_legal(value)).replace(chr(10), "&#10;")}"'
        for name, value in values.items()
    )


def _legal(text: str) -> str:
    return text.translate(_ILLEGAL)

"""SARIF: the decisions of each pack as one run of an analysis tool.

A finding is a result of kind ``fail``; a rule that could not be evaluated is one of kind ``open``,
which is what SARIF calls what there is not enough information to tell. A waiver is a suppression of
the result, which stays. Nothing is taken from a clock or a random source.

Source: OASIS Static Analysis Results Interchange Format (SARIF) 2.1.0.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from carnet import __version__
from carnet.cli.render.report import (
    CASE_RULE,
    Report,
    Verdict,
    law_of,
    name_of,
    raising_rules,
    spell_law,
)
from carnet.core.text import Language
from carnet.rules.ast import Pack, Rule
from carnet.services.findings import TrackedFinding

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
VERSION: Final = "2.1.0"
FINGERPRINT: Final = "carnetFinding/v1"
_LEVELS: Final = {"blocking": "error", "major": "error", "minor": "warning", "info": "note"}
_TAGS: Final[dict[Language, str]] = {"en": "en-US", "zh": "zh-CN"}
_Json = dict[str, Any]


def to_sarif(report: Report) -> str:
    """Return a report as SARIF."""
    runs = [_run(report, *group) for group in report.by_pack()]
    if report.not_reviewed or report.unreached or report.nothing:
        runs.append(_undecided(report))
    document = {"$schema": SCHEMA, "version": VERSION, "runs": runs}
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _run(report: Report, pack: Pack, as_of: str, verdicts: Sequence[Verdict]) -> _Json:
    rules = [_rule(report, pack, rule) for rule in raising_rules(pack)]
    used = {error["rule"] for each in verdicts for error in each.content["errors"]}
    known = {rule["id"] for rule in rules}
    rules += [_bare_rule(report, name) for name in sorted(used - known)]
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    return {
        "automationDetails": {"id": f"carnet/{pack.id}/{as_of}/"},
        "columnKind": "unicodeCodePoints",
        "language": _TAGS[report.language],
        "properties": {
            "asOf": as_of,
            "actions": _by_case(verdicts, "actions"),
            "conformity": {each.case: each.content["conformity"] for each in verdicts},
            "officerConfirmed": _by_case(verdicts, "officer_confirmed"),
            "outputs": _by_case(verdicts, "outputs"),
            "pack": pack.id,
            "packDigest": pack.digest.hex(),
            "packVersion": pack.version,
        },
        "results": [result for each in verdicts for result in _results(report, each, places)],
        "tool": _tool(report, rules),
    }


def _by_case(verdicts: Sequence[Verdict], name: str) -> _Json:
    """Return one part of the decisions by case, where it holds anything."""
    found = {each.case: each.content.get(name) for each in verdicts}
    return {case: part for case, part in found.items() if part}


def _tool(report: Report, rules: Sequence[_Json]) -> _Json:
    language = _TAGS[report.language]
    driver = {"language": language, "name": "Carnet", "rules": rules, "version": __version__}
    return {"driver": driver}


def _undecided(report: Report) -> _Json:
    """Return a run without results that says what no pack decided and what no case reads."""
    told = [
        ("listing", listing, "warning", reason.in_language(report.language))
        for listing, reason in report.not_reviewed
    ]
    unread = report.t("This fact belongs to no case.", "该事实不属于任何案件。")
    told += [(fact["type"], fact["id"], "note", unread) for fact in report.unreached]
    notes = [
        {
            "level": level,
            "locations": [_place_of({"type": kind, "id": name})],
            "message": {"text": text},
        }
        for kind, name, level, text in told
    ]
    if report.nothing is not None:
        nothing = report.nothing.in_language(report.language)
        notes.insert(0, {"level": "error", "message": {"text": nothing}})
    return {
        "automationDetails": {"id": "carnet/undecided/"},
        "invocations": [
            {"executionSuccessful": report.nothing is None, "toolExecutionNotifications": notes}
        ],
        "language": _TAGS[report.language],
        "results": [],
        "tool": _tool(report, []),
    }


# --- rules --------------------------------------------------------------------------------------


def _rule(report: Report, pack: Pack, rule: Rule) -> _Json:
    assert rule.severity is not None, "a rule that raises findings has a severity"
    law = law_of(pack, rule.citation)
    links = [each.link for each in law if each.link]
    title = rule.title.in_language(report.language)
    described: _Json = {
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "help": {
            "markdown": "\n".join(
                f"- [{spell_law(each)}]({each.link})" if each.link else f"- {spell_law(each)}"
                for each in law
            ),
            "text": "\n".join(f"{spell_law(each)} {each.link}".rstrip() for each in law),
        },
        "id": rule.id,
        "properties": {"severity": rule.severity, "tags": [pack.id, *rule.citation]},
        "shortDescription": {"text": title},
    }
    return described | ({"helpUri": links[0]} if links else {})


def _bare_rule(report: Report, name: str) -> _Json:
    """Describe a rule that raises no findings but could not be evaluated."""
    whole = report.t("The case as a whole", "整个案件")
    return {"id": name, "shortDescription": {"text": whole if name == CASE_RULE else name}}


# --- results ------------------------------------------------------------------------------------


def _results(report: Report, verdict: Verdict, places: Mapping[str, int]) -> Iterator[_Json]:
    for finding in verdict.content["findings"]:
        yield _fail(report, verdict, finding, places[finding["rule"]])
    for error in verdict.content["errors"]:
        yield {
            "kind": "open",
            "level": "none",
            "locations": [_place_of(verdict.content["case"])],
            "message": {"text": report.say(error["cause"])},
            "ruleId": error["rule"],
            "ruleIndex": places[error["rule"]],
        }


def _fail(report: Report, verdict: Verdict, finding: Mapping[str, Any], place: int) -> _Json:
    message, remedy = report.say(finding["message"]), report.say(finding["remedy"])
    result: _Json = {
        "kind": "fail",
        "level": _LEVELS[finding["severity"]],
        "locations": [_place_of(verdict.content["case"])],
        "message": {"text": f"{message} {remedy}"},
        "partialFingerprints": {FINGERPRINT: report.key(verdict, finding).digest},
        "properties": {
            "citation": finding["citation"],
            "remedy": remedy,
            "severity": finding["severity"],
            "values": finding["values"],
        },
        "ruleId": finding["rule"],
        "ruleIndex": place,
    }
    others = [fact for fact in finding["facts"] if fact != verdict.content["case"]]
    if others:
        result["relatedLocations"] = [
            {"id": number, **_place_of(fact)} for number, fact in enumerate(others, start=1)
        ]
    life = report.life(verdict, finding)
    return result | (_standing(life) if life else {})


def _standing(found: TrackedFinding) -> _Json:
    """Return what SARIF says of where a finding stands: whether it is new, and its waivers."""
    life = found.life
    suppressions: list[_Json] = []
    for waiver, status in ((life.waiver, "accepted"), (life.proposal, "underReview")):
        if waiver is not None:
            officers = [each for each in (waiver.proposed_by, waiver.approved_by) if each]
            suppressions.append(
                {
                    "justification": waiver.reason,
                    "kind": "external",
                    "properties": {"officers": officers, "until": waiver.until.isoformat()},
                    "status": status,
                }
            )
    return {"suppressions": suppressions}


def _place_of(fact: Mapping[str, str]) -> _Json:
    return {
        "logicalLocations": [
            {"fullyQualifiedName": name_of(fact), "kind": "object", "name": fact["id"]}
        ]
    }

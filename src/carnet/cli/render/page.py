"""Decisions as an officer reads them: each case with its verdict, each finding with what to do."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from carnet.cli.render.paper import Paper, Tone
from carnet.cli.render.report import Report, Verdict, law_of, name_of, spell_law
from carnet.cli.render.standing import standing_of
from carnet.core.text import Text
from carnet.services.words import CONFORMITIES, SEVERITIES

_VERDICT_TONES: Final[dict[str, Tone]] = {
    "conforming": "good",
    "nonconforming": "bad",
    "undetermined": "warn",
}
_SEVERITY_TONES: Final[dict[str, Tone]] = {
    "blocking": "bad",
    "major": "bad",
    "minor": "warn",
    "info": "plain",
}
_GRAVEST_FIRST: Final = ("blocking", "major", "minor", "info")
UNREACHED_MAX: Final = 20


def page_lines(report: Report, paper: Paper) -> Iterator[str]:
    """Yield the lines of a report: every case, what no pack decided, then batches and sums."""
    for verdict in report.verdicts:
        yield from verdict_lines(report, verdict, paper)
    for listing, reason in report.not_reviewed:
        text = report.t(f"not reviewed. {reason.en}", f"未审核。{reason.zh}")
        yield from paper.lines(f"listing/{listing}: {text}", "", "  ")
    if report.placed:
        yield report.t("Batches, each judged on its placing date", "批次（按各自投放日判定）")
    for line in report.placed:
        yield from paper.lines(line.in_language(report.language), "  ", "    ")
    yield from _unreached_lines(report, paper)


def verdict_lines(report: Report, verdict: Verdict, paper: Paper) -> Iterator[str]:
    """Yield the lines of one decision: the verdict, its findings gravest first, its errors."""
    content = verdict.content
    conformity = CONFORMITIES[content["conformity"]].in_language(report.language)
    pack = paper.tint(f"({verdict.pack.id} {verdict.pack.version}, {verdict.as_of})", "dim")
    told = paper.tint(conformity, _VERDICT_TONES[content["conformity"]])
    yield f"{paper.tint(verdict.case, 'bold')}: {told} {pack}"
    for finding in sorted(
        content["findings"], key=lambda each: _GRAVEST_FIRST.index(each["severity"])
    ):
        yield from _finding_lines(report, verdict, finding, paper)
    for error in content["errors"]:
        head = report.t("cannot be told", "无法判定")
        yield f"  {paper.tint(f'[{head}]', 'warn')} {error['rule']}"
        yield from paper.lines(report.say(error["cause"]), "      ", "      ")
    yield from _outcome_lines(report, verdict, paper)
    if content["officer_confirmed"]:
        names = ", ".join(content["officer_confirmed"])
        yield from paper.lines(
            report.t("confirmed by officers: ", "经合规专员确认：") + names, "  ", "    "
        )


def _outcome_lines(report: Report, verdict: Verdict, paper: Paper) -> Iterator[str]:
    """Yield what rules set and ask for: outputs with their titles, actions with their facts."""
    for name, value in verdict.content["outputs"].items():
        declared = verdict.pack.outputs.get(name)
        title = f" ({declared.title.in_language(report.language)})" if declared else ""
        label = report.t("output", "输出项")
        yield from paper.lines(f"{label} {name} = {value}{title}", "  ", "    ")
    for action in verdict.content.get("actions", ()):
        facts = " ".join(map(name_of, action["facts"]))
        label = report.t("action", "动作")
        yield from paper.lines(
            f"{label} {action['action']} [{action['rule']}] {facts}", "  ", "    "
        )


def _finding_lines(
    report: Report, verdict: Verdict, finding: Mapping[str, Any], paper: Paper
) -> Iterator[str]:
    severity = SEVERITIES[finding["severity"]].in_language(report.language)
    tag = paper.tint(f"[{severity}]", _SEVERITY_TONES[finding["severity"]])
    found = report.life(verdict, finding)
    head = f"  {tag} {finding['rule']}"
    if found is not None:
        standing = standing_of(found.life).in_language(report.language)
        head += paper.tint(f"  {found.id}  {standing}", "dim")
    yield head
    yield from paper.lines(report.say(finding["message"]), "      ", "      ")
    yield from finding_details(report, verdict, finding, paper)


def finding_details(
    report: Report, verdict: Verdict, finding: Mapping[str, Any], paper: Paper
) -> Iterator[str]:
    """Yield what to do about a finding, the law it rests on and the facts it names."""
    labels = [
        (report.t("what to do: ", "处理："), report.say(finding["remedy"])),
        *(
            (report.t("law: ", "依据："), spell_law(each))
            for each in law_of(verdict.pack, finding["citation"])
        ),
        (report.t("facts: ", "事实："), " ".join(map(name_of, finding["facts"]))),
    ]
    for label, text in labels:
        yield from paper.lines(f"{label}{text}", "      ", "        ")


def _unreached_lines(report: Report, paper: Paper) -> Iterator[str]:
    if not report.unreached:
        return
    count = len(report.unreached)
    shown = " ".join(map(name_of, report.unreached[:UNREACHED_MAX]))
    more = " ..." if count > UNREACHED_MAX else ""
    told = report.t(f"{count} facts belong to no case: ", f"{count} 条事实不属于任何案件：")
    yield from paper.lines(f"{told}{shown}{more}", "", "  ")


def sum_lines(report: Report) -> Iterator[str]:
    """Yield for each pack and day how many cases came to what, and how grave the findings are."""
    for pack, as_of, verdicts in report.by_pack():
        contents = [each.content for each in verdicts]
        told = [each["conformity"] for each in contents]
        found = [finding["severity"] for each in contents for finding in each["findings"]]
        separator = report.t(", ", "，")
        cases = separator.join(
            f"{told.count(name)} {word.in_language(report.language)}"
            for name, word in CONFORMITIES.items()
        )
        severities = separator.join(
            f"{found.count(name)} {SEVERITIES[name].in_language(report.language)}"
            for name in _GRAVEST_FIRST
            if name in found
        )
        findings = report.t("; findings: ", "；发现项：") + severities if found else ""
        colon = report.t(": ", "：")
        yield f"{pack.id} {pack.version} ({pack.digest.hex()[:12]}) {as_of}{colon}{cases}{findings}"
    if not report.verdicts:
        nothing = report.nothing or Text("No case was decided.", "没有判定任何案件。")
        yield nothing.in_language(report.language)

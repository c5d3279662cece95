"""One result in the form and at the place that the command line asks for."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from carnet.cli.decisions import explanation_lines
from carnet.cli.language import current_language, say
from carnet.cli.options import STDOUT, ListFormat, OutputFormat, ReportFormat
from carnet.cli.output import deliver, paper_for
from carnet.cli.render import findings
from carnet.cli.render.junit import to_junit
from carnet.cli.render.page import page_lines, sum_lines
from carnet.cli.render.paper import Paper
from carnet.cli.render.report import Report, Verdict, nothing_decided
from carnet.cli.render.sarif import to_sarif
from carnet.cli.render.sheet import to_csv
from carnet.rules.ast import Citation, Pack
from carnet.services.findings import FindingKey, TrackedFinding


def write_report(
    report: Report, document: Mapping[str, Any], output_format: ReportFormat, output: Path
) -> None:
    """Write a result.

    Args:
        report: What every form but JSON renders.
        document: The result as published; its explanations stand in the table as well.
        output_format: The form.
        output: The file, ``-`` for stdout.

    Raises:
        InputError: The file cannot be written.
    """
    if output_format == "json":
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    elif output_format == "sarif":
        text = to_sarif(report)
    elif output_format == "junit":
        text = to_junit(report)
    elif output_format == "csv":
        text = to_csv(report)
    else:
        text = _text(_table(report, document.get("explanations", ()), paper_for(output)))
    deliver(text, output, is_sheet=output_format == "csv")


def _table(report: Report, explanations: Iterable[dict[str, Any]], paper: Paper) -> Iterator[str]:
    yield from page_lines(report, paper)
    for explanation in explanations:
        yield from explanation_lines(explanation)
    for line in sum_lines(report):
        yield paper.tint(line, "bold")


def write_evaluation(
    pack: Pack, document: Mapping[str, Any], output_format: ReportFormat, output: Path
) -> None:
    """Write what one pack decided, from the result as published.

    Raises:
        InputError: The file cannot be written.
    """
    verdicts = [Verdict(pack, document["as_of"], each) for each in document["decisions"]]
    unreached = document["unreached"]
    nothing = None
    if not verdicts:
        excluded = sum(each["type"] == pack.case.fact_type for each in unreached)
        nothing = nothing_decided(pack, excluded)
        if output_format != "table" or output != STDOUT:
            sys.stderr.write(f"{say(nothing)}\n")
    report = Report(current_language(), verdicts, unreached=unreached, nothing=nothing)
    write_report(report, document, output_format, output)


def lives_of(found: Iterable[TrackedFinding]) -> dict[FindingKey, TrackedFinding]:
    """Return where findings stand, by what makes them the same ones."""
    return {each.key: each for each in found}


def write_findings(
    found: Sequence[TrackedFinding], day: date, output_format: ListFormat, output: Path
) -> None:
    """Write findings as they stand on a day.

    Raises:
        InputError: The file cannot be written.
    """
    language = current_language()
    if output_format == "json":
        text = findings.list_json(found, day)
    elif output_format == "csv":
        text = findings.list_csv(found, language)
    else:
        text = _text(findings.list_lines(found, day, language, paper_for(output)))
    deliver(text, output, is_sheet=output_format == "csv")


def write_history(
    found: Sequence[TrackedFinding], day: date, output_format: ListFormat, output: Path
) -> None:
    """Write what happened to findings up to a day.

    Raises:
        InputError: The file cannot be written.
    """
    if output_format == "json":
        text = findings.history_json(found, day)
    elif output_format == "csv":
        text = findings.history_csv(found)
    else:
        text = _text(findings.history_lines(found, current_language(), paper_for(output)))
    deliver(text, output, is_sheet=output_format == "csv")


def write_finding(
    found: TrackedFinding, law: Sequence[Citation], output_format: OutputFormat
) -> None:
    """Write everything about one finding to stdout."""
    if output_format == "json":
        text = findings.one_json(found, law)
    else:
        text = _text(findings.one_lines(found, law, current_language(), paper_for(STDOUT)))
    deliver(text, STDOUT)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

"""CSV for spreadsheets: one row a finding, an error, and a case without either.

What rules set (kind ``output``), ask for (``action``) and officers confirmed of the law behind a
decision (``confirmed``) have rows of their own.

A cell that a spreadsheet would take for a formula gets an apostrophe in front, which shows it as
text. Lines end with CRLF.

Source: RFC 4180; OWASP, CSV Injection.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from carnet.cli.render.report import Report, Verdict, law_of, name_of, spell_law

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
COLUMNS: Final = (
    *("pack", "version", "digest", "as_of", "case", "conformity", "kind", "rule", "severity"),
    *("message", "remedy", "law", "link", "facts", "values"),
    *("finding", "state", "waived_until"),
)


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    >>> guarded("=1+1"), guarded("CE"), guarded("a=b")
    ("'=1+1", 'CE', 'a=b')
    """
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def to_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a header and rows as CSV, each cell guarded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue()


def to_csv(report: Report) -> str:
    """Return a report as CSV."""
    cells = (row for each in report.verdicts for row in _rows(report, each))
    rows = [[row.get(name, "") for name in COLUMNS] for row in cells]
    for listing, reason in report.not_reviewed:
        told = {"case": f"listing/{listing}", "kind": "not_reviewed"}
        told["message"] = reason.in_language(report.language)
        rows.append([told.get(name, "") for name in COLUMNS])
    if report.nothing is not None:
        told = {"kind": "nothing_decided", "message": report.nothing.in_language(report.language)}
        rows.append([told.get(name, "") for name in COLUMNS])
    for fact in report.unreached:
        told = {"kind": "unreached", "facts": name_of(fact)}
        rows.append([told.get(name, "") for name in COLUMNS])
    return to_rows(COLUMNS, rows)


def _rows(report: Report, verdict: Verdict) -> Iterator[dict[str, str]]:
    content = verdict.content
    common = {
        "pack": verdict.pack.id,
        "version": verdict.pack.version,
        "digest": verdict.pack.digest.hex(),
        "as_of": verdict.as_of,
        "case": verdict.case,
        "conformity": content["conformity"],
    }
    for finding in content["findings"]:
        yield common | _finding(report, verdict, finding)
    for error in content["errors"]:
        cause = report.say(error["cause"])
        yield common | {"kind": "error", "rule": error["rule"], "message": cause}
    if not content["findings"] and not content["errors"]:
        yield common | {"kind": "clear"}
    yield from (common | row for row in _outcomes(report, verdict))


def _outcomes(report: Report, verdict: Verdict) -> Iterator[dict[str, str]]:
    """Yield what rules set and ask for, and what officers confirmed, one row each."""
    content = verdict.content
    for name, value in content["outputs"].items():
        declared = verdict.pack.outputs.get(name)
        title = declared.title.in_language(report.language) if declared else name
        yield {"kind": "output", "message": title, "values": json.dumps({name: value})}
    for action in content.get("actions", ()):
        facts = " ".join(map(name_of, action["facts"]))
        told = {"kind": "action", "rule": action["rule"], "facts": facts}
        yield told | {"message": action["action"]}
    for parameter in content["officer_confirmed"]:
        yield {"kind": "confirmed", "message": parameter}


def _finding(report: Report, verdict: Verdict, finding: Mapping[str, Any]) -> dict[str, str]:
    law = law_of(verdict.pack, finding["citation"])
    row = {
        "kind": "finding",
        "rule": finding["rule"],
        "severity": finding["severity"],
        "message": report.say(finding["message"]),
        "remedy": report.say(finding["remedy"]),
        "law": "; ".join(spell_law(each) for each in law),
        "link": " ".join(dict.fromkeys(each.link for each in law if each.link)),
        "facts": " ".join(name_of(fact) for fact in finding["facts"]),
        "values": json.dumps(finding["values"], ensure_ascii=False, sort_keys=True),
        "finding": report.key(verdict, finding).id,
    }
    found = report.life(verdict, finding)
    if found is not None:
        waiver = found.life.waiver
        row["state"] = found.life.state
        row["waived_until"] = waiver.until.isoformat() if waiver else ""
    return row

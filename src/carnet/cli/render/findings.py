"""Findings as they stand, one in full, and their history: as tables, JSON and CSV."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from rich.cells import cell_len

from carnet.cli.render.paper import Paper, Tone
from carnet.cli.render.report import name_of, spell_law
from carnet.cli.render.sheet import to_rows
from carnet.cli.render.standing import standing_of
from carnet.core.clock import format_instant
from carnet.core.text import Language, Text
from carnet.rules.ast import Citation
from carnet.rules.lifecycle import Entry
from carnet.services.findings import TrackedFinding
from carnet.services.words import FINDING_STATES, HAPPENINGS, SEVERITIES

COLUMNS: Final = (
    *("finding", "state", "overdue", "severity", "pack", "version", "rule", "case", "facts"),
    *("message", "remedy", "law", "values", "opened_on", "resolved_on", "reopened", "due"),
    *("waived_until", "waiver_reason", "waiver_proposed_by", "waiver_approved_by"),
    *("decision", "as_of"),
)
HISTORY_COLUMNS: Final = (
    *("on", "finding", "case", "rule", "what", "officer", "signed_at", "text", "until"),
    *("counts", "state", "ref"),
)
_STATE_TONES: Final[dict[str, Tone]] = {
    "open": "bad",
    "acknowledged": "warn",
    "waived": "dim",
    "resolved": "good",
}


def list_json(found: Sequence[TrackedFinding], day: date) -> str:
    """Return findings as they stand on a day, as JSON."""
    return _json({"as_of": day.isoformat(), "findings": [each.to_json() for each in found]})


def list_csv(found: Sequence[TrackedFinding], language: Language) -> str:
    """Return findings as they stand, as CSV."""
    return to_rows(COLUMNS, (_cells(each, language) for each in found))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _cells(found: TrackedFinding, language: Language) -> list[str]:
    row = found.to_json()
    waiver = row["waiver"] or {}
    cells = row | {
        "finding": found.id,
        "overdue": "true" if found.life.is_overdue else "false",
        "case": name_of(row["case"]),
        "facts": " ".join(map(name_of, row["facts"])),
        "message": row["message"][language],
        "remedy": row["remedy"][language],
        "law": " ".join(row["citation"]),
        "values": json.dumps(row["values"], ensure_ascii=False, sort_keys=True),
        "waived_until": waiver.get("until"),
        "waiver_reason": waiver.get("reason"),
        "waiver_proposed_by": waiver.get("proposed_by"),
        "waiver_approved_by": waiver.get("approved_by"),
    }
    return ["" if cells[name] is None else str(cells[name]) for name in COLUMNS]


def list_lines(
    found: Sequence[TrackedFinding], day: date, language: Language, paper: Paper
) -> Iterator[str]:
    """Yield the lines of findings as they stand on a day, then how many are in each state."""

    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    case = None
    for each in found:
        if each.key.case != case:
            case = each.key.case
            yield paper.tint("/".join(case), "bold")
        severity = f"[{SEVERITIES[each.life.severity].in_language(language)}]"
        standing = standing_of(each.life).in_language(language)
        yield (
            f"  {each.id}  {paper.tint(standing, _STATE_TONES[each.life.state])}"
            f"  {severity} {each.key.rule}"
        )
        yield from paper.lines(each.raised["message"][language], "      ", "      ")
    counts = [
        f"{sum(each.life.state == state for each in found)} {word.in_language(language)}"
        for state, word in FINDING_STATES.items()
    ]
    told = t(", ", "，").join(counts)
    yield paper.tint(t(f"{day}: {told}", f"{day}：{told}"), "bold")


# --- one finding --------------------------------------------------------------------------------


def one_json(found: TrackedFinding, law: Sequence[Citation]) -> str:
    """Return everything about one finding, as JSON."""
    cited = [
        {"fact": one.fact, "title": one.title, "article": one.article, "link": one.link}
        for one in law
    ]
    return _json({**found.to_json(), "law": cited})


def one_lines(
    found: TrackedFinding, law: Sequence[Citation], language: Language, paper: Paper
) -> Iterator[str]:
    """Yield the lines of everything about one finding."""

    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    raised, life = found.raised, found.life
    content = found.decision.content
    standing = standing_of(life).in_language(language)
    yield f"{paper.tint(found.id, 'bold')}  {paper.tint(standing, _STATE_TONES[life.state])}"
    values = [f"{name} = {value}" for name, value in raised["values"].items()]
    rows = [
        (t("case", "案件"), "/".join(found.key.case)),
        (t("rule", "规则"), f"{found.key.rule} ({found.key.pack} {content['version']})"),
        (t("severity", "严重程度"), SEVERITIES[life.severity].in_language(language)),
        (t("found", "说明"), raised["message"][language]),
        (t("what to do", "处理"), raised["remedy"][language]),
        *((t("law", "依据"), f"{spell_law(one)} {one.link}".rstrip()) for one in law),
        (t("facts", "事实"), " ".join(map(name_of, raised["facts"]))),
        *((t("value", "数值"), value) for value in values),
        (t("decision", "判定"), f"{found.decision.digest.hex()} ({content['as_of']})"),
        *_waiver_rows(found, language),
    ]
    width = max(cell_len(label) for label, _ in rows) + 2
    for label, text in rows:
        head = f"  {label}" + " " * (width - cell_len(label))
        yield from paper.lines(text, head, " " * (width + 2))
    yield paper.tint(t("history", "历史"), "bold")
    for entry in life.history:
        yield from paper.lines(_entry_line(found, entry, language), f"  {entry.on}  ", " " * 14)


def _waiver_rows(found: TrackedFinding, language: Language) -> Iterator[tuple[str, str]]:
    pairs = (
        (found.life.waiver, Text("waiver", "豁免")),
        (found.life.proposal, Text("proposed waiver", "待批准的豁免")),
    )
    for waiver, label in pairs:
        if waiver is None:
            continue
        officers = " + ".join(each for each in (waiver.proposed_by, waiver.approved_by) if each)
        told = Text(
            f"until {waiver.until}, by {officers}: {waiver.reason}",
            f"至 {waiver.until}，{officers}：{waiver.reason}",
        )
        yield label.in_language(language), told.in_language(language)


def _entry_line(found: TrackedFinding, entry: Entry, language: Language) -> str:
    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    parts = [HAPPENINGS[entry.what].in_language(language)]
    if entry.until is not None and entry.what != "waiver_expired":
        due = entry.what == "acknowledged"
        parts.append(
            t(f"due {entry.until}", f"整改期限 {entry.until}")
            if due
            else t(f"until {entry.until}", f"至 {entry.until}")
        )
    if entry.officer:
        parts.append(entry.officer)
        signed_at = found.signed_at[entry.ref]
        if signed_at.date() != entry.on:
            instant = format_instant(signed_at)
            parts.append(t(f"signed {instant}", f"签名于 {instant}"))
    line = t(", ", "，").join(parts)
    if entry.text:
        line += t(f": {entry.text}", f"：{entry.text}")
    if not entry.counts:
        line += t(" (does not count)", "（不生效）")
    return f"{line}  [{entry.ref[:12]}]"


# --- history ------------------------------------------------------------------------------------


def _happened(found: Sequence[TrackedFinding]) -> list[tuple[TrackedFinding, Entry]]:
    pairs = [(each, entry) for each in found for entry in each.life.history]
    return sorted(pairs, key=lambda pair: (pair[1].on, pair[0].key))


def history_json(found: Sequence[TrackedFinding], day: date) -> str:
    """Return what happened to findings, day by day, as JSON."""
    listed = [{"finding": each.id, **each.entry_json(entry)} for each, entry in _happened(found)]
    return _json({"as_of": day.isoformat(), "history": listed})


def history_csv(found: Sequence[TrackedFinding]) -> str:
    """Return what happened to findings, day by day, as CSV."""
    return to_rows(HISTORY_COLUMNS, (_history_cells(*pair) for pair in _happened(found)))


def history_lines(
    found: Sequence[TrackedFinding], language: Language, paper: Paper
) -> Iterator[str]:
    """Yield the lines of what happened to findings, day by day."""
    for each, entry in _happened(found):
        line = f"{each.id}  {_entry_line(each, entry, language)}"
        yield from paper.lines(line, f"{entry.on}  ", " " * 12)


def _history_cells(found: TrackedFinding, entry: Entry) -> list[str]:
    cells = found.entry_json(entry) | {
        "finding": found.id,
        "case": "/".join(found.key.case),
        "rule": found.key.rule,
        "counts": "true" if entry.counts else "false",
    }
    return ["" if cells[name] is None else str(cells[name]) for name in HISTORY_COLUMNS]

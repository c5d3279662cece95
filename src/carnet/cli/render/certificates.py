"""Certificates, their calendar and what to renew: as tables, JSON and CSV."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from rich.cells import cell_len

from carnet.cli.render.paper import Paper, Tone
from carnet.cli.render.sheet import to_rows
from carnet.core.text import Language, Text
from carnet.rules.derivation import Derived
from carnet.services.certificates import STATUS, CertificateLine, next_date
from carnet.services.renewals import Renewal
from carnet.services.words import CERTIFICATE_KINDS, DOCUMENT_STATUSES, RENEWAL_STATES

COLUMNS: Final = (
    *("certificate", "kind", "act", "number", "product", "model", "pack", "version", "status"),
    *("effective_end", "end_reason", "window_opens", "window_closes", "review_due", "last_day"),
    *("latest_start", "plan", "planned_application_on", "lab_lead_days", "applied_on"),
    *("listings", "undetermined", "officer_confirmed"),
)
RENEWAL_COLUMNS: Final = (
    *("state", "action", "start_by", "last_day", "certificate", "kind", "act", "number"),
    *("product", "model", "pack", "version", "status", "effective_end", "end_reason"),
    *("plan", "planned_application_on", "lab_lead_days", "is_plan_in_time"),
    *("listings", "undetermined", "officer_confirmed"),
)
_PLAN: Final = ("planned_application_on", "lab_lead_days", "applied_on")
_DERIVED: Final = ("effective_end", "window_opens", "window_closes", "review_due", "last_day")
_TONES: Final[Mapping[str | None, Tone]] = {
    "valid": "good",
    "window_open": "good",
    "present_unverified": "warn",
    "window_closing": "warn",
    "not_yet_valid": "warn",
    "undetermined": "warn",
    "not_applicable": "dim",
    None: "dim",
}
_NO_PACK: Final = Text("judged by no pack", "无规则包判定")


def json_text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


# --- CSV ----------------------------------------------------------------------------------------


def lines_csv(lines: Iterable[CertificateLine], language: Language) -> str:
    """Return certificates as CSV."""
    return to_rows(COLUMNS, (_cells(each.to_json(), COLUMNS, language) for each in lines))


def renewals_csv(found: Iterable[Renewal], language: Language) -> str:
    """Return what to renew as CSV."""
    columns = RENEWAL_COLUMNS
    return to_rows(columns, (_cells(each.to_json(), columns, language) for each in found))


def _cells(row: Mapping[str, Any], columns: Sequence[str], language: Language) -> list[str]:
    plan = row["plan"] or {}
    told = {name: row[name] for name in _DERIVED if name in row}
    causes = {one["cause"][language] for one in told.values() if one["cause"]}
    reason = row["effective_end"]["reason"]
    cells = {
        **row,
        **{name: one["value"] for name, one in told.items()},
        **{name: plan.get(name) for name in _PLAN},
        "product": row["product"]["id"],
        "model": row["product"]["model"],
        "status": row["status"]["value"],
        "end_reason": reason and reason[language],
        "plan": plan.get("id"),
        "listings": " ".join(row["listings"]),
        "undetermined": " ".join(sorted(causes)),
        "officer_confirmed": " ".join(row["officer_confirmed"]),
    }
    return [_cell(cells[name]) for name in columns]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


# --- tables -------------------------------------------------------------------------------------


def _status(line: CertificateLine, language: Language) -> str:
    """Return the status in words: those of the pack where it says why, else the general ones."""
    if line.pack is None:
        return _NO_PACK.in_language(language)
    reason = line.derived(STATUS).reason
    status = line.status
    text = reason.text if reason else DOCUMENT_STATUSES.get(status or "")
    return text.in_language(language) if text else str(status)


def _spelled(found: Derived, language: Language) -> str:
    """Return a derived date in words: the day with its reason, that it cannot be told, or none."""
    if found.cause is not None:
        return Text("undetermined", "无法判定").in_language(language)
    if found.value is None:
        return "-"
    if found.reason is None:
        return str(found.value)
    why = found.reason.text
    return Text(f"{found.value} ({why.en})", f"{found.value}（{why.zh}）").in_language(language)


def list_lines(
    lines: Sequence[CertificateLine], as_of: date, language: Language, paper: Paper
) -> Iterator[str]:
    """Yield a line for each certificate, then how many there are of each status."""
    rows = [
        (
            each.certificate.id,
            _status(each, language),
            _spelled(each.derived("effective_end"), language),
            _document(each, language),
            f"{each.product.fields['model']} ({each.product.id})",
        )
        for each in lines
    ]
    heads = (
        Text("certificate", "证书"),
        Text("status", "状态"),
        Text("ends", "终止日"),
        Text("document", "文件"),
        Text("product", "产品"),
    )
    yield from _columns([tuple(head.in_language(language) for head in heads), *rows], paper)
    yield paper.tint(_sum(lines, as_of, language), "bold")


def _document(line: CertificateLine, language: Language) -> str:
    fields = line.certificate.fields
    kind = CERTIFICATE_KINDS[str(fields["kind"])].in_language(language)
    return f"{kind} [{fields['act']}]"


def _columns(rows: Sequence[tuple[str, ...]], paper: Paper) -> Iterator[str]:
    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        padded = [
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        line = "  ".join(padded).rstrip()
        yield paper.tint(line, "bold") if number == 0 else paper.lines(line, "", "    ")[0]


def _sum(lines: Sequence[CertificateLine], as_of: date, language: Language) -> str:
    counts: dict[str, int] = {}
    for each in lines:
        word = _general(each).in_language(language)
        counts[word] = counts.get(word, 0) + 1
    told = Text(", ", "，").in_language(language).join(f"{n} {word}" for word, n in counts.items())
    shown = told or Text("no certificates", "没有证书").in_language(language)
    return Text(f"{as_of}: {shown}", f"{as_of}：{shown}").in_language(language)


def _general(line: CertificateLine) -> Text:
    if line.pack is None:
        return _NO_PACK
    return DOCUMENT_STATUSES.get(line.status or "", Text(str(line.status), str(line.status)))


def calendar_lines(
    lines: Sequence[CertificateLine], as_of: date, language: Language, paper: Paper
) -> Iterator[str]:
    """Yield the calendar of certificates, month by month; what cannot be told stands last."""
    month = None
    for each in lines:
        day = next_date(each)
        if (head := _heading(day, as_of, language)) != month:
            month = head
            yield paper.tint(head, "bold")
        yield from _entry(each, day, language, paper)
    yield paper.tint(_sum(lines, as_of, language), "bold")


def _heading(day: date | None, as_of: date, language: Language) -> str:
    if day is None:
        return Text("Cannot be told", "无法判定").in_language(language)
    if day < as_of:
        return Text("Overdue", "已逾期").in_language(language)
    return f"{day:%Y-%m}"


def _entry(
    line: CertificateLine, day: date | None, language: Language, paper: Paper
) -> Iterator[str]:
    status = paper.tint(_status(line, language), _TONES.get(line.status, "bad"))
    yield (
        f"  {day or '          '}  {line.certificate.id}  {_document(line, language)},"
        f" {line.product.fields['model']}: {status}"
    )
    for text in _details(line, language):
        yield from paper.lines(text, " " * 14, " " * 16)


def _details(line: CertificateLine, language: Language) -> Iterator[str]:
    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    end = line.derived("effective_end")
    ends = t(f"ends {_spelled(end, language)}", f"终止日 {_spelled(end, language)}")
    parts = [ends]
    if line.day("review_due"):
        parts.append(
            t(f"review due {line.day('review_due')}", f"复审到期 {line.day('review_due')}")
        )
    opens, closes = line.derived("window_opens"), line.derived("window_closes")
    if closes.value or not closes.is_told or not opens.is_told:
        first, last = _spelled(opens, language), _spelled(closes, language)
        parts.append(t(f"application {first} to {last}", f"续期申请 {first} 至 {last}"))
    yield t("; ", "；").join(parts)
    yield _start(line, language)
    yield t("listings: ", "涉及上架商品：") + " ".join(line.listings)
    for cause in dict.fromkeys(one.cause for one in line.values.values() if one.cause):
        yield cause.in_language(language)


def _start(line: CertificateLine, language: Language) -> str:
    plan, latest = line.plan, line.latest_start
    if plan is None:
        return Text("no renewal plan", "无更新计划").in_language(language)
    days, planned = plan.fields["lab_lead_days"], plan.fields["planned_application_on"]
    begin = Text(f"; begin by {latest}", f"；最迟 {latest} 开始").in_language(language)
    applied = plan.fields.get("applied_on")
    if applied is not None:
        begin = Text(f"; applied on {applied}", f"；已于 {applied} 申请").in_language(language)
    elif latest is None:
        begin = ""
    return (
        Text(
            f"plan {plan.id}: apply on {planned}, laboratory {days} days",
            f"计划 {plan.id}：拟于 {planned} 申请，实验室周期 {days} 天",
        ).in_language(language)
        + begin
    )


# --- renewals -----------------------------------------------------------------------------------


def renewal_lines(
    found: Sequence[Renewal], until: date, language: Language, paper: Paper
) -> Iterator[str]:
    """Yield what to start until a day, in order, then how many there are of each state."""

    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    for each in found:
        line = each.line
        tone: Tone = "bad" if each.state in {"lapsed", "late"} else "warn"
        word = paper.tint(RENEWAL_STATES[each.state].in_language(language), tone)
        what = t("review", "复审") if each.action == "review" else t("renew", "续期")
        yield (
            f"{each.start_by or '          '}  {line.certificate.id}  {what}"
            f"  {_document(line, language)}, {line.product.fields['model']}: {word}"
        )
        for text in _renewal_details(each, language):
            yield from paper.lines(text, " " * 12, " " * 14)
    counts = [
        f"{sum(each.state == state for each in found)} {word.in_language(language)}"
        for state, word in RENEWAL_STATES.items()
        if any(each.state == state for each in found)
    ]
    told = t(", ", "，").join(counts) or t("nothing to start", "没有须启动的事项")
    yield paper.tint(t(f"Until {until}: {told}", f"截至 {until}：{told}"), "bold")


def _renewal_details(found: Renewal, language: Language) -> Iterator[str]:
    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    line = found.line
    last = _spelled(found.last_day, language)
    yield t(f"last day that works: {last}", f"最后可行日：{last}")
    end = line.derived("effective_end")
    if found.last_day != end:
        yield t(f"ends {_spelled(end, language)}", f"终止日 {_spelled(end, language)}")
    if found.action == "renew":
        start = _start(line, language)
        if found.is_plan_in_time is False:
            start += t("; THE PLAN IS OUTSIDE THE WINDOW", "；计划不在允许期间内")
        yield start
    yield t("listings: ", "涉及上架商品：") + " ".join(line.listings)
    if found.last_day.cause is not None:
        yield found.last_day.cause.in_language(language)

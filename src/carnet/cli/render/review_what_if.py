"""What a trial of other packs would change, side by side: as lines, as CSV, as part of a page."""

from collections.abc import Iterator
from html import escape
from typing import Final

from carnet.cli.render.html import cell, row, table_head, wide
from carnet.cli.render.paper import Paper
from carnet.cli.render.review_words import Writer
from carnet.cli.render.sheet import to_rows
from carnet.core.text import Language
from carnet.rules.decision import Conformity, Finding
from carnet.services.overviews import RANKS
from carnet.services.what_if import NO_DECISION, Comparison, Point, Trial, WhatIf
from carnet.services.words import (
    ADMISSIONS,
    CONFORMITIES,
    NOT_REVIEWED,
    PACK_STATUSES,
    SEVERITIES,
)

COLUMNS: Final = (
    *("is_decision", "as_of", "what_if", "listing", "before", "after", "change"),
    *("pack", "kind", "rule", "severity", "message", "remedy", "law", "facts"),
)


def _verdict(verdict: Conformity | None, write: Writer) -> str:
    if verdict is None:
        return write.say(NOT_REVIEWED)
    return f"{write.say(ADMISSIONS[verdict])} ({write.say(CONFORMITIES[verdict])})"


def _trial(trial: Trial, write: Writer) -> str:
    pack = trial.pack
    status = write.say(PACK_STATUSES[pack.status])
    title = f"{pack.id} {pack.version} [{status}] {write.say(pack.title)}"
    if trial.replaces is None:
        return title + write.t("; counts in addition", "；另行适用")
    other = f"{trial.replaces.id} {trial.replaces.version}"
    return title + write.t(f"; in the place of {other}", f"；取代 {other}")


def _said(point: Point, write: Writer) -> str:
    said = point.said
    return write.say(said.message if isinstance(said, Finding) else said.cause)


def _severity(point: Point, write: Writer) -> str:
    if isinstance(point.said, Finding):
        return write.say(SEVERITIES[point.said.severity])
    return write.t("cannot be told", "无法判定")


def _sums(found: WhatIf, write: Writer) -> str:
    count, total = len(found.changed), len(found.comparisons)
    sides = []
    for verdict in RANKS:
        before = sum(each.before == verdict for each in found.comparisons)
        after = sum(each.after == verdict for each in found.comparisons)
        sides.append(f"{write.say(ADMISSIONS[verdict])} {before} → {after}")
    told = write.t(
        f"{count} of {total} listings would change: ", f"{total} 项上架商品中有 {count} 项将变化："
    )
    return told + write.list(sides)


# --- lines for people -------------------------------------------------------------------------


def what_if_text(found: WhatIf, language: Language, paper: Paper) -> Iterator[str]:
    """Yield the lines of a comparison: that it is no decision, the packs, each listing."""
    write = Writer(language)
    for line in paper.lines(write.say(NO_DECISION), "", "  "):
        yield paper.tint(line, "bad")
    for trial in found.trials:
        yield from paper.lines(_trial(trial, write), write.t("tried: ", "所试规则包："), "  ")
    for each in found.changed:
        yield from _compared(each, write, paper)
    for one in found.not_reviewed:
        told = write.t("not reviewed. ", "未审核。") + write.say(one.reason)
        yield from paper.lines(f"listing/{one.listing_id}: {told}", "", "  ")
    yield paper.tint(_sums(found, write), "bold")


def _compared(each: Comparison, write: Writer, paper: Paper) -> Iterator[str]:
    verdicts = f"{_verdict(each.before, write)} → {_verdict(each.after, write)}"
    yield f"{paper.tint(f'listing/{each.listing_id}', 'bold')}: {verdicts}"
    sides = (
        ("+", write.t("newly missing", "新增缺失"), each.added),
        ("-", write.t("no longer missing", "不再缺失"), each.removed),
    )
    for sign, label, points in sides:
        for point in points:
            yield f"  {sign} {label} [{_severity(point, write)}] {point.pack.id} {point.said.rule}"
            yield from paper.lines(_said(point, write), "      ", "      ")
            if isinstance(point.said, Finding) and sign == "+":
                remedy = write.t("what to do: ", "处理：") + write.say(point.said.remedy)
                yield from paper.lines(remedy, "      ", "        ")


# --- CSV --------------------------------------------------------------------------------------


def what_if_csv(found: WhatIf, language: Language) -> str:
    """Return a comparison as CSV: a row each change, one for a listing without; none decides."""
    write = Writer(language)
    trials = " ".join(f"{each.pack.id}@{each.pack.version}" for each in found.trials)
    rows = []
    for each in found.comparisons:
        common = {
            "is_decision": "false",
            "as_of": found.as_of.isoformat(),
            "what_if": trials,
            "listing": each.listing_id,
            "before": each.before or "",
            "after": each.after or "",
        }
        changes = [("newly_missing", one) for one in each.added]
        changes += [("no_longer_missing", one) for one in each.removed]
        cells = [common | _cells(change, one, write) for change, one in changes]
        rows += cells or [common | {"change": "verdict" if each.is_changed else "none"}]
    return to_rows(COLUMNS, ([each.get(name, "") for name in COLUMNS] for each in rows))


def _cells(change: str, point: Point, write: Writer) -> dict[str, str]:
    said = point.said
    told = {"change": change, "pack": point.pack.id, "rule": said.rule}
    told["message"] = _said(point, write)
    if not isinstance(said, Finding):
        return told | {"kind": "error"}
    return told | {
        "kind": "finding",
        "severity": said.severity,
        "remedy": write.say(said.remedy),
        "law": " ".join(said.citation),
        "facts": " ".join(f"{kind}/{name}" for kind, name in said.facts),
    }


# --- part of the page -------------------------------------------------------------------------


def what_if_lines(found: WhatIf, write: Writer) -> Iterator[str]:
    """Yield the part of the page that stands first of all: no decision, and what would change."""
    yield f'<h2 id="what-if">{escape(write.t("What would change", "将发生的变化"))}</h2>\n'
    yield "<ul>\n"
    for trial in found.trials:
        yield f"<li>{escape(_trial(trial, write))}</li>\n"
    yield f"</ul>\n<p>{escape(_sums(found, write))}</p>\n"
    if not found.changed:
        return
    titles = (
        write.t("Listing", "上架商品"),
        write.t("Now", "现行"),
        write.t("What-if", "假设"),
        write.t("Newly missing", "新增缺失"),
        write.t("No longer missing", "不再缺失"),
    )
    yield wide("", by="what-if") + "<table>\n"
    yield f"{table_head(titles)}<tbody>\n"
    for each in found.changed[:CHANGES_MAX]:
        cells = (
            cell(escape(each.listing_id), "th", scope="row"),
            _side(each.before, write),
            _side(each.after, write),
            cell(_points(each.added, write)),
            cell(_points(each.removed, write)),
        )
        yield row(cells)
    yield "</tbody>\n</table>\n</div>\n"
    if len(found.changed) > CHANGES_MAX:
        told = write.t(
            f"{CHANGES_MAX} of {len(found.changed)} changed listings shown; all are in the CSV and "
            "JSON forms.",
            f"共 {len(found.changed)} 项变化，此处显示 {CHANGES_MAX} 项；全部见 CSV 与 JSON 格式。",
        )
        yield f"<p><strong>{escape(told)}</strong></p>\n"


CHANGES_MAX: Final = 250
"""Changed listings that a page shows."""


def _side(verdict: Conformity | None, write: Writer) -> str:
    if verdict is None:
        return cell(escape(_verdict(verdict, write)))
    return cell(write.admission(verdict), _class=write.tone(verdict))


def _points(points: tuple[Point, ...], write: Writer) -> str:
    return "".join(
        f"<p>[{escape(_severity(each, write))}] {escape(_said(each, write))} "
        f"<small>{escape(each.pack.id)} {escape(each.said.rule)}</small></p>"
        for each in points
    )

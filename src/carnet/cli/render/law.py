"""The regulation calendar: as a table, JSON and CSV."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final

from carnet.cli.render.certificates import json_text
from carnet.cli.render.paper import Paper, Tone
from carnet.cli.render.report import spell_law
from carnet.cli.render.sheet import to_rows
from carnet.core.text import Language, Text
from carnet.rules.ast import Severity
from carnet.rules.foresight import Effect, ForeseenChange
from carnet.rules.law_changes import LawChange
from carnet.rules.parameters import Known
from carnet.rules.values import day_or_value
from carnet.services.law_calendar import LawCalendar, VersionChange
from carnet.services.words import CONFORMITIES, SEVERITIES

COLUMNS: Final = (
    *("day", "pack", "version", "kind", "name", "what", "title", "before", "after", "status"),
    *("is_confirmed", "law", "link", "from", "listing", "verdict_before", "verdict_after"),
    *("effect", "rule", "severity", "message", "remedy"),
)
_WHATS: Final = {
    "begins": Text("applies from", "适用起始日"),
    "ends": Text("no longer applies from", "停止适用日"),
    "changes": Text("changes on", "变更日"),
    "day": Text("day named by the law:", "法律规定之日"),
}
_STATUSES: Final = {
    "V": Text("primary text read", "已查阅原文"),
    "S": Text("secondary source", "二手来源"),
    "U": Text("unverified", "未经核实"),
}
_TONES: Final[dict[Severity, Tone]] = {
    "blocking": "bad",
    "major": "bad",
    "minor": "warn",
    "info": "dim",
}


def calendar_json(found: LawCalendar) -> str:
    """Return the calendar as JSON."""
    return json_text(found.to_json())


# --- CSV ----------------------------------------------------------------------------------------


def calendar_csv(found: LawCalendar, language: Language) -> str:
    """Return the calendar as CSV: a row for each thing that a change does to a listing."""
    rows = [row for one in found.changes for row in _rows(one, language)]
    rows += [row for one in found.versions for row in _version_rows(one)]
    return to_rows(COLUMNS, ([row.get(name, "") for name in COLUMNS] for row in rows))


def _rows(found: ForeseenChange, language: Language) -> Iterator[dict[str, str]]:
    change = found.change
    common = {
        "day": change.day.isoformat(),
        "pack": found.pack.id,
        "version": found.pack.version,
        "kind": "parameter" if change.table is None else "row",
        "name": change.name,
        "what": change.what,
        "title": change.title.in_language(language),
        "before": _value(change.before),
        "after": _value(change.after),
        "status": change.status,
        "is_confirmed": "true" if found.is_confirmed else "false",
        "law": "; ".join(spell_law(one) for one in change.citation),
        "link": " ".join(one.link for one in change.citation if one.link),
    }
    if not found.effects:
        yield common | {"effect": "none"}
    for effect in found.effects:
        own = common | {
            "from": effect.day.isoformat(),
            "listing": effect.case[1],
            "verdict_before": effect.before or "",
            "verdict_after": effect.after or "",
        }
        yield from (own | row for row in _effect_rows(effect, language))


def _effect_rows(effect: Effect, language: Language) -> Iterator[dict[str, str]]:
    for kind, findings in (("added", effect.added), ("removed", effect.removed)):
        for one in findings:
            yield {
                "effect": kind,
                "rule": one.rule,
                "severity": one.severity,
                "message": one.message.in_language(language),
                "remedy": one.remedy.in_language(language),
            }
    for error in effect.untold:
        cause = error.cause.in_language(language)
        yield {"effect": "undetermined", "rule": error.rule, "message": cause}
    yield from ({"effect": "determined", "rule": rule} for rule in effect.told)
    for kind, rows in (("required", effect.required), ("not_required", effect.not_required)):
        for (table, row), name in rows.items():
            told = name.in_language(language)
            yield {"effect": kind, "rule": f"{table}.{row}", "message": told}
    for output, (before, after) in effect.outputs.items():
        message = f"{_value(before)} -> {_value(after)}"
        yield {"effect": "output", "rule": output, "message": message}


def _version_rows(found: VersionChange) -> Iterator[dict[str, str]]:
    common = {
        "day": found.day.isoformat(),
        "pack": found.after.id,
        "version": found.after.version,
        "kind": "version",
        "what": "changes",
        "before": found.before.version,
        "after": found.after.version,
    }
    if not found.cases:
        yield common | {"effect": "none"}
    for case in found.cases:
        own = common | {
            "from": found.day.isoformat(),
            "listing": case.case[1],
            "verdict_before": case.before or "",
            "verdict_after": case.after or "",
        }
        for kind, outcomes in (("added", case.added), ("removed", case.removed)):
            for rule, severity in outcomes:
                yield own | {"effect": kind, "rule": rule, "severity": severity}


def _value(value: Known | None) -> str:
    return "" if value is None else str(day_or_value(value))


# --- table --------------------------------------------------------------------------------------


def calendar_lines(
    found: LawCalendar, language: Language, paper: Paper, *, is_all: bool = False
) -> Iterator[str]:
    """Yield the calendar, day by day: the law, then what it does to which listings.

    Args:
        found: The calendar.
        language: The language.
        paper: What it is written on.
        is_all: Whether changes that touch no listing are shown as well.
    """

    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    touching = [one for one in found.changes if one.effects]
    others = [one for one in found.changes if not one.effects]
    blocks = [(one.day, _version(one, language, paper)) for one in found.versions]
    for (day, _), some in groupby(touching, key=lambda one: (one.change.day, one.pack.digest)):
        blocks.append((day, _day(list(some), language, paper)))
    for _, block in sorted(blocks, key=lambda block: block[0]):
        yield from block
    if others and is_all:
        yield paper.tint(t("Without effect on these listings", "不影响这些上架商品"), "bold")
        for one in others:
            yield from _law(one, language, paper, f"{one.change.day} ")
    for missing in found.untold:
        yield from paper.lines(missing.reason.in_language(language), "! ", "  ")
    yield paper.tint(_sum(found, len(touching), len(others), language, is_all=is_all), "bold")


def _day(changes: Sequence[ForeseenChange], language: Language, paper: Paper) -> Iterator[str]:
    """Yield what changes in the law of one pack on one day, and what that does."""
    title = changes[0].pack.title.in_language(language)
    yield paper.tint(f"{changes[0].change.day}  {title}", "bold")
    for one in changes:
        yield from _law(one, language, paper)
    yield from _effects(changes, language, paper)


def _sum(
    found: LawCalendar, touching: int, others: int, language: Language, *, is_all: bool
) -> str:
    listings = {effect.case[1] for one in found.changes for effect in one.effects}
    listings |= {case.case[1] for one in found.versions for case in one.cases}
    en = (
        f"{found.as_of} to {found.until}: {touching + len(found.versions)} changes touch"
        f" {len(listings)} listings"
    )
    zh = (
        f"{found.as_of} 至 {found.until}：{touching + len(found.versions)} 项变更涉及"
        f" {len(listings)} 个上架商品"
    )
    hint = Text("", "") if is_all or not others else Text(" (--all shows them)", "（--all 可查看）")
    return Text(
        f"{en}, {others} others touch none{hint.en}.", f"{zh}，另有 {others} 项不涉及{hint.zh}。"
    ).in_language(language)


def _law(found: ForeseenChange, language: Language, paper: Paper, day: str = "") -> Iterator[str]:
    change = found.change
    title, when = change.title.in_language(language), _when(change, language)
    told = day + Text(f"{title}: {when}", f"{title}：{when}").in_language(language)
    yield from paper.lines(told, "  * ", "    ")
    status = _STATUSES[change.status].in_language(language)
    if not found.is_confirmed:
        status += Text(", counts once officers confirm it", "，经合规专员确认后才适用").in_language(
            language
        )
    law = "; ".join(spell_law(one) for one in change.citation)
    yield from paper.lines(f"{law} [{status}]", "      ", "      ")
    for one in change.corrigenda:
        yield from paper.lines(one.in_language(language), "      ", "      ")


def _when(change: LawChange, language: Language) -> str:
    told = f"{_WHATS[change.what].in_language(language)} {change.day}"
    before, after = _value(change.before), _value(change.after)
    if change.what == "changes":
        after = f"{before} -> {after}"
    elif change.what != "begins" or not after:
        return told
    return Text(f"{told}: {after}", f"{told}：{after}").in_language(language)


_Group = tuple[date, str, str]
"""The day, what it is, and the words for it."""


def _effects(changes: Sequence[ForeseenChange], language: Language, paper: Paper) -> Iterator[str]:
    """Yield what changes do together: each thing once, with the listings that it happens to."""
    listings: defaultdict[_Group, dict[str, None]] = defaultdict(dict)
    details: dict[_Group, list[str]] = {}
    tones: dict[_Group, Tone] = {}
    for one in changes:
        for effect in one.effects:
            for kind, told, more, tone in _things(effect, one, language):
                key = (effect.day, kind, told)
                listings[key][effect.case[1]] = None
                details.setdefault(key, more)
                tones[key] = tone
    for key in sorted(
        listings, key=lambda key: (key[0], _ORDER.index(key[1]), _RANKS.index(tones[key]), key[2])
    ):
        names = sorted(listings[key])
        yield from paper.lines(paper.tint(key[2], tones[key]), f"    {key[0]}  ", " " * 16)
        yield from paper.lines(f"{len(names)}: {' '.join(names)}", " " * 16, " " * 16)
        # Texts name their listing: of several, the first one stands for all.
        example = Text("e.g. ", "例：").in_language(language) if len(names) > 1 else ""
        for number, text in enumerate(details[key]):
            yield from paper.lines(text if number else example + text, " " * 16, " " * 18)


_ORDER: Final = ("verdict", "required", "added", "untold", "told", "removed", "dropped", "output")
_RANKS: Final[tuple[Tone, ...]] = ("bad", "warn", "good", "plain", "bold", "dim")
_Thing = tuple[str, str, list[str], Tone]
"""What it is, the words, what is said once as an example, and the colour."""


def _things(effect: Effect, found: ForeseenChange, language: Language) -> Iterator[_Thing]:
    def t(en: str, zh: str) -> str:
        return Text(en, zh).in_language(language)

    if effect.before != effect.after and effect.after is not None:
        word = CONFORMITIES[effect.after].in_language(language)
        tone: Tone = "good" if effect.after == "conforming" else "bad"
        yield "verdict", t(f"becomes {word}", f"变为{word}"), [], tone
    for name in effect.required.values():
        word = name.in_language(language)
        yield "required", t(f"required: {word}", f"新增要求：{word}"), [], "warn"
    for name in effect.not_required.values():
        word = name.in_language(language)
        yield "dropped", t(f"no longer required: {word}", f"不再要求：{word}"), [], "dim"
    for finding in effect.added:
        severity = SEVERITIES[finding.severity].in_language(language)
        example = [finding.message.in_language(language), finding.remedy.in_language(language)]
        yield "added", f"[{severity}] {finding.rule}", example, _TONES[finding.severity]
    for finding in effect.removed:
        yield (
            "removed",
            t(f"no finding any more: {finding.rule}", f"不再触发：{finding.rule}"),
            [],
            "good",
        )
    for error in effect.untold:
        cause = [error.cause.in_language(language)]
        yield "untold", t(f"undetermined: {error.rule}", f"无法判定：{error.rule}"), cause, "warn"
    for rule in effect.told:
        yield "told", t(f"can be told from then on: {rule}", f"此后可判定：{rule}"), [], "dim"
    for output, (before, after) in effect.outputs.items():
        declared = found.pack.outputs[output].title.in_language(language)
        yield (
            "output",
            f"{declared}: {_value(before) or '-'} -> {_value(after) or '-'}",
            [],
            "plain",
        )


def _version(found: VersionChange, language: Language, paper: Paper) -> Iterator[str]:
    head = f"{found.day}  {found.after.title.in_language(language)}"
    yield paper.tint(head, "bold")
    told = Text(
        f"version {found.after.version} takes over from {found.before.version}",
        f"版本 {found.after.version} 取代 {found.before.version}",
    )
    yield from paper.lines(told.in_language(language), "  * ", "    ")
    for case in found.cases:
        yield from paper.lines(
            _case(case.case[1], case.before, case.after, language), " " * 4, " " * 6
        )
        for sign, outcomes in (("+", case.added), ("-", case.removed)):
            for rule, severity in outcomes:
                yield f"      {sign} [{severity}] {rule}"


def _case(listing: str, before: Any, after: Any, language: Language) -> str:
    words = [CONFORMITIES[one].in_language(language) if one else "-" for one in (before, after)]
    return f"{listing}: {words[0]} -> {words[1]}"

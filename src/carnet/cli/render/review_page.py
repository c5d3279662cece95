"""A review as one page that stands alone: what is missing, the matrix, the certificates' months.

The page is a rendering of decisions that are stored elsewhere and proves nothing by itself. It is
written line by line, in one language, and says how many listings it does not show.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from carnet.cli.render.html import LANGUAGE_TAGS, cell, head, link, row, table_head, wide
from carnet.cli.render.review_style import STYLE
from carnet.cli.render.review_tables import matrix_lines, strip_lines
from carnet.cli.render.review_what_if import what_if_lines
from carnet.cli.render.review_words import Writer
from carnet.cli.render.standing import standing_of
from carnet.core.text import Language, Text
from carnet.rules.decision import Finding, RuleError
from carnet.services.dossiers import Judged
from carnet.services.findings import FindingKey, TrackedFinding, key_of
from carnet.services.overviews import Overview, Reviewed
from carnet.services.what_if import NO_DECISION, WhatIf
from carnet.services.words import PACK_STATUSES, SEVERITIES

_GRAVEST_FIRST: Final = ("blocking", "major", "minor", "info")
_DECISIVE: Final = frozenset({"blocking", "major"})


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What the page shows.

    Args:
        language: The language of the page.
        overview: The review.
        lives: Where findings stand, where that is known.
        what_if: What a trial of other packs would change; the overview then shows their verdicts.
    """

    language: Language
    overview: Overview
    lives: Mapping[FindingKey, TrackedFinding] = field(default_factory=dict)
    what_if: WhatIf | None = None


def review_page(page: ReviewPage) -> Iterator[str]:
    """Yield the page, piece by piece."""
    write = Writer(page.language)
    overview = page.overview
    title = write.t(f"Entry review of {overview.as_of}", f"准入审核 {overview.as_of}")
    if page.what_if is not None:
        title = write.t(f"What-if, no decision: {title}", f"假设分析（非判定）：{title}")
    yield head(title, LANGUAGE_TAGS[page.language], STYLE)
    skip = escape(write.t("Skip to the result", "跳到结果"))
    yield f'<body>\n<a class="skip" href="#summary">{skip}</a>\n'
    purpose = _PURPOSE if page.what_if is None else NO_DECISION
    notice = ' class="notice" role="note"' if page.what_if is not None else ""
    yield f"<header>\n<h1>{escape(title)}</h1>\n<p{notice}>{escape(write.say(purpose))}</p>\n"
    yield "</header>\n"
    yield from _contents(page, write)
    yield "<main>\n"
    if page.what_if is not None:
        yield from what_if_lines(page.what_if, write)
    yield from _summary(overview, write)
    yield from _listings(page, write)
    yield from matrix_lines(overview, write)
    yield from strip_lines(overview, write)
    yield from _packs(overview, write)
    yield "</main>\n</body>\n</html>\n"


_PURPOSE: Final = Text(
    "Whether every document that the target market demands is there, valid and in scope on the day "
    "of the review. The page proves nothing by itself: the decisions are kept in the workspace.",
    "目标市场要求的文件在审核日是否齐备、有效且范围相符。本页本身不构成证明：判定保存在工作区中。",
)
_SECTIONS: Final = {
    "what-if": Text("What would change", "将发生的变化"),
    "summary": Text("Result", "结果"),
    "missing": Text("What is missing, by listing", "各上架商品的缺失项"),
    "admitted": Text("Admitted listings", "准入的上架商品"),
    "matrix": Text("Required documents", "所需文件"),
    "certificates": Text("Certificates over the next 12 months", "未来 12 个月的证书状态"),
    "packs": Text("Rule packs", "规则包"),
}


def _contents(page: ReviewPage, write: Writer) -> Iterator[str]:
    yield f'<nav aria-label="{escape(write.t("Contents", "目录"))}">\n<ul>\n'
    for name, title in _SECTIONS.items():
        if name != "what-if" or page.what_if is not None:
            yield f'<li><a href="#{name}">{escape(write.say(title))}</a></li>\n'
    yield "</ul>\n</nav>\n"


def _heading(name: str, write: Writer) -> str:
    return f'<h2 id="{name}">{escape(write.say(_SECTIONS[name]))}</h2>\n'


# --- the result -------------------------------------------------------------------------------


def _summary(overview: Overview, write: Writer) -> Iterator[str]:
    yield _heading("summary", write) + '<ul class="cards">\n'
    for verdict, count in overview.counts.items():
        yield f'<li class="{write.tone(verdict)}"><b>{count}</b> {write.admission(verdict)}</li>\n'
    if overview.not_reviewed:
        told = f"<b>{overview.not_reviewed}</b> {write.admission(None)}"
        yield f'<li class="{write.tone(None)}">{told}</li>\n'
    yield "</ul>\n"
    total = overview.total
    found = write.list(
        f"{overview.severities[name]} {write.say(word)}"
        for name, word in SEVERITIES.items()
        if overview.severities.get(name)
    )
    sums = write.t(f"{total} listings. Findings: ", f"共 {total} 项上架商品。发现项：")
    yield f"<p>{escape(sums)}{escape(found or write.t('none', '无'))}</p>\n"
    yield f"<p>{escape(write.say(_MEANING))}</p>\n"
    if total > len(overview.shown):
        yield f"<p><strong>{escape(_bound(overview, write))}</strong></p>\n"


_MEANING: Final = Text(
    "Admit: every pack that decided says conforming. Reject: one says nonconforming. Hold: it "
    "cannot be told yet, because a fact is missing or officers have not confirmed what the law "
    "text is taken to say. Not reviewed: no pack decided, for the reason that stands there.",
    "准入：所有判定的规则包均为合规。拒绝：至少一个为不合规。暂缓：尚无法判定，"
    "因缺少事实，或合规专员尚未确认相关法条的取值。未审核：没有规则包作出判定，原因见下文。",
)


def _bound(overview: Overview, write: Writer) -> str:
    shown, total = len(overview.shown), overview.total
    return write.t(
        f"{shown} of {total} listings shown, the worst first. The others are in the CSV and JSON "
        "forms of this review (--format csv, --format json).",
        f"共 {total} 项上架商品，此处显示最严重的 {shown} 项；"
        "其余见本次审核的 CSV 与 JSON 格式（--format csv、--format json）。",
    )


# --- what is missing --------------------------------------------------------------------------


def _listings(page: ReviewPage, write: Writer) -> Iterator[str]:
    shown = page.overview.shown
    open_ones = [each for each in shown if each.verdict != "conforming" or _has_points(each)]
    yield _heading("missing", write)
    if not open_ones:
        yield f"<p>{escape(write.t('Nothing is missing.', '没有缺失项。'))}</p>\n"
    for each in open_ones:
        yield from _listing(page, each, write)
    yield _heading("admitted", write)
    admitted = [each for each in shown if each.verdict == "conforming"]
    if not admitted:
        yield f"<p>{escape(write.t('None of those shown.', '所示商品中无准入项。'))}</p>\n"
        return
    columns = (
        ("Listing", "上架商品"),
        ("Product", "产品"),
        ("Market", "市场"),
        ("Decided by", "判定规则包"),
    )
    yield wide("", by="admitted") + "<table>\n"
    yield f"{table_head(write.t(*names) for names in columns)}<tbody>\n"
    for each in admitted:
        packs = write.list(dict.fromkeys(one.pack.id for one in each.judged))
        told = (f"{each.product_id} {each.model}", each.market, packs)
        yield row([cell(escape(each.listing_id), "th", scope="row"), *map(_text, told)])
    yield "</tbody>\n</table>\n</div>\n"


def _text(told: str) -> str:
    return cell(escape(told))


def _has_points(each: Reviewed) -> bool:
    return any(one.decision.findings or one.decision.errors for one in each.judged)


def _listing(page: ReviewPage, each: Reviewed, write: Writer) -> Iterator[str]:
    name = (
        f"{each.listing_id} — {each.model or each.product_id}" if each.market else each.listing_id
    )
    market = f" ({each.market})" if each.market else ""
    tag = f'<span class="tag {write.tone(each.verdict)}">{write.admission(each.verdict)}</span>'
    yield f"<h3>{tag} {escape(name + market)}</h3>\n"
    if each.reason is not None:
        yield f"<p>{escape(write.say(each.reason))}</p>\n"
        return
    columns = (
        ("Severity", "严重程度"),
        ("What is missing", "缺失内容"),
        ("Law", "法律依据"),
        ("Who does what", "由谁处理"),
        ("By when", "期限"),
    )
    yield wide(f"{each.listing_id}: {write.say(_SECTIONS['missing'])}") + "<table>\n"
    yield f"{table_head(write.t(*names) for names in columns)}<tbody>\n"
    for judged, finding in _gravest_first(each.judged):
        yield _finding(page, judged, finding, write)
    for judged in each.judged:
        for error in judged.decision.errors:
            yield _error(judged, error, write)
    yield "</tbody>\n</table>\n</div>\n"


def _gravest_first(judged: Iterable[Judged]) -> list[tuple[Judged, Finding]]:
    found = [(one, finding) for one in judged for finding in one.decision.findings]
    return sorted(found, key=lambda pair: _GRAVEST_FIRST.index(pair[1].severity))


def _law(judged: Judged, ids: Sequence[str]) -> str:
    told = []
    for name in ids:
        citation = judged.pack.law.get(name)
        if citation is None:
            told.append(escape(name))
            continue
        place = ", ".join(part for part in (citation.title, citation.article) if part)
        told.append(f"{link(citation.link, place or name)} <small>{escape(name)}</small>")
    return "<br>".join(told)


def _finding(page: ReviewPage, judged: Judged, finding: Finding, write: Writer) -> str:
    facts = " ".join(f"{kind}/{name}" for kind, name in finding.facts)
    message = f"{escape(write.say(finding.message))}<br><small>{escape(facts)}</small>"
    found = page.lives.get(key_of(judged.pack.id, _case(judged), finding.to_json()))
    due = write.t("no day set", "未定期限")
    if found is not None and (found.life.acknowledgement or found.life.waiver):
        due = write.say(standing_of(found.life))
        if found.life.acknowledgement is not None:
            due = f"{due} ({found.life.acknowledgement.officer})"
    elif finding.severity in _DECISIVE:
        due = write.t("before any further unit is placed on the market", "继续投放前")
    cells = [
        cell(write.marked(finding.severity, SEVERITIES), _class=write.tone(finding.severity)),
        cell(f"{message}<br><small>{escape(judged.pack.id)} {escape(finding.rule)}</small>"),
        cell(_law(judged, finding.citation)),
        _text(write.say(finding.remedy)),
        _text(due),
    ]
    return row(cells)


def _case(judged: Judged) -> dict[str, str]:
    kind, name = judged.decision.case
    return {"type": kind, "id": name}


def _error(judged: Judged, error: RuleError, write: Writer) -> str:
    rule = next((one for one in judged.pack.rules if one.id == error.rule), None)
    head_word = write.t("cannot be told", "无法判定")
    title = "" if rule is None else f"<br><small>{escape(write.say(rule.title))}</small>"
    told = f"{escape(write.say(error.cause))}{title}"
    cells = [
        cell(f"? {escape(head_word)}", _class=write.tone("undetermined")),
        cell(f"{told}<br><small>{escape(judged.pack.id)} {escape(error.rule)}</small>"),
        cell("" if rule is None else _law(judged, rule.citation)),
        _text(write.say(_SUPPLY)),
        _text(write.t("before the listing is admitted", "准入前")),
    ]
    return row(cells)


_SUPPLY: Final = Text(
    "The compliance officer records the fact that is named; two officers confirm what is "
    "unverified in the rule pack.",
    "合规专员登记所指事实；规则包中未经核实的取值由两名合规专员确认。",
)


# --- what decided -----------------------------------------------------------------------------


def _packs(overview: Overview, write: Writer) -> Iterator[str]:
    columns = (("Pack", "规则包"), ("Title", "名称"), ("Status", "状态"), ("Digest", "摘要"))
    yield _heading("packs", write) + wide("", by="packs") + "<table>\n"
    yield f"{table_head(write.t(*names) for names in columns)}<tbody>\n"
    for pack in overview.packs:
        cells = (
            cell(escape(f"{pack.id} {pack.version}"), "th", scope="row"),
            _text(write.say(pack.title)),
            _text(write.say(PACK_STATUSES[pack.status])),
            cell(f"<code>{pack.digest.hex()}</code>"),
        )
        yield row(cells)
    yield "</tbody>\n</table>\n</div>\n"

"""The tables of the review page: documents by listing, and certificates by month.

Each cell says its status in words behind a sign; colour only repeats it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from html import escape
from itertools import groupby
from typing import Final

from carnet.cli.render.html import cell, link, row, wide
from carnet.cli.render.review_words import Writer
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.derivation import Derived
from carnet.services.dossiers import Cell, DocumentStatus, Month, Strip
from carnet.services.overviews import Overview, Reviewed
from carnet.services.words import CERTIFICATE_KINDS

Column = tuple[str, str, str]
"""Pack, table and row of a requirement."""

_MATRIX: Final = Text("Required documents", "所需文件")
_MATRIX_NOTE: Final = Text(
    "A row is a listing, a column is what a row of a rule pack's decision table asks for. A cell "
    "names the documents that meet it and those on file under the same act, with their status; "
    "“missing” where none meets it, empty where it is not asked for.",
    "行为上架商品，列为规则包决策表的行所要求的文件。单元格列出满足该要求的文件及同一法规下已存档的"
    "文件及其状态；没有文件满足时为“缺失”，不要求时为空。",
)
_STRIPS: Final = Text("Certificates over the next 12 months", "未来 12 个月的证书状态")
_STRIPS_NOTE: Final = Text(
    "The status at the end of each month if nothing else is filed, by the rule packs that decided: "
    "the rules that will apply then, as far as these packs know them.",
    "在不再归档其他文件的情况下，各月月末的状态；依据本次判定的规则包，"
    "即这些规则包所知的届时适用规则。",
)


# --- documents by listing ---------------------------------------------------------------------


def matrix_lines(overview: Overview, write: Writer) -> Iterator[str]:
    """Yield the matrix of each market."""
    yield f'<h2 id="matrix">{escape(write.say(_MATRIX))}</h2>\n'
    yield f"<p>{escape(write.say(_MATRIX_NOTE))}</p>\n"
    by_market: defaultdict[str, list[Reviewed]] = defaultdict(list)
    for each in overview.shown:
        if overview.dossiers.cells.get(each.listing_id):
            by_market[each.market].append(each)
    if not by_market:
        yield f"<p>{escape(write.t('No rule asks for a document.', '没有规则要求文件。'))}</p>\n"
    for market in sorted(by_market):
        yield from _matrix(market, by_market[market], overview.dossiers.cells, write)


def _key(one: Cell) -> Column:
    return one.pack.id, one.requirement.table, one.requirement.row


def _matrix(
    market: str,
    listings: Sequence[Reviewed],
    cells: Mapping[str, Sequence[Cell]],
    write: Writer,
) -> Iterator[str]:
    columns: dict[Column, Cell] = {}
    for each in listings:
        for one in cells[each.listing_id]:
            columns.setdefault(_key(one), one)
    ordered = sorted(columns, key=lambda column: (column[0], column[1] != "requirements", column))
    title = write.t(f"Market {market}", f"市场 {market}")
    yield f'<h3 id="matrix-{escape(market)}">{escape(title)}</h3>\n'
    yield wide("", by=f"matrix-{market}")
    yield '<table class="matrix">\n<thead>\n'
    yield from _matrix_head(ordered, columns, write)
    yield "</thead>\n<tbody>\n"
    for each in listings:
        own = {_key(one): one for one in cells[each.listing_id]}
        name = f"{escape(each.listing_id)}<br><small>{escape(each.model)}</small>"
        verdict = cell(write.admission(each.verdict), _class=write.tone(each.verdict))
        statuses = (_matrix_cell(own.get(column), write) for column in ordered)
        yield row([cell(name, "th", scope="row"), verdict, *statuses])
    yield "</tbody>\n</table>\n</div>\n"
    yield from _legend(ordered, columns, write)


def _matrix_head(
    ordered: Sequence[Column], columns: Mapping[Column, Cell], write: Writer
) -> Iterator[str]:
    groups = [(pack, len(list(found))) for pack, found in groupby(ordered, lambda each: each[0])]
    listing = cell(escape(write.t("Listing", "上架商品")), "th", scope="col", rowspan="2")
    verdict = cell(escape(write.t("Result", "结果")), "th", scope="col", rowspan="2")
    packs = (cell(escape(pack), "th", scope="colgroup", colspan=str(n)) for pack, n in groups)
    yield row([listing, verdict, *packs])
    names = ((column[2], write.say(columns[column].requirement.name)) for column in ordered)
    yield row(
        cell(f"{escape(code)}<br><small>{escape(name)}</small>", "th", scope="col")
        for code, name in names
    )


def _matrix_cell(one: Cell | None, write: Writer) -> str:
    if one is None:
        told = escape(write.t("not asked for", "不要求"))
        return cell(f'<span class="unseen">{told}</span>')
    state = one.requirement.state
    parts = [*([] if state == "met" else [(state, "")]), *_by_status(one.documents)]
    told = "".join(
        f'<div class="{write.tone(status)}">{write.status(status)} <small>{ids}</small></div>'
        for status, ids in parts
    )
    return cell(told)


def _by_status(documents: Iterable[DocumentStatus]) -> list[tuple[str, str]]:
    """Return each status with the documents that have it, as markup."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in documents:
        found[each.status].append(each.key[1])
    return [(status, " ".join(map(_unbroken, ids))) for status, ids in found.items()]


def _unbroken(name: str) -> str:
    return f'<span class="id">{escape(name)}</span>'


def _legend(
    ordered: Sequence[Column], columns: Mapping[Column, Cell], write: Writer
) -> Iterator[str]:
    yield "<ul>\n"
    for column in ordered:
        one = columns[column]
        law = _law_of_row(one.pack, column)
        name = escape(write.say(one.requirement.name))
        yield f"<li><strong>{escape(column[2])}</strong> ({escape(column[0])}): {name}{law}</li>\n"
    yield "</ul>\n"


def _law_of_row(pack: Pack, column: Column) -> str:
    rows = pack.tables[column[1]].rows
    found = next((one for one in rows if one.id == column[2]), None)
    cited = [pack.law[name] for name in (found.citation if found else ()) if name in pack.law]
    told = (
        link(each.link, ", ".join(part for part in (each.title, each.article) if part))
        for each in cited
    )
    joined = "; ".join(told)
    return f" — {joined}" if joined else ""


# --- certificates by month --------------------------------------------------------------------


def strip_lines(overview: Overview, write: Writer) -> Iterator[str]:
    """Yield the strips of the certificates."""
    dossiers = overview.dossiers
    yield f'<h2 id="certificates">{escape(write.say(_STRIPS))}</h2>\n'
    yield f"<p>{escape(write.say(_STRIPS_NOTE))}</p>\n"
    if dossiers.strips:
        yield wide("", by="certificates")
        yield '<table class="strip">\n<thead>\n'
        yield _strip_head(dossiers.strips[0].months, write)
        yield "</thead>\n<tbody>\n"
        for strip in dossiers.strips:
            yield _strip(strip, write)
        yield "</tbody>\n</table>\n</div>\n"
    if dossiers.further:
        told = write.t(
            f"{dossiers.further} more certificates are not drawn; "
            "see `carnet certificates calendar`.",
            f"另有 {dossiers.further} 份证书未绘出；请运行 `carnet certificates calendar`。",
        )
        yield f"<p><strong>{escape(told)}</strong></p>\n"
    if not (dossiers.strips or dossiers.steady):
        told = write.t(
            "No pack that decided tells the status of a certificate.",
            "作出判定的规则包均未给出证书状态。",
        )
        yield f"<p>{escape(told)}</p>\n"
        return
    told = write.t(
        f"{dossiers.steady} other documents have no end on record and are valid today and at the "
        "end of the period.",
        f"另有 {dossiers.steady} 份文件没有登记的终止日，今日及期末均有效。",
    )
    yield f"<p>{escape(told)}</p>\n"


def _strip_head(months: Sequence[Month], write: Writer) -> str:
    titles = (write.t("Certificate", "证书"), write.t("Dates", "日期"), write.t("Today", "今日"))
    named = (*titles, *(f"{each.last:%Y-%m}" for each in months))
    return row(cell(escape(title), "th", scope="col") for title in named)


def _strip(strip: Strip, write: Writer) -> str:
    fact = strip.certificate
    kind = CERTIFICATE_KINDS.get(strip.now.kind)
    told = write.say(kind) if kind else strip.now.kind
    number = str(fact.fields.get("number") or "")
    name = f"{escape(fact.id)}<br><small>{escape(told)} {escape(number)}</small>"
    cells = [
        cell(name, "th", scope="row"),
        cell(_dates(strip, write)),
        cell(write.status(strip.now.status), _class=write.tone(strip.now.status)),
    ]
    for status, months in groupby(strip.months, lambda each: each.status):
        width = str(len(list(months)))
        if status is None:
            ended = write.t("its pack decides no more", "其规则包不再适用")
            cells.append(cell(escape(ended), colspan=width, _class="dim"))
        else:
            cells.append(cell(write.status(status), colspan=width, _class=write.tone(status)))
    return row(cells)


def _dates(strip: Strip, write: Writer) -> str:
    """Return the dates of a certificate in words: its end with the reason, and its window."""
    lines = [_end(strip.ends, write)]
    if isinstance(strip.opens.value, date) and isinstance(strip.closes.value, date):
        opens, closes = strip.opens.value, strip.closes.value
        lines.append(
            write.t(
                f"renewal window {opens} to {closes}",
                f"续期窗口 {opens} 至 {closes}",
            )
        )
    if strip.now.cause is not None:
        lines.append(write.say(strip.now.cause))
    return "<br>".join(escape(line) for line in lines if line)


def _end(ends: Derived, write: Writer) -> str:
    if ends.cause is not None:
        return write.t("end cannot be told: ", "终止日无法判定：") + write.say(ends.cause)
    if ends.value is None:
        return write.t("no end on record", "未登记终止日")
    reason = "" if ends.reason is None else f" ({write.say(ends.reason.text)})"
    return write.t(f"counts until {ends.value}{reason}", f"有效至 {ends.value}{reason}")

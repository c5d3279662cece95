"""A passport as one page that stands alone: no script, nothing fetched, two languages, a QR code.

The page shows what its holder chose to disclose and proves nothing by itself: it says so, and names
the record whose bundle a lender verifies. Its content policy allows its one style and nothing else.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from typing import Any, Final

import segno

from carnet.cli.render.html import head
from carnet.core.text import Text
from carnet.services.passport_views import STATES, Passport, title_of

_STYLE: Final = """
body{font:16px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#1a1a1a;
background:#fff;max-width:52rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.5rem;margin:.5rem 0}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{text-align:left;vertical-align:top;padding:.5rem;border-bottom:1px solid #bbb}
td.value{font-weight:bold;white-space:nowrap}
code{font-size:.8rem;overflow-wrap:anywhere}
.state{padding:.5rem .75rem;border:2px solid #1a1a1a;font-weight:bold}
.state.current{border-color:#00602b;color:#00602b}
.state.bad{border-color:#a30000;color:#a30000}
header{display:flex;gap:1.5rem;justify-content:space-between;align-items:flex-start}
header>div{flex:1}
.qr{width:11rem;height:11rem;flex:none}
#en:checked~main [lang=zh],#zh:checked~main [lang=en]{display:none}
label{margin-right:1rem}
@media print{input,label{display:none}}
"""
_BPS: Final = 100


def _both(text: Text) -> str:
    """Return a text in both languages, one of which the page shows."""
    return f'<span lang="en">{escape(text.en)}</span><span lang="zh">{escape(text.zh)}</span>'


def percent(bps: int) -> str:
    """Return basis points as people write them.

    >>> percent(9505), percent(10000)
    ('95.05 %', '100.00 %')
    """
    return f"{bps // _BPS}.{bps % _BPS:02} %"


def figure_text(member: str, figure: dict[str, Any]) -> Text:
    """Return the value of a figure for people; one that cannot be told says so."""
    value = figure.get("value")
    if value is None:
        return Text("undetermined", "无法判定")
    shown = str(value) if member == "tier" else percent(value)
    return Text(shown, shown)


def _details(figure: dict[str, Any]) -> Iterator[str]:
    causes = figure.get("causes", ())
    if causes:
        listed = ", ".join(causes)
        yield f"<p>{_both(Text(f'Could not decide: {listed}', f'无法判定的规则：{listed}'))}</p>"
    count = figure["recordCount"]
    told = Text(f"rests on {count} records", f"依据 {count} 条记录")
    hashes = figure.get("records", ())
    digest = f"SHA-256 {figure['recordsDigest']}"
    items = "".join(f"<li><code>{escape(each)}</code></li>" for each in hashes or [digest])
    yield f"<details><summary>{_both(told)}</summary><ul>{items}</ul></details>"


def _row(member: str, value: Any) -> str:
    title = _both(title_of(member))
    if isinstance(value, dict):
        shown, more = _both(figure_text(member, value)), "".join(_details(value))
    else:
        plain = ", ".join(value) if isinstance(value, list) else str(value)
        shown, more = escape(plain), ""
    return f'<tr><th scope="row">{title}</th><td class="value">{shown}</td><td>{more}</td></tr>'


def _undisclosed(names: Sequence[str]) -> str:
    if not names:
        return ""
    titles = [title_of(name) for name in names]
    told = Text(
        "Not disclosed here: " + ", ".join(title.en for title in titles) + ".",
        "此处未披露：" + "、".join(title.zh for title in titles) + "。",
    )
    return f"<p>{_both(told)}</p>"


def qr_text(passport: Passport) -> str:
    """Return what the code says: which record this is, so that paper and bundle can be compared."""
    return (
        f"CARNET PASSPORT {passport.members['quarter']}\n{passport.record.record_id}\n"
        f"sha256 {passport.record.digest.hex()}\nuntil {passport.valid_until}"
    )


def _code(passport: Passport) -> str:
    drawn = segno.make_qr(qr_text(passport), error="m").svg_inline(
        svgclass="qr", lineclass=None, omitsize=True, title="QR"
    )
    return str(drawn)


def _state(passport: Passport, today: date) -> str:
    word, until = STATES[passport.state], passport.valid_until
    told = Text(
        f"{word.en} on {today}; stale after {until}.",
        f"{today} {word.zh}；{until} 之后失效。",
    )
    tone = "current" if passport.state == "current" else "bad"
    return f'<p class="state {tone}">{_both(told)}</p>'


def _facts(passport: Passport) -> str:
    pack = passport.members["pack"]
    record = passport.record
    rows = [
        (Text("Quarter", "季度"), str(passport.members["quarter"])),
        (Text("Figures drawn for", "数据截至"), str(passport.members["asOf"])),
        (Text("Valid until", "有效期至"), str(passport.valid_until)),
        (Text("Rule pack", "规则包"), f"{pack['id']} {pack['version']} ({pack['digest']})"),
        (Text("Record", "记录"), record.record_id),
        (Text("Record hash", "记录哈希"), record.digest.hex()),
        (Text("Issuer", "签发方"), record.issuer),
        (Text("Seller's pseudonym", "卖家假名"), str(record.subject["id"])),
    ]
    return "".join(
        f'<tr><th scope="row">{_both(name)}</th><td colspan="2"><code>{escape(value)}</code>'
        "</td></tr>"
        for name, value in rows
    )


_HOW: Final = Text(
    "This page proves nothing by itself. Ask for the bundle of this record and verify it alone, "
    "with the verify page saved on your own disk or with `carnet verify`; compare the record hash "
    "with the one above or in the code.",
    "本页本身不构成证明。请索取该记录的验证包，用保存在本地的核验页或 `carnet verify` 自行核验，"
    "并将记录哈希与上文或二维码对照。",
)


def passport_page(passport: Passport, members: Sequence[str], today: date, language: str) -> str:
    """Return the page of a passport.

    Args:
        passport: With the members that are disclosed.
        members: All members that a passport may disclose, in their order.
        today: The day it is made, on which its state is told.
        language: The language it opens in; the other is one click away.
    """
    shown = [name for name in members if name in passport.members]
    hidden = [name for name in members if name not in passport.members]
    rows = "".join(_row(name, passport.members[name]) for name in shown)
    choices = "".join(
        f'<input type="radio" name="language" id="{code}"{" checked" if code == language else ""}>'
        f'<label for="{code}" lang="{code}">{name}</label>'
        for code, name in (("en", "English"), ("zh", "中文"))
    )
    title = Text("Seller credit passport", "跨境卖家信用护照")
    return (
        head(title.zh if language == "zh" else title.en, language, _STYLE)
        + f"<body>\n{choices}\n<main>\n<header>\n"
        f"<div><h1>{_both(title)}</h1>\n{_state(passport, today)}</div>\n{_code(passport)}\n"
        "</header>\n"
        f'<table id="figures">{rows}</table>\n{_undisclosed(hidden)}\n'
        f'<table id="record">{_facts(passport)}</table>\n<p>{_both(_HOW)}</p>\n'
        "</main>\n</body>\n</html>\n"
    )

"""The look of the review page: colours of enough contrast, never the only sign; fit for paper."""

from typing import Final

from carnet.cli.render.paper import Tone

STYLE: Final = """
body{font:16px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#1a1a1a;
background:#fff;margin:0 auto;padding:1.5rem;max-width:90rem}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.3rem;margin:2rem 0 .5rem;border-bottom:2px solid #1a1a1a}
h3{font-size:1.05rem;margin:1.5rem 0 .25rem}
a{color:#0b4a8f}
table{border-collapse:collapse;margin:.5rem 0;font-size:.875rem}
caption{text-align:left;padding:.25rem 0;color:#444}
th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;border:1px solid #8a8a8a}
thead th{background:#eee}
small{font-size:.8rem;color:#444;overflow-wrap:anywhere}
code{font-size:.8rem;overflow-wrap:anywhere}
.wide{overflow-x:auto;position:relative}
.wide:focus{outline:3px solid #0b4a8f}
.good{color:#00521f;background:#e6f4ea}
.bad{color:#8a0000;background:#fdeaea}
.warn{color:#6b4200;background:#fff4d6}
.dim{color:#505050;background:#f4f4f4}
.tag{display:inline-block;padding:0 .4rem;border:1px solid;font-weight:bold;white-space:nowrap}
.cards{list-style:none;display:flex;flex-wrap:wrap;gap:1rem;padding:0}
.cards li{border:2px solid;padding:.5rem 1rem;min-width:8rem}
.cards b{display:block;font-size:1.8rem;line-height:1.2}
.notice{border:3px solid #8a0000;padding:.5rem 1rem;font-weight:bold}
th small{font-weight:normal}
.matrix td{min-width:6rem}
tbody th{min-width:9rem}
.strip td:nth-child(2){text-align:left;min-width:12rem}
.id{white-space:nowrap}
.matrix td div+div{margin-top:.25rem;border-top:1px dotted}
.strip td{text-align:center}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
nav ul{padding-left:1.2rem}
.skip{position:absolute;left:-99rem}
.skip:focus{position:static}
@page{size:A4 landscape;margin:1cm}
@media print{body{padding:0;font-size:10pt;max-width:none}nav,.skip{display:none}
.wide{overflow:visible}table{font-size:8pt}th,td{padding:1pt 3pt}
.matrix{font-size:6pt}.id{white-space:normal}.matrix td,tbody th{min-width:0;overflow-wrap:anywhere}
tr,h2,h3{break-inside:avoid;break-after:auto}h2,h3{break-after:avoid}thead{display:table-header-group}
.good,.bad,.warn,.dim,thead th{print-color-adjust:exact}}
"""

SIGNS: Final[dict[str, tuple[str, Tone]]] = {
    "conforming": ("✓", "good"),
    "undetermined": ("?", "warn"),
    "nonconforming": ("✗", "bad"),
    "missing": ("✗", "bad"),
    "present_unverified": ("?", "warn"),
    "not_yet_valid": ("…", "warn"),
    "valid": ("✓", "good"),
    "window_open": ("○", "warn"),
    "window_closing": ("!", "warn"),
    "window_missed": ("!!", "bad"),
    "expired": ("✗", "bad"),
    "review_overdue": ("!", "warn"),
    "superseded_standard": ("✗", "bad"),
    "wrong_scope": ("✗", "bad"),
    "wrong_body": ("✗", "bad"),
    "wrong_language": ("✗", "bad"),
    "revoked": ("✗", "bad"),
    "not_applicable": ("–", "dim"),
    "on_file": ("•", "dim"),
    "found": ("✗", "bad"),
    "blocking": ("✗", "bad"),
    "major": ("✗", "bad"),
    "minor": ("!", "warn"),
    "info": ("•", "dim"),
}
"""The sign and the tone of each verdict, status and severity; a word always stands beside it."""

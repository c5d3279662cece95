"""The page on which a person has a bundle verified by this service."""

import html
import json

from carnet.core.text import Language, Text

TITLE = Text("Verify a bundle", "核验验证包")
INTRODUCTION = Text(
    "This service checks the file by its own policy, step by step, and stores nothing. "
    "A lender who does not want to trust it runs carnet verify on a machine of their own, "
    "or opens the static page in a browser, offline:",
    "本服务按自己的策略逐步核验所选文件，不保存任何内容。"
    "不愿信任本服务的资金方，请在自己的机器上运行 carnet verify，或在浏览器中离线打开静态页面：",
)
CHOOSE = Text("Bundle file", "验证包文件")
HEADINGS = (Text("Step", "步骤"), Text("Verdict", "结论"), Text("Cause", "原因"))
WORDS = {
    "valid": Text("VALID", "有效"),
    "not_valid": Text("NOT VALID", "无效"),
    "not_checked": Text("NOT CHECKED", "未核验"),
    "waiting": Text("Checking…", "核验中……"),
}

_PAGE = """<!doctype html>
<html lang="{lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="static/verify.css">
<h1>{title}</h1>
<p>{introduction} <a href="verify.html">verify.html</a></p>
<p><label>{choose} <input id="file" type="file" accept=".json,application/json"></label></p>
<p id="verdict" role="status" aria-live="polite"></p>
<table><thead><tr>{headings}</tr></thead><tbody id="steps"></tbody></table>
<script id="words" type="application/json">{words}</script>
<script src="static/verify.js"></script>
</html>
"""


def verify_page(language: Language) -> str:
    """Return the page in one language."""

    def say(text: Text) -> str:
        return html.escape(text.in_language(language))

    words = {key: text.in_language(language) for key, text in WORDS.items()}
    return _PAGE.format(
        lang="zh-Hans" if language == "zh" else "en",
        title=say(TITLE),
        introduction=say(INTRODUCTION),
        choose=say(CHOOSE),
        headings="".join(f"<th>{say(heading)}</th>" for heading in HEADINGS),
        words=json.dumps(words, ensure_ascii=True).replace("<", "\\u003c"),
    )

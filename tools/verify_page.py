"""Writes the static verify page from its sources: ``python tools/verify_page.py [--check]``.

The page is one file. Its policy of content names the script and the style by their hashes, so that
nothing else can run in it. The same sources always give the same bytes.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from carnet.ledger.description import describe_all

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "web" / "verify"
PAGE = ROOT / "ledger" / "pages" / "verify.html"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _source_digest(text: str) -> str:
    """Return the hash as a content security policy spells it (CSP 3, section 2.3.1)."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _description() -> str:
    """Return the shapes that Python checks, as the script's first constant."""
    members = [
        f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)},"
        for name, value in describe_all().items()
    ]
    head = "// Written by tools/verify_page.py from carnet.ledger.description."
    return "\n".join([head, "const DESCRIPTION = {", *members, "};"])


def build(sources: Path = SOURCES) -> bytes:
    """Return the bytes of the page."""
    modules = [_read(path).strip() for path in sorted(sources.glob("*.js"))]
    body = "\n\n".join([_description(), *modules])
    script = f'\n"use strict";\n(() => {{\n{body}\n}})();\n'
    style = f"\n{_read(sources / 'page.css')}"
    for text in (script, style):
        assert "</" not in text, "an end tag would close the element early"
    values = {
        "{script_digest}": _source_digest(script),
        "{style_digest}": _source_digest(style),
        "{style}": style,
        "{script}": script,
    }
    page = _read(sources / "page.html")
    for name, value in values.items():
        assert page.count(name) == 1, f"the page names {name} once"
        page = page.replace(name, value)
    return page.encode()


def main(arguments: list[str]) -> int:
    """Write the page, or only compare it with the one that is there."""
    page = build()
    if "--check" in arguments:
        is_same = PAGE.exists() and PAGE.read_bytes() == page
        print("verify.html is up to date" if is_same else "run tools/verify_page.py")
        return 0 if is_same else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_bytes(page)
    print(f"{hashlib.sha256(page).hexdigest()}  {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

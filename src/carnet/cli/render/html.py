"""Pages that stand alone: one file, one style, no script, nothing fetched, opened from disk.

The content policy of a page allows its own style and nothing else.

Source: W3C, Content Security Policy Level 3; WCAG 2.2.
"""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import Final

from carnet.core.text import Language

LANGUAGE_TAGS: Final[dict[Language, str]] = {"en": "en", "zh": "zh-Hans"}


def content_policy(style: str) -> str:
    """Return the policy that lets a page use its one style."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def head(title: str, language: str, style: str) -> str:
    """Return a page up to its body."""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{content_policy(style)}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n"
    )


def cell(text: str, kind: str = "td", **attributes: str) -> str:
    """Return a cell of a table around markup."""
    told = "".join(f' {name.strip("_")}="{escape(each)}"' for name, each in attributes.items())
    return f"<{kind}{told}>{text}</{kind}>"


def row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"<tr>{''.join(cells)}</tr>\n"


def table_head(titles: Iterable[str]) -> str:
    """Return the head of a table, each column under its title."""
    return f"<thead>{row(cell(escape(title), 'th', scope='col') for title in titles)}</thead>\n"


def wide(label: str, *, by: str = "") -> str:
    """Return the start of a part that scrolls sideways, by keyboard as well.

    Args:
        label: What it is called.
        by: The id of the element that names it, in the place of the label.
    """
    name = f'aria-labelledby="{escape(by)}"' if by else f'aria-label="{escape(label)}"'
    return f'<div class="wide" role="region" tabindex="0" {name}>\n'


def link(address: str, text: str) -> str:
    """Return a link to a page on the web; what is no such address is text."""
    if not address.startswith("https://"):
        return escape(text)
    return f'<a href="{escape(address)}" rel="noreferrer">{escape(text)}</a>'

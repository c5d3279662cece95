"""The language of help, tables and messages.

``--lang`` comes first, then ``CARNET_LANG``, the workspace's setting, and the locale.
"""

import os
import sys
from itertools import pairwise

from carnet.core.text import Language, Text

_preferred: list[Language] = []


def prefer_language(language: Language) -> None:
    """Take a language where neither ``--lang`` nor CARNET_LANG names one: a workspace's."""
    _preferred[:] = [language]


def _named(value: str) -> Language | None:
    prefix = value.lower()[:2]
    return "zh" if prefix == "zh" else "en" if prefix == "en" else None


def _from_arguments(arguments: list[str]) -> Language | None:
    for first, second in pairwise([*arguments, ""]):
        if first == "--lang":
            return _named(second)
        if first.startswith("--lang="):
            return _named(first.removeprefix("--lang="))
    return None


def current_language() -> Language:
    """Return the language asked for on this command line, English where none is named."""
    return (
        _from_arguments(sys.argv[1:])
        or _named(os.environ.get("CARNET_LANG", ""))
        or (_preferred[0] if _preferred else None)
        or _named(os.environ.get("LC_ALL") or os.environ.get("LANG", ""))
        or "en"
    )


def t(en: str, zh: str) -> str:
    """Return one of two texts, for help strings."""
    return Text(en, zh).in_language(current_language())


def say(text: Text) -> str:
    """Return a text in the current language."""
    return text.in_language(current_language())

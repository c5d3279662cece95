"""What no honest pack holds, told apart from mistakes, and how much text conditions may take.

A mistake is a defect among others (exit code 1 of ``carnet pack check``). What is named here makes
the whole pack refused (exit code 2): it could hang a reader or an engine, fire on every case, or
pass one name off as another.

Source: docs/spec/pack-format.md, PF-50.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from carnet.core.text import Text

REFUSED_CODES = frozenset({"CRN-R-001", "CRN-R-002", "CRN-R-003", "CRN-R-004"})
"""Codes that refuse a pack as a whole, whatever else is wrong with it."""
TOKENS_MAX = 200_000
"""Words and signs in the lines, values and placeholders of a pack: what reading takes grows so."""
REGULAR_EXPRESSIONS = frozenset(
    {"matches", "match", "regex", "regexp", "search", "like", "replace"}
)
"""Functions by which other languages bring in regular expressions."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PATTERN_CALL = re.compile(rf"\b(?:{'|'.join(sorted(REGULAR_EXPRESSIONS))})\s*\(|=~")
_OPERATION = re.compile(r"[-+*]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\w+|[^\s\w]')
_BRACED = re.compile(r"\{[^{}]*\}")
_TEXT_KEYS = frozenset({"en", "zh"})
_PROSE_KEYS = frozenset({"id", "title", "reason", "citation"})
_LOOKALIKE_SCRIPTS = ("CYRILLIC", "GREEK", "LATIN", "FULLWIDTH", "MATHEMATICAL", "ARMENIAN")


def calls_pattern(line: str) -> bool:
    """Return whether a line would run a regular expression.

    >>> calls_pattern('product.model.matches("(a+)+$")'), calls_pattern('a.b == "matches("')
    (True, False)
    """
    return _PATTERN_CALL.search(_STRING.sub('""', line)) is not None


def count_operations(line: str) -> int:
    """Return how many signs of arithmetic a line holds outside its texts.

    >>> count_operations('a.b + 1 > -c.d * 2'), count_operations('a.b == date("2026-01-02")')
    (3, 0)
    """
    return len(_OPERATION.findall(_STRING.sub('""', line)))


def pattern_refusal() -> tuple[Text, Text]:
    """Return the message and the hint about a line that would run a regular expression."""
    return (
        Text(
            "Regular expressions are not part of the language: one could run for ever.",
            "条件语言不含正则表达式：它可能永远运行不完。",
        ),
        Text(
            'Compare with == or in [...], such as c.kind in ["eu_doc", "simplified_doc"].',
            '请使用 == 或 in [...]，例如 c.kind in ["eu_doc", "simplified_doc"]。',
        ),
    )


def _is_lookalike(character: str) -> bool:
    if unicodedata.category(character) == "Cf":
        return True
    return unicodedata.name(character, "").startswith(_LOOKALIKE_SCRIPTS)


def deceptive_name(name: str) -> Text | None:
    """Return why a name is no honest mistake, None where it may be one.

    >>> deceptive_name("red-doc") is None
    True
    >>> deceptive_name("r\u0435d-doc").en
    'holds U+0435 CYRILLIC SMALL LETTER IE, which looks like another character'
    >>> deceptive_name("../../etc").en
    'reads like a path'
    """
    if "/" in name or "\\" in name or ".." in name:
        return Text("reads like a path", "形如路径")
    for character in name:
        if not character.isascii() and _is_lookalike(character):
            shown = f"U+{ord(character):04X} {unicodedata.name(character, '?')}"
            return Text(
                f"holds {shown}, which looks like another character",
                f"含有 {shown}，该字符容易与其他字符混淆",
            )
    return None


def _expressions(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, str):
        if key in _TEXT_KEYS:
            yield from _BRACED.findall(value)
        elif key not in _PROSE_KEYS:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _expressions(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner, key)


def count_tokens(value: Any) -> int:
    """Return how many words and signs the lines, values and placeholders of an element hold.

    >>> count_tokens({"when": ['c.kind == "eu_doc"'], "title": {"en": "a b c", "zh": "{c.id}"}})
    11
    """
    return sum(len(_TOKEN.findall(text)) for text in _expressions(value, ""))

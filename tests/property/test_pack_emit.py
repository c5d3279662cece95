"""YAML that is written is read back as the same values, whatever the texts hold."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from carnet.core.canonical import INTEGER_MAX
from carnet.rules.format.emit import emit_flow, emit_yaml
from carnet.rules.format.yaml_strict import has_control, parse_yaml

TRAPS = [
    "NO", "true", "null", "~", "", " a", "a ", "0598", "1.5", "2026-11-23", "- a", "a: b", "a #b",
    "{a", "[", "*x", "&x", "!t", "%", "@", "`", "'", '"', "it's", 'say "x"', "\\n", "\n", "\r\n",
    "\t", "\x00", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "😀", "中文：值", "=1+1", "---",
    "...", "? a", "|", ">", "<<", "=", "_x000D_", "on", "y", "1_000", "0x1f", ".inf", ".NaN",
    "12:30:45", "a_x0041_x0042_",
]  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs"]).filter(lambda one: not has_control(one))
"""What a text of a pack may hold: controls are refused."""
TEXTS = st.one_of(st.sampled_from([one for one in TRAPS if not has_control(one)]), st.text(LETTERS))
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.dates(min_value=date(1, 1, 1)),
)
KEYS = TEXTS.filter(str.isascii)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """Return a value in which `True` and 1 differ, and a date and its text."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


@given(VALUES)
def test_emitted_yaml__is_read_back_as_it_was(value: Any) -> None:
    for text in (emit_yaml(value), emit_flow(value)):
        found = parse_yaml(text.encode("utf-8"), "a.yaml")
        assert typed(found) == typed(value)


def test_emitted_yaml__is_read_by_people() -> None:
    value = {
        "rules": [
            {
                "id": "a",
                "when": ['c.kind == "x"', "has(c.ends)"],
                "finding": {"message": {"en": "Gone.", "zh": "失效。"}},
            }
        ]
    }
    assert emit_yaml(value) == (
        "rules:\n"
        "  - id: a\n"
        "    when:\n"
        "      - 'c.kind == \"x\"'\n"
        '      - "has(c.ends)"\n'
        "    finding:\n"
        '      message: {en: Gone., zh: "失效。"}\n'
    )

"""The page for operations names every crash point of the sources, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
SOURCES = ("src/carnet", "ledger", "rules", "chain")
STEPS = ("before-plan", "before-send", "after-send", "after-confirm")


def _named_in_sources() -> set[str]:
    found: set[str] = set()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            found |= set(re.findall(r'crash_point\("([a-z.-]+)"\)', text))
            found |= {
                f"anchor.{step}" for step in re.findall(r'_point\(intent, "([a-z-]+)"\)', text)
            }
    return found


def test_operations_page__names_every_crash_point() -> None:
    section = PAGE.partition("## Crash points")[2]
    table = set(re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", section, re.MULTILINE))
    assert table == _named_in_sources()


def test_operations_page__the_steps_of_an_action_are_the_ones_listed() -> None:
    assert {name for name in _named_in_sources() if name.startswith("anchor.")} == {
        f"anchor.{step}" for step in STEPS
    }

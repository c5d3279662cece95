"""The documents are true: generated pages are current, links lead somewhere, commands exist."""

import re
import runpy
from pathlib import Path

import pytest
import typer.main

from carnet.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = runpy.run_path(str(ROOT / "tools" / "docs.py"))["PAGES"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)")
CONSOLE = re.compile(r"^\s*(?:\$ )?(carnet [a-z][^\n`|]*)", re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_generated_page__is_current(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == PAGES[name](), "run: python3 dev.py docs"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document__links_to_what_exists(path: Path) -> None:
    links = LINK.findall(path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def command_words() -> set[tuple[str, ...]]:
    """Return every command that can be run, as words without options."""
    found: set[tuple[str, ...]] = set()

    def walk(command: object, path: tuple[str, ...]) -> None:
        children = getattr(command, "commands", {})
        if not children:
            found.add(path)
        for name, child in children.items():
            walk(child, (*path, name))

    walk(typer.main.get_command(app), ())
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document__shows_commands_that_exist(path: Path) -> None:
    if path.name == "commands.md":
        return
    known = command_words()
    blocks = re.findall(r"```[a-z]*\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    shown = [line for block in blocks for line in CONSOLE.findall(block)]
    for line in shown:
        words = tuple(line.split()[1:])
        assert any(words[: len(command)] == command for command in known), line


def test_every_command__has_help_with_an_example_in_both_languages() -> None:
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    sections = re.split(r"^## carnet", text, flags=re.MULTILINE)[2:]
    assert len(sections) > len(command_words()) / 2
    for section in sections:
        if "Commands:" not in section:
            assert "Example:" in section, section[:60]


def test_every_document__is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    edge = [ROOT / "README.md"]
    while edge:
        path = edge.pop().resolve()
        if path in seen or path.suffix != ".md" or not path.is_file():
            continue
        seen.add(path)
        edge += [path.parent / link for link in LINK.findall(path.read_text("utf-8"))]
    adrs = set((ROOT / "docs" / "adr").glob("*.md"))
    unreached = set((ROOT / "docs").rglob("*.md")) - seen - adrs
    assert unreached == set()

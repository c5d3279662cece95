"""The decision tree in a real browser: every text lies inside its own box, in both languages."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from carnet.cli.render.tree import to_svg
from carnet.core.text import Language
from carnet.facts.fact import Fact
from carnet.rules.explain import explain_cases
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
OVERFLOWING = """
() => [...document.querySelectorAll('text')].filter(text => {
  const inner = text.getBBox(), outer = text.previousElementSibling.getBBox();
  return inner.x < outer.x || inner.y < outer.y
    || inner.x + inner.width > outer.x + outer.width
    || inner.y + inner.height > outer.y + outer.height;
}).map(text => text.textContent)
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is needed for the tests: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser.new_page()
        browser.close()


def _facts_of(name: str) -> tuple[Fact, ...]:
    pack = load_pack(SHELF / "eu-ce" / "0.1.0")
    (test,) = (one for one in read_tests(pack) if isinstance(one, PackTest) and one.id == name)
    return test.facts


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "rule", ["certificate-not-yet-valid", "offer-information-incomplete", "lvd-declaration-missing"]
)
def test_tree__texts_stay_in_their_boxes(
    page: Page, tmp_path: Path, rule: str, language: Language
) -> None:
    pack = load_pack(SHELF / "eu-ce" / "0.1.0")
    facts = _facts_of("declaration-not-yet-valid-and-the-earlier-one-still-counts")
    (told,) = explain_cases(pack, facts, pack.effective_from.replace(month=11, day=23))
    target = tmp_path / "tree.svg"
    target.write_text(to_svg(told, rule, language, "eu-ce"), encoding="utf-8")
    page.goto(target.as_uri())
    assert page.evaluate("document.querySelectorAll('text').length") > 5
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.getAttribute('role')") == "img"


def test_tree__overflow_would_be_seen(page: Page, tmp_path: Path) -> None:
    """The measure above can fail: a box made too narrow is found."""
    target = tmp_path / "bad.svg"
    target.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="60"><g>'
        '<rect x="0" y="0" width="20" height="40"/><text x="2" y="20">much too long</text>'
        "</g></svg>"
    )
    page.goto(target.as_uri())
    assert page.evaluate(OVERFLOWING) == ["much too long"]

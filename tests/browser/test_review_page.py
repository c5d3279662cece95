"""The page of a review in a real browser: alone, in both languages, on a screen and on paper."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from carnet.cli.render.review_page import ReviewPage, review_page
from carnet.core.text import Language
from tests.browser.conftest import StaticPage
from tests.browser.contrasts import CONTRAST_LEAST, CONTRASTS
from tests.fixtures_review import sample_overview

OpenPage = Callable[..., StaticPage]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = """() => [...document.querySelectorAll('[role=region], nav, table')].filter((each) => {
    const named = each.closest('[aria-label], [aria-labelledby]');
    const by = named?.getAttribute('aria-labelledby');
    return !named || by && !document.getElementById(by)?.textContent.trim();
}).length"""
HEADLESS = """() => [...document.querySelectorAll('table')].filter((table) => {
    const widths = [...table.tBodies[0].rows].map((row) =>
        [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0));
    return !table.querySelector('thead th[scope=col]') || new Set(widths).size > 1;
}).length"""
WORDS = {
    "en": ("Entry review of 2026-11-23", "4 ✗ reject", "✗ missing", "!! renewal window missed"),
    "zh": ("准入审核 2026-11-23", "4 ✗ 拒绝", "✗ 缺失", "!! 错过续期窗口"),
}


def show(open_page: OpenPage, folder: Path, language: Language, width: int = 1400) -> Page:
    path = folder / "review.html"
    path.write_text("".join(review_page(ReviewPage(language, sample_overview()))), "utf-8")
    return open_page(path, viewport={"width": width, "height": 900}).page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page__stands_alone_in_each_language(
    open_page: OpenPage, tmp_path: Path, language: Language
) -> None:
    page = show(open_page, tmp_path, language)
    title, rejected, missing, missed = WORDS[language]
    assert page.title() == page.inner_text("h1") == title
    assert " ".join(page.inner_text(".cards li.bad").split()) == rejected
    assert missing in page.inner_text("#matrix-EU + .wide")
    assert missed in page.inner_text("table.strip")
    assert page.evaluate(UNNAMED) == page.evaluate(HEADLESS) == 0
    found = page.evaluate(CONTRASTS)
    assert len(found) > 300
    assert [each for each in found if each[0] < CONTRAST_LEAST] == []


def test_page__fits_a_telephone_and_a_sheet_and_is_reached_by_keyboard(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = show(open_page, tmp_path, "en", width=375)
    assert page.evaluate(OVERFLOW) == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#summary"
    page.set_viewport_size({"width": 1046, "height": 720})  # A4 across, less its margins
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOW) == 0
    assert page.is_hidden("nav")
    assert page.is_visible("#certificates")

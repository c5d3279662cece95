"""The page of a passport in a real browser: alone, in two languages, nothing hidden in it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from carnet.cli.render.passport import passport_page
from carnet.core.clock import FixedClock
from carnet.ledger.record import Record, record_of_document
from carnet.services.data_points import record_data_points
from carnet.services.passport_views import MEMBERS, Passport, newest_passport
from carnet.services.passports import issue_passport
from carnet.services.workspace import Workspace, create
from tests.fixtures_ledger import NOW
from tests.fixtures_passport import SELLER, fill_pool

CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def passport(tmp_path_factory: pytest.TempPathFactory) -> Passport:
    """Return a passport with everything disclosed."""
    folder, clock = tmp_path_factory.mktemp("passport"), FixedClock(NOW)
    create(folder / "w", clock=clock)
    with Workspace.open(folder / "w") as workspace:
        fill_pool(workspace, folder, clock)
        record_data_points(workspace, clock)
        issue_passport(workspace, SELLER, "2026Q4", clock)
        return newest_passport(workspace, SELLER, clock)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is needed for the tests: apt-get install -y chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Return a page that fails the test if it asks for anything but itself or meets an error."""
    faults: list[str] = []
    own = (tmp_path / "passport.html").as_uri()

    def guard(route: Route) -> None:
        if route.request.url == own:
            route.continue_()
        else:
            faults.append(route.request.url)
            route.abort()

    context = browser.new_context()
    context.route("**/*", guard)
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text))
    yield opened
    context.close()
    assert faults == []


def show(page: Page, folder: Path, passport: Passport, language: str = "en") -> str:
    text = passport_page(passport, MEMBERS, TODAY, language)
    path = folder / "passport.html"
    path.write_text(text, encoding="utf-8")
    page.goto(path.as_uri())
    return text


def test_page__shows_figures_and_records_and_opens_the_other_language(
    page: Page, tmp_path: Path, passport: Passport
) -> None:
    text = show(page, tmp_path, passport)
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert page.inner_text("h1") == "Seller credit passport"
    figures = page.inner_text("#figures")
    assert "Multi-channel sales health" in figures
    assert "95.00 %" in figures
    assert "多渠道" not in figures
    page.click("#figures details summary >> nth=0")
    assert page.locator("#figures details li code").first.is_visible()
    hashes = set(page.locator("#figures details li code").all_inner_texts())
    assert set(passport.members["tier"]["records"]) <= hashes | {""}
    page.check("#zh")
    assert page.inner_text("h1") == "跨境卖家信用护照"
    assert "多渠道销售健康度" in page.inner_text("#figures")
    assert page.inner_text(".state").startswith("2026-11-23 现行有效")
    assert page.locator("svg.qr").is_visible()


def test_page__opens_in_the_language_asked_for_and_works_by_keyboard(
    page: Page, tmp_path: Path, passport: Passport
) -> None:
    show(page, tmp_path, passport, "zh")
    assert page.inner_text("h1") == "跨境卖家信用护照"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("h1") == "Seller credit passport"


def test_page__holds_nothing_that_is_not_disclosed(
    page: Page, tmp_path: Path, passport: Passport
) -> None:
    text = show(page, tmp_path, passport.only(["tier"]))
    assert f">{SELLER}<" not in text
    assert "95.00 %" not in text
    assert passport.members["complianceStanding"]["recordsDigest"] not in text
    shown = page.inner_text("main")
    assert "Not disclosed here: Seller, Confirmed by officers, Average of the four" in shown
    assert page.locator("#figures tr").count() == 1


@pytest.mark.parametrize(
    ("state", "told"), [("stale", "stale on"), ("revoked", "revoked on"), ("superseded", "super")]
)
def test_page__says_when_it_does_not_count(
    page: Page, tmp_path: Path, passport: Passport, state: str, told: str
) -> None:
    show(page, tmp_path, replace(passport, state=state))  # type: ignore[arg-type] # by parameter
    assert page.inner_text(".state").startswith(told)
    colour = page.evaluate("getComputedStyle(document.querySelector('.state')).color")
    assert colour == "rgb(163, 0, 0)"


def test_page__undetermined_is_said_and_texts_are_not_markup(
    page: Page, tmp_path: Path, passport: Passport
) -> None:
    tier = {**passport.members["tier"], "causes": ["<b>tier</b>"]}
    tier.pop("value")
    members = {**passport.members, "tier": tier, "seller": "<img src=x onerror=alert(1)>"}
    show(page, tmp_path, replace(passport, members=members))
    figures = page.inner_text("#figures")
    assert "undetermined" in figures
    assert "<b>tier</b>" in figures
    assert "<img src=x onerror=alert(1)>" in figures


def test_page__the_code_names_the_record(passport: Passport) -> None:
    from carnet.cli.render.passport import qr_text

    record: Record = record_of_document(passport.record.document)
    assert record.digest.hex() in qr_text(passport)
    assert "until 2027-03-31" in qr_text(passport)

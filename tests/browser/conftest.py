"""A browser for the static page: it fails a test on any request, page error or console message."""

import base64
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent.parent
VERIFY_PAGE = ROOT / "ledger" / "pages" / "verify.html"
CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BATCH = 200

Outcome = tuple[str, dict[str, str]]
"""A verdict, and the verdict of each step."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return Chromium, without a way to any network."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is needed for the tests: apt-get install -y chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield opened
        opened.close()


@dataclass(frozen=True)
class StaticPage:
    """The static page, open from disk."""

    page: Page

    def call(self, script: str, argument: Any = None) -> Any:
        """Return what a function over the page's own functions `v` gives."""
        prelude = "const v = globalThis.carnetVerify; const holds = (run) => { try { run(); return"
        prelude += " true; } catch (error) { if (!error.cause && error.constructor.name !=="
        prelude += " 'Malformed') throw error; return false; } };"
        return self.page.evaluate(f"(argument) => {{ {prelude} {script} }}", argument)

    def verify(self, cases: Sequence[bytes], policy: str | None, day: str) -> list[dict[str, Any]]:
        """Return what the page says of each of some files under one policy."""
        script = """
            const [cases, policy, day] = argument;
            const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const trusted = policy === null ? null : v.parsePolicy(v.utf8(policy));
            return cases.map((data) => v.verifyBundle(bytes(data), trusted, day));
        """
        found: list[dict[str, Any]] = []
        for start in range(0, len(cases), BATCH):
            part = [base64.b64encode(data).decode() for data in cases[start : start + BATCH]]
            found += self.call(script, [part, policy, day])
        return found


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., StaticPage]]:
    """Return a function that opens a copy of the page; whatever it asks for fails the test."""
    faults: list[str] = []
    contexts = []

    def opened(path: Path = VERIFY_PAGE, **options: Any) -> StaticPage:
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(path.as_uri()) else faults.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        return StaticPage(page)

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def static_page(open_page: Callable[..., StaticPage]) -> StaticPage:
    """Return the page, open from disk."""
    return open_page()

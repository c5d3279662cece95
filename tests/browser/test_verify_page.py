"""The verify page in a real browser: a forged file never shows the verdict of the one before."""

import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from carnet.api.app import create_app
from carnet.services.workspace import Workspace

CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def service_url(told: Path, node_url: str) -> Iterator[str]:
    """Return the address of the service over the story's workspace and its running chain."""
    assert node_url
    with Workspace.open(told / "carnet-demo") as workspace:
        config = uvicorn.Config(create_app(workspace), port=0, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        (socket,) = server.servers[0].sockets
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


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
def page(browser: Browser, service_url: str) -> Iterator[Page]:
    """Return a page that fails the test if it asks for anything elsewhere or meets an error."""
    faults: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith(service_url):
            route.continue_()
        else:
            faults.append(route.request.url)
            route.abort()

    context = browser.new_context()
    context.route("**/*", guard)
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert faults == []


def choose(page: Page, data: bytes) -> str:
    page.set_input_files(
        "#file", {"name": "bundle.json", "mimeType": "application/json", "buffer": data}
    )
    expect(page.locator("#verdict")).not_to_have_text(re.compile("^(?:Checking…|核验中……)?$"))
    return page.inner_text("#verdict")


def test_page__shows_each_verdict_and_never_an_old_one(
    page: Page, service_url: str, told: Path
) -> None:
    data = (told / "carnet-demo" / "bundle.json").read_bytes()
    page.goto(f"{service_url}/verify?lang=en")
    assert choose(page, data) == "VALID"
    rows = page.locator("#steps tr")
    assert rows.count() == 15
    assert "anchor" in rows.last.inner_text()
    forged = data.replace(b'"conformity":"conforming"', b'"conformity":"nonconforming"')
    assert forged != data
    page.evaluate("document.getElementById('verdict').textContent = ''")
    assert choose(page, forged) == "NOT VALID"
    page.evaluate("document.getElementById('verdict').textContent = ''")
    assert choose(page, b"no bundle") == "NOT VALID"


def test_page__is_readable_in_chinese(page: Page, service_url: str, told: Path) -> None:
    page.goto(f"{service_url}/verify?lang=zh")
    assert choose(page, (told / "carnet-demo" / "bundle.json").read_bytes()) == "有效"


def test_page__says_not_checked_when_the_service_fails(
    page: Page, service_url: str, told: Path
) -> None:
    page.goto(f"{service_url}/verify?lang=en")
    policy = told / "carnet-demo" / "policy.toml"
    hidden = policy.rename(policy.with_suffix(".hidden"))
    try:
        shown = choose(page, b"{}")
    finally:
        hidden.rename(policy)
    assert shown.startswith("NOT CHECKED")

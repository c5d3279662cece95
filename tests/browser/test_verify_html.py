"""The static page as a person uses it: from disk, offline, in two languages, with hostile files."""

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.canonical import canonical
from carnet.ledger.page import page_digest, verify_page
from carnet.ledger.policy import STEPS
from tests.browser.conftest import ROOT, VERIFY_PAGE, StaticPage
from tests.browser.contrasts import CONTRAST_LEAST, CONTRASTS
from tests.fixtures_ledger import DAY, LedgerWorld

OpenPage = Callable[..., StaticPage]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page_builder", ROOT / "tools" / "verify_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page__is_what_its_sources_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert VERIFY_PAGE.read_bytes() == _builder().build(), "run tools/verify_page.py"
    assert page_digest() == hashlib.sha256(VERIFY_PAGE.read_bytes()).digest()
    with capsys.disabled():
        print(f"\nSHA-256 of verify.html: {page_digest().hex()}", end=" ")


def test_page__is_written_by_the_command(tmp_path: Path) -> None:
    path = tmp_path / "saved.html"
    done = CliRunner().invoke(app, ["verify", "--page", "-o", str(path)])
    assert done.exit_code == 0
    assert path.read_bytes() == verify_page()
    assert page_digest().hex() in done.output


@pytest.mark.parametrize(
    "arguments", [[], ["x"], ["--policy", "p"], ["x", "--policy", "p", "-o", "y"]]
)
def test_command__without_what_it_needs(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["verify", *arguments]).exit_code != 0


def test_page__names_nothing_outside_itself() -> None:
    text = verify_page().decode()
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) == {
        "https://www.w3.org/ns/credentials/v2",
        "https://carnet.example/ns/v1",
    }
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|fetch\(", text
    )
    assert not re.search(r"<(?:link|img|iframe|object)\b|\ssrc=|XMLHttpRequest|import\(", text)


def give(page: Page, data: bytes, *, policy: str | None = None, name: str = "bundle.json") -> None:
    if policy is not None:
        page.set_input_files(
            "#policy-file",
            {"name": "policy.toml", "mimeType": "text/plain", "buffer": policy.encode()},
        )
        expect(page.locator("#policy-state")).to_contain_text("toml")
    page.set_input_files(
        "#bundle-file", {"name": name, "mimeType": "application/json", "buffer": data}
    )
    page.wait_for_selector("#result:not([hidden])")


def policy_of(world: LedgerWorld) -> str:
    required = world.policy.required - {"anchor"}
    return replace(world.policy, required=required, as_of=DAY).to_toml()


def verdict(page: Page) -> str | None:
    return page.get_attribute("#verdict", "class")


def verdicts(page: Page) -> list[str]:
    script = "[...document.querySelectorAll('#steps li')].map((line) => line.className)"
    found: list[str] = page.evaluate(script)
    return found


def test_page__opened_dropped_and_pasted_says_the_same(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-GB").page
    assert page.inner_text("#verdict strong") == "No bundle opened yet"
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    assert page.inner_text("#verdict strong") == "Valid"
    opened = verdicts(page)
    assert len(opened) == len(STEPS)
    give(page, ledger_world.data + b"\n")
    assert verdict(page) == "not_valid"
    page.evaluate(
        """(text) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], "dropped.json"));
            document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        ledger_world.data.decode(),
    )
    page.wait_for_selector("#verdict.valid")
    assert verdicts(page) == opened
    page.click("summary")
    page.fill("#text", "no bundle")
    page.click("#check-text")
    assert verdict(page) == "not_valid"
    page.fill("#text", ledger_world.data.decode() + "\n")
    page.click("#check-text")
    assert verdict(page) == "valid"
    assert verdicts(page) == opened


def test_page__works_from_a_saved_copy(
    open_page: OpenPage, ledger_world: LedgerWorld, tmp_path: Path
) -> None:
    saved = tmp_path / "my copy of verify.html"
    saved.write_bytes(verify_page())
    page = open_page(saved).page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    assert verdict(page) == "valid"


def test_page__verifies_the_bundle_of_the_demonstration(open_page: OpenPage, told: Path) -> None:
    folder = told / "carnet-demo"
    policy = (folder / "policy.toml").read_text(encoding="utf-8")
    page = open_page().page
    give(page, (folder / "bundle.json").read_bytes(), policy=policy)
    open_steps = [s for s, each in zip(STEPS, verdicts(page), strict=True) if each != "valid"]
    assert "not_valid" not in verdicts(page)
    assert "anchor" in open_steps
    required = re.sub(r',? ?"anchor"', "", policy, count=1)
    give(page, (folder / "bundle.json").read_bytes(), policy=required)
    assert verdict(page) == "valid"
    forged = (folder / "bundle.json").read_bytes().replace(b'"conforming"', b'"undetermined"', 1)
    give(page, forged)
    assert verdict(page) == "not_valid"


def test_page__without_a_policy_trusts_nobody(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-GB").page
    give(page, ledger_world.data)
    assert verdict(page) == "not_checked"
    found: dict[str, str] = dict(zip(STEPS, verdicts(page), strict=True))
    unsure = {"issuer", "key", "checkpoint", "witnesses", "consistency", "anchor"}
    assert {name for name in unsure if found[name] == "not_checked"} == unsure
    assert found["signature"] == found["inclusion"] == "valid"
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    assert verdict(page) == "valid"
    page.click("#remove-policy")
    assert verdict(page) == "not_checked"


def test_page__with_an_unusable_policy_shows_no_verdict_of_another(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-GB").page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    page.set_input_files(
        "#policy-file",
        {"name": "policy.toml", "mimeType": "text/plain", "buffer": b"version = 2\n"},
    )
    page.wait_for_selector("#policy-state.bad")
    assert verdict(page) == "not_checked"
    assert page.is_hidden("#result")
    assert "The policy cannot be used" in page.inner_text("#verdict")


def test_page__judges_on_the_chosen_day(open_page: OpenPage, ledger_world: LedgerWorld) -> None:
    page = open_page().page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    for day, expected in (("2030-01-01", "not_valid"), ("2026-12-01", "valid"), ("", "valid")):
        page.fill("#day", day)
        page.dispatch_event("#day", "change")
        assert verdict(page) == expected


def test_page__says_everything_in_both_languages(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="zh-CN").page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    assert page.inner_text("#verdict strong") == "有效"
    assert page.get_attribute("html", "lang") == "zh-Hans"
    chinese = page.inner_text("main")
    page.click("#language")
    assert page.inner_text("#verdict strong") == "Valid"
    assert page.get_attribute("html", "lang") == "en"
    assert not re.search(r"[\u4e00-\u9fff]", page.inner_text("main"))
    labels = page.locator("[data-word]").count()
    assert labels > 15
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese)) > 200


@pytest.mark.parametrize("place", ["listing", "note"])
def test_page__shows_hostile_text_as_text(
    open_page: OpenPage, ledger_world: LedgerWorld, place: str
) -> None:
    page = open_page().page
    value: dict[str, Any] = json.loads(ledger_world.data)
    value["record"]["credentialSubject"][place] = HOSTILE
    give(page, canonical(value), name=f"{HOSTILE}.json")
    page.set_input_files(
        "#policy-file", {"name": HOSTILE, "mimeType": "", "buffer": HOSTILE.encode()}
    )
    page.wait_for_selector("#policy-state.bad")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert "<img src=x" in page.inner_text("body")


def test_page__refuses_large_files_at_once(open_page: OpenPage, ledger_world: LedgerWorld) -> None:
    page = open_page().page
    page.set_input_files(
        "#policy-file",
        {"name": "policy.toml", "mimeType": "", "buffer": policy_of(ledger_world).encode()},
    )
    give(page, b" " * (4 * 1024 * 1024 + 2))
    assert verdict(page) == "not_valid"
    assert verdicts(page) == ["not_valid", *["not_checked"] * (len(STEPS) - 1)]


def test_page__can_be_used_with_the_keyboard_alone(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page().page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    order = ["language", "bundle-file", "SUMMARY", "policy-file", "remove-policy", "day", "print"]
    assert [name for name in dict.fromkeys(seen) if name in order] == order
    assert page.get_attribute("#verdict", "aria-live") == "polite"
    unnamed = """[...document.querySelectorAll('input, textarea, button')].filter((each) =>
        !each.labels?.length && !each.textContent.trim()).map((each) => each.id)"""
    assert page.evaluate(unnamed) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("forged", [False, True])
def test_page__has_enough_contrast(
    open_page: OpenPage, ledger_world: LedgerWorld, scheme: str, forged: bool
) -> None:
    page = open_page(color_scheme=scheme).page
    data = ledger_world.data.replace(b"eu-ce", b"eu-cx") if forged else ledger_world.data
    give(page, data, policy=policy_of(ledger_world))
    found = page.evaluate(CONTRASTS)
    assert len(found) > 60
    assert [each for each in found if each[0] < CONTRAST_LEAST] == []


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [320, 375, 1200])
def test_page__fits_its_window(
    open_page: OpenPage, ledger_world: LedgerWorld, locale: str, width: int
) -> None:
    page = open_page(locale=locale, viewport={"width": width, "height": 700}).page
    give(page, ledger_world.data, policy=policy_of(ledger_world))
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.emulate_media(media="print")
    assert page.evaluate(overflow) == 0
    assert page.is_hidden("#language")
    assert page.is_visible("#steps")


def test_page__verifies_in_less_than_a_second(
    static_page: StaticPage, ledger_world: LedgerWorld
) -> None:
    script = """
        const [text, policy, day] = argument;
        const start = performance.now();
        const found = v.verifyBundle(v.utf8(text), v.parsePolicy(v.utf8(policy)), day);
        return [found.verdict, performance.now() - start];
    """
    argument = [ledger_world.data.decode(), policy_of(ledger_world), DAY.isoformat()]
    found, milliseconds = static_page.call(script, argument)
    assert found == "valid"
    assert milliseconds < 1000

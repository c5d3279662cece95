"""What the page remembers of a log: the same comparison as Python's, kept in the browser."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page

from carnet.core.digests import RootHash
from carnet.ledger.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from carnet.ledger.verify import Verification, verify_bundle
from tests.browser.conftest import StaticPage
from tests.fixtures_ledger import DAY, LOG_SIGNER, ORIGIN, LedgerWorld

OpenPage = Callable[..., StaticPage]
Json = dict[str, Any]
OTHER_ROOT = RootHash(b"\x07" * 32)


def signed(size: int, root: RootHash = OTHER_ROOT) -> SignedCheckpoint:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), LOG_SIGNER)


def by_python(found: Verification) -> list[Any]:
    steps = [[each.name, each.verdict, each.cause.en, each.cause.zh] for each in found.steps]
    return [found.verdict, steps, found.newest.text if found.newest else None]


def by_page(found: Json) -> list[Any]:
    steps = [
        [each["name"], each["verdict"], each["cause"]["en"], each["cause"]["zh"]]
        for each in found["steps"]
    ]
    return [found["verdict"], steps, found["newest"]]


def seen_cases(world: LedgerWorld) -> dict[str, SignedCheckpoint | None]:
    """Return what may have been seen of the log of a bundle with trees of sizes 7 and 11."""
    assert world.bundle.consistency is not None
    old = parse_checkpoint(world.bundle.checkpoint)
    new = parse_checkpoint(world.bundle.consistency.checkpoint)
    return {
        "nothing": None,
        "the older": old,
        "the newer": new,
        "a fork of the older": signed(old.checkpoint.size),
        "a fork of the newer": signed(new.checkpoint.size),
        "smaller": signed(3),
        "between": signed(old.checkpoint.size + 1),
        "larger": signed(new.checkpoint.size + 9),
    }


SCRIPT = """
    const [data, policy, day, note] = argument;
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const seen = note === null ? null : v.parseCheckpoint(note);
    return v.verifyBundle(bytes, v.parsePolicy(v.utf8(policy)), day, () => seen);
"""


@pytest.mark.parametrize("is_newer", [True, False])
def test_equal__with_what_was_seen(
    static_page: StaticPage, ledger_world: LedgerWorld, *, is_newer: bool
) -> None:
    bundle = ledger_world.bundle if is_newer else replace(ledger_world.bundle, consistency=None)
    data, policy = bundle.to_bytes(), ledger_world.policy
    verdicts = {}
    for name, seen in seen_cases(ledger_world).items():
        note = seen.text if seen else None
        argument = [base64.b64encode(data).decode(), policy.to_toml(), DAY.isoformat(), note]

        def read(_: str, seen: SignedCheckpoint | None = seen) -> SignedCheckpoint | None:
            return seen

        found = verify_bundle(data, policy, today=DAY, read_seen=read)
        assert by_page(static_page.call(SCRIPT, argument)) == by_python(found), name
        verdicts[name] = found.step("consistency").verdict
    assert verdicts["the older"] == "valid"
    assert verdicts["a fork of the older"] == "not_valid"
    assert verdicts["a fork of the newer"] == ("not_valid" if is_newer else "not_checked")
    assert verdicts["smaller"] == verdicts["larger"] == "not_checked"


def give(page: Page, world: LedgerWorld, data: bytes) -> None:
    """Open a policy and a bundle as a person does."""
    policy: FilePayload = {
        "name": "p.toml",
        "mimeType": "text/plain",
        "buffer": world.policy.to_toml().encode(),
    }
    page.set_input_files("#policy-file", policy)
    page.wait_for_selector("#policy-state.good")
    page.fill("#day", DAY.isoformat())
    bundle: FilePayload = {
        "name": "bundle.json",
        "mimeType": "application/json",
        "buffer": data,
    }
    page.set_input_files("#bundle-file", bundle)
    page.wait_for_selector("#verdict:not(.waiting)")


def consistency(page: Page) -> str:
    return page.locator("#steps li").nth(10).inner_text()


def kept(page: Page) -> list[str]:
    found: list[str] = page.evaluate("Object.values(localStorage)")
    return found


def test_page__remembers_what_a_log_showed(open_page: OpenPage, ledger_world: LedgerWorld) -> None:
    page = open_page(locale="en-US").page
    assert kept(page) == []
    give(page, ledger_world, ledger_world.data)
    assert ledger_world.bundle.consistency is not None
    newest = ledger_world.bundle.consistency.checkpoint
    assert kept(page) == [newest]
    assert "remembers the newest checkpoint of 1" in page.inner_text("#memory-state")
    page.reload()
    give(page, ledger_world, replace(ledger_world.bundle, consistency=None).to_bytes())
    assert "ask for carnet log consistency 7 11".replace("carnet", "`carnet") in consistency(page)
    assert kept(page) == [newest], "an older tree does not move it back"
    page.click("#forget")
    assert kept(page) == [ledger_world.bundle.checkpoint], "what is open is taken as the first"


def test_page__notices_a_fork(open_page: OpenPage, ledger_world: LedgerWorld) -> None:
    page = open_page(locale="en-US").page
    give(page, ledger_world, ledger_world.data)
    fork = signed(11).text
    page.evaluate(
        "(text) => { for (const n of Object.keys(localStorage)) localStorage[n] = text }", fork
    )
    give(page, ledger_world, ledger_world.data)
    assert "Fork" in consistency(page)
    assert "not_valid" in page.get_attribute("#verdict", "class")  # type: ignore[operator] # it has one
    assert kept(page) == [fork], "what was seen first stays"


def test_page__does_not_verify_against_a_damaged_memory(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-US").page
    give(page, ledger_world, ledger_world.data)
    page.evaluate("for (const name of Object.keys(localStorage)) localStorage[name] = 'x'")
    give(page, ledger_world, ledger_world.data)
    assert "cannot be used" in page.inner_text("#verdict")
    assert not page.is_visible("#result")
    page.click("#forget")
    assert page.is_visible("#result")
    assert kept(page) != ["x"]


def test_page__keeps_nothing_of_an_invalid_bundle(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-US").page
    give(page, ledger_world, ledger_world.data.replace(b'"v":1}', b'"v":2}'))
    assert kept(page) == []


def test_page__works_where_the_browser_keeps_nothing(
    open_page: OpenPage, ledger_world: LedgerWorld
) -> None:
    page = open_page(locale="en-US").page
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })"
    )
    page.reload()
    assert "keeps nothing" in page.inner_text("#memory-state")
    give(page, ledger_world, ledger_world.data)
    assert page.is_visible("#result")

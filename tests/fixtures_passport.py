"""A seller with a sound credit data pool: confirmed parameters, attested listing, data points."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from carnet.core.clock import FixedClock
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.rules.testing import PackTest, read_tests
from carnet.services import approvals
from carnet.services.attesting import issue_attestations
from carnet.services.importing import import_files
from carnet.services.reviewing import newest_packs, review
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import DAY

SELLER = "S1"
EXAMPLES = Path(__file__).parents[1] / "examples"
CONFIRMATIONS = (EXAMPLES / "approvals.json", EXAMPLES / "credit" / "approvals.json")
PACK = load_pack(SHELF / "credit-passport" / "0.2.0")
SOUND = next(
    test
    for test in read_tests(PACK)
    if isinstance(test, PackTest) and test.id == "sound-in-everything"
)


def sound_facts() -> list[dict[str, Any]]:
    """Return the facts of a seller whose passport is of the first tier on 23 November 2026."""
    return [fact.to_json() for fact in SOUND.facts]


def import_facts(
    workspace: Workspace, facts: Collection[Mapping[str, Any]], folder: Path, clock: FixedClock
) -> None:
    """Import facts, new versions among them."""
    path = folder / "pool.json"
    path.write_text(json.dumps({"facts": list(facts)}), encoding="utf-8")
    import_files(workspace, [path], clock, is_replacing=True)


def confirm(
    workspace: Workspace, clock: FixedClock, without: Collection[str] = frozenset()
) -> None:
    """Let two officers confirm what the pack, and those before it, leave open."""
    named = {name if "/" in name else f"{PACK.id}/{name}" for name in SOUND.confirmed}
    wanted = [
        each
        for path in CONFIRMATIONS
        for each in approvals.read_confirmations(path)
        if f"{each.pack}/{each.parameter}" in named and each.parameter not in without
    ]
    packs = newest_packs() | {PACK.id: PACK}
    for officer in ("officer-1", "officer-2"):
        approvals.sign_confirmations(workspace, wanted, packs, officer, clock)


def attest(workspace: Workspace, clock: FixedClock) -> None:
    """Review every listing for the day, and attest what was decided."""
    found = review(workspace, as_of=DAY, clock=clock)
    issue_attestations(workspace, [each.digest for each in found.reviewed], clock)


def fill_pool(workspace: Workspace, folder: Path, clock: FixedClock) -> None:
    """Bring a new workspace to where a passport of the first tier can be issued."""
    import_facts(workspace, sound_facts(), folder, clock)
    confirm(workspace, clock)
    attest(workspace, clock)

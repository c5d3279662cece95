"""What another version of a pack would change: which cases, in which direction, on which days."""

import re
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.core.text import Text
from carnet.rules.decision import Decision, Finding, RuleError, conformity_of
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.services import impact
from carnet.services.impact import impact_of
from carnet.services.packs import Installed, newest_on_shelf
from carnet.services.reviewing import review
from carnet.services.workspace import Workspace
from tests.fixtures_ledger import NOW as SEEN

DAY = date(2026, 11, 23)
CASE = ("listing", "L1")
SAID = Text("text", "文本")


def decision(*found: str, errors: tuple[str, ...] = (), outputs: Any = None) -> Decision:
    """Return a decision with findings such as ``r1:major``."""
    findings = tuple(
        Finding(rule, severity, (CASE,), SAID, SAID, (), {})  # type: ignore[arg-type]
        for rule, severity in (each.split(":") for each in found)
    )
    causes = tuple(RuleError(rule, SAID) for rule in errors)
    verdict = conformity_of(findings, causes)
    return Decision(CASE, verdict, (), {}, outputs or {}, findings, (), causes)


def direction(before: Decision | None, after: Decision | None) -> str | None:
    change = impact._change(DAY, CASE, before, after)
    return None if change is None else change.direction


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (decision(), decision(), None),
        (decision(), decision("a:blocking"), "stricter"),
        (decision(), decision("a:info"), "stricter"),
        (decision(), decision(errors=("a",)), "stricter"),
        (decision(errors=("a",)), decision("a:major"), "stricter"),
        (decision("a:minor"), decision("a:blocking"), "stricter"),
        (decision("a:major"), decision("a:blocking"), "stricter"),
        (decision("a:major"), decision("a:major", "b:minor"), "stricter"),
        (decision("a:major"), decision("b:major"), "other"),
        (decision("a:info", "b:info"), decision("a:minor"), "other"),
        (decision("a:major", "a:major"), decision("a:major"), "milder"),
        (decision(), decision(outputs={"fee": 1}), "other"),
        (None, decision(), "other"),
    ],
)
def test_direction__is_that_of_the_verdict_then_of_the_findings(
    before: Decision | None, after: Decision | None, expected: str | None
) -> None:
    opposite = {"stricter": "milder", "milder": "stricter"}
    assert direction(before, after) == expected
    assert direction(after, before) == opposite.get(expected or "", expected)


def test_texts_alone__are_no_change_of_a_case() -> None:
    said = Finding("a", "major", (CASE,), Text("other", "别的"), SAID, (), {})
    other = Decision(CASE, "nonconforming", (), {}, {}, (said,), (), ())
    assert direction(decision("a:major"), other) is None


def softened(tmp_path: Path) -> Installed:
    """Return the shipped pack with its rule about EU declarations turned into a hint."""
    base = newest_on_shelf("eu-ce")
    assert base is not None
    place = tmp_path / "eu-ce" / "99"
    shutil.copytree(base.folder, place)
    header = place / "pack.yaml"
    text = re.sub(r"^version: .*$", 'version: "99"', header.read_text("utf-8"), flags=re.MULTILINE)
    text = text.replace("effective: {from: 2026-01-01}", "effective: {from: 2026-06-01}")
    header.write_text(text, "utf-8")
    for path in (place / "rules").iterdir():
        path.write_text(
            path.read_text("utf-8").replace(": blocking", ": info").replace(": major", ": info"),
            "utf-8",
        )
    return Installed(load_pack(place), place)


def test_impact__replays_every_decided_day_and_today(seller: Workspace, tmp_path: Path) -> None:
    before, after = newest_on_shelf("eu-ce"), softened(tmp_path)
    assert before is not None
    days = [date(2026, 4, 1), date(2026, 9, 1)]
    for day in days:
        review(seller, as_of=day, clock=FixedClock(SEEN), engine="reference")
    found = impact_of(seller, before, after, today=DAY, engine="reference")
    assert found.days == (days[1], DAY)
    assert [each.as_of for each in found.left_out] == [days[0]]
    assert "2026-06-01" in found.left_out[0].reason.en
    assert found.cases > 0
    assert {each.direction for each in found.changes} == {"milder"}
    assert sum(found.counts.values()) == len(found.changes) > 0
    since = impact_of(
        seller, before, after, today=DAY, since=DAY - timedelta(days=1), engine="reference"
    )
    assert since.days == (DAY,)
    opposite = impact_of(seller, after, before, today=DAY, engine="reference")
    assert opposite.counts["stricter"] == found.counts["milder"]


def test_impact__of_a_version_on_itself_is_none(seller: Workspace) -> None:
    pack = newest_on_shelf("eu-ce")
    assert pack is not None
    assert impact_of(seller, pack, pack, today=DAY, engine="reference").changes == ()
    assert SHELF in pack.folder.parents

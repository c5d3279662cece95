"""Batches are judged on the day on which they were placed, not on the day of the review."""

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.facts.fact import Fact
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.placing import Placed, batches_by_day, judge_batches
from carnet.services.reviewing import newest_packs, review
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from carnet.store.tables import DECISION

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the sample seller and what officers confirmed, which tests copy."""
    folder = tmp_path_factory.mktemp("placing") / "workspace"
    clock = FixedClock(NOW)
    create(folder, clock=clock)
    proposed = read_confirmations(sample_folder() / "approvals.json")
    with Workspace.open(folder) as workspace:
        import_files(workspace, sorted((sample_folder() / "seller").iterdir()), clock)
        for officer in ("officer-1", "officer-2"):
            sign_confirmations(workspace, proposed, newest_packs(), officer, clock)
    return folder


@pytest.fixture
def workspace(confirmed: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "workspace"
    shutil.copytree(confirmed, folder)
    with Workspace.open(folder) as opened:
        yield opened


def place_on(workspace: Workspace, batch: str, day: str, folder: Path) -> None:
    """Import a batch of the sample again, with another placing date."""
    with (sample_folder() / "seller" / "batch.csv").open() as source:
        row = next(each for each in csv.DictReader(source) if each["id"] == batch)
    path = folder / "batch.csv"
    with path.open("w") as target:
        writer = csv.DictWriter(target, fieldnames=list(row))
        writer.writeheader()
        writer.writerow({**row, "produced_on": "2026-03-02", "placed_on": day})
    import_files(workspace, [path], FixedClock(NOW), is_replacing=True)


def only(workspace: Workspace, listing: str) -> Placed:
    (found,) = judge_batches(workspace, [listing], "reference")
    return found


def said(found: Placed) -> set[tuple[str, str, str]]:
    return {
        (pack.id, each.rule, each.severity)
        for pack, decision in found.decisions
        for each in decision.findings
    }


def batch(name: str, **fields: object) -> Fact:
    return Fact("batch", name, {"product_id": "P1", **fields})  # type: ignore[dict-item]


def test_group__batches_of_product_and_market_by_their_day() -> None:
    facts = [
        Fact("listing", "L-EU", {"product_id": "P1", "market": "EU"}),
        Fact("listing", "L-US", {"product_id": "P1", "market": "US"}),
        Fact("listing", "L-OTHER", {"product_id": "P2", "market": "EU"}),
        batch("B3", market="EU", placed_on=OCTOBER),
        batch("B1", market="EU", placed_on=SEPTEMBER),
        batch("B2", market="EU", placed_on=SEPTEMBER),
        batch("B4", market="US", placed_on=SEPTEMBER),
        batch("B5", placed_on=OCTOBER),  # It may have been placed in either market.
        batch("B6", market="EU"),  # It is not placed yet.
    ]
    assert batches_by_day(facts, ["L-EU", "L-US", "L-OTHER"]) == {
        SEPTEMBER: {"L-EU": ("B1", "B2"), "L-US": ("B4",)},
        OCTOBER: {"L-EU": ("B3", "B5"), "L-US": ("B5",)},
    }
    assert batches_by_day(facts, ["L-US"]) == {
        SEPTEMBER: {"L-US": ("B4",)},
        OCTOBER: {"L-US": ("B5",)},
    }


@pytest.mark.parametrize(
    ("day", "is_expired"), [("2026-06-14", False), ("2026-06-15", False), ("2026-06-16", True)]
)
def test_judge__an_ended_certificate_taints_what_was_placed_after_it_alone(
    workspace: Workspace, tmp_path: Path, day: str, *, is_expired: bool
) -> None:
    place_on(workspace, "BAT-H2-2604", day, tmp_path)
    found = only(workspace, "LST-HEL-02-EU")
    assert found.placed_on.isoformat() == day
    assert (("eu-ce", "certificate-expired", "blocking") in said(found)) is is_expired


def test_judge__a_withdrawal_does_not_reach_back(workspace: Workspace, tmp_path: Path) -> None:
    before = only(workspace, "LST-TOY-03-EU")
    assert (before.conformity, before.batches) == ("conforming", ("BAT-T3-2604",))
    place_on(workspace, "BAT-T3-2604", "2026-10-01", tmp_path)
    after = only(workspace, "LST-TOY-03-EU")
    assert after.conformity == "nonconforming"
    assert ("eu-ce", "certificate-withdrawn", "blocking") in said(after)


def test_judge__the_sample_has_its_planted_problems_and_one_of_its_day(
    workspace: Workspace,
) -> None:
    expected = json.loads((sample_folder() / "expected-findings.json").read_text("utf-8"))
    with (sample_folder() / "seller" / "listing.csv").open() as source:
        listings = [each["id"] for each in csv.DictReader(source) if each["status"] != "withdrawn"]
    found = judge_batches(workspace, listings, "reference")
    assert len(found) == 26
    surplus = {
        (each.listing_id, rule)
        for each in found
        for pack, rule, severity in said(each)
        if {"pack": pack, "rule": rule, "severity": severity} not in expected[each.listing_id]
    }
    # On 1 June its certificate had two weeks left, and nobody had applied for another.
    assert surplus == {("LST-HEL-02-EU", "renewal-window-missed")}
    unknown = [each for each in found if each.conformity == "undetermined"]
    assert [(each.listing_id, each.placed_on) for each in unknown] == [
        ("LST-PWB-02-EU", date(2025, 4, 7))
    ]
    assert unknown[0].not_encoded == ("eu-ce", "eu-gpsr")
    assert "no law of that day in eu-ce, eu-gpsr" in unknown[0].to_text().en


def test_judge__says_what_a_review_as_of_the_day_decides_and_stores_nothing(
    workspace: Workspace,
) -> None:
    name = "LST-EAR-03-EU"
    found = only(workspace, name)
    with reading(workspace.engine) as connection:
        assert connection.execute(DECISION.select()).all() == []
    day = found.placed_on
    kept = review(workspace, as_of=day, clock=FixedClock(NOW), listing_ids=[name])
    assert [decision.to_json() for _, decision in found.decisions] == [
        each.decision.to_json() for each in kept.reviewed
    ]
    (again,) = judge_batches(workspace, [name], "bulk")
    assert again == found


def test_command__tells_batches_and_their_verdict_in_the_exit_code(
    workspace: Workspace, tmp_path: Path
) -> None:
    command = ["review", "LST-LED-02-EU", "-w", str(workspace.path), "--as-of", "2026-11-23"]
    done = CliRunner().invoke(app, [*command, "--format", "json"], catch_exceptions=False)
    (placed,) = json.loads(done.stdout)["placed"]
    assert (done.exit_code, placed["conformity"], placed["placed_on"]) == (
        *(0, "conforming", "2026-05-25"),
    )
    table = CliRunner().invoke(app, command, catch_exceptions=False).stdout
    assert "LST-LED-02-EU, placed on 2026-05-25 (BAT-L2-2604): conforming" in table
    (line,) = (each.to_text().zh for each in judge_batches(workspace, ["LST-LED-02-EU"]))
    assert line == "LST-LED-02-EU，投放日 2026-05-25（BAT-L2-2604）：合规"
    place_on(workspace, placed["batches"][0], "2026-12-12", tmp_path)
    late = CliRunner().invoke(app, command, catch_exceptions=False)
    assert late.exit_code == 1
    assert "rohs-exemption" in late.stdout

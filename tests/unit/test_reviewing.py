"""The entry review: what it keeps, what it repeats, and what it says it did not look at."""

import csv
import dataclasses
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import ConflictError, InputError, LedgerFatalError, NotFoundError
from carnet.services import reviewing
from carnet.services.appending import append_records
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.attesting import issue_attestations
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.packs import packs_in_force
from carnet.services.reviewing import find_decisions, newest_packs, review, stored_decisions
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading, writing
from carnet.store.tables import DECISION

AS_OF = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the sample seller, which tests copy."""
    folder = tmp_path_factory.mktemp("sample") / "workspace"
    clock = FixedClock(NOW)
    create(folder, clock=clock)
    with Workspace.open(folder) as workspace:
        import_files(workspace, sorted((sample_folder() / "seller").iterdir()), clock)
    return folder


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "workspace"
    shutil.copytree(imported, folder)
    with Workspace.open(folder) as opened:
        yield opened


def confirm_all(workspace: Workspace) -> None:
    proposed = read_confirmations(sample_folder() / "approvals.json")
    for officer in ("officer-1", "officer-2"):
        sign_confirmations(workspace, proposed, newest_packs(), officer, FixedClock(NOW))


def count(workspace: Workspace) -> int:
    with reading(workspace.engine) as connection:
        found: int = connection.execute(select(func.count()).select_from(DECISION)).scalar_one()
    return found


def test_review__without_confirmations_is_never_conforming_where_one_is_needed(
    workspace: Workspace,
) -> None:
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-EAR-01-EU"])
    assert [each.pack.id for each in found.reviewed] == ["eu-ce", "eu-gpsr", "ip-clearance"]
    assert found.reviewed[0].decision.conformity == "undetermined"
    confirm_all(workspace)
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-EAR-01-EU"])
    assert found.conformities == {"conforming"}
    assert found.reviewed[0].decision.officer_confirmed


def test_review__again_adds_nothing_whichever_engine_decides(workspace: Workspace) -> None:
    confirm_all(workspace)
    first = review(workspace, as_of=AS_OF, clock=FixedClock(NOW))
    later = FixedClock(NOW + timedelta(hours=1))
    second = review(workspace, as_of=AS_OF, clock=later, engine="reference")
    assert [each.digest for each in first.reviewed] == [each.digest for each in second.reviewed]
    assert count(workspace) == len(first.reviewed) == 3 * 38


def test_review__keeps_what_it_decides(workspace: Workspace) -> None:
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW))
    stored = stored_decisions(workspace, AS_OF)
    assert [each["digest"] for each in stored] == [each.digest.hex() for each in found.reviewed]
    assert [each["findings"] for each in stored] == [
        each.decision.to_json()["findings"] for each in found.reviewed
    ]


def test_review__says_what_it_did_not_look_at(workspace: Workspace) -> None:
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW))
    (passed_over,) = found.not_reviewed
    assert passed_over.listing_id == "LST-HEL-02-EU-O"
    assert "withdrawn" in passed_over.reason.en


def test_review__names_the_market_that_no_pack_covers(workspace: Workspace, tmp_path: Path) -> None:
    listing = tmp_path / "listing.csv"
    listing.write_text(
        "id,product_id,market,channel_id,status\nLST-JP,PRD-EAR-01,JP,CH-MERIDIAN,live\n"
    )
    import_files(workspace, [listing], FixedClock(NOW))
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-JP"])
    assert found.reviewed == ()
    assert [each.reason.en for each in found.not_reviewed] == ["No pack covers the market JP."]


def test_review__of_changed_facts_is_a_new_decision(workspace: Workspace) -> None:
    confirm_all(workspace)
    name = ["LST-EAR-01-EU"]
    before = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=name)
    later = sorted((sample_folder() / "seller-later").iterdir())
    clock = FixedClock(NOW + timedelta(hours=1))
    import_files(workspace, later, clock, is_replacing=True)
    after = review(workspace, as_of=date(2026, 11, 24), clock=clock, listing_ids=name)
    assert (before.conformities, after.conformities) == (
        {"conforming"},
        {"conforming", "nonconforming"},
    )
    assert count(workspace) == 2 * 3


def test_review__refuses_an_unknown_listing_and_an_unknown_engine(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="LST-NO"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-NO"])
    with pytest.raises(InputError, match="drools"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), engine="drools")
    assert count(workspace) == 0


def test_find_decisions__refuses_what_was_not_decided(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="any listing"):
        find_decisions(workspace, AS_OF)
    review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-EAR-01-EU"])
    assert len(find_decisions(workspace, AS_OF)) == 3
    with pytest.raises(NotFoundError, match="LST-EAR-01-US"):
        find_decisions(workspace, AS_OF, ["LST-EAR-01-US"])


LISTING = "LST-EAR-01-EU"


def set_certificate(workspace: Workspace, folder: Path, **changes: str) -> None:
    """Import the certificate of the listing again, with some fields changed."""
    with (sample_folder() / "seller" / "certificate.csv").open() as source:
        row = next(each for each in csv.DictReader(source) if each["id"] == "CRT-001")
    path = folder / "certificate.csv"
    with path.open("w") as target:
        writer = csv.DictWriter(target, fieldnames=list(row))
        writer.writeheader()
        writer.writerow({**row, **changes})
    import_files(workspace, [path], FixedClock(NOW), is_replacing=True)


WITHDRAWN = {"status": "withdrawn", "status_on": "2026-11-01"}


def test_review__a_verdict_that_comes_back_is_the_latest_and_is_attested(
    workspace: Workspace, tmp_path: Path
) -> None:
    confirm_all(workspace)
    clock = FixedClock(NOW)  # It never moves: the order is not that of a clock.
    records, verdicts = [], []
    for changes in (WITHDRAWN, {}, WITHDRAWN):
        set_certificate(workspace, tmp_path, **changes)
        found = review(workspace, as_of=AS_OF, clock=clock, listing_ids=[LISTING])
        stored = find_decisions(workspace, AS_OF, [LISTING])[0]
        assert stored["digest"] == found.reviewed[0].digest.hex()
        verdicts.append(stored["conformity"])
        records += issue_attestations(workspace, [found.reviewed[0].digest], clock)
        append_records(workspace, clock)
    assert verdicts == ["nonconforming", "conforming", "nonconforming"]
    assert [each.subject["conformity"] for each in records] == verdicts
    assert [each.entry.supersedes for each in records] == [
        None,
        records[0].digest,
        records[1].digest,
    ]
    review(workspace, as_of=AS_OF, clock=clock, listing_ids=[LISTING])
    # Three by each pack that reads certificates, one by the pack of searches.
    assert count(workspace) == 3 + 3 + 1


def test_issue__refuses_a_decision_whose_facts_have_changed(
    workspace: Workspace, tmp_path: Path
) -> None:
    confirm_all(workspace)
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    set_certificate(workspace, tmp_path, **WITHDRAWN)
    digest = found.reviewed[0].digest
    with pytest.raises(ConflictError, match="its facts have changed since"):
        issue_attestations(workspace, [digest], FixedClock(NOW))
    review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    with pytest.raises(ConflictError, match="it was decided again since"):
        issue_attestations(workspace, [digest], FixedClock(NOW))


def test_review__refuses_a_pack_that_changed_under_its_version(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    packs = packs_in_force(workspace, AS_OF)
    pack = dataclasses.replace(packs["eu-ce"].pack, digest=sha256(b"changed"))
    changed = {**packs, "eu-ce": dataclasses.replace(packs["eu-ce"], pack=pack)}
    monkeypatch.setattr(reviewing, "packs_in_force", lambda *_: changed)
    with pytest.raises(InputError, match="CRN-R-100"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    with pytest.raises(ConflictError, match="the rule pack has changed since"):
        issue_attestations(workspace, [found.reviewed[0].digest], FixedClock(NOW))


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": sha256(b"another")},
        {"digest": sha256(b"[]"), "body": b"[]"},
        {"digest": None, "conformity": "conforming"},
        {"digest": None, "follows": sha256(b"nothing").hex()},
        {"digest": None, "follows": None},
    ],
)
def test_decisions__a_row_that_is_not_what_was_decided_stops_every_reader(
    workspace: Workspace, changes: dict[str, object]
) -> None:
    review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    with writing(workspace.engine) as connection:
        row = dict(connection.execute(DECISION.select().limit(1)).mappings().one())
        row |= changes
        if row["digest"] is None:
            content = parse_canonical(row["body"]) | {"measures": {"made_up": 1}}
            if "follows" in row:
                content["follows"] = row.pop("follows")
            row["body"] = canonical(content)
            row["digest"] = sha256(row["body"])
        connection.execute(insert(DECISION), row)
    with pytest.raises(LedgerFatalError, match="CRN-R-098"):
        find_decisions(workspace, AS_OF)
    with pytest.raises(LedgerFatalError, match="CRN-R-098"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=[LISTING])
    with pytest.raises(LedgerFatalError, match="CRN-R-098"):
        issue_attestations(workspace, [row["digest"]], FixedClock(NOW))


def test_review_command__of_nothing_is_not_clean(tmp_path: Path) -> None:
    create(tmp_path / "w", clock=FixedClock(NOW))
    command = ["review", "--all", "-w", str(tmp_path / "w"), "--format", "json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert (done.exit_code, json.loads(done.stdout)["decisions"]) == (3, [])

"""The entry review: what it keeps, what it repeats, and what it says it did not look at."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from carnet.core.clock import FixedClock
from carnet.core.errors import InputError, NotFoundError
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.reviewing import find_decisions, newest_packs, review, stored_decisions
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
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
    assert found.conformities == {"undetermined"}
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
    assert count(workspace) == len(first.reviewed) == 38


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
    assert (before.conformities, after.conformities) == ({"conforming"}, {"nonconforming"})
    assert count(workspace) == 2


def test_review__refuses_an_unknown_listing_and_an_unknown_engine(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="LST-NO"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-NO"])
    with pytest.raises(InputError, match="bulk"):
        review(workspace, as_of=AS_OF, clock=FixedClock(NOW), engine="bulk")
    assert count(workspace) == 0


def test_find_decisions__refuses_what_was_not_decided(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="any listing"):
        find_decisions(workspace, AS_OF)
    review(workspace, as_of=AS_OF, clock=FixedClock(NOW), listing_ids=["LST-EAR-01-EU"])
    assert len(find_decisions(workspace, AS_OF)) == 1
    with pytest.raises(NotFoundError, match="LST-EAR-01-US"):
        find_decisions(workspace, AS_OF, ["LST-EAR-01-US"])

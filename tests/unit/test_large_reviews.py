"""A review of very many listings keeps the very decisions that the ordinary one does."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from carnet.core.clock import FixedClock
from carnet.rules.bulk import batches, running
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.large_reviews import review_large, stored_bodies
from carnet.services.overviews import judged_of, overview_of
from carnet.services.reviewing import newest_packs, review
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from carnet.store.tables import DECISION

AS_OF = date(2026, 11, 23)
CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the sample seller and some confirmations, which tests copy."""
    folder = tmp_path_factory.mktemp("sample") / "workspace"
    create(folder, clock=CLOCK)
    with Workspace.open(folder) as workspace:
        import_files(workspace, sorted((sample_folder() / "seller").iterdir()), CLOCK)
        proposed = read_confirmations(sample_folder() / "approvals.json")[::2]
        for officer in ("officer-1", "officer-2"):
            sign_confirmations(workspace, proposed, newest_packs(), officer, CLOCK)
    return folder


@pytest.fixture
def folders(confirmed: Path, tmp_path: Path) -> Iterator[tuple[Workspace, Workspace]]:
    """Return two workspaces with the same facts."""
    for name in ("one", "two"):
        shutil.copytree(confirmed, tmp_path / name)
    with Workspace.open(tmp_path / "one") as one, Workspace.open(tmp_path / "two") as two:
        yield one, two


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FEW", 0)
    monkeypatch.setattr(batches, "BATCH_CASES", 9)


def rows_of(workspace: Workspace) -> list[tuple[object, ...]]:
    columns = [one for one in DECISION.c if one.name != "engine"]
    with reading(workspace.engine) as connection:
        found = connection.execute(select(*columns).order_by(DECISION.c.digest))
        return [tuple(row) for row in found]


def test_review_large__keeps_what_the_ordinary_review_keeps(
    folders: tuple[Workspace, Workspace],
) -> None:
    large, ordinary = folders
    found = review_large(large, as_of=AS_OF, clock=CLOCK)
    expected = review(ordinary, as_of=AS_OF, clock=CLOCK)
    assert found is not None
    assert rows_of(large) == rows_of(ordinary)
    assert found.digests == {each.digest for each in expected.reviewed}
    assert found.not_reviewed == expected.not_reviewed
    overview = overview_of(ordinary, judged_of(expected), (), AS_OF)
    assert found.counts == {name: overview.counts[name] for name in found.counts}
    assert found.severities == overview.severities
    assert [found.worst[each.listing_id] for each in overview.shown] == [
        sorted(each.judged, key=lambda one: one.pack.id) for each in overview.shown
    ]


def test_review_large__again_adds_nothing_and_follows_what_changed(
    folders: tuple[Workspace, Workspace], tmp_path: Path
) -> None:
    large, ordinary = folders
    review(large, as_of=AS_OF, clock=CLOCK)
    before = rows_of(large)
    again = review_large(large, as_of=AS_OF, clock=CLOCK)
    assert rows_of(large) == before
    changed = tmp_path / "certificate.csv"
    lines = (sample_folder() / "seller" / "certificate.csv").read_text().splitlines()
    changed.write_text("\n".join([lines[0], lines[1].replace("2025-08-20", "2027-08-20")]) + "\n")
    review(ordinary, as_of=AS_OF, clock=CLOCK)
    for workspace in folders:
        import_files(workspace, [changed], CLOCK, is_replacing=True)
    review_large(large, as_of=AS_OF, clock=CLOCK)
    review(ordinary, as_of=AS_OF, clock=CLOCK)
    assert rows_of(large) == rows_of(ordinary)
    assert again is not None
    assert len(rows_of(large)) > len(again.digests)


def test_review_large__tells_each_decision_in_order(folders: tuple[Workspace, Workspace]) -> None:
    large, _ = folders
    found = review_large(large, as_of=AS_OF, clock=CLOCK, market="EU")
    assert found is not None
    told = [orjson.loads(body) for _, body in stored_bodies(large, found)]
    names = [(each["case"]["id"], each["pack"]) for each in told]
    assert names == sorted(names)
    assert {pack for _, pack in names} == {"eu-ce", "eu-gpsr", "ip-clearance"}
    assert {each["case"]["id"] for each in told} == found.verdicts.keys()


def test_review_large__leaves_few_facts_to_the_ordinary_review(
    folders: tuple[Workspace, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "FEW", 10_000)
    assert review_large(folders[0], as_of=AS_OF, clock=CLOCK) is None
    assert not rows_of(folders[0])

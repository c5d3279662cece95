"""The review with packs of two stages: earlier decisions are facts of what is kept."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError, NotFoundError
from carnet.rules.pack import load_pack
from carnet.services import reviewing
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.decisions import decisions_of
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.packs import Installed, kept_pack, packs_in_force
from carnet.services.reviewing import Reviewed, newest_packs, require_current, review
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from tests.fixtures_rules import rule, write_pack

AS_OF = date(2026, 11, 23)
CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
LISTING = "LST-EAR-01-EU"
PATHS = {
    "product": "product <- listing.product_id",
    "decision": "decision.case_id == listing.id",
}
FOUND = [{"d": "decision"}]
RULES = [
    rule("open", match=FOUND, when=['d.conformity == "undetermined"'], severity="major"),
    rule("wrong", match=FOUND, when=['d.conformity == "nonconforming"']),
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages") / "workspace"
    create(folder, clock=CLOCK)
    with Workspace.open(folder) as workspace:
        import_files(workspace, sorted((sample_folder() / "seller").iterdir()), CLOCK)
    return folder


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "workspace"
    shutil.copytree(imported, folder)
    with Workspace.open(folder) as opened:
        yield opened


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A pack after eu-ce, in force beside the shipped ones."""
    folder = write_pack(
        tmp_path / "second" / "1", *RULES, id="second", stage=50, after=["eu-ce"], paths=PATHS
    )
    installed = Installed(load_pack(folder), folder)

    def in_force(workspace: Workspace, *arguments: object) -> dict[str, Installed]:
        return {**packs_in_force(workspace, *arguments), "second": installed}  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(reviewing, "packs_in_force", in_force)
    return installed


def _review(workspace: Workspace) -> dict[str, Reviewed]:
    found = review(workspace, as_of=AS_OF, clock=CLOCK, listing_ids=[LISTING])
    return {each.pack.id: each for each in found.reviewed}


def _confirm(workspace: Workspace) -> None:
    proposed = read_confirmations(sample_folder() / "approvals.json")
    for officer in ("officer-1", "officer-2"):
        sign_confirmations(workspace, proposed, newest_packs(), officer, CLOCK)


def _check_current(workspace: Workspace, each: Reviewed) -> None:
    with reading(workspace.engine) as connection:
        require_current(workspace, connection, decisions_of(connection, [each.digest]))


def test_review__decides_by_what_the_earlier_pack_decided(
    workspace: Workspace, second: Installed
) -> None:
    found = _review(workspace)
    assert found["eu-ce"].decision.conformity == "undetermined"
    (finding,) = found["second"].decision.findings
    assert finding.rule == "open"
    assert ("decision", f"eu-ce/listing/{LISTING}") in finding.facts
    for each in found.values():
        _check_current(workspace, each)
        kept = kept_pack(workspace, each.pack.digest.hex())
        assert kept.pack.id == each.pack.id
    assert second.pack.id == "second"


@pytest.mark.usefixtures("second")
def test_review__of_a_later_pack_is_outdated_when_the_earlier_decision_changes(
    workspace: Workspace,
) -> None:
    before = _review(workspace)["second"]
    # Confirming parameters changes no imported fact, but it changes what eu-ce decides.
    _confirm(workspace)
    with pytest.raises(ConflictError, match="its facts have changed since"):
        _check_current(workspace, before)
    after = _review(workspace)
    assert after["eu-ce"].decision.conformity != "undetermined"
    assert after["second"].digest != before.digest
    _check_current(workspace, after["second"])


def test_review__is_refused_where_no_version_of_the_earlier_pack_is_in_force(
    workspace: Workspace, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewing, "packs_in_force", lambda *_: {"second": second})
    with pytest.raises(NotFoundError, match="eu-ce"):
        _review(workspace)

"""What-if: side by side what another pack would change, and nothing of it kept or decided."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.core.errors import CarnetError, InputError, NotFoundError
from carnet.rules.decision import RuleError
from carnet.rules.shelf import SHELF
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.importing import import_files
from carnet.services.reviewing import newest_packs
from carnet.services.what_if import NO_DECISION, Point, _beyond, what_if
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from carnet.store.tables import DECISION
from tests.fixtures_review import AS_OF, sample
from tests.pages import EXAMPLES

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PROPOSAL = "us-fcc-non-mra"
MARKET_US = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the sample seller, everything confirmed; what-if leaves it so."""
    path = tmp_path_factory.mktemp("what-if") / "workspace"
    clock = FixedClock(NOW)
    create(path, clock=clock)
    with Workspace.open(path) as opened:
        import_files(opened, sorted((EXAMPLES / "seller").iterdir()), clock)
        proposed = read_confirmations(EXAMPLES / "approvals.json")
        for officer in ("officer-1", "officer-2"):
            sign_confirmations(opened, proposed, newest_packs(), officer, clock)
    return path


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder) as opened:
        yield opened


def run(folder: Path, *words: str) -> Result:
    command = ["review", "--workspace", str(folder), "--as-of", "2026-11-23", *words]
    return CliRunner().invoke(app, command)


def test_what_if__adds_a_proposal_and_keeps_nothing(workspace: Workspace) -> None:
    found = what_if(workspace, [PROPOSAL], as_of=AS_OF, market="US", engine="reference")
    assert len(found.comparisons) == MARKET_US
    assert set(found.judged) == {each.listing_id for each in found.comparisons}
    assert [each.replaces for each in found.trials] == [None]
    changed = {each.listing_id: each for each in found.changed}
    assert set(changed) == {"LST-CHG-01-US", "LST-PWB-02-US"}
    for each in changed.values():
        assert (each.before, each.after) == ("nonconforming", "nonconforming")
        assert [(one.pack.id, one.said.rule) for one in each.added] == [
            (PROPOSAL, "laboratory-without-agreement")
        ]
        assert each.removed == ()
    with reading(workspace.engine) as connection:
        assert connection.execute(select(func.count()).select_from(DECISION)).scalar_one() == 0
    assert not (workspace.path / "packs").exists()


def test_what_if__takes_the_place_of_the_version_in_force(workspace: Workspace) -> None:
    older = str(SHELF / "eu-ce" / "0.1.0")
    listings = ["LST-CHG-02-EU-L", "LST-EAR-01-EU"]
    found = what_if(workspace, [older], as_of=AS_OF, listing_ids=listings, engine="reference")
    (trial,) = found.trials
    assert trial.replaces is not None
    assert (trial.pack.version, trial.replaces.version) == ("0.1.0", "0.2.0")
    charger = found.comparisons[0]
    # What officers confirmed, they confirmed of the version in force: the other rests on nothing.
    assert (charger.before, charger.after) == ("nonconforming", "undetermined")
    assert "declaration-act-missing" in {one.said.rule for one in charger.removed}
    untold = {one.said.rule for one in charger.added if isinstance(one.said, RuleError)}
    assert "emc-declaration-missing" in untold
    packs = {one.pack.version for one in found.judged["LST-EAR-01-EU"] if one.pack.id == "eu-ce"}
    assert packs == {"0.1.0"}


def test_what_if__refuses_what_it_cannot_compare(workspace: Workspace) -> None:
    cases: list[tuple[list[str], str, type[CarnetError]]] = [
        (["credit-passport"], "CRN-R-201", InputError),
        (["eu-ce@0.1.0", "eu-ce@0.2.0"], "CRN-R-202", InputError),
    ]
    for names, code, kind in cases:
        with pytest.raises(kind) as caught:
            what_if(workspace, names, as_of=AS_OF)
        assert caught.value.code == code
    with pytest.raises(NotFoundError) as missing:
        what_if(workspace, [PROPOSAL], as_of=AS_OF, market="KR")
    assert missing.value.code == "CRN-R-200"
    assert missing.value.hint is not None
    assert "EU, US" in missing.value.hint.en
    with pytest.raises(InputError) as early:
        what_if(workspace, [PROPOSAL], as_of=date(2026, 3, 1), engine="reference")
    assert early.value.code == "CRN-R-022"


def test_points__are_compared_as_often_as_they_stand_and_not_by_their_texts() -> None:
    judged = sample().judged["LST-CHG-02-EU-L"][0]
    said = judged.decision.findings[0]
    point = Point(judged.pack, said)
    reworded = Point(judged.pack, replace(said, message=NO_DECISION))
    graver = Point(judged.pack, replace(said, severity="info"))
    assert _beyond([point], [reworded]) == ()
    assert _beyond([point, reworded], [point]) == (reworded,)
    assert _beyond([graver], [point]) == (graver,)


def test_command__says_in_every_form_that_it_is_no_decision(folder: Path) -> None:
    words = ("--market", "US", "--all", "--what-if", PROPOSAL)
    table = run(folder, *words)
    assert table.exit_code == 1
    assert table.stdout.startswith(NO_DECISION.en)
    assert "2 of 14 listings would change: reject 6 → 6, hold 0 → 0, admit 8 → 8" in table.stdout
    assert "+ newly missing [blocking] us-fcc-non-mra laboratory-without-agreement" in table.stdout
    document = json.loads(run(folder, *words, "--format", "json").stdout)
    assert document["is_decision"] is False
    assert document["notice"] == NO_DECISION.to_json()
    assert document["changed"] == 2
    rows = list(csv.DictReader(io.StringIO(run(folder, *words, "--format", "csv").stdout)))
    assert {each["is_decision"] for each in rows} == {"false"}
    assert sorted({each["listing"] for each in rows if each["change"] == "newly_missing"}) == [
        "LST-CHG-01-US",
        "LST-PWB-02-US",
    ]
    assert len({each["listing"] for each in rows}) == MARKET_US
    page = run(folder, *words, "--format", "html").stdout
    assert "<h1>What-if, no decision: Entry review of 2026-11-23</h1>" in page
    assert NO_DECISION.en in page
    assert "us-fcc-non-mra 0.1.0 [proposal]" in page


def test_command__exits_by_the_verdicts_that_would_be(folder: Path) -> None:
    clean = run(folder, "LST-CAM-02-US-L", "--what-if", PROPOSAL)
    assert clean.exit_code == 0
    assert "0 of 1 listings would change" in clean.stdout


@pytest.mark.parametrize("form", ["sarif", "junit"])
def test_command__has_no_form_that_other_tools_take_for_a_decision(folder: Path, form: str) -> None:
    done = run(folder, "--all", "--what-if", PROPOSAL, "--format", form)
    assert isinstance(done.exception, InputError)
    assert done.exception.code == "CRN-R-203"

"""Importing: all or nothing, idempotent, never replacing in silence."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError, InputError
from carnet.facts.intake import IntakeError
from carnet.services.importing import ImportReport, TypeCount, import_files
from carnet.services.status import workspace_status
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.digest import content_digest
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock

PARTIES = "id,name,country\nP-1,Seller,CN\nP-2,Platform,US\n"
CHANNELS = "id,name,kind,platform_id\nC-1,Main,fully_managed,P-2\n"
Import = Callable[..., ImportReport]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "party.csv").write_text(PARTIES)
    (folder / "channel.csv").write_text(CHANNELS)
    return folder


@pytest.fixture
def do_import(workspace: Workspace, files: Path, clock: FixedClock) -> Import:
    def imported(*names: str, is_replacing: bool = False) -> ImportReport:
        paths = [files / name for name in names]
        return import_files(workspace, paths, clock, is_replacing=is_replacing)

    return imported


def test_import__counts_by_type(do_import: Import, workspace: Workspace) -> None:
    report = do_import("channel.csv", "party.csv")
    assert report.total == TypeCount(new=3)
    assert report.by_type == {"channel": TypeCount(new=1), "party": TypeCount(new=2)}
    status = workspace_status(workspace)
    assert status.facts == {"channel": 1, "party": 2}
    assert status.import_count == 1


def test_import__again_changes_nothing(
    do_import: Import, workspace: Workspace, clock: FixedClock
) -> None:
    do_import("party.csv", "channel.csv")
    before = content_digest(workspace.engine)
    clock.advance(timedelta(days=1))
    report = do_import("party.csv", "channel.csv")
    assert (report.import_id, report.total) == (None, TypeCount(known=3))
    assert content_digest(workspace.engine) == before


def test_import__from_another_file_and_row_is_the_same_fact(
    do_import: Import, workspace: Workspace, files: Path
) -> None:
    do_import("party.csv")
    before = content_digest(workspace.engine)
    (files / "copy.json").write_text(
        '{"facts":[{"type":"party","id":"P-2","name":"Platform","country":"US"}]}'
    )
    assert do_import("copy.json").total == TypeCount(known=1)
    assert content_digest(workspace.engine) == before


def test_import__reference_to_an_earlier_import(do_import: Import) -> None:
    do_import("party.csv")
    assert do_import("channel.csv").total == TypeCount(new=1)


def test_import__dangling_reference_is_refused(do_import: Import, workspace: Workspace) -> None:
    before = content_digest(workspace.engine)
    with pytest.raises(IntakeError) as caught:
        do_import("channel.csv")
    assert caught.value.code == "CRN-F-002"
    assert content_digest(workspace.engine) == before


def test_import__one_bad_file_refuses_all(
    do_import: Import, workspace: Workspace, files: Path
) -> None:
    before = content_digest(workspace.engine)
    (files / "product.csv").write_text("id,nonsense\n1,2\n")
    with pytest.raises(IntakeError):
        do_import("party.csv", "product.csv")
    assert content_digest(workspace.engine) == before


def test_import__another_content_is_refused_with_each_difference(
    do_import: Import, workspace: Workspace, files: Path
) -> None:
    do_import("party.csv")
    before = content_digest(workspace.engine)
    (files / "party.csv").write_text(
        "id,name,country,industry\nP-3,New,CN,\nP-1,Renamed,CN,toys\nP-2,Platform,SG,\n"
    )
    with pytest.raises(IntakeError) as caught:
        do_import("party.csv")
    assert caught.value.code == "CRN-F-004"
    found = [(issue.row, issue.column, issue.found) for issue in caught.value.issues]
    assert found == [(3, "industry", "'toys'"), (3, "name", "'Renamed'"), (4, "country", "'SG'")]
    industry, name, _ = (issue.expected.en for issue in caught.value.issues)
    assert name.startswith("'Seller', as party P-1 was imported from ")
    assert name.endswith("party.csv:2")
    assert industry.startswith("nothing, as party P-1")
    assert "--replace" in caught.value.issues[0].remedy.zh
    assert content_digest(workspace.engine) == before


def test_import__replacing_adds_versions_and_keeps_history(
    do_import: Import, workspace: Workspace, files: Path
) -> None:
    do_import("party.csv")
    for name in ("Second", "Third"):
        (files / "party.csv").write_text(PARTIES.replace("Seller", name))
        report = do_import("party.csv", is_replacing=True)
        assert report.total == TypeCount(replaced=1, known=1)
    with reading(workspace.engine) as connection:
        versions = stored.history(connection, "party", "P-1")
    assert [each.fact().fields["name"] for each in versions] == ["Seller", "Second", "Third"]
    assert workspace_status(workspace).facts == {"party": 2}


def test_import__back_to_the_first_content_is_a_third_version(
    do_import: Import, workspace: Workspace, files: Path
) -> None:
    do_import("party.csv")
    for text in (PARTIES.replace("Seller", "Second"), PARTIES):
        (files / "party.csv").write_text(text)
        do_import("party.csv", is_replacing=True)
    with reading(workspace.engine) as connection:
        names = [each.fact().fields["name"] for each in stored.history(connection, "party", "P-1")]
    assert names == ["Seller", "Second", "Seller"]


def test_import__waits_for_another_import(
    workspace_path: Path, files: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_DATABASE_WAIT_S", "1")
    with Workspace.open(workspace_path) as workspace:
        with writing(workspace.engine, Lock.IMPORT), pytest.raises(ConflictError):
            import_files(workspace, [files / "party.csv"], clock)
        assert import_files(workspace, [files / "party.csv"], clock).total == TypeCount(new=2)


def test_import__the_size_limit_is_the_setting(
    workspace_path: Path, files: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_IMPORT_FILE_SIZE_MAX", str(len(PARTIES) - 1))
    with Workspace.open(workspace_path) as workspace, pytest.raises(IntakeError) as caught:
        import_files(workspace, [files / "party.csv"], clock)
    assert f"{len(PARTIES)} bytes" in str(caught.value)


def test_import__so_many_differences_that_reading_stops(
    do_import: Import, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_import("party.csv")
    (files / "party.csv").write_text(PARTIES.replace("Seller", "A").replace("Platform", "B"))
    monkeypatch.setattr("carnet.facts.issue.PROBLEMS_READ_MAX", 1)
    with pytest.raises(IntakeError) as caught:
        do_import("party.csv")
    assert not caught.value.is_complete
    assert len(caught.value.issues) == 1


def test_report__as_json(do_import: Import) -> None:
    assert do_import("party.csv").to_json() == {
        "import": 1,
        "new": 2,
        "replaced": 0,
        "known": 0,
        "types": {"party": {"new": 2, "replaced": 0, "known": 0}},
        "without_facts": [],
        "credentials": [],
    }


HEADERS_ONLY = {
    "channel.csv": "id,name,kind\n",
    "none.json": '{"facts": []}',
    "blank.ndjson": "\n",
}


@pytest.mark.parametrize("name", HEADERS_ONLY)
def test_import__of_files_without_facts_is_refused(
    do_import: Import, files: Path, name: str
) -> None:
    (files / name).write_text(HEADERS_ONLY[name])
    with pytest.raises(InputError, match=f"CRN-F-005: There are no facts in .*{name}"):
        do_import(name)


def test_import__names_the_files_without_facts_beside_others(
    do_import: Import, files: Path
) -> None:
    for name, content in HEADERS_ONLY.items():
        (files / name).write_text(content)
    report = do_import("party.csv", *HEADERS_ONLY)
    assert report.total == TypeCount(new=2)
    assert report.without_facts == tuple(str(files / name) for name in HEADERS_ONLY)


def test_import__of_a_workbook_counts_its_sheets(do_import: Import, files: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "channel"
    for row in (["id", "name", "kind"], ["C-1", "Shop", "own_site"]):
        sheet.append(row)
    book.save(files / "odd#name.xlsx")
    assert do_import("odd#name.xlsx").without_facts == ()


@pytest.mark.parametrize(
    "content",
    [
        '{"facts": [{"type": "party", "id": "P-9", "name": "Other", "country": "DE"}]}',
        '{"type": "party", "id": "P-9", "name": "Other", "country": "DE"}\n',
    ],
    ids=["json", "ndjson"],
)
def test_import__from_standard_input(
    workspace: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    report = import_files(workspace, [Path("-")], clock)
    assert (report.total, report.without_facts) == (TypeCount(new=1), ())

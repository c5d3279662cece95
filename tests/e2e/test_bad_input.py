"""Input that cannot be used: a clear message, exit code 2, and the database as it was."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest

from carnet.core.clock import FixedClock
from carnet.services.importing import import_files
from carnet.services.workspace import Workspace
from carnet.store.digest import content_digest
from tests.processes import Completed, run_carnet

RECEIVABLE = "id,seller_id,debtor_id,document_sha256,face_minor,currency,delivered_on,due_on\n"
DOCUMENT = "ab" * 32


@dataclass(frozen=True)
class Bad:
    """One bad input: how to make it and what its message must name."""

    make: Callable[[Path], Path]
    words: tuple[str, ...]


def written(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text, "utf-8")
        return folder / name

    return make


def truncated_workbook(folder: Path) -> Path:
    path = folder / "party.xlsx"
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "party"
    sheet.append(["id", "name", "country"])
    for number in range(100):
        sheet.append([f"X-{number}", f"Company {number}", "CN"])
    book.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def too_large(folder: Path) -> Path:
    path = folder / "party.csv"
    path.write_text("id,name,country\n" + "X-1,Company,CN\n" * 300)
    return path


def a_folder(folder: Path) -> Path:
    (folder / "party.csv").mkdir()
    return folder / "party.csv"


def link_loop(folder: Path) -> Path:
    (folder / "party.csv").symlink_to(folder / "other.csv")
    (folder / "other.csv").symlink_to(folder / "party.csv")
    return folder / "party.csv"


def receivable(face: str = "100", due: str = "2026-12-31", debtor: str = "P-2") -> str:
    return f"{RECEIVABLE}R-1,P-1,{debtor},{DOCUMENT},{face},USD,2026-11-01,{due}\n"


BAD = {
    "truncated-xlsx": Bad(truncated_workbook, ("party.xlsx",)),
    "wrong-header": Bad(
        written("party.csv", "id,nome,country\nX-1,Company,CN\n"), ("party.csv", "'nome'", "name")
    ),
    "date-31-02": Bad(
        written("receivable.csv", receivable(due="31/02/2026")),
        ("receivable.csv", "row 2", "due_on", "'31/02/2026'", "YYYY-MM-DD"),
    ),
    "negative-amount": Bad(
        written("receivable.csv", receivable(face="-1")),
        ("receivable.csv", "row 2", "face_minor", "found -1"),
    ),
    "duplicate-id": Bad(
        written("party.csv", "id,name,country\nX-1,One,CN\nX-1,Two,CN\n"),
        ("party.csv", "row 3", "'X-1'", "party.csv:2"),
    ),
    "dangling-reference": Bad(
        written("receivable.csv", receivable(debtor="P-404")),
        ("receivable.csv", "row 2", "debtor_id", "'P-404'"),
    ),
    "over-the-limit": Bad(too_large, ("party.csv", "4516 bytes", "at most 4096")),
    "folder": Bad(a_folder, ("party.csv", "a folder")),
    "link-loop": Bad(link_loop, ("party.csv", "a loop of symbolic links")),
    "missing": Bad(lambda folder: folder / "party.csv", ("party.csv", "no such file")),
}


@pytest.fixture
def filled_path(workspace_path: Path, tmp_path: Path, clock: FixedClock) -> Path:
    """A workspace that holds two parties already."""
    good = tmp_path / "good"
    good.mkdir()
    (good / "party.csv").write_text("id,name,country\nP-1,Seller,CN\nP-2,Platform,US\n")
    with Workspace.open(workspace_path) as workspace:
        import_files(workspace, [good / "party.csv"], clock)
    return workspace_path


def run_import(workspace: Path, *arguments: str) -> Completed:
    env = {**os.environ, "CARNET_IMPORT_FILE_SIZE_MAX": "4096", "CARNET_LANG": "en"}
    return run_carnet("import", *arguments, "--workspace", workspace, env=env)


def digest_of(path: Path) -> str:
    with Workspace.open(path) as workspace:
        return content_digest(workspace.engine)


@pytest.mark.parametrize("name", BAD)
def test_bad_input__named_and_refused_and_the_database_unchanged(
    filled_path: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    path = BAD[name].make(folder)
    before = digest_of(filled_path)
    done = run_import(filled_path, str(path))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [word for word in BAD[name].words if word not in done.stderr] == []
    assert digest_of(filled_path) == before


def test_bad_input__good_files_beside_it_are_not_imported(
    filled_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    good = written("party.csv", "id,name,country\nX-1,New,CN\n")(folder)
    bad = written("receivable.csv", receivable(face="-1"))(folder)
    before = digest_of(filled_path)
    assert run_import(filled_path, str(good), str(bad)).returncode == 2
    assert digest_of(filled_path) == before
    assert run_import(filled_path, str(good)).returncode == 0
    assert digest_of(filled_path) != before


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_bad_input__as_json_and_in_chinese(filled_path: Path, tmp_path: Path) -> None:
    path = written("receivable.csv", receivable(face="-1", due="31/02/2026"))(tmp_path)
    done = run_import(filled_path, str(path), "--format", "json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, done.stderr) == (2, "")
    assert error["code"] == "CRN-F-001"
    assert [(issue["row"], issue["column"]) for issue in error["issues"]] == [
        (2, "face_minor"),
        (2, "due_on"),
    ]
    chinese = run_import(filled_path, str(path), "--lang", "zh").stderr
    assert "第 2 行，列 due_on：实际为 '31/02/2026'" in chinese


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_bad_usage__exit_code_2(filled_path: Path) -> None:
    for arguments in ([], ["--nonsense"], ["x.csv", "--format", "yaml"]):
        done = run_import(filled_path, *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr

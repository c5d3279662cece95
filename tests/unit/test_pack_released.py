"""A released version is never edited: the shelf's record and the workspace's acts tell."""

import json
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.core.errors import RulePackError
from carnet.rules.check.inspect import inspect_pack
from carnet.rules.pack import load_pack
from carnet.rules.released import RELEASED_FILE, released_digests
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.services import pack_changing
from carnet.services.pack_changing import Act
from carnet.services.workspace import Workspace
from tests.fixtures_ledger import NOW
from tests.fixtures_rules import rule, write_pack

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests:\n  - {id: none, as_of: 2026-11-23, facts: [], expect: []}\n"


def release(shelf: Path, version: str = "1") -> Path:
    rules = rule(when=['listing.market == "EU"'])
    folder = write_pack(shelf / "sample" / version, rules, status="released", version=version)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "a.yaml").write_text(TEST, "utf-8")
    return folder


def record(shelf: Path, **digests: str) -> None:
    (shelf / RELEASED_FILE).write_text(json.dumps(digests), "utf-8")


def codes(folder: Path) -> list[str]:
    return [each.code for each in inspect_pack(folder).errors]


def edit(folder: Path) -> None:
    path = folder / "rules" / "all.yaml"
    path.write_text(path.read_text("utf-8").replace("blocking", "info"), "utf-8")


def test_shipped_packs__are_what_was_released() -> None:
    recorded = released_digests(SHELF)
    for shelved in shelved_packs(SHELF):
        pack = load_pack(shelved.folder)
        if pack.status == "released":
            name = f"{pack.id}@{pack.version}"
            assert recorded.get(name) == pack.digest.hex(), "run: python3 tools/released.py"


def test_edited_version__is_a_defect(tmp_path: Path) -> None:
    folder = release(tmp_path)
    record(tmp_path, **{"sample@1": load_pack(folder).digest.hex(), "sample@2": "0" * 64})
    assert codes(folder) == []
    edit(folder)
    assert codes(folder) == ["CRN-R-146"]
    assert codes(release(tmp_path, "3")) == []


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": "b", "a": "b"}'])
def test_record__that_cannot_be_read_is_a_defect(tmp_path: Path, text: str) -> None:
    folder = release(tmp_path)
    (tmp_path / RELEASED_FILE).write_text(text, "utf-8")
    assert codes(folder) == ["CRN-R-147"]


def test_tool__adds_and_never_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = release(tmp_path)
    tool = runpy.run_path(str(ROOT / "tools" / "released.py"))["main"]
    monkeypatch.setitem(tool.__globals__, "SHELF", tmp_path)
    tool()
    assert released_digests(tmp_path) == {"sample@1": load_pack(folder).digest.hex()}
    assert "sample@1" in capsys.readouterr().out
    edit(folder)
    with pytest.raises(RulePackError, match="CRN-R-146"):
        tool()


def test_pack_check__in_a_workspace_knows_what_was_approved(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = release(tmp_path)
    pack_changing.propose(workspace, folder, Act("officer-1", "New.", FixedClock(NOW)))
    pack_changing.approve(workspace, "sample", Act("officer-2", "Read.", FixedClock(NOW)))
    command = ["pack", "check", str(folder), "-w", str(workspace.path), "--format", "json"]
    assert CliRunner().invoke(app, command).exit_code == 0
    edit(folder)
    done = CliRunner().invoke(app, command)
    (found,) = json.loads(done.stdout)["packs"]
    assert (done.exit_code, [each["code"] for each in found["defects"]][-1]) == (1, "CRN-R-146")

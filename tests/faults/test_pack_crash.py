"""`carnet pack propose` killed with SIGKILL at each of its points, then run again."""

import os
import signal
from pathlib import Path

import pytest

from carnet.services.packs import kept_digests, kept_pack, pack_histories
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from tests.fixtures_rules import listing, product, rule, spell, write_pack
from tests.processes import Completed, run_carnet

POINTS = ("files.before-rename", "packs.before-rename", "act.before-insert", "act.before-commit")


def propose(workspace: Path, folder: Path, crash_at: str = "") -> Completed:
    arguments = ["pack", "propose", str(folder), "--officer", "officer-1", "--reason", "New."]
    env = {**os.environ, "CARNET_CRASH_AT": crash_at}
    return run_carnet(*arguments, "--workspace", workspace, env=env)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = rule(when=['listing.market == "EU"'])
    place = write_pack(tmp_path / "sample" / "1", rules, status="released")
    facts = [listing().to_json(), product().to_json()]
    expected = {"case": "L1", "conformity": "nonconforming", "findings": ["rule-1"]}
    test = {"id": "one", "as_of": "DAY", "facts": facts, "expect": [expected]}
    (place / "tests").mkdir()
    text = spell({"tests": [test]}).replace('"DAY"', "2026-11-23")
    (place / "tests" / "a.yaml").write_text(text, encoding="utf-8")
    return place


@pytest.mark.parametrize("point", POINTS)
def test_propose__killed_and_run_again(workspace_path: Path, folder: Path, point: str) -> None:
    killed = propose(workspace_path, folder, point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with Workspace.open(workspace_path) as workspace:
        with reading(workspace.engine) as connection:
            assert pack_histories(connection) == {}
        # Whatever is kept is whole.
        for digest in kept_digests(workspace):
            kept_pack(workspace, digest)
    again = propose(workspace_path, folder)
    assert again.returncode == 0, again.stderr
    with Workspace.open(workspace_path) as workspace, reading(workspace.engine) as connection:
        (digest,) = pack_histories(connection)["sample"].proposals
        assert kept_pack(workspace, digest).pack.version == "1"

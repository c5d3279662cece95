"""`carnet import` killed with SIGKILL at each of its points, then run again: on both databases."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from carnet.services.status import workspace_status
from carnet.services.workspace import Workspace
from carnet.store.digest import content_digest
from tests.processes import CARNET, run_carnet

POINTS = {
    "import.before-insert": False,
    "import.before-commit": False,
    "import.after-commit": True,
}
"""Each point, and whether the import is durable when the process dies there."""


def run_import(
    workspace: Path, paths: list[Path], crash_at: str = ""
) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "CARNET_CRASH_AT": crash_at}
    return run_carnet("import", *paths, "--workspace", workspace, "--format", "json", env=env)


def digest_of(workspace: Path) -> str:
    with Workspace.open(workspace) as opened:
        return content_digest(opened.engine)


def facts_of(workspace: Path) -> dict[str, int]:
    with Workspace.open(workspace) as opened:
        return workspace_status(opened).facts


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    parties = tmp_path / "party.csv"
    rows = "".join(f"P-{number},Company {number},CN\n" for number in range(200))
    parties.write_text("id,name,country\n" + rows)
    channels = tmp_path / "channel.csv"
    channels.write_text("id,name,kind,platform_id\nC-1,Main,fully_managed,P-7\n")
    return [channels, parties]


@pytest.mark.parametrize("point", POINTS)
def test_import__killed_and_run_again(workspace_path: Path, paths: list[Path], point: str) -> None:
    before = digest_of(workspace_path)
    killed = run_import(workspace_path, paths, crash_at=point)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout == ""
    is_durable = POINTS[point]
    assert (digest_of(workspace_path) != before) is is_durable
    again = run_import(workspace_path, paths)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    expected = {"new": 0, "known": 201} if is_durable else {"new": 201, "known": 0}
    assert {key: report[key] for key in expected} == expected
    assert facts_of(workspace_path) == {"channel": 1, "party": 200}
    after = digest_of(workspace_path)
    assert json.loads(run_import(workspace_path, paths).stdout)["known"] == 201
    assert digest_of(workspace_path) == after


def test_points__are_those_of_the_source() -> None:
    source = Path(__file__).parents[2] / "src" / "carnet" / "services" / "importing.py"
    text = source.read_text("utf-8")
    assert text.count("crash_point(") == len(POINTS)
    assert all(f'crash_point("{point}")' in text for point in POINTS)


def test_import__two_at_once_lose_and_double_nothing(
    workspace_path: Path, paths: list[Path]
) -> None:
    arguments = ["import", *map(str, paths), "-w", str(workspace_path), "--format", "json"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CARNET, *arguments], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    reports = [json.loads(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(report["new"] for report in reports) == [0, 201]
    assert facts_of(workspace_path) == {"channel": 1, "party": 200}

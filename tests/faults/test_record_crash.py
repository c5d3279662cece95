"""Revoking and publishing, killed at each point and run again: nothing half done or twice."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Completed, run_carnet


def run(folder: Path, *words: str, crash_at: str = "") -> Completed:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    env |= {"CARNET_CRASH_AT": crash_at} if crash_at else {}
    return run_carnet(*words, "-w", "shop", "--format", "json", cwd=folder, env=env)


def told_by(folder: Path, *words: str) -> Any:
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def shop(told: Path, tmp_path: Path) -> Path:
    """Return a folder with a copy of the story's workspace and a certificate that waits."""
    shutil.copytree(told / "carnet-demo", tmp_path / "shop", ignore=shutil.ignore_patterns("chain"))
    (tmp_path / "shop" / "chain").mkdir()
    return tmp_path


def lists(folder: Path) -> int:
    rows = told_by(folder, "record", "list")["records"]
    return sum(row["kind"] == "status-list" for row in rows)


@pytest.mark.parametrize(
    ("point", "is_revoked"),
    [
        ("revoke.before-commit", False),
        ("append.before-stage", True),
        ("append.before-commit", True),
        ("append.after-commit", True),
    ],
)
def test_revoke__killed_and_run_again(shop: Path, point: str, *, is_revoked: bool) -> None:
    record = told_by(shop, "record", "add", "certificate", "CRT-001")["id"]
    told_by(shop, "status-list", "publish")
    before = lists(shop)
    revoke = ("record", "revoke", record, "--reason", "withdrawn")
    assert run(shop, *revoke, crash_at=point).returncode == -signal.SIGKILL
    assert told_by(shop, *revoke)["isNew"] is not is_revoked
    (listed,) = told_by(shop, "status-list", "show")["lists"]
    assert (listed["revoked"], lists(shop)) == (1, before + 1)
    assert listed["index"] is not None


@pytest.mark.parametrize("point", ["status.before-commit", "append.before-commit"])
def test_publish__killed_and_run_again(shop: Path, point: str) -> None:
    told_by(shop, "record", "add", "certificate", "CRT-001")
    before = lists(shop)
    assert run(shop, "status-list", "publish", crash_at=point).returncode == -signal.SIGKILL
    told_by(shop, "status-list", "publish")
    (listed,) = told_by(shop, "status-list", "show")["lists"]
    assert lists(shop) == before + 1
    assert listed["index"] is not None

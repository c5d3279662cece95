"""Recording and issuing killed before the commit, then run again: nothing is lost or doubled."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock, SystemClock
from carnet.core.quarters import quarter_of
from carnet.services.workspace import Workspace, create
from tests.fixtures_ledger import NOW
from tests.fixtures_passport import SELLER, confirm, import_facts, sound_facts
from tests.processes import run_carnet


def carnet(workspace: Path, *arguments: str, crash_at: str = "") -> Any:
    env = {**os.environ, "CARNET_CRASH_AT": crash_at}
    done = run_carnet(*arguments, "--workspace", workspace, env=env)
    if crash_at:
        assert done.returncode == -signal.SIGKILL, done.stderr
        return None
    assert done.returncode in {0, 3}, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Return a workspace with a pool and no listing, so that nothing needs an attestation."""
    path, clock = tmp_path / "w", FixedClock(NOW)
    create(path, clock=clock)
    kept = [
        fact
        for fact in sound_facts()
        if fact["type"] not in {"listing", "product"} and "product_id" not in fact
    ]
    with Workspace.open(path) as workspace:
        import_facts(workspace, kept, tmp_path, clock)
        confirm(workspace, clock)
    return path


def test_killed_before_the_commit__and_run_again(filled: Path) -> None:
    record = ("data-point", "record", "--format", "json")
    carnet(filled, *record, crash_at="datapoints.before-commit")
    assert carnet(filled, *record)["recorded"] == 13
    assert carnet(filled, *record)["recorded"] == 0
    quarter = str(quarter_of(SystemClock().now().date()))
    issue = ("passport", "issue", SELLER, "--quarter", quarter, "--format", "json")
    carnet(filled, *issue, crash_at="passport.before-commit")
    first = carnet(filled, *issue)
    assert first["is_new"]
    again = carnet(filled, *issue)
    assert not again["is_new"]
    assert again["record_hash"] == first["record_hash"]
    assert again["supersedes"] is None

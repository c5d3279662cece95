"""Changing a key, killed with SIGKILL between its steps and run again: on both databases."""

import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.ledger.keys import KeyRole
from carnet.ledger.reader import LogReader
from carnet.ledger.verify import verify_bundle
from carnet.services.appending import append_records
from carnet.services.bundling import export_bundle
from carnet.services.key_changing import list_keys, new_key, rotate_key
from carnet.services.policies import make_policy
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import DAY, attest_and_append, decide
from tests.processes import run_python

ROOT = Path(__file__).parents[2]
ROLES: list[tuple[KeyRole, str]] = [
    ("issuer", ""),
    ("log", ""),
    ("witness", ""),
    ("officer", "officer-1"),
]
POINTS = {"keys.before-commit": False, "keys.after-commit": True}
"""Each point, and whether the event is then staged."""

CHILD = """
import sys
from pathlib import Path
from carnet.core.clock import FixedClock
from carnet.services.key_changing import revoke_key, rotate_key
from carnet.services.workspace import Workspace
from tests.fixtures_ledger import NOW

act, folder, role, name = sys.argv[1:]
with Workspace.open(Path(folder)) as workspace:
    if act == "rotate":
        rotate_key(workspace, role, name or None, FixedClock(NOW))
    else:
        revoke_key(workspace, role, name or None, "lost", FixedClock(NOW))
"""


def kill(workspace: Workspace, act: str, role: str, name: str, point: str) -> None:
    env = {**os.environ, "CARNET_CRASH_AT": point}
    done = run_python(CHILD, act, workspace.path, role, name, env=env)
    assert done.returncode == -signal.SIGKILL, done.stderr


def files(workspace: Workspace, role: str) -> int:
    return len(list(workspace.keys_path.glob(f"{role}-*.key")))


@pytest.mark.parametrize(("role", "name"), ROLES, ids=[role for role, _ in ROLES])
@pytest.mark.parametrize("point", POINTS)
def test_rotation__killed_and_gone_on_with(
    seller: Workspace, clock: FixedClock, role: KeyRole, name: str, point: str
) -> None:
    new_key(seller, "officer", "officer-1", clock)
    new_key(seller, "witness", None, clock)
    (before,) = attest_and_append(seller, clock, [decide(seller)])
    size = LogReader(seller.engine).size()

    kill(seller, "rotate", role, name, point)
    reader = LogReader(seller.engine)
    assert len(reader.pending()) == POINTS[point]
    assert reader.size() == size
    # The file of the new key is there in either case; no command makes a third one.
    assert files(seller, role) == 2
    append_records(seller, clock)
    assert LogReader(seller.engine).size() == size + POINTS[point]
    if not POINTS[point]:
        rotate_key(seller, role, name or None, clock)
    assert files(seller, role) == 2
    lines = [line for line in list_keys(seller) if line.role == role]
    assert [(line.is_current, line.ended is None) for line in lines] == [
        (False, False),
        (True, True),
    ]
    assert lines[0].ended == lines[1].begun == size
    check_bundles(seller, clock, before.record_id)


def check_bundles(workspace: Workspace, clock: FixedClock, before: str) -> None:
    """Check that what was signed before and what is signed after verify."""
    day = DAY + timedelta(days=1)
    (after,) = attest_and_append(workspace, clock, [decide(workspace, as_of=day)])
    policy = make_policy(workspace)
    for name, as_of in ((before, DAY), (after.record_id, day)):
        found = verify_bundle(export_bundle(workspace, name).to_bytes(), policy, today=as_of)
        assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]


@pytest.mark.parametrize("point", POINTS)
def test_revocation__killed_and_gone_on_with(
    seller: Workspace, clock: FixedClock, point: str
) -> None:
    new_key(seller, "officer", "officer-1", clock)
    size = LogReader(seller.engine).size()
    kill(seller, "revoke", "officer", "officer-1", point)
    append_records(seller, clock)
    assert LogReader(seller.engine).size() == size + POINTS[point]
    (line,) = [line for line in list_keys(seller) if line.role == "officer"]
    assert line.is_current is not POINTS[point]
    assert (line.ended == size) is POINTS[point]


def test_points__are_those_of_the_source() -> None:
    source = (ROOT / "src" / "carnet" / "services" / "key_changing.py").read_text("utf-8")
    assert set(re.findall(r'crash_point\("([^"]+)"\)', source)) == set(POINTS)

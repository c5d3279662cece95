"""Two who change one key at once: one wins, the other is told, and the log holds one history."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from carnet.core.clock import Clock, FixedClock
from carnet.core.errors import ConflictError
from carnet.ledger.keys import KeyRole
from carnet.ledger.reader import LogReader
from carnet.services import key_changing
from carnet.services.appending import append_records
from carnet.services.key_changing import list_keys, new_key, revoke_key, rotate_key
from carnet.services.keys import ensure_key
from carnet.services.workspace import Workspace

ROOT = Path(__file__).parents[2]
ROLES: list[tuple[KeyRole, str | None]] = [
    ("issuer", None),
    ("log", None),
    ("witness", None),
    ("officer", "officer-1"),
]
CHILD = """
import sys
from pathlib import Path
from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError
from carnet.services.key_changing import rotate_key
from carnet.services.workspace import Workspace
from tests.fixtures_ledger import NOW

with Workspace.open(Path(sys.argv[1])) as workspace:
    sys.stdin.readline()
    try:
        print(rotate_key(workspace, "officer", "officer-1", FixedClock(NOW)).did)
    except ConflictError as error:
        print(error.code)
"""


def prepare(workspace: Workspace, clock: Clock) -> None:
    new_key(workspace, "officer", "officer-1", clock)
    new_key(workspace, "witness", None, clock)


def rotate(workspace: Workspace, role: KeyRole, name: str | None, clock: Clock) -> object:
    return rotate_key(workspace, role, name, clock)


def revoke(workspace: Workspace, role: KeyRole, name: str | None, clock: Clock) -> object:
    return revoke_key(workspace, role, name, "lost", clock)


Change = Callable[[Workspace, KeyRole, str | None, Clock], object]


@pytest.mark.parametrize(("role", "name"), ROLES, ids=[role for role, _ in ROLES])
@pytest.mark.parametrize("loses", [rotate, revoke])
def test_change__of_a_key_that_another_process_rotates_meanwhile(
    seller: Workspace,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
    role: KeyRole,
    name: str | None,
    loses: Change,
) -> None:
    """The other process is done between the loser's first look and its transaction."""
    if (role, loses) == ("log", revoke):
        return
    prepare(seller, clock)
    won = []

    def other_first(workspace: Workspace, at: Clock) -> list[int]:
        monkeypatch.setattr(key_changing, "append_records", append_records)
        with Workspace.open(seller.path) as other:
            won.append(rotate_key(other, role, name, at))
        return append_records(workspace, at)

    monkeypatch.setattr(key_changing, "append_records", other_first)
    with pytest.raises(ConflictError, match="CRN-L-105") as caught:
        loses(seller, role, name, clock)
    assert role in caught.value.message.en
    assert role in caught.value.message.zh
    keys = [line for line in list_keys(seller) if (line.role, line.is_current) == (role, True)]
    assert keys == won
    assert LogReader(seller.engine).pending() == []


def test_rotation__by_many_processes_at_once(seller: Workspace, clock: FixedClock) -> None:
    """Each wins or is refused; every win is one event, and the events form one chain."""
    prepare(seller, clock)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(seller.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=120)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    wins = {each for each in said if each.startswith("did:key:")}
    assert wins
    assert len(wins) + said.count("CRN-L-105") == len(children)
    lines = [line for line in list_keys(seller) if line.role == "officer"]
    assert {line.did for line in lines[1:]} == wins
    assert [line.is_current for line in lines] == [False] * len(wins) + [True]
    assert [line.begun for line in lines[1:]] == [line.ended for line in lines[:-1]]
    assert ensure_key(seller, "issuer", clock)

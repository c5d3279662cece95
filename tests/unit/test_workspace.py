"""Workspaces: made once, continued after a kill, opened only whole, locked by one secret."""

import os
import signal
import stat
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.core.envelope import Secret, open_file, seal_file
from carnet.core.errors import InputError, NotFoundError, StoreError
from carnet.services.workspace import PROOF_FILE, Workspace, create
from carnet.store.digest import content_digest
from carnet.store.schema import REVISIONS
from tests.processes import run_python

INIT_POINTS = ("init.after-claim", "init.after-key", "init.before-settings", "files.before-rename")
MAKE = """
import sys
from pathlib import Path
from carnet.core.clock import SystemClock
from carnet.services.workspace import create
create(Path(sys.argv[1]), clock=SystemClock(), passphrase=sys.argv[2] or None)
"""


@pytest.fixture(autouse=True)
def _no_passphrase_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARNET_PASSPHRASE", raising=False)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_create__modes_and_contents(workspace: Workspace, database_kind: str) -> None:
    assert mode_of(workspace.keys_path) == 0o700
    assert mode_of(workspace.keys_path / "workspace.key") == 0o600
    assert mode_of(workspace.path / PROOF_FILE) == 0o600
    assert workspace.chain_path.is_dir()
    names = {entry.name for entry in workspace.path.iterdir()} - {"carnet.db-wal", "carnet.db-shm"}
    database = {"carnet.db"} if database_kind == "sqlite" else set()
    assert names == {"carnet.toml", "keys", "chain"} | database
    assert workspace.secret.kind == "key_file"
    assert workspace.engine.dialect.name == database_kind


def test_create__twice_is_refused_and_changes_nothing(
    workspace: Workspace, clock: FixedClock
) -> None:
    before = content_digest(workspace.engine), workspace.secret
    with pytest.raises(InputError) as caught:
        create(workspace.path, clock=clock)
    assert caught.value.code == "CRN-C-061"
    with Workspace.open(workspace.path) as again:
        assert (content_digest(again.engine), again.secret) == before


def test_create__in_an_empty_folder(tmp_path: Path, clock: FixedClock) -> None:
    create(tmp_path, clock=clock)
    Workspace.open(tmp_path).close()


def test_create__beside_something_else_is_refused_and_touches_nothing(
    tmp_path: Path, clock: FixedClock
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt") as caught:
        create(tmp_path, clock=clock)
    assert caught.value.code == "CRN-C-062"
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_create__where_a_file_stands(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError) as caught:
            create(path, clock=clock)
        assert caught.value.code == "CRN-C-063"


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
@pytest.mark.parametrize("point", INIT_POINTS)
def test_create__killed_and_run_again(tmp_path: Path, point: str, passphrase: str) -> None:
    path = tmp_path / "w"
    env = {**os.environ, "CARNET_CRASH_AT": point}
    killed = run_python(MAKE, path, passphrase, env=env)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(NotFoundError):
        Workspace.open(path)
    again = run_python(MAKE, path, passphrase)
    assert again.returncode == 0, again.stderr
    with Workspace.open(path, ask_passphrase=lambda: passphrase) as workspace:
        assert workspace.secret.kind == ("passphrase" if passphrase else "key_file")


def test_create__two_locks_are_refused(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_KEY_FILE", "keys/other.key")
    with pytest.raises(InputError) as caught:
        create(tmp_path / "w", clock=clock, passphrase="x")
    assert caught.value.code == "CRN-C-064"


def test_create__bad_setting_makes_nothing(tmp_path: Path, clock: FixedClock) -> None:
    with pytest.raises(InputError):
        create(tmp_path / "w", clock=clock, log_origin="with space")
    assert not (tmp_path / "w").exists()


def test_passphrase__from_the_environment_or_asked(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "w", clock=clock, passphrase="open sesame")
    assert not (tmp_path / "w" / "keys" / "workspace.key").exists()
    with Workspace.open(tmp_path / "w", ask_passphrase=lambda: "open sesame") as workspace:
        assert workspace.secret == Secret.from_passphrase("open sesame")
    monkeypatch.setenv("CARNET_PASSPHRASE", "open sesame")
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.secret == Secret.from_passphrase("open sesame")


def test_passphrase__mistyped_is_refused_before_it_locks_anything(
    tmp_path: Path, clock: FixedClock
) -> None:
    create(tmp_path / "w", clock=clock, passphrase="open sesame")
    with Workspace.open(tmp_path / "w", ask_passphrase=lambda: "open sesami") as workspace:
        with pytest.raises(InputError) as caught:
            _ = workspace.secret
        assert caught.value.code == "CRN-C-046"
    with Workspace.open(tmp_path / "w") as workspace, pytest.raises(InputError, match="empty"):
        _ = workspace.secret


def test_secret__locks_and_unlocks_keys(workspace: Workspace) -> None:
    path = workspace.keys_path / "log-signer.json"
    seal_file(path, workspace.secret, b"key", role="log-signer")
    with Workspace.open(workspace.path) as again:
        assert open_file(path, again.secret, role="log-signer") == b"key"


def test_key_file__open_to_others_is_refused(workspace: Workspace) -> None:
    (workspace.keys_path / "workspace.key").chmod(0o644)
    with pytest.raises(InputError, match="permissions 0644"):
        _ = workspace.secret


def test_key_file__of_another_workspace_is_refused(workspace: Workspace) -> None:
    key = workspace.keys_path / "workspace.key"
    key.write_bytes(bytes(32))
    with pytest.raises(InputError) as caught:
        _ = workspace.secret
    assert caught.value.code == "CRN-C-046"


def test_open__a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        Workspace.open(tmp_path)
    assert caught.value.code == "CRN-C-060"
    assert list(tmp_path.iterdir()) == []


def test_open__database_file_gone(tmp_path: Path, clock: FixedClock) -> None:
    create(tmp_path / "w", clock=clock)
    (tmp_path / "w" / "carnet.db").unlink()
    with pytest.raises(StoreError) as caught:
        Workspace.open(tmp_path / "w")
    assert caught.value.code == "CRN-C-025"
    assert not (tmp_path / "w" / "carnet.db").exists()


def test_open__relative_database_lies_in_the_workspace(tmp_path: Path, clock: FixedClock) -> None:
    create(tmp_path / "w", clock=clock, database_url="sqlite:///own.db")
    assert (tmp_path / "w" / "own.db").is_file()
    Workspace.open(tmp_path / "w").close()


def test_open__database_without_tables_until_upgraded(workspace_path: Path) -> None:
    (workspace_path / "other.db").touch()
    settings = workspace_path / "carnet.toml"
    settings.write_text('database_url = "sqlite:///other.db"\n')
    with pytest.raises(StoreError) as caught:
        Workspace.open(workspace_path)
    assert caught.value.code == "CRN-C-027"
    with Workspace.open(workspace_path, is_upgrading=True) as workspace:
        assert workspace.upgrade() == REVISIONS
    Workspace.open(workspace_path).close()

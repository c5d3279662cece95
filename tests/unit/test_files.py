"""Files that are whole or absent, and secrets that only their owner can read."""

import os
import stat
from pathlib import Path

import pytest

from carnet.core.errors import InputError
from carnet.core.files import make_private_folder, read_private, write_atomic, write_private
from tests.processes import run_python


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_private__mode_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_private(tmp_path / "key", b"secret")
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "key") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
    assert read_private(tmp_path / "key") == b"secret"


def test_write_private__never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"first")
    with pytest.raises(InputError) as caught:
        write_private(path, b"second")
    assert caught.value.code == "CRN-C-040"
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644])
def test_read_private__refuses_group_and_others(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_private(path, b"secret")
    path.chmod(mode)
    with pytest.raises(InputError, match=f"permissions {mode:04o}") as caught:
        read_private(path)
    assert f"chmod 600 {path}" in caught.value.hint.en


def test_read_private__refuses_a_link_a_folder_a_pipe_and_nothing(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    make_private_folder(tmp_path / "folder")
    for name in ("link", "pipe", "folder", "absent"):
        with pytest.raises(InputError) as caught:
            read_private(tmp_path / name)
        assert caught.value.code == "CRN-C-041"


def test_read_private__refuses_a_large_file(tmp_path: Path) -> None:
    write_private(tmp_path / "key", bytes(1024 * 1024 + 1))
    with pytest.raises(InputError, match="1048577 bytes"):
        read_private(tmp_path / "key")


def test_make_private_folder__narrows_one_that_exists(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    make_private_folder(tmp_path / "keys")
    assert mode_of(tmp_path / "keys") == 0o700


def test_write_atomic__killed_before_the_rename_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    code = (
        "import sys; from pathlib import Path; from carnet.core.files import write_atomic; "
        "write_atomic(Path(sys.argv[1]), b'new')"
    )
    killed = run_python(code, path, env={**os.environ, "CARNET_CRASH_AT": "files.before-rename"})
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o644


def test_write_atomic__failed_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomic(tmp_path / "taken", b"data")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]

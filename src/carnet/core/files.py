"""Files that are whole or absent: written beside their place, synced, then moved into it."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from carnet.core.crash import crash_point
from carnet.core.errors import InputError
from carnet.core.text import Text

PRIVATE_MODE: Final = 0o600
PRIVATE_FOLDER_MODE: Final = 0o700
PRIVATE_SIZE_MAX: Final = 1024 * 1024
"""Bytes of one file with a secret in it."""


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new one whole."""
    beside = _write_beside(path, data, mode)
    try:
        crash_point("files.before-rename")
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_small(path: Path, size_max: int) -> bytes:
    """Return the beginning of a file: all of it, where it is no longer than `size_max`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size_max + 1)
    finally:
        os.close(descriptor)


def _refuse_overwriting(path: Path) -> InputError:
    return InputError(
        "CRN-C-040",
        Text(f"The file {path} exists already.", f"文件 {path} 已经存在。"),
        Text(
            "A secret is never overwritten; move the file away.", "机密文件不会被覆盖；请先移走。"
        ),
    )


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read (0600), durable when this returns.

    Raises:
        InputError: The file exists; a key is never overwritten.
    """
    beside = _write_beside(path, data, PRIVATE_MODE)
    try:
        # A link fails where the name is taken, a rename would replace what is there.
        os.link(beside, path)
    except FileExistsError:
        raise _refuse_overwriting(path) from None
    finally:
        beside.unlink()
    sync_folder(path.parent)


def _refuse_reading(path: Path, en: str, zh: str, hint: Text) -> InputError:
    return InputError(
        "CRN-C-041",
        Text(f"The file {path} cannot be used: {en}.", f"无法使用文件 {path}：{zh}。"),
        hint,
    )


def _check_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refuse_reading(
            path,
            "it is not a regular file",
            "它不是普通文件",
            Text("Name the file itself.", "请指定文件本身。"),
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise _refuse_reading(
            path,
            f"its permissions {mode:04o} let others read or change it, expected 0600",
            f"其权限 {mode:04o} 允许他人读取或修改，应为 0600",
            Text(f"Run `chmod 600 {path}`.", f"请运行 `chmod 600 {path}`。"),
        )
    if found.st_size > PRIVATE_SIZE_MAX:
        raise _refuse_reading(
            path,
            f"it has {found.st_size} bytes, at most {PRIVATE_SIZE_MAX}",
            f"其大小为 {found.st_size} 字节，上限 {PRIVATE_SIZE_MAX}",
            Text("Check that it is the right file.", "请检查是否为正确的文件。"),
        )


def read_private(path: Path) -> bytes:
    """Return the content of a file that only its owner can read.

    Raises:
        InputError: It is absent, a link, not a file, too large, or open to group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _refuse_reading(
            path,
            f"it cannot be opened ({error.strerror})",
            f"无法打开（{error.strerror}）",
            Text(
                "Check the path; a symbolic link is not followed.",
                "请检查路径；不跟随符号链接。",
            ),
        ) from None
    try:
        _check_private(path, os.fstat(descriptor))
        return os.read(descriptor, PRIVATE_SIZE_MAX)
    finally:
        os.close(descriptor)


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner can enter (0700); one that exists is given that mode."""
    path.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    path.chmod(PRIVATE_FOLDER_MODE)


@contextmanager
def held_file(path: Path) -> Iterator[None]:
    """Hold a lock file, made if it is absent, for one thread of one process at a time.

    The lock is the kernel's: whoever waits goes on at once, and it ends with its process, however
    that ends. The file itself stays: removing it would let two hold it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Hold a private folder, made if it is absent, for one process at a time.

    The lock is the kernel's: it ends with the process that holds it, however that ends.
    """
    path.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

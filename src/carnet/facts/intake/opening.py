"""Opening a file that a user named: a regular file within the size limit, or a clear problem."""

import errno
import os
import stat
import unicodedata
from pathlib import Path
from typing import BinaryIO

from carnet.core.text import Text
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.issue import Found, Problem

_REGULAR = Text("a regular file that can be read", "可读取的普通文件")

_NO_FILE = Text("no such file", "文件不存在")
_REASONS: dict[int, tuple[Found, Text]] = {
    errno.ENOENT: (
        _NO_FILE,
        Text("Check the path and its spelling.", "请检查路径及其拼写。"),
    ),
    errno.ENOTDIR: (
        _NO_FILE,
        Text("Check the path and its spelling.", "请检查路径及其拼写。"),
    ),
    errno.ELOOP: (
        Text("a loop of symbolic links", "符号链接循环"),
        Text("Name the file itself instead of the link.", "请直接指定文件本身，而非链接。"),
    ),
    errno.EACCES: (
        Text("no permission to read", "没有读取权限"),
        Text("Ask for the right to read the file.", "请申请读取该文件的权限。"),
    ),
    errno.ENAMETOOLONG: (
        Text("the path is too long", "路径过长"),
        Text("Move the file to a shorter path.", "请将文件移到较短的路径下。"),
    ),
}


class FileRefusedError(Exception):
    """A file cannot be read; the problem says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem.found))
        self.problem = problem


def refuse(found: Found, expected: Text, remedy: Text) -> FileRefusedError:
    """Return the refusal of a whole file."""
    return FileRefusedError(Problem(None, found, expected, remedy))


def display_name(name: str) -> str:
    r"""Return a file name as messages and facts show it: printable, normalised, no blank ends.

    >>> display_name("a.csv"), display_name("a" + chr(10) + ".csv")
    ('a.csv', 'a\\n.csv')
    """
    if name.isprintable() and name == name.strip() and unicodedata.is_normalized("NFC", name):
        return name
    return ascii(name)[1:-1].strip()


def open_regular(path: Path, limits: IntakeLimits) -> BinaryIO:
    """Open a file for reading; the caller closes it.

    The checks are made on the open file, so that nothing can be put in its place between them;
    opening does not block on a pipe.

    Raises:
        FileRefusedError: It is missing, not regular, not readable, empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(error) from None
    except ValueError:
        found = Text("a path with a NUL character", "路径含有 NUL 字符")
        raise refuse(found, _REGULAR, _REASONS[errno.ENOENT][1]) from None
    try:
        _check_status(os.fstat(descriptor), limits)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def unreadable(error: OSError) -> FileRefusedError:
    """Return the refusal of a file that the operating system does not let us read."""
    found, remedy = _REASONS.get(
        error.errno or errno.EIO,
        (
            os.strerror(error.errno or errno.EIO),
            Text("Check the file and the disk.", "请检查文件和磁盘。"),
        ),
    )
    return refuse(found, _REGULAR, remedy)


def _check_status(status: os.stat_result, limits: IntakeLimits) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise refuse(
            Text("a folder", "文件夹"),
            _REGULAR,
            Text("Name the files in the folder one by one.", "请逐一指定文件夹中的文件。"),
        )
    if not stat.S_ISREG(status.st_mode):
        raise refuse(
            Text("a pipe, socket or device", "管道、套接字或设备"),
            _REGULAR,
            Text("Save the data to a file first.", "请先将数据保存为文件。"),
        )
    if status.st_size > limits.file_size_max:
        raise too_large(status.st_size, limits)


def too_large(size: int, limits: IntakeLimits) -> FileRefusedError:
    """Return the refusal of a file over the size limit."""
    return refuse(
        Text(f"{size} bytes", f"{size} 字节"),
        Text(
            f"at most {limits.file_size_max} bytes a file",
            f"每个文件不超过 {limits.file_size_max} 字节",
        ),
        Text(
            "Split the file, or raise the limit in the settings.",
            "请拆分文件，或在设置中提高上限。",
        ),
    )


def read_bounded(stream: BinaryIO, limits: IntakeLimits) -> bytes:
    """Return the content of a stream.

    Raises:
        FileRefusedError: It is empty or too large.
    """
    data = stream.read(limits.file_size_max + 1)
    if len(data) > limits.file_size_max:
        raise too_large(len(data), limits)
    if not data:
        raise empty()
    return data


def empty() -> FileRefusedError:
    """Return the refusal of a file without content."""
    return refuse(
        Text("an empty file", "空文件"),
        Text("a file with facts", "包含事实的文件"),
        Text("Export the data again.", "请重新导出数据。"),
    )


MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which some programs put at the start."""


def check_utf8(data: bytes) -> bytes:
    """Return text in UTF-8 without its byte order mark.

    Raises:
        FileRefusedError: It is another encoding, or holds a NUL; the message tells the line.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from None
    position = data.find(b"\0")
    if position >= 0:
        line = data.count(b"\n", 0, position) + 1
        raise refuse(
            Text(f"a NUL character in line {line}", f"第 {line} 行有 NUL 字符"),
            Text("text without NUL characters", "不含 NUL 字符的文本"),
            Text("Export the data again as UTF-8 text.", "请重新导出为 UTF-8 文本。"),
        )
    return data.removeprefix(MARK)


def _not_utf8(data: bytes, position: int) -> FileRefusedError:
    line = data.count(b"\n", 0, position) + 1
    return refuse(
        Text(
            f"byte 0x{data[position]:02x} in line {line}",
            f"第 {line} 行的字节 0x{data[position]:02x}",
        ),
        Text("text in UTF-8", "UTF-8 编码的文本"),
        Text(
            "Save the file again as UTF-8 (in Excel: 'CSV UTF-8').",
            "请另存为 UTF-8 编码（Excel 中选择“CSV UTF-8”）。",
        ),
    )

"""Where a result goes: stdout as it is, or a file that is whole or absent."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carnet.cli.language import t
from carnet.cli.options import STDOUT
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.cli.render.paper import Paper

BOM = "\ufeff"
"""What makes spreadsheets read a CSV file as UTF-8; a pipe gets none."""


def paper_for(output: Path) -> "Paper":
    """Return what lines for people are written on: on a terminal broken and in colour.

    NO_COLOR, set to anything, leaves the colours out.
    """
    from carnet.cli.render.paper import WIDTH_RANGE, Paper

    if output != STDOUT or not sys.stdout.isatty():
        return Paper()
    low, high = WIDTH_RANGE
    width = min(max(shutil.get_terminal_size().columns, low), high)
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Paper(width, is_coloured=not is_plain)


def deliver(text: str, output: Path, *, is_sheet: bool = False) -> None:
    """Write a result to stdout or to a file.

    Raises:
        InputError: The file cannot be written.
    """
    from carnet.core.files import write_atomic

    if output == STDOUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        write_atomic(output, ((BOM if is_sheet else "") + text).encode("utf-8"))
    except OSError as error:
        raise InputError(
            "CRN-C-041",
            Text(
                f"The file {output} cannot be used: {error.strerror}.",
                f"文件 {output} 无法使用：{error.strerror}。",
            ),
            Text("Name a file in an existing folder.", "请指定现有文件夹中的文件。"),
        ) from error
    sys.stderr.write(t(f"Wrote {output}.\n", f"已写入 {output}。\n"))

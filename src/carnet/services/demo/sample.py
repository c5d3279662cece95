"""The sample seller's files and the workspace of the story."""

import shutil
from pathlib import Path
from typing import Final

import carnet
from carnet.chain.anvil import AnvilNode
from carnet.core.clock import Clock
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.services.workspace import CHAIN_FOLDER, create

MARKER: Final = ".carnet-demo"
"""A file that says a folder was made by the story and may be made anew by it."""


def sample_folder() -> Path:
    """Return the folder of the sample seller: in the package, else beside it in the repository.

    Raises:
        NotFoundError: The installation lacks it.
    """
    package = Path(carnet.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / "seller").is_dir():
            return folder
    raise NotFoundError(
        "CRN-C-080",
        Text("The sample seller's files are missing.", "缺少示例卖家的文件。"),
        Text("Install carnet anew.", "请重新安装 carnet。"),
    )


def _clear(folder: Path) -> None:
    if not (folder / MARKER).is_file():
        raise InputError(
            "CRN-C-081",
            Text(
                f"{folder} exists and was not made by the demo.",
                f"{folder} 已存在，且不是由演示创建。",
            ),
            Text("Name another folder: carnet demo DIR.", "请指定其他文件夹：carnet demo DIR。"),
        )
    AnvilNode(folder / CHAIN_FOLDER).stop()
    shutil.rmtree(folder)


def make_workspace(folder: Path, clock: Clock) -> None:
    """Make the workspace of the story, in place of an earlier one of its own.

    Raises:
        InputError: The folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()):
        _clear(folder)
    create(folder, clock=clock)
    (folder / MARKER).touch()

"""Writing the files of a pack into a folder that is whole or absent."""

import shutil
import tempfile
from pathlib import Path

from carnet.core.crash import crash_point
from carnet.core.files import sync_folder, write_atomic
from carnet.rules.workbook.reading import PackFiles


def write_folder(pack: PackFiles, folder: Path) -> None:
    """Write the files of a pack into a new folder.

    Raises:
        OSError: The folder exists, or cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, data in pack.files.items():
            (beside / name).parent.mkdir(exist_ok=True)
            write_atomic(beside / name, data)
        crash_point("workbook.before-rename")
        beside.chmod(0o755)
        # Renaming fails where a folder with anything in it has this name by now.
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sync_folder(folder.parent)

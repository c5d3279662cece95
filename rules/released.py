"""What a shelf says it released: the digest of each version, so that no edit goes unseen.

A shelf may hold a file `released.json` beside its packs: digests by ``ID@VERSION``.

Source: docs/spec/pack-format.md, PF-17.
"""

from pathlib import Path
from typing import Final

from carnet.core.canonical import parse_strict
from carnet.core.errors import RecordFormatError, RulePackError
from carnet.core.text import Text
from carnet.rules.ast import Pack

RELEASED_FILE: Final = "released.json"


def released_digests(shelf: Path) -> dict[str, str]:
    """Return the digests (hex) that a shelf recorded, by ``ID@VERSION``; none without the file.

    Raises:
        RulePackError: The file is not such a list.
    """
    path = shelf / RELEASED_FILE
    try:
        found = parse_strict(path.read_bytes()) if path.is_file() else {}
    except RecordFormatError as error:
        raise _unreadable(path, error.message) from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise _unreadable(path, Text("expected an object of digests", "应为摘要对象"))
    return {name: str(digest) for name, digest in found.items()}


def _unreadable(path: Path, reason: Text) -> RulePackError:
    return RulePackError(
        "CRN-R-147",
        Text(f"{path} cannot be read: {reason.en}", f"无法读取 {path}：{reason.zh}"),
        Text("Restore it from the version control.", "请从版本库恢复。"),
        path=RELEASED_FILE,
    )


def check_unedited(pack: Pack, digest: str | None) -> None:
    """Check that a version that was released or approved is what it was then.

    Args:
        pack: The pack as it is.
        digest: What was recorded of its version, in hex; None where nothing was.

    Raises:
        RulePackError: It was edited.
    """
    if digest in {None, pack.digest.hex()}:
        return
    name = f"{pack.id}@{pack.version}"
    raise RulePackError(
        "CRN-R-146",
        Text(
            f"{name} was released with the digest {digest} and now has {pack.digest.hex()}.",
            f"{name} 发布时的摘要为 {digest}，现为 {pack.digest.hex()}。",
        ),
        Text(
            "A released version is never edited: restore it, and give the change its own version.",
            "已发布的版本不得修改：请恢复原内容，并为更改指定新的版本号。",
        ),
        path="pack.yaml",
        line=1,
    )


def check_released(pack: Pack, folder: Path) -> None:
    """Check a pack in ``<shelf>/<id>/<version>`` against what its shelf recorded.

    Raises:
        RulePackError: It was edited after its release, or the record cannot be read.
    """
    recorded = released_digests(folder.resolve().parent.parent)
    check_unedited(pack, recorded.get(f"{pack.id}@{pack.version}"))

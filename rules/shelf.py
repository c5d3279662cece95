"""Finding packs: the shipped ones by id and version, any other by its folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.rules.format.section import VERSION

SHELF = Path(__file__).parent / "packs"
"""The packs that come with the program."""
_NAME_LENGTH_MAX = 1_000
"""Characters of a name that is looked for; file systems know none that are much longer."""


@dataclass(frozen=True, slots=True)
class ShelvedPack:
    """One version of a pack in a folder."""

    id: str
    version: str
    folder: Path


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions are ordered by, number by number.

    >>> version_key("2026.11.0") < version_key("2026.12")
    True
    """
    return tuple(int(part) for part in version.split("."))


def _named_like_versions(folder: Path) -> list[Path]:
    """Return the folders in a folder that have the name of a version, oldest first."""
    if not folder.is_dir():
        return []
    found = [inner for inner in folder.iterdir() if VERSION.fullmatch(inner.name)]
    return sorted(found, key=lambda inner: version_key(inner.name))


def versions_in(folder: Path) -> list[ShelvedPack]:
    """Return the versions that a pack's folder holds, oldest first."""
    return [
        ShelvedPack(folder.name, inner.name, inner)
        for inner in _named_like_versions(folder)
        if (inner / "pack.yaml").is_file()
    ]


def shelved_packs(shelf: Path = SHELF) -> Iterator[ShelvedPack]:
    """Yield every version of every pack of a shelf."""
    if shelf.is_dir():
        for folder in sorted(shelf.iterdir()):
            yield from versions_in(folder)


def _missing(name: str, shelf: Path) -> NotFoundError:
    known = sorted({pack.id for pack in shelved_packs(shelf)})
    return NotFoundError(
        "CRN-R-020",
        Text(f"There is no rule pack {name!r}.", f"没有规则包 {name!r}。"),
        Text(
            f"Name a folder, or one of {', '.join(known) or '-'} (or ID@VERSION).",
            f"请指定文件夹，或以下之一：{'、'.join(known) or '-'}（或 ID@版本）。",
        ),
    )


def find_pack(name: str, shelf: Path = SHELF) -> Path:
    """Return the folder of a pack named by folder, by ``ID`` (newest version) or ``ID@VERSION``.

    What is there but no pack is returned as well: reading it tells what is wrong with it.

    Raises:
        NotFoundError: There is none.
    """
    folder = Path(name)
    if len(name) > _NAME_LENGTH_MAX:
        raise _missing(f"{name[:40]}...", shelf)
    if (folder / "pack.yaml").is_file():
        return folder
    versions = versions_in(folder)
    identifier, _, version = name.partition("@")
    if not versions and "/" not in identifier and ".." not in identifier:
        versions = versions_in(shelf / identifier)
        if version:
            versions = [pack for pack in versions if pack.version == version]
    if versions:
        return versions[-1].folder
    if not lexists(folder):
        raise _missing(name, shelf)
    return folder


def find_earlier(name: str, folder: Path, shelf: Path = SHELF) -> Path:
    """Return the folder of a pack that another one comes after: its newest version.

    Looked for where the other one stands (`<shelf>/<id>/<version>`), then among the shipped ones.

    Args:
        name: The id of the pack.
        folder: The folder of the pack that names it.
        shelf: The shipped packs.

    Raises:
        NotFoundError: There is none.
    """
    for place in (folder.resolve().parent.parent, shelf):
        versions = versions_in(place / name)
        if versions:
            return versions[-1].folder
    raise _missing(name, shelf)


def find_packs(name: str, shelf: Path = SHELF) -> list[Path]:
    """Return the folders of every pack below a folder, or of the one pack a name means.

    Below a folder, whatever is named like a version is one: none is passed over for what it lacks.

    Raises:
        NotFoundError: There is none.
    """
    folder = Path(name)
    is_folder = len(name) <= _NAME_LENGTH_MAX and folder.is_dir()
    if not is_folder or lexists(folder / "pack.yaml") or versions_in(folder):
        return [find_pack(name, shelf)]
    below = [inner for owner in sorted(folder.iterdir()) for inner in _named_like_versions(owner)]
    return below or [find_pack(name, shelf)]

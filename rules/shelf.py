"""Finding packs: the shipped ones by id and version, any other by its folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.rules.format.section import VERSION

SHELF = Path(__file__).parent / "packs"
"""The packs that come with the program."""


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


def versions_in(folder: Path) -> list[ShelvedPack]:
    """Return the versions that a pack's folder holds, oldest first."""
    if not folder.is_dir():
        return []
    found = [
        ShelvedPack(folder.name, inner.name, inner)
        for inner in folder.iterdir()
        if VERSION.fullmatch(inner.name) and (inner / "pack.yaml").is_file()
    ]
    return sorted(found, key=lambda pack: version_key(pack.version))


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

    Raises:
        NotFoundError: There is none.
    """
    folder = Path(name)
    if (folder / "pack.yaml").is_file():
        return folder
    versions = versions_in(folder)
    identifier, _, version = name.partition("@")
    if not versions and "/" not in identifier and ".." not in identifier:
        versions = versions_in(shelf / identifier)
        if version:
            versions = [pack for pack in versions if pack.version == version]
    if not versions:
        raise _missing(name, shelf)
    return versions[-1].folder


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

    Raises:
        NotFoundError: There is none.
    """
    folder = Path(name)
    if folder.is_dir() and not (folder / "pack.yaml").is_file() and not versions_in(folder):
        below = [pack.folder for pack in shelved_packs(folder)]
        if below:
            return below
    return [find_pack(name, shelf)]

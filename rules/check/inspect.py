"""The full check of a pack: what its readers refuse, then what the analyses find.

Source: docs/spec/pack-format.md, section 10.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.check.dates import date_defects
from carnet.rules.check.overlap import overlap_defects
from carnet.rules.check.places import Material
from carnet.rules.check.possible import Budget
from carnet.rules.check.reach import reach_defects
from carnet.rules.check.report import Defect, Severity, from_error, warning
from carnet.rules.check.tables import table_defects
from carnet.rules.check.texts import text_defects
from carnet.rules.check.unused import unused_defects
from carnet.rules.format.section import VERSION
from carnet.rules.pack import check_pack, parse_files, read_files
from carnet.rules.released import check_released


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in the folder of one pack; no pack where it could not be built."""

    folder: Path
    pack: Pack | None
    defects: tuple[Defect, ...]

    def count(self, severity: Severity) -> int:
        """Return how many defects are of a severity."""
        return sum(one.severity == severity for one in self.defects)

    def to_json(self) -> dict[str, Any]:
        """Return what was found as published."""
        return {
            "folder": str(self.folder),
            "is_refused": self.is_refused,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "notes": self.count("note"),
            "defects": [one.to_json() for one in self.defects],
        }

    @property
    def errors(self) -> tuple[Defect, ...]:
        """The defects that must be mended."""
        return tuple(one for one in self.defects if one.severity == "error")

    @property
    def is_refused(self) -> bool:
        """Whether the pack is hostile or cannot be read at all."""
        return any(one.is_refusal for one in self.defects)


def analyse(material: Material, budget: Budget | None = None) -> Iterator[Defect]:
    """Yield what the analyses find in a pack that can be read."""
    pack, left = material.pack, budget or Budget()
    yield from reach_defects(material, left)
    if left.is_spent:
        yield warning(
            "CRN-R-207",
            ("pack.yaml", 1),
            Text(
                "The rules are too many or too long to look at all of them for lines that can "
                "never hold; the rest was left out.",
                "规则过多或过长，未能全部检查是否存在永不成立的条件；其余部分未检查。",
            ),
            Text("Divide the pack to have all of it looked at.", "拆分规则包即可全部检查。"),
        )
    yield from overlap_defects(pack)
    yield from table_defects(pack)
    yield from unused_defects(material)
    yield from date_defects(material)
    yield from text_defects(material)


def _folder_defects(pack: Pack, folder: Path) -> Iterator[Defect]:
    """Yield that a pack does not stand where its id and version are looked for.

    Source: docs/spec/pack-format.md, PF-1.
    """
    place = folder.absolute()
    shown, wanted = f"{place.parent.name}/{place.name}", f"{pack.id}/{pack.version}"
    # A folder that is not named like a version is never looked for by id.
    if shown != wanted and VERSION.fullmatch(place.name):
        yield warning(
            "CRN-R-180",
            ("pack.yaml", 1),
            Text(
                f"The folder is {shown}, so it is found by that name, but the pack is {wanted}.",
                f"文件夹为 {shown}，将按此名称查找；而规则包为 {wanted}。",
            ),
            Text(f"Name the folder {wanted}.", f"请将文件夹命名为 {wanted}。"),
        )


def inspect_pack(folder: Path) -> Inspection:
    """Return every defect of a pack's folder, in the order of files and lines."""
    try:
        files = read_files(folder)
    except RulePackError as error:
        return Inspection(folder, None, (from_error(error),))
    return inspect_files(files, folder)


def inspect_files(files: Mapping[str, bytes], folder: Path) -> Inspection:
    """Return every defect of a pack that stands, or would stand, in a folder.

    Args:
        files: The content of its files by their relative names.
        folder: The folder, which need not be there.
    """
    found: list[Defect] = []
    pack: Pack | None = None
    try:
        documents = parse_files(files)
        pack, errors = check_pack(folder, documents)
    except RulePackError as error:
        return Inspection(folder, None, (from_error(error),))
    found += map(from_error, errors)
    if pack is not None and not found:
        found += analyse(Material(pack, documents))
    if pack is not None:
        found += _folder_defects(pack, folder)
        try:
            check_released(pack, folder)
        except RulePackError as error:
            found.append(from_error(error))
    found.sort(key=lambda one: (one.file, one.line, one.code, one.message.en))
    return Inspection(folder, pack, tuple(found))

"""Which cell of a workbook a line of a pack's files came from.

A pack is checked as files; whoever wrote it in a workbook is told the sheet, the row and the column
of what is at fault.

Source: docs/spec/pack-format.md, PF-63.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.check.report import Defect
from carnet.rules.format.yaml_strict import LocatedDict, LocatedList, parse_yaml
from carnet.rules.workbook.layout import (
    DATED_KEY,
    DATED_PREFIX,
    DATED_SECTION,
    FILE_COLUMN,
    FILES_SHEET,
    HEADER_FILE,
    HEADER_SHEET,
    RESERVED,
    Row,
    Sheet,
)

KeyPath = tuple[str | int, ...]
"""A file, then keys and numbers of list items, as far as they lead."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a workbook; without a column, the whole row."""

    sheet: str
    row: int
    column: str = ""

    @property
    def text(self) -> Text:
        """The place as messages begin with it."""
        en, zh = f"Sheet {self.sheet}, row {self.row}", f"工作表 {self.sheet} 第 {self.row} 行"
        if self.column:
            en, zh = f"{en}, column {self.column}", f"{zh} {self.column} 列"
        return Text(f"{en}: ", f"{zh}：")


Origins = Mapping[KeyPath, Origin]


def _header_origins(sheet: Sheet) -> dict[KeyPath, Origin]:
    return {
        (HEADER_FILE, *str(row.get("key")).split(".")): Origin(sheet.name, number, "value")
        for number, row in zip(sheet.numbers, sheet.rows, strict=True)
    }


def _listed_origins(sheet: Sheet) -> dict[KeyPath, Origin]:
    return {
        (str(row.get("file")), str(row["key"])): Origin(sheet.name, number, "value")
        for number, row in zip(sheet.numbers, sheet.rows, strict=True)
        if "key" in row and "sheet" not in row
    }


def _cell_paths(row: Row, value_number: int) -> dict[KeyPath, str]:
    """Return the columns of a row by the keys that they hold within their entry."""
    paths: dict[KeyPath, str] = {}
    for column in row:
        if column == FILE_COLUMN:
            continue
        keys: KeyPath = tuple(column.split("."))
        if value_number >= 0 and column.startswith(DATED_PREFIX):
            keys = (DATED_KEY, value_number, *keys[1:])
        paths[keys] = column
    return paths


def _entry_origins(sheet: Sheet) -> dict[KeyPath, Origin]:
    """Return where the entries of a sheet stand, and each of their cells."""
    found: dict[KeyPath, Origin] = {}
    counts: Counter[str] = Counter()
    last, value_number = ("", None), -1
    for number, row in zip(sheet.numbers, sheet.rows, strict=True):
        file = str(row.get(FILE_COLUMN))
        own = {key for key in row if not key.startswith(DATED_PREFIX)}
        is_dated = sheet.name == DATED_SECTION and len(own) < len(row)
        # The same question as in `layout`: one more dated value, or an entry of its own.
        goes_on = is_dated and own <= {FILE_COLUMN, "id"} and last == (file, row.get("id"))
        value_number = value_number + 1 if goes_on else 0 if is_dated else -1
        counts[file] += not goes_on
        last = (file, row.get("id")) if is_dated else last
        entry: KeyPath = (file, sheet.name, counts[file] - 1)
        whole = (*entry, DATED_KEY, value_number) if goes_on else entry
        found[whole] = Origin(sheet.name, number)
        found.setdefault((file, sheet.name), Origin(sheet.name, number))
        for keys, column in _cell_paths(row, value_number).items():
            found.setdefault((*entry, *keys), Origin(sheet.name, number, column))
    return found


def origins_of(sheets: Mapping[str, Sheet]) -> dict[KeyPath, Origin]:
    """Return where everything in the YAML files of a pack stands in its workbook."""
    found = _header_origins(sheets[HEADER_SHEET]) | _listed_origins(sheets[FILES_SHEET])
    for name, sheet in sheets.items():
        if name not in RESERVED:
            found |= _entry_origins(sheet)
    return found


def row_origins(file: str, sheet: str, numbers: Sequence[int]) -> dict[KeyPath, Origin]:
    """Return where the rows of a table stand; `numbers` are those of the sheet, in their order."""
    rows = enumerate(numbers, start=1)
    return {(file, number): Origin(sheet, origin) for number, origin in rows}


def _keys_at(value: Any, line: int) -> KeyPath:
    """Return the keys that lead to what begins last in or before a line, where that is one."""
    keys: list[str | int] = []
    while isinstance(value, LocatedDict | LocatedList):
        is_entry = isinstance(value, LocatedDict) and bool(keys)
        located = value.lines.items() if isinstance(value, LocatedDict) else enumerate(value.lines)
        starts: dict[str | int, int] = {key: start for key, start in located if start <= line}
        latest = [key for key, start in starts.items() if start == max(starts.values())]
        # A defect of an entry as a whole names the line of its first key.
        if len(latest) != 1 or (is_entry and line == value.line):
            break
        keys.append(latest[0])
        value = value[latest[0]]  # type: ignore[index]  # a key of what it was taken from
    return tuple(keys)


def _origin_at(files: Mapping[str, bytes], origins: Origins, file: str, line: int) -> Origin | None:
    if file.startswith("tables/"):
        return origins.get((file, line))
    try:
        keys = (file, *_keys_at(parse_yaml(files[file], file), line))
    except (KeyError, RulePackError):
        return None
    return next((origins[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in origins), None)


def _moved(text: str, origin: str, *places: str) -> str:
    for place in places:
        if text.startswith(place):
            return origin + text.removeprefix(place)
    return origin + text


def at_origin(defect: Defect, files: Mapping[str, bytes], origins: Origins) -> Defect:
    """Return a defect of a pack's file as one of the workbook, where its origin can be told."""
    origin = _origin_at(files, origins, defect.file, defect.line)
    if origin is None:
        return defect
    place, told = f"{defect.file}:{defect.line}", origin.text
    message = Text(
        _moved(defect.message.en, told.en, f"{place}: "),
        _moved(defect.message.zh, told.zh, f"{place}："),
    )
    return replace(defect, file=origin.sheet, line=origin.row, message=message)

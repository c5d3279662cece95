"""Which sheet holds what: entries of lists as rows, everything else as names and values.

The content of a pack is a mapping for each file. `lay_out` turns it into sheets of values, and
`put_together` sheets of values into files again; neither knows of workbooks.

Source: docs/spec/pack-format.md, PF-60.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

HEADER_FILE: Final = "pack.yaml"
HEADER_SHEET: Final = "pack"
FILES_SHEET: Final = "files"
NOTES_SHEET: Final = "notes"
HEADER_COLUMNS: Final = ("key", "value")
FILES_COLUMNS: Final = ("file", "key", "sheet", "value")
NOTES_COLUMNS: Final = ("file", "text")
FILE_COLUMN: Final = "file"
DATED_SECTION: Final = "parameters"
DATED_KEY: Final = "values"
DATED_PREFIX: Final = "value."
RESERVED: Final = frozenset({HEADER_SHEET, FILES_SHEET, NOTES_SHEET})

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECTION = re.compile(r"[a-z][a-z0-9_]{0,29}")

Row = dict[str, Any]


@dataclass(slots=True)
class Sheet:
    """Rows of named values; `numbers` are the rows of the workbook they came from."""

    name: str
    columns: list[str]
    rows: list[Row] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Add a row, and columns that it is the first to fill."""
        self.columns += [name for name in row if name not in self.columns]
        self.rows.append(row)


class LayoutError(Exception):
    """Rows of a sheet contradict each other."""

    def __init__(self, sheet: str, row: int, en: str, zh: str) -> None:
        super().__init__(en)
        self.sheet, self.row, self.en, self.zh = sheet, row, en, zh


# --- flat -------------------------------------------------------------------------------------


def flatten(value: Mapping[str, Any], prefix: str = "") -> Row:
    """Return the leaves of nested mappings by their path; lists are leaves."""
    result: Row = {}
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, Mapping) and item and all(map(_KEY.fullmatch, item)):
            result |= flatten(item, f"{path}.")
        else:
            result[path] = item
    return result


def unflatten(row: Row) -> dict[str, Any]:
    """Return nested mappings from leaves by their path.

    Raises:
        ValueError: A path leads through a leaf.
    """
    result: dict[str, Any] = {}
    for path, value in row.items():
        *parents, last = path.split(".")
        owner: Any = result
        for name in parents:
            owner = owner.setdefault(name, {}) if isinstance(owner, dict) else None
        if not isinstance(owner, dict) or last in owner:
            raise ValueError(path)
        owner[last] = value
    return result


# --- out --------------------------------------------------------------------------------------


def _is_rows(value: Any) -> bool:
    """Return whether a value is a list of mappings that rows can hold."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, Mapping)
            and item
            and FILE_COLUMN not in item
            and all(map(_KEY.fullmatch, item))
            for item in value
        )
    )


def _is_dated(entry: Mapping[str, Any]) -> bool:
    values = entry.get(DATED_KEY)
    return _is_rows(values) and "value" not in entry


def _entry_rows(section: str, file: str, entry: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of one entry: one, or for a parameter one for each dated value."""
    if section != DATED_SECTION or not _is_dated(entry):
        yield {FILE_COLUMN: file, **flatten(entry)}
        return
    own = {FILE_COLUMN: file} | flatten(
        {key: item for key, item in entry.items() if key != DATED_KEY}
    )
    for number, value in enumerate(entry[DATED_KEY]):
        repeated = {key: own[key] for key in (FILE_COLUMN, "id") if key in own}
        yield (own if number == 0 else repeated) | flatten(value, DATED_PREFIX)


def lay_out(documents: Mapping[str, Mapping[str, Any]]) -> list[Sheet]:
    """Return the sheets of the YAML files of a pack.

    Args:
        documents: Their content by name; with `pack.yaml`.
    """
    header = Sheet(HEADER_SHEET, list(HEADER_COLUMNS))
    for key, value in flatten(documents[HEADER_FILE]).items():
        header.add(dict(zip(HEADER_COLUMNS, (key, value), strict=True)))
    files = Sheet(FILES_SHEET, list(FILES_COLUMNS))
    sections: dict[str, Sheet] = {}
    for file in sorted(documents.keys() - {HEADER_FILE}):
        if not documents[file]:
            files.add({"file": file})
        for key, value in documents[file].items():
            if not _is_rows(value) or not _SECTION.fullmatch(key) or key in RESERVED:
                files.add({"file": file, "key": key, "value": value})
                continue
            files.add({"file": file, "key": key, "sheet": key})
            sheet = sections.setdefault(key, Sheet(key, [FILE_COLUMN]))
            for entry in value:
                for row in _entry_rows(key, file, entry):
                    sheet.add(row)
    return [header, files, *sections.values()]


# --- in ---------------------------------------------------------------------------------------


def _without(row: Row, *names: str) -> Row:
    return {key: value for key, value in row.items() if key not in names}


def _nested(sheet: Sheet, number: int, row: Row) -> dict[str, Any]:
    try:
        return unflatten(row)
    except ValueError as error:
        raise LayoutError(
            sheet.name,
            number,
            f"the columns that begin with {error} hold both a value and parts of one",
            f"以 {error} 开头的列既有整体取值又有其组成部分",
        ) from error


def _continues(row: Row, entries: Sequence[dict[str, Any]], last: tuple[Any, Any]) -> bool:
    """Return whether a row of parameters is one more dated value of the entry before it."""
    own = {key for key in row if not key.startswith(DATED_PREFIX)}
    return bool(entries) and own <= {FILE_COLUMN, "id"} and last == (row.get("file"), row.get("id"))


def _entries(sheet: Sheet) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of a sheet by file, in their order."""
    result: dict[str, list[dict[str, Any]]] = {}
    last: tuple[Any, Any] = (None, None)
    for number, row in zip(sheet.numbers, sheet.rows, strict=True):
        file = row.get(FILE_COLUMN)
        if not isinstance(file, str):
            raise LayoutError(sheet.name, number, "the column file is empty", "file 列为空")
        entries = result.setdefault(file, [])
        dated = {key: value for key, value in row.items() if key.startswith(DATED_PREFIX)}
        if sheet.name != DATED_SECTION or not dated:
            entries.append(_nested(sheet, number, _without(row, FILE_COLUMN)))
            continue
        value = _nested(
            sheet, number, {key.removeprefix(DATED_PREFIX): item for key, item in dated.items()}
        )
        if not _continues(row, entries, last):
            own = _nested(sheet, number, _without(row, FILE_COLUMN, *dated))
            entries.append({**own, DATED_KEY: []})
            last = (file, row.get("id"))
        entries[-1][DATED_KEY].append(value)
    return result


def _header(sheet: Sheet) -> dict[str, Any]:
    flat: Row = {}
    for number, row in zip(sheet.numbers, sheet.rows, strict=True):
        key = row.get("key")
        if not isinstance(key, str) or key in flat or "value" not in row:
            raise LayoutError(
                sheet.name,
                number,
                f"expected a key that stands once, and its value; found {key!r:.60}",
                f"应为不重复的键及其取值；实为 {key!r:.60}",
            )
        flat[key] = row["value"]
    return _nested(sheet, sheet.numbers[0] if sheet.numbers else 1, flat)


def put_together(sheets: Mapping[str, Sheet]) -> dict[str, dict[str, Any]]:
    """Return the content of the YAML files of a pack from its sheets.

    A row of a section names its file; a file that the sheet of files does not name is added.

    Raises:
        LayoutError: Rows contradict each other.
    """
    documents: dict[str, dict[str, Any]] = {HEADER_FILE: _header(sheets[HEADER_SHEET])}
    listed = sheets[FILES_SHEET]
    for number, row in zip(listed.numbers, listed.rows, strict=True):
        file, key = row.get("file"), row.get("key")
        if not isinstance(file, str) or (key is not None and not isinstance(key, str)):
            raise LayoutError(listed.name, number, "expected a file and a key", "应为文件名和键")
        document = documents.setdefault(file, {})
        if key is not None and (file == HEADER_FILE or key in document):
            raise LayoutError(
                listed.name, number, f"{file} has {key} already", f"{file} 已有 {key}"
            )
        if key is not None and "sheet" not in row:
            document[key] = row.get("value", [])
    for name, sheet in sheets.items():
        if name in RESERVED:
            continue
        for file, entries in _entries(sheet).items():
            document = documents.setdefault(file, {})
            if file == HEADER_FILE or name in document:
                raise LayoutError(
                    name, sheet.numbers[0], f"{file} has {name} already", f"{file} 已有 {name}"
                )
            document[name] = entries
    return documents

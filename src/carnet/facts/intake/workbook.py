"""Reads a workbook from stdin and writes its cells to stdout as lines of JSON; runs as a process.

It is a process of its own because a small hostile workbook can make any reader of XLSX take all
memory or all time: here both are bounded by the operating system, and a crash of the native reader
is only this process's. Nothing of this package is imported, so that it starts fast.

Lines: ``{"sheet": name}``, then one array a row. A cell is a string, an integer, a boolean, ""
where it is empty, or an object with one key: ``fraction``, ``date``, ``datetime``, ``other`` or
``error``.
``{"failure": reason}`` ends the output early.
"""

import io
import posixpath
import re
import resource
import sys
import zipfile
from datetime import date, datetime
from typing import Any
from xml.parsers import expat

import orjson
import python_calamine

_FAULT_MARKS = (b'"e"', b"'e'", b"<f", b":f")
_CELL_NAME = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_LETTERS = 26
_INTEGER_MAX = 2**53
NO_VALUE = "a formula without a computed value"
FORMULA = "a formula"
VALUES_ONLY = "values-only"
"""The argument by which a caller refuses formulas."""

Faults = dict[tuple[int, int], str]
"""What the reader would silently show as an empty cell, by 0-based row and column."""


def cell_to_json(cell: Any) -> Any:
    """Return a cell as the protocol spells it."""
    if isinstance(cell, (str, bool)):
        return cell
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < _INTEGER_MAX:
            return int(cell)
        return {"fraction": repr(cell)}
    if isinstance(cell, datetime):
        return {"datetime": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": cell.isoformat()}
    return {"other": str(cell)}


def column_index(letters: str) -> int:
    """Return the 0-based index of a column.

    >>> column_index("A"), column_index("AB")
    (0, 27)
    """
    index = 0
    for letter in letters:
        index = index * _LETTERS + ord(letter) - ord("A") + 1
    return index - 1


class FaultScanner:
    """Finds error values and formulas that were saved without a value in the XML of a sheet.

    Args:
        refuses_formulas: Whether a formula with a value is a fault as well.
    """

    def __init__(self, *, refuses_formulas: bool = False) -> None:
        self.faults: Faults = {}
        self._refuses_formulas = refuses_formulas
        self._row = self._column = -1
        self._type = ""
        self._has_formula = self._has_value = False
        self._text: list[str] = []

    def scan(self, xml: bytes) -> Faults:
        """Return the faults of one sheet."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.Parse(xml, True)  # noqa: FBT003 (the signature of expat)
        return self.faults

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "row":
            self._row = int(attributes.get("r", self._row + 2)) - 1
            self._column = -1
        elif local == "c":
            self._column += 1
            if place := _CELL_NAME.fullmatch(attributes.get("r", "")):
                self._row, self._column = int(place[2]) - 1, column_index(place[1])
            self._type = attributes.get("t", "")
            self._has_formula = self._has_value = False
        elif local == "f":
            self._has_formula = True
        elif local == "v":
            self._text.clear()

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "v":
            # Some programs write an empty value for a formula that they did not compute; only a
            # formula of text has an empty result.
            self._has_value = self._type == "str" or bool("".join(self._text).strip())
        elif local == "c":
            if self._type == "e":
                self.faults[self._row, self._column] = "".join(self._text)[:20] or "#ERROR"
            elif self._has_formula and self._refuses_formulas:
                self.faults[self._row, self._column] = FORMULA
            elif self._has_formula and not self._has_value:
                self.faults[self._row, self._column] = NO_VALUE
            self._text.clear()


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type declaration")


def _attributes(xml: bytes, element: str) -> list[dict[str, str]]:
    """Return the attributes, by local name, of all elements of one local name."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] == element:
            found.append({key.rpartition(" ")[2]: value for key, value in attributes.items()})

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.Parse(xml, True)  # noqa: FBT003 (the signature of expat)
    return found


def faults_by_sheet(data: bytes, *, refuses_formulas: bool = False) -> dict[str, Faults]:
    """Return the faults of every sheet that has any, by its name."""
    faults: dict[str, Faults] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        relations = archive.read("xl/_rels/workbook.xml.rels")
        targets = {item["Id"]: item["Target"] for item in _attributes(relations, "Relationship")}
        for sheet in _attributes(archive.read("xl/workbook.xml"), "sheet"):
            target = posixpath.normpath(posixpath.join("/xl", targets[sheet["id"]]))
            xml = archive.read(target.lstrip("/"))
            if any(mark in xml for mark in _FAULT_MARKS):
                faults[sheet["name"]] = FaultScanner(refuses_formulas=refuses_formulas).scan(xml)
    return faults


def _write(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")


def write_cells(data: bytes, *, refuses_formulas: bool = False) -> None:
    """Write every sheet of a workbook, its rows counted from the first one of the sheet."""
    faults = faults_by_sheet(data, refuses_formulas=refuses_formulas)
    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for metadata in workbook.sheets_metadata:
        if metadata.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        _write({"sheet": metadata.name})
        of_sheet = faults.get(metadata.name, {})
        rows = workbook.get_sheet_by_name(metadata.name).to_python(skip_empty_area=False)
        values = [[cell_to_json(cell) for cell in cells] for cells in rows]
        put_faults(values, of_sheet)
        for row in values:
            _write(row)


def put_faults(rows: list[list[Any]], faults: Faults) -> None:
    """Put the faults in their places, also beyond what the reader took for the used area."""
    for (row, column), fault in faults.items():
        rows.extend([] for _ in range(row + 1 - len(rows)))
        cells = rows[row]
        cells.extend("" for _ in range(column + 1 - len(cells)))
        cells[column] = {"error": fault}


def main() -> None:
    """Bound memory and time, then read stdin and write stdout."""
    memory_max, seconds_max = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_max, memory_max))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds_max, seconds_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        write_cells(sys.stdin.buffer.read(), refuses_formulas=sys.argv[3:] == [VALUES_ONLY])
    except python_calamine.PasswordError:
        _write({"failure": "encrypted"})
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 (any fault of a hostile file is one outcome)
        _write({"failure": f"{type(error).__name__}: {error}"[:200]})


if __name__ == "__main__":
    main()

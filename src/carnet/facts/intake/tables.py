"""Tables of facts: a header of known columns, then one fact a row. Shared by CSV and XLSX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.issue import Problem, Source, shown
from carnet.facts.parse import unknown_column, unknown_type
from carnet.facts.schema import FACT_TYPES, FactType, Field, Kind

CellConverter: TypeAlias = Callable[[Any], Any]
Converters: TypeAlias = Mapping[Kind, CellConverter]

TYPE_SEPARATOR = "__"
_OTHER_DELIMITERS = (";", "\t", "|")


def type_of_name(name: str) -> FactType | Problem:
    """Return the fact type that a file or a sheet is named after.

    The name is the type, or the type and two underscores and anything: ``certificate`` and
    ``certificate__2026-eu`` both hold certificates.
    """
    fact_type = FACT_TYPES.get(name.split(TYPE_SEPARATOR, maxsplit=1)[0])
    if fact_type is not None:
        return fact_type
    problem = unknown_type(name)
    remedy = Text(
        f"Name it after the type, such as certificate or certificate__2026. {problem.remedy.en}",
        f"请以类型命名，例如 certificate 或 certificate__2026。{problem.remedy.zh}",
    )
    return Problem(None, problem.found, problem.expected, remedy)


@dataclass(frozen=True, slots=True)
class Table:
    """A header that was accepted, and how its cells are converted."""

    fact_type: FactType
    file: str
    names: tuple[str, ...]
    converters: tuple[CellConverter | None, ...]

    def add_row(self, row: int, cells: Sequence[Any], collector: Collector) -> None:
        """Check one row of cells; a row without any value holds no fact.

        Args:
            row: Its number as a spreadsheet shows it.
            cells: As many as the header has; "" where a cell is empty.
            collector: Takes the fact or the problems.
        """
        if len(cells) != len(self.names):
            if any(cell != "" for cell in cells):
                collector.log.add(Source(self.file, row), self._wrong_width(len(cells)))
            return
        values = {
            name: convert(cell) if convert else cell
            for name, convert, cell in zip(self.names, self.converters, cells, strict=True)
            if cell != ""
        }
        if values:
            collector.add_values(self.fact_type, values, Source(self.file, row))

    def _wrong_width(self, width: int) -> Problem:
        return Problem(
            None,
            Text(f"{width} cells", f"{width} 个单元格"),
            Text(
                f"{len(self.names)} cells, as the header has",
                f"{len(self.names)} 个单元格，与表头一致",
            ),
            Text(
                "Put a text that holds a comma in double quotes; keep a comma for each empty cell.",
                "含逗号的文本请加双引号；空单元格也要保留逗号。",
            ),
        )


def read_header(
    fact_type: FactType, file: str, cells: Sequence[object], converters: Converters
) -> Table | list[Problem]:
    """Return the table of a header, or everything that is wrong with the header."""
    if len(cells) == 1 and any(mark in str(cells[0]) for mark in _OTHER_DELIMITERS):
        return [_wrong_delimiter(str(cells[0]))]
    columns = frozenset(fact_type.columns)
    problems: list[Problem] = []
    seen: set[str] = set()
    for cell in cells:
        name = str(cell)
        if name in seen:
            problems.append(_repeated_column(name))
        elif name not in columns:
            problems.append(unknown_column(fact_type, name))
        seen.add(name)
    required = [fact_type.id_field, *(f for f in fact_type.fields.values() if f.is_required)]
    problems += [_missing_column(field) for field in required if field.name not in seen]
    if problems:
        return problems
    names = tuple(str(cell) for cell in cells)
    return Table(
        fact_type,
        file,
        names,
        tuple(converters.get(fact_type.column(name).kind) for name in names),
    )


def _wrong_delimiter(found: str) -> Problem:
    return Problem(
        None,
        shown(found),
        Text("columns separated by commas", "以逗号分隔的列"),
        Text(
            "Save the file as 'CSV UTF-8 (comma delimited)'.",
            "请另存为“CSV UTF-8（逗号分隔）”。",
        ),
    )


def _missing_column(field: Field) -> Problem:
    return Problem(
        field.name,
        Text("no such column", "没有该列"),
        Text(
            f"a column {field.name} in the header: {field.expected.en}",
            f"表头含有列 {field.name}：{field.expected.zh}",
        ),
        Text(
            f"{field.name} is required: add the column and fill it in on every row.",
            f"{field.name} 为必填项：请添加该列，并在每一行填写。",
        ),
    )


def _repeated_column(name: str) -> Problem:
    return Problem(
        shown(name).strip("'"),
        shown(name),
        Text("each column once", "每列只出现一次"),
        Text("Remove one of the two columns.", "请删除其中一列。"),
    )

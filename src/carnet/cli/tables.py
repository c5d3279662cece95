"""Results on stdout: one JSON object, or names and values, or a table."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer

Rows = Iterable[tuple[str, str | int]]


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_rows(rows: Rows) -> None:
    """Print names and values in two columns."""
    print_columns([(name, str(value)) for name, value in rows])


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: a line of headers, a rule, then the rows."""
    body = [tuple(row) for row in rows]
    widths = _widths([tuple(headers), *body])
    print_columns([tuple(headers), tuple("-" * width for width in widths), *body])


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print cells in aligned columns; a Chinese character takes two cells."""
    from rich.cells import cell_len

    widths = _widths(rows)
    for row in rows:
        padded = [
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]

"""What `carnet pack check` found, as text for people, and the exit code that follows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INPUT
from carnet.cli.language import say, t
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.rules.check.inspect import Inspection
    from carnet.rules.check.report import Defect

_SEVERITIES = {
    "error": Text("error", "错误"),
    "warning": Text("warning", "警告"),
    "note": Text("note", "提示"),
}


def exit_code_of(found: Sequence["Inspection"], *, strict: bool) -> int:
    """Return 2 where a pack is refused, 1 where one has defects, 0 where all are clean."""
    if any(one.is_refused for one in found):
        return EXIT_INPUT
    counted = [one.count("error") + (one.count("warning") if strict else 0) for one in found]
    return EXIT_FINDINGS if any(counted) else EXIT_CLEAN


def _print_defect(defect: "Defect") -> None:
    typer.echo(f"{say(_SEVERITIES[defect.severity])} {defect.code} {say(defect.message)}")
    if defect.hint.en:
        typer.echo(f"  {say(defect.hint)}")


def print_inspections(found: Sequence["Inspection"], *, with_notes: bool) -> None:
    """Print the defects of packs; notes only where they are asked for."""
    for one in found:
        for defect in one.defects:
            if with_notes or defect.severity != "note":
                _print_defect(defect)
        _print_summary(one)


def _print_summary(one: "Inspection") -> None:
    errors, warnings, notes = (one.count(name) for name in ("error", "warning", "note"))
    if not errors and not warnings:
        typer.echo(t(f"{one.folder}: no defect.", f"{one.folder}：没有缺陷。"))
    else:
        typer.echo(
            t(
                f"{one.folder}: {errors} errors, {warnings} warnings.",
                f"{one.folder}：{errors} 处错误，{warnings} 处警告。",
            )
        )
    if notes:
        typer.echo(t(f"  {notes} notes (--notes).", f"  {notes} 条提示（--notes）。"))

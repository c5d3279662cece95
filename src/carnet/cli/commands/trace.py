"""``carnet trace``: from a unit back to its suppliers, from a lot forward to its units."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from carnet.services.tracing import TraceReport
    from carnet.trace.graph import Direction

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "Trace batches: back to what went in, forward to what came out.\n\n"
        "Example: carnet trace back UNT-1",
        "批次追溯：向上追到投入物，向下追到产出物。\n\n示例：carnet trace back UNT-1",
    ),
)
BACK_HELP = t(
    "Show everything that went into a unit, batch or lot, with its evidence.\n\n"
    "Example: carnet trace back UNT-1",
    "显示单件、批次或原料批的全部投入物及其证据。\n\n示例：carnet trace back UNT-1",
)
FORWARD_HELP = t(
    "Show everything that came out of a lot, batch or unit, with its evidence.\n\n"
    "Example: carnet trace forward MAT-1 --format json",
    "显示原料批、批次或单件的全部产出物及其证据。\n\n"
    "示例：carnet trace forward MAT-1 --format json",
)
IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help=t("A material lot, batch or unit.", "原料批、批次或单件的标识。")
    ),
]
_SHOWN = ("supplier_id", "material", "lot", "serial", "inspector_id", "market", "placed_on")


def _json(report: "TraceReport") -> dict[str, Any]:
    return {
        "start": {"type": report.start.type, "id": report.start.id},
        "direction": report.direction,
        "is_complete": report.is_complete,
        "nodes": [
            {"depth": node.depth, "fact": node.fact.to_json(), "evidence": list(node.evidence)}
            for node in report.nodes
        ],
    }


def _print(report: "TraceReport") -> None:
    rows = [
        (
            str(node.depth),
            node.fact.type,
            node.fact.id,
            ", ".join(str(node.fact.fields[name]) for name in _SHOWN if name in node.fact.fields),
            " ".join(node.evidence),
        )
        for node in report.nodes
    ]
    header = (
        *(t("depth", "层级"), t("type", "类型"), t("id", "标识")),
        *(t("details", "明细"), t("evidence", "证据")),
    )
    print_table(list(header), rows)
    if not report.is_complete:
        typer.echo(t("Stopped at the depth bound: not complete.", "已达层级上限：结果不完整。"))


def _run(start: str, direction: "Direction", output_format: str, workspace: Path | None) -> None:
    from carnet.services.tracing import trace_from

    with open_workspace(workspace) as opened:
        report = trace_from(opened, start, direction)
    if output_format == "json":
        print_json(_json(report))
    else:
        _print(report)


def back(
    start: IdArgument,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Trace back."""
    _run(start, "back", output_format, workspace)


def forward(
    start: IdArgument,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Trace forward."""
    _run(start, "forward", output_format, workspace)


def register(parent: typer.Typer) -> None:
    """Add the group."""
    app.command("back", help=BACK_HELP)(back)
    app.command("forward", help=FORWARD_HELP)(forward)
    parent.add_typer(app, name="trace")

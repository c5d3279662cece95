"""``carnet data-point``: the credit data pool, figures as desensitised records."""

from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    FormatOption,
    LanguageOption,
    ListFormatOption,
    OutputOption,
    WorkspaceOption,
)
from carnet.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from carnet.services.data_points import DataPoint

GROUP_HELP = t(
    "The credit data pool: figures about a seller, as records.\n\nExample: carnet data-point list",
    "替代性信用数据池：关于卖家的数据，以记录形式登记。\n\n示例：carnet data-point list",
)
RECORD_HELP = t(
    "Sign a desensitised record of each data point that has none.\n\n"
    "What a kind's allow-list does not name is withheld behind salted digests and kept in the "
    "vault. Records wait for `carnet log append`.\n\n"
    "Example: carnet data-point record --seller EHM",
    "为尚未登记的每个数据点签发脱敏记录。\n\n"
    "该类别白名单之外的内容以加盐摘要隐藏，并保存在保险库中。"
    "记录等待 `carnet log append` 写入日志。\n\n示例：carnet data-point record --seller EHM",
)
LIST_HELP = t(
    "List data points with provenance, age and record.\n\n"
    "Example: carnet data-point list --seller EHM --format json",
    "列出数据点及其来源类别、观测日期和记录。\n\n"
    "示例：carnet data-point list --seller EHM --format json",
)
SellerOption = Annotated[
    str | None,
    typer.Option("--seller", metavar="ID", help=t("Of this seller alone.", "仅限该卖家。")),
]


def record(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA-POINT]...", help=t("These alone.", "仅限这些数据点。")),
    ] = None,
    *,
    seller: SellerOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Record data points."""
    from carnet.core.clock import SystemClock
    from carnet.services.data_points import record_data_points

    with open_workspace(workspace) as opened:
        done = record_data_points(opened, SystemClock(), seller=seller, ids=ids or ())
    if output_format == "json":
        hashes = [each.record.digest.hex() for each in done.issued]
        print_json({"recorded": done.new_count, "records": hashes})
        return
    known = len(done.issued) - done.new_count
    typer.echo(
        t(
            f"{done.new_count} recorded, {known} were there already.",
            f"新登记 {done.new_count} 个，{known} 个此前已登记。",
        )
    )


_COLUMNS = (
    ("id", "data point", "数据点"),
    ("seller_id", "seller", "卖家"),
    ("kind", "kind", "类别"),
    ("provenance", "provenance", "来源类别"),
    ("period_start", "from", "起"),
    ("period_end", "to", "止"),
    ("observed_on", "observed", "观测日"),
    ("value", "value", "数值"),
    ("unit", "unit", "单位"),
    ("currency", "currency", "币种"),
    ("record_hash", "record", "记录"),
)


def _rows(points: "list[DataPoint]") -> list[list[str]]:
    documents = [point.to_json() for point in points]
    names = [name for name, _, _ in _COLUMNS]
    return [
        ["" if each.get(name) is None else str(each[name]) for name in names] for each in documents
    ]


def list_(
    *,
    seller: SellerOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """List data points."""
    import json

    from carnet.cli.output import deliver
    from carnet.services.data_points import list_data_points

    with open_workspace(workspace) as opened:
        found = list_data_points(opened, seller)
    if output_format == "csv":
        from carnet.cli.render.sheet import to_rows

        header = [name for name, _, _ in _COLUMNS]
        deliver(to_rows(header, _rows(found)), output, is_sheet=True)
    elif output_format == "json":
        document = {"data_points": [point.to_json() for point in found]}
        deliver(json.dumps(document, ensure_ascii=False, indent=2) + "\n", output)
    else:
        shown = [[*row[:-1], row[-1][:12]] for row in _rows(found)]
        print_table([t(en, zh) for _, en, zh in _COLUMNS], shown)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help=GROUP_HELP)
    group.command("record", help=RECORD_HELP)(record)
    group.command("list", help=LIST_HELP)(list_)
    app.add_typer(group, name="data-point")

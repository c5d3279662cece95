"""``carnet law``: what changes in the law, and for which listings."""

from typing import Annotated

import typer

from carnet.cli.language import current_language, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    LanguageOption,
    ListFormatOption,
    MarketOption,
    OutputOption,
    WorkspaceOption,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "The law that the rule packs hold: what changes, when, and for which listings.\n\n"
        "Example: carnet law calendar --months 12",
        "规则包所载的法规：何时变更、变更什么、涉及哪些上架商品。\n\n"
        "示例：carnet law calendar --months 12",
    ),
)
CALENDAR_HELP = t(
    "Show what changes in the law in the coming months, with its source, and what it does to which "
    "listings: what becomes required, what is missing then, what is to do.\n\n"
    "Every listing is decided on the day, on the day before, and as if the law did not change; "
    "nothing is stored. A change that officers have not confirmed shows what it would do.\n\n"
    "Example: carnet law calendar --months 12 --market EU --as-of 2026-11-23",
    "显示未来数月的法规变更及其出处，以及对各上架商品的影响：新增要求、届时缺少的文件、处理办法。\n\n"
    "每个上架商品按变更当日、前一日以及假定法规不变分别判定；不保存判定。"
    "尚未经合规专员确认的变更，显示其确认后的影响。\n\n"
    "示例：carnet law calendar --months 12 --market EU --as-of 2026-11-23",
)


@app.command("calendar", help=CALENDAR_HELP)
def calendar(
    *,
    months: Annotated[
        int,
        typer.Option(
            "--months", min=1, max=120, help=t("How many months ahead.", "向后查看的月数。")
        ),
    ] = 12,
    is_all: Annotated[
        bool,
        typer.Option(
            "--all",
            help=t("Show changes that touch no listing, too.", "同时显示不涉及上架商品的变更。"),
        ),
    ] = False,
    market: MarketOption = None,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show what changes in the law."""
    from carnet.cli.calendars import Target
    from carnet.cli.days import parse_as_of
    from carnet.cli.output import paper_for
    from carnet.cli.render import law as render
    from carnet.services.law_calendar import law_calendar

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        found = law_calendar(opened, day, months, market)
    language = current_language()
    Target(output_format, output).write(
        found.to_json(),
        render.calendar_csv(found, language),
        render.calendar_lines(found, language, paper_for(output), is_all=is_all),
    )


def register(root: typer.Typer) -> None:
    """Add the command group."""
    root.add_typer(app, name="law")

"""``carnet certificates``: the documents on file, when they end, and what to renew."""

from enum import StrEnum
from typing import Annotated

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS, EXIT_UNDECIDED
from carnet.cli.language import t
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
        "Certificates: which are on file, when they end and why, and what to renew.\n\n"
        "Example: carnet certificates calendar --months 12",
        "证书：存档情况、终止日及原因，以及须续期的证书。\n\n"
        "示例：carnet certificates calendar --months 12",
    ),
)
LIST_HELP = t(
    "List certificates with their status and their end, as the packs judge them.\n\n"
    "Example: carnet certificates list --status expired --format csv -o certificates.csv",
    "列出证书的状态与终止日，以规则包的判定为准。\n\n"
    "示例：carnet certificates list --status expired --format csv -o certificates.csv",
)
CALENDAR_HELP = t(
    "Show what ends, opens or closes in the coming months, and which listings it affects.\n\n"
    "Overdue certificates stand first, those whose dates cannot be told last, with the cause.\n\n"
    "Example: carnet certificates calendar --months 12 --market EU",
    "显示未来数月内终止、开启或关闭续期窗口的证书，以及涉及的上架商品。\n\n"
    "已逾期的列在最前；日期无法判定的列在最后，并说明原因。\n\n"
    "示例：carnet certificates calendar --months 12 --market EU",
)
RENEWALS_HELP = t(
    "Show what to start this month: every certificate whose latest start, per the lead time of "
    "its laboratory, falls in the month or has passed.\n\n"
    "Exit code 0: nothing to start; 1: something; 3: nothing, but a last day cannot be told.\n\n"
    "Example: carnet renewals --as-of 2026-11-23",
    "显示本月须启动的续期：按实验室周期倒推的最迟启动日在本月内或已过的证书。\n\n"
    "退出码 0：没有须启动的；1：有；3：没有，但有最后可行日无法判定。\n\n"
    "示例：carnet renewals --as-of 2026-11-23",
)
MonthsAheadOption = Annotated[
    int,
    typer.Option("--months", min=1, max=120, help=t("How many months ahead.", "向后查看的月数。")),
]


class StatusName(StrEnum):
    """The statuses of a certificate on file, as the command line spells them."""

    PRESENT_UNVERIFIED = "present_unverified"
    NOT_YET_VALID = "not_yet_valid"
    VALID = "valid"
    WINDOW_OPEN = "window_open"
    WINDOW_CLOSING = "window_closing"
    WINDOW_MISSED = "window_missed"
    EXPIRED = "expired"
    REVIEW_OVERDUE = "review_overdue"
    SUPERSEDED_STANDARD = "superseded_standard"
    WRONG_SCOPE = "wrong_scope"
    WRONG_BODY = "wrong_body"
    WRONG_LANGUAGE = "wrong_language"
    REVOKED = "revoked"
    NOT_APPLICABLE = "not_applicable"
    UNDETERMINED = "undetermined"


@app.command("list", help=LIST_HELP)
def list_(
    *,
    status: Annotated[
        list[StatusName] | None,
        typer.Option("--status", help=t("Only of this status; repeatable.", "仅此状态；可重复。")),
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option(
            "--product", help=t("Only of this product; repeatable.", "仅此产品；可重复。")
        ),
    ] = None,
    market: MarketOption = None,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """List certificates."""
    from carnet.cli.calendars import Target, write_certificates
    from carnet.cli.days import parse_as_of
    from carnet.services.certificates import Wanted, certificate_lines

    day = parse_as_of(as_of)
    wanted = Wanted(market, tuple(status or ()), tuple(product or ()))
    with open_workspace(workspace) as opened:
        lines = certificate_lines(opened, day, wanted)
    write_certificates(lines, day, Target(output_format, output))


@app.command("calendar", help=CALENDAR_HELP)
def calendar(
    *,
    months: MonthsAheadOption = 12,
    market: MarketOption = None,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show the calendar of certificates."""
    from carnet.cli.calendars import Target, write_calendar
    from carnet.cli.days import parse_as_of
    from carnet.services.certificates import Wanted, calendar_of, certificate_lines

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        lines = calendar_of(certificate_lines(opened, day, Wanted(market)), day, months)
    write_calendar(lines, day, months, Target(output_format, output))


@app.command("renewals", help=RENEWALS_HELP)
def renewals(
    *,
    months: Annotated[
        int,
        typer.Option(
            "--months",
            min=1,
            max=120,
            help=t("How many months, this one included.", "查看的月数，含本月。"),
        ),
    ] = 1,
    market: MarketOption = None,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show what to start."""
    from carnet.cli.calendars import Target, write_renewals
    from carnet.cli.days import parse_as_of
    from carnet.services.certificates import Wanted, certificate_lines
    from carnet.services.renewals import TO_START, renewals_of

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        found = renewals_of(certificate_lines(opened, day, Wanted(market)), day, months)
    write_renewals(found, day, months, Target(output_format, output))
    if any(one.state in TO_START for one in found):
        raise typer.Exit(EXIT_FINDINGS)
    raise typer.Exit(EXIT_UNDECIDED if found else EXIT_CLEAN)


def register(root: typer.Typer) -> None:
    """Add the command group, and the one command that stands at the top as well."""
    root.add_typer(app, name="certificates")
    root.command("renewals", help=RENEWALS_HELP)(renewals)

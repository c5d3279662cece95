"""``carnet passport``: a seller's credit passport of one quarter, issued, shown, presented."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_UNDECIDED
from carnet.cli.language import current_language, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    EngineOption,
    FormatOption,
    LanguageOption,
    OutputOption,
    WorkspaceOption,
)
from carnet.cli.tables import print_json, print_rows, print_table

if TYPE_CHECKING:
    from carnet.rules.decision import Decision
    from carnet.services.passport_views import Passport

GROUP_HELP = t(
    "Seller credit passports.\n\nExample: carnet passport show EHM",
    "跨境卖家信用护照。\n\n示例：carnet passport show EHM",
)
ISSUE_HELP = t(
    "Draw a seller's four indices and tier for a quarter, and sign them as a record.\n\n"
    "Data points must be recorded and listings attested first. The passport replaces the one "
    "before and is stale after the end of its quarter and a grace. It waits for "
    "`carnet log append`.\n\n"
    "Exit code 0: every figure is told; 3: some are undetermined.\n\n"
    "Example: carnet passport issue EHM --quarter 2026Q4",
    "计算卖家某季度的四项指数与等级，并签发为记录。\n\n"
    "须先登记数据点并签发上架证明。新护照取代前一份，在季度结束加宽限期后失效；"
    "等待 `carnet log append` 写入日志。\n\n"
    "退出码 0：各项均已确定；3：有无法判定的项目。\n\n"
    "示例：carnet passport issue EHM --quarter 2026Q4",
)
SHOW_HELP = t(
    "Show the newest passport of a seller, or that of a quarter, with the records behind each "
    "figure.\n\n"
    "html is one page that stands alone: both languages, a QR code, no script, nothing fetched.\n\n"
    "Example: carnet passport show EHM --format html -o passport.html",
    "显示卖家最新或某季度的护照，以及各项数据所依据的记录。\n\n"
    "html 为可离线打开的独立页面：双语，附二维码，无脚本，不加载任何外部内容。\n\n"
    "示例：carnet passport show EHM --format html -o passport.html",
)
PRESENT_HELP = t(
    "Write the bundle of a passport with only the chosen members disclosed, for a lender to "
    "verify alone.\n\n"
    "Example: carnet passport present EHM --disclose tier,overallIndex -o bundle.json",
    "写出仅披露所选成员的护照验证包，供资金方独立核验。\n\n"
    "示例：carnet passport present EHM --disclose tier,overallIndex -o bundle.json",
)
REVOKE_HELP = t(
    "Revoke a passport for ever and publish the status list that says so.\n\n"
    'Example: carnet passport revoke EHM --reason "figures withdrawn"',
    "永久撤销护照，并发布相应的状态列表。\n\n"
    '示例：carnet passport revoke EHM --reason "数据已撤回"',
)
ShowFormat = Literal["table", "json", "html"]
SellerArgument = Annotated[
    str, typer.Argument(metavar="SELLER", help=t("Id of the seller.", "卖家的标识。"))
]
QuarterOption = Annotated[
    str | None,
    typer.Option("--quarter", metavar="2026Q4", help=t("Of this quarter.", "指定季度。")),
]


def issue(
    seller: SellerArgument,
    *,
    quarter: Annotated[
        str, typer.Option("--quarter", metavar="2026Q4", help=t("The quarter.", "季度。"))
    ],
    as_of: AsOfOption = None,
    engine: EngineOption = "live",
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Issue a passport."""
    from carnet.cli.days import parse_day
    from carnet.core.clock import SystemClock
    from carnet.services.passport_views import newest_passport
    from carnet.services.passports import issue_passport

    day = parse_day(as_of) if as_of is not None else None
    clock = SystemClock()
    with open_workspace(workspace) as opened:
        done = issue_passport(opened, seller, quarter, clock, as_of=day, engine=engine)
        passport = newest_passport(opened, seller, clock, quarter)
    if output_format == "json":
        causes = [
            {"rule": error.rule, "cause": error.cause.to_json()} for error in done.decision.errors
        ]
        print_json({**passport.to_json(), "is_new": done.is_new, "undetermined": causes})
    else:
        _print(passport)
        _print_causes(done.decision)
    raise typer.Exit(EXIT_UNDECIDED if done.decision.errors else EXIT_CLEAN)


def _print_causes(decision: "Decision") -> None:
    for error in decision.errors:
        cause = error.cause.in_language(current_language())
        typer.echo(t(f"undetermined [{error.rule}] {cause}", f"无法判定 [{error.rule}] {cause}"))
    for finding in decision.findings:
        typer.echo(f"[{finding.rule}] {finding.message.in_language(current_language())}")


def _print(passport: "Passport") -> None:
    from carnet.cli.render.passport import figure_text
    from carnet.services.passport_views import MEMBERS, STATES, title_of

    language = current_language()
    state = STATES[passport.state].in_language(language)
    until = passport.valid_until
    print_rows(
        [
            (t("Passport", "护照"), f"{passport.members['quarter']}  {passport.record.record_id}"),
            (t("Record hash", "记录哈希"), passport.record.digest.hex()),
            (t("Figures drawn for", "数据截至"), str(passport.members["asOf"])),
            (t("State", "状态"), t(f"{state}; valid until {until}", f"{state}；有效期至 {until}")),
        ]
    )
    rows = []
    for name in MEMBERS:
        value = passport.members.get(name)
        if isinstance(value, dict):
            shown = figure_text(name, value).in_language(language)
            rows.append([title_of(name).in_language(language), shown, str(value["recordCount"])])
        elif value is not None:
            plain = str(len(value)) if isinstance(value, list) else str(value)
            rows.append([title_of(name).in_language(language), plain, ""])
    print_table([t("figure", "项目"), t("value", "数值"), t("records", "依据记录数")], rows)


def show(
    seller: SellerArgument,
    *,
    quarter: QuarterOption = None,
    output_format: Annotated[
        ShowFormat, typer.Option("--format", help=t("How to show it.", "显示格式。"))
    ] = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show a passport."""
    from carnet.cli.output import deliver
    from carnet.core.clock import SystemClock
    from carnet.services.passport_views import newest_passport

    clock = SystemClock()
    with open_workspace(workspace) as opened:
        passport = newest_passport(opened, seller, clock, quarter)
    if output_format == "html":
        deliver(_page(passport), output)
    elif output_format == "json":
        deliver(_json(passport.to_json()), output)
    else:
        _print(passport)


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _page(passport: "Passport") -> str:
    from carnet.cli.render.passport import passport_page
    from carnet.core.clock import SystemClock
    from carnet.services.passport_views import MEMBERS

    today = SystemClock().now().date()
    return passport_page(passport, MEMBERS, today, current_language())


def present(
    seller: SellerArgument,
    *,
    disclose: Annotated[
        list[str],
        typer.Option(
            "--disclose",
            metavar="FIELDS",
            help=t(
                "Members to disclose, by commas: tier, overallIndex, multiChannelSalesHealth, "
                "userQualityIndex, supplyChainStability, complianceStanding, seller, "
                "officerConfirmed.",
                "要披露的成员，以逗号分隔：tier、overallIndex、multiChannelSalesHealth、"
                "userQualityIndex、supplyChainStability、complianceStanding、seller、"
                "officerConfirmed。",
            ),
        ),
    ],
    quarter: QuarterOption = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE.html",
            help=t("Write the page of the chosen members as well.", "同时写出仅含所选成员的页面。"),
        ),
    ] = None,
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Present a passport."""
    from carnet.cli.output import deliver
    from carnet.core.clock import SystemClock
    from carnet.services.passport_views import present_passport

    names = [name for each in disclose for name in each.split(",") if name]
    with open_workspace(workspace) as opened:
        passport, bundle = present_passport(opened, seller, names, SystemClock(), quarter)
    deliver(bundle.to_bytes().decode("utf-8"), output)
    if page is not None:
        deliver(_page(passport), page)
    if passport.state != "current":
        _warn(passport)


def _warn(passport: "Passport") -> None:
    from carnet.services.passport_views import STATES

    word = STATES[passport.state]
    typer.echo(
        t(f"This passport is {word.en}.", f"该护照{word.zh}。"),
        err=True,
    )


def revoke(
    seller: SellerArgument,
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", help=t("Why; it stays in the workspace.", "理由；仅保存在工作区。")
        ),
    ],
    quarter: QuarterOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Revoke a passport."""
    from carnet.core.clock import SystemClock, format_instant
    from carnet.services.passport_views import revoke_passport

    with open_workspace(workspace) as opened:
        done = revoke_passport(opened, seller, reason, SystemClock(), quarter)
    name, at = done.record.record_id, format_instant(done.at)
    if output_format == "json":
        print_json({"record": name, "revoked_at": at, "is_new": done.is_new})
    else:
        typer.echo(t(f"{name} is revoked since {at}.", f"{name} 已于 {at} 撤销。"))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help=GROUP_HELP)
    group.command("issue", help=ISSUE_HELP)(issue)
    group.command("show", help=SHOW_HELP)(show)
    group.command("present", help=PRESENT_HELP)(present)
    group.command("revoke", help=REVOKE_HELP)(revoke)
    app.add_typer(group, name="passport")

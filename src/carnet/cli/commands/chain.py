"""``carnet chain``: the node, the contracts, and where they stand."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.days import parse_day
from carnet.cli.language import t
from carnet.cli.opening import open_session, open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows

if TYPE_CHECKING:
    from carnet.chain.deployment import Deployment
    from carnet.services.chaining import ChainStatus
    from carnet.services.deploying import DeployReport

HELP = t(
    "The chain: node, contracts, time.\n\nExample: carnet chain status",
    "链：节点、合约、时间。\n\n示例：carnet chain status",
)
UP_HELP = t(
    "Start the development node of the workspace, and leave it running.\n\n"
    "Commands that need it start it for themselves; keep it up to look at it from elsewhere.\n\n"
    "Example: carnet chain up --as-of 2026-11-23",
    "启动工作区的开发节点并保持运行。\n\n"
    "需要节点的命令会自行启动；如需从别处访问，请保持其运行。\n\n"
    "示例：carnet chain up --as-of 2026-11-23",
)
DOWN_HELP = t(
    "Stop the development node; its state is kept.\n\nExample: carnet chain down",
    "停止开发节点；其状态会保留。\n\n示例：carnet chain down",
)
DEPLOY_HELP = t(
    "Deploy the contracts and give each role to its key; what is there already is left alone.\n\n"
    "Example: carnet chain deploy",
    "部署合约并将各角色授予其密钥；已存在的不作改动。\n\n示例：carnet chain deploy",
)
STATUS_HELP = t(
    "Show the node, the chain and the contracts, starting nothing.\n\n"
    "Example: carnet chain status --format json",
    "显示节点、链和合约，不启动任何进程。\n\n示例：carnet chain status --format json",
)
ADVANCE_HELP = t(
    "Move the time of a development chain forward to the start of a day (UTC).\n\n"
    "Example: carnet chain advance --to 2026-11-24",
    "将开发链的时间推进到某日零时（UTC）。\n\n示例：carnet chain advance --to 2026-11-24",
)

app = typer.Typer(name="chain", help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.command("up", help=UP_HELP)
def up(
    *,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="YYYY-MM-DD",
            help=t(
                "The day on which a new chain begins; default: now. One that exists goes on.",
                "新链的起始日期；默认为当前时间。已存在的链从原处继续。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Start the development node."""
    from datetime import UTC, datetime, time

    from carnet.services import chaining

    start_at = None
    if as_of is not None:
        start_at = datetime.combine(parse_day(as_of), time(8), UTC)
    with open_workspace(workspace) as opened:
        node, was_started = chaining.up(opened, start_at=start_at)
    if output_format == "json":
        print_json({"url": node.url, "pid": node.pid, "started": was_started})
    elif was_started:
        typer.echo(t(f"The node is up at {node.url}.", f"节点已启动：{node.url}。"))
    else:
        typer.echo(t(f"The node was up at {node.url}.", f"节点已在运行：{node.url}。"))


@app.command("down", help=DOWN_HELP)
def down(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Stop the development node."""
    from carnet.services import chaining

    with open_workspace(workspace) as opened:
        was_running = chaining.down(opened)
    if output_format == "json":
        print_json({"stopped": was_running})
    elif was_running:
        typer.echo(t("The node is down; its state is kept.", "节点已停止；其状态已保留。"))
    else:
        typer.echo(t("No node was running.", "没有运行中的节点。"))


@app.command("deploy", help=DEPLOY_HELP)
def deploy(
    *,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=t(
                "Deploy anew where contracts of another version or set-up are recorded.",
                "若记录的合约属于其他版本或配置，则重新部署。",
            ),
        ),
    ] = False,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Deploy the contracts."""
    from carnet.core.clock import SystemClock
    from carnet.services import deploying
    from carnet.services.keys import ensure_key

    with open_session(workspace) as session:
        issuer = ensure_key(session.workspace, "issuer", SystemClock()).did
        report = deploying.deploy(session, issuer=issuer, is_replacing=replace)
    if output_format == "json":
        print_json(_deploy_json(report))
        return
    new, old = t("deployed now", "本次部署"), t("was there", "已存在")
    print_rows(
        (each.deployment.contract, f"{each.deployment.address}  {new if each.is_new else old}")
        for each in report.contracts
    )


def _deploy_json(report: "DeployReport") -> dict[str, Any]:
    return {
        "chain_id": report.chain_id,
        "contracts": [
            {**_deployment_json(each.deployment), "is_new": each.is_new}
            for each in report.contracts
        ],
        "changes": list(report.changes),
    }


def _deployment_json(found: "Deployment") -> dict[str, Any]:
    return {"contract": found.contract, "address": found.address, "block": found.block}


@app.command("status", help=STATUS_HELP)
def status(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show the node, the chain and the contracts."""
    from carnet.services import chaining

    with open_workspace(workspace) as opened:
        found = chaining.status(opened)
    if output_format == "json":
        print_json(_status_json(found))
    else:
        print_rows(_status_rows(found))


def _status_json(found: "ChainStatus") -> dict[str, Any]:
    from carnet.core.clock import format_instant

    return {
        "url": found.url or None,
        "is_managed": found.is_managed,
        "is_running": found.chain_id is not None,
        "chain_id": found.chain_id,
        "block": found.block_number,
        "now": None if found.now is None else format_instant(found.now),
        "contracts": [
            {**_deployment_json(each), "code": found.codes.get(each.contract)}
            for each in found.deployments
        ],
    }


def _status_rows(found: "ChainStatus") -> list[tuple[str, str | int]]:
    from carnet.core.clock import format_instant

    kind = t("development node", "开发节点") if found.is_managed else t("external node", "外部节点")
    down = t("not running", "未运行")
    rows: list[tuple[str, str | int]] = [(t("Node", "节点"), f"{kind}  {found.url or down}")]
    if found.chain_id is not None:
        rows.append((t("Chain", "链"), found.chain_id))
    if found.block_number is not None and found.now is not None:
        rows.append((t("Block", "区块"), f"{found.block_number}  {format_instant(found.now)}"))
    for each in found.deployments:
        code = found.codes.get(each.contract, "")
        rows.append((f"  {each.contract}", f"{each.address}  {_code_words(code)}".rstrip()))
    return rows


def _code_words(code: str) -> str:
    words = {
        "same": t("as built", "与构建一致"),
        "absent": t("NO CODE THERE", "该地址没有代码"),
        "other": t("OTHER CODE", "代码不符"),
    }
    return words.get(code, "")


@app.command("advance", help=ADVANCE_HELP)
def advance(
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="YYYY-MM-DD", help=t("The day to move to.", "推进到的日期。")),
    ],
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Move the time of a development chain."""
    from carnet.chain.devtime import advance_to_day
    from carnet.core.clock import format_instant

    day = parse_day(to)
    with open_session(workspace) as session:
        now = advance_to_day(session.rpc, session.chain_id, day)
    shown = format_instant(now)
    if output_format == "json":
        print_json({"now": shown})
    else:
        typer.echo(t(f"The chain stands at {shown}.", f"链上时间为 {shown}。"))


def register(root: typer.Typer) -> None:
    """Add the group of this module."""
    root.add_typer(app)

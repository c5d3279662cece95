"""``carnet init``, ``import``, ``status`` and ``upgrade``: a workspace and what is in it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.credentials import tell_credentials
from carnet.cli.failure import EXIT_INPUT
from carnet.cli.language import say, t
from carnet.cli.opening import ask_new_passphrase, open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import Rows, print_json, print_rows

if TYPE_CHECKING:
    from datetime import date

    from carnet.services.importing import ImportReport
    from carnet.services.status import Status

INIT_HELP = t(
    "Make a workspace: a folder with settings, database, keys and chain state.\n\n"
    "Example: carnet init my-company",
    "新建工作区：包含设置、数据库、密钥和链状态的文件夹。\n\n示例：carnet init my-company",
)
IMPORT_HELP = t(
    "Import facts from CSV, XLSX, JSON and NDJSON files: all of them, or nothing.\n\n"
    "Importing the same facts again changes nothing. Statements of platforms (CSV) and of banks "
    "(ISO 20022 camt.053, camt.054) are read by a statement map; UNTP conformity credentials "
    "(v0.6, JSON or JWT) by a credential map.\n\n"
    "Example: carnet import product.csv listing.csv",
    "从 CSV、XLSX、JSON、NDJSON 文件导入事实：要么全部导入，要么都不导入。\n\n"
    "重复导入相同的事实不会有任何改变。"
    "平台结算单（CSV）与银行对账单（ISO 20022 camt.053、camt.054）按对账单映射读取；"
    "UNTP 合格评定凭证（v0.6，JSON 或 JWT）按凭证映射读取。\n\n"
    "示例：carnet import product.csv listing.csv",
)
STATUS_HELP = t(
    "Show what the workspace holds: facts, decisions, findings, records, log, chain.\n\n"
    "Example: carnet status --format json",
    "显示工作区内容：事实、判定、发现项、记录、日志、链。\n\n示例：carnet status --format json",
)
UPGRADE_HELP = t(
    "Bring the database of a workspace to the schema of this version.\n\n"
    "Make a backup first; there is no way back.\n\n"
    "Example: carnet upgrade --workspace my-company",
    "将工作区数据库升级到本版本的结构。\n\n请先备份；升级后无法还原。\n\n"
    "示例：carnet upgrade --workspace my-company",
)

StatementMapOption = Annotated[
    Path | None,
    typer.Option(
        "--statement-map",
        metavar="MAP.toml",
        help=t(
            "What the codes and columns of statements mean, for *.xml and statement*.csv.",
            "对账单代码与列的含义，用于 *.xml 和 statement*.csv。",
        ),
    ),
]
CredentialMapOption = Annotated[
    Path | None,
    typer.Option(
        "--credential-map",
        metavar="MAP.toml",
        help=t(
            "What the credentials of each issuer mean, and which keys are pinned for it.",
            "各签发方凭证的含义，以及为其固定的密钥。",
        ),
    ),
]


def init(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help=t("A new or empty folder.", "新的或空的文件夹。")),
    ],
    *,
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help=t(
                "Lock the keys with a passphrase (asked for, or CARNET_PASSPHRASE) instead of a "
                "key file.",
                "用口令（提示输入，或 CARNET_PASSPHRASE）而非密钥文件保护密钥。",
            ),
        ),
    ] = False,
    database_url: Annotated[
        str,
        typer.Option(
            "--database-url",
            help=t(
                "A PostgreSQL database instead of SQLite in the folder.",
                "使用 PostgreSQL 数据库，而非文件夹中的 SQLite。",
            ),
        ),
    ] = "",
    log_origin: Annotated[
        str,
        typer.Option(
            "--log-origin",
            help=t("The name of the log, as lenders pin it.", "日志名称，由资金方固定采用。"),
        ),
    ] = "",
    _lang: LanguageOption = None,
) -> None:
    """Make a workspace."""
    from carnet.core.clock import SystemClock
    from carnet.services.workspace import create

    secret = (os.environ.get("CARNET_PASSPHRASE") or ask_new_passphrase()) if passphrase else None
    create(
        folder,
        clock=SystemClock(),
        passphrase=secret,
        database_url=database_url,
        log_origin=log_origin,
    )
    typer.echo(t(f"Made the workspace {folder}.", f"已新建工作区 {folder}。"))
    typer.echo(
        t(
            f"Next: carnet import FILE... --workspace {folder}",
            f"下一步：carnet import 文件... --workspace {folder}",
        )
    )


def _tell_empty(report: "ImportReport") -> None:
    for file in report.without_facts:
        typer.echo(t(f"{file}: no facts in this file.", f"{file}：文件中没有事实。"), err=True)


def _print_report(report: "ImportReport") -> None:
    total = report.total
    replaced = t(f", {total.replaced} replaced", f"，替换 {total.replaced} 条")
    typer.echo(
        t(
            f"{total.new} new{replaced if total.replaced else ''}, {total.known} already there.",
            f"新增 {total.new} 条{replaced if total.replaced else ''}，已存在 {total.known} 条。",
        )
    )
    print_rows(
        (f"  {name}", count.new + count.replaced)
        for name, count in sorted(report.by_type.items())
        if count.new or count.replaced
    )


def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help=t(
                "Files; a CSV file is named after its fact type; - reads JSON or NDJSON from "
                "stdin.",
                "文件；CSV 文件以其事实类型命名；- 表示从标准输入读取 JSON 或 NDJSON。",
            ),
        ),
    ],
    *,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=t(
                "Add a new version of facts that are stored with another content; the old "
                "versions are kept.",
                "对内容不同的已存事实追加新版本；旧版本予以保留。",
            ),
        ),
    ] = False,
    statement_map: StatementMapOption = None,
    credential_map: CredentialMapOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Import facts from files."""
    from carnet.core.clock import SystemClock
    from carnet.facts.issue import IntakeError
    from carnet.services.importing import import_files

    with open_workspace(workspace) as opened:
        try:
            report = import_files(
                opened,
                paths,
                SystemClock(),
                is_replacing=replace,
                statement_map=statement_map,
                credential_map=credential_map,
            )
        except IntakeError as error:
            if output_format != "json":
                raise
            print_json({"error": error.to_json()})
            sys.exit(EXIT_INPUT)
    _tell_empty(report)
    tell_credentials(report.credentials)
    if output_format == "json":
        print_json(report.to_json())
    else:
        _print_report(report)


def _chain_rows(found: "Status") -> Rows:
    node = found.rpc_url or t("development node of the workspace", "工作区自带的开发节点")
    yield t("Chain", "链"), f"{found.chain_id} ({node})"
    for kind, states in found.actions.items():
        shown = ", ".join(f"{count} {state}" for state, count in states.items())
        yield "  " + t(f"actions: {kind}", f"操作：{kind}"), shown
    for each in found.deployments:
        block = t(f"block {each.block}", f"区块 {each.block}")
        yield f"  {each.contract}", f"{each.address} ({each.chain_id}, {block})"


def _told_findings(counts: dict[str, int], today: "date") -> str:
    from carnet.services.words import FINDING_STATES

    shown = [f"{counts[state]} {say(word)}" for state, word in FINDING_STATES.items()]
    overdue = t(f"; {counts['overdue']} overdue", f"；逾期 {counts['overdue']}")
    return t(", ", "，").join(shown) + (overdue if counts["overdue"] else "") + f"  ({today})"


def _told_evidence(counts: dict[str, int]) -> str:
    bad = counts["missing"] + counts["altered"]
    if not bad:
        return str(counts["attached"])
    told = t(
        f"{counts['missing']} missing, {counts['altered']} altered: see `carnet certificates "
        "evidence`",
        f"缺失 {counts['missing']}，被改动 {counts['altered']}：见 `carnet certificates evidence`",
    )
    return f"{counts['attached']}  ({told})"


def _status_rows(found: "Status", findings: str) -> Rows:
    from carnet.core.clock import format_instant

    yield t("Workspace", "工作区"), found.path
    yield t("Facts", "事实"), sum(found.facts.values())
    yield from ((f"  {name}", count) for name, count in found.facts.items())
    latest = found.last_import_at
    since = t("latest", "最近") + f" {format_instant(latest)}" if latest else ""
    yield t("Imports", "导入"), f"{found.import_count}  {since}".rstrip()
    yield t("Evidence files", "证据文件"), _told_evidence(found.evidence)
    yield t("Decisions", "判定"), found.decision_count
    yield t("Findings", "发现项"), findings
    yield t("Records", "记录"), found.record_count
    yield t("Log entries", "日志条目"), found.log_size
    head = found.checkpoint
    none = t("none", "无")
    shown = f"{head.size}  {head.root.hex()}  {format_instant(head.at)}" if head else none
    yield t("Checkpoint", "检查点"), shown
    yield from _chain_rows(found)


def status(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show what the workspace holds."""
    from carnet.core.clock import SystemClock
    from carnet.services.findings import count_states, list_findings
    from carnet.services.status import workspace_status

    today = SystemClock().now().date()
    with open_workspace(workspace) as opened:
        found = workspace_status(opened)
        counts = count_states(list_findings(opened, today))
    if output_format == "json":
        print_json(found.to_json() | {"findings": {"as_of": today.isoformat(), **counts}})
    else:
        print_rows(_status_rows(found, _told_findings(counts, today)))


def upgrade(*, workspace: WorkspaceOption = None, _lang: LanguageOption = None) -> None:
    """Bring the database of a workspace to the schema of this version."""
    with open_workspace(workspace, is_upgrading=True) as opened:
        applied = opened.upgrade()
    if applied:
        names = ", ".join(applied)
        typer.echo(t(f"Applied the migrations {names}.", f"已执行迁移 {names}。"))
    else:
        typer.echo(t("The database is up to date.", "数据库已是最新。"))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init", help=INIT_HELP)(init)
    app.command("import", help=IMPORT_HELP)(import_)
    app.command("status", help=STATUS_HELP)(status)
    app.command("upgrade", help=UPGRADE_HELP)(upgrade)

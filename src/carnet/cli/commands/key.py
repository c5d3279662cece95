"""``carnet key``: the signing keys of a workspace and the events of their lives."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows, print_table

if TYPE_CHECKING:
    from carnet.services.key_changing import KeyLine

HELP = t(
    "The signing keys: issuer, log, witness and officers.\n\n"
    "Each key is a file encrypted under the workspace's key file or passphrase; each event of its "
    "life is a record in the log.\n\nExample: carnet key list",
    "签名密钥：签发方、日志、见证者与合规专员。\n\n"
    "每个密钥是以工作区密钥文件或口令加密的文件；其生命周期的每个事件都是日志中的记录。"
    "\n\n示例：carnet key list",
)
NEW_HELP = t(
    "Make a key and state it in the log.\n\nExample: carnet key new officer --name officer-1",
    "生成密钥并登记到日志。\n\n示例：carnet key new officer --name officer-1",
)
LIST_HELP = t(
    "List the keys: which are in use, and which log entries began and ended them.\n\n"
    "Example: carnet key list --format json",
    "列出密钥：哪些在使用，由哪些日志条目启用和终止。\n\n示例：carnet key list --format json",
)
ROTATE_HELP = t(
    "Put a new key in the place of the one in use.\n\n"
    "What the old key signed before stays valid. The old key of the issuer signs the event, so "
    "that lenders who trust it follow; after rotating the log's or the witness's key, give "
    "lenders a new policy file.\n\nExample: carnet key rotate issuer",
    "以新密钥替换使用中的密钥。\n\n"
    "旧密钥此前的签名仍然有效。签发方的旧密钥签署该事件，信任它的资金方可随之承接；"
    "轮换日志或见证者密钥后，请向资金方提供新的策略文件。\n\n示例：carnet key rotate issuer",
)
REVOKE_HELP = t(
    "End the key in use with nothing in its place.\n\n"
    "What it signed before stays valid, what it signs later is not. The end of the issuer's key "
    "is the end of issuing in this workspace.\n\n"
    "Example: carnet key revoke officer --name officer-1 --reason retired",
    "终止使用中的密钥且不予替换。\n\n"
    "其此前的签名仍然有效，此后的签名无效。吊销签发方密钥后，本工作区不能再签发记录。\n\n"
    "示例：carnet key revoke officer --name officer-1 --reason retired",
)
EXPORT_HELP = t(
    "Print the public part of a key in use, for those who shall trust it; never the secret.\n\n"
    "Example: carnet key export log",
    "输出使用中密钥的公开部分，供信任方使用；绝不输出私钥。\n\n示例：carnet key export log",
)
Role = Literal["issuer", "log", "officer", "witness"]
RoleArgument = Annotated[Role, typer.Argument(help=t("What the key is for.", "密钥的用途。"))]
NameOption = Annotated[
    str | None,
    typer.Option("--name", help=t("The officer's role id.", "合规专员的角色代号。")),
]


def _state(line: "KeyLine") -> str:
    return t("in use", "使用中") if line.is_current else t("ended", "已终止")


def _place(index: int | None) -> str:
    return "" if index is None else str(index)


def _print(line: "KeyLine", output_format: str) -> None:
    if output_format == "json":
        print_json(line.to_json())
        return
    rows = [
        (t("role", "用途"), line.role),
        (t("name", "名称"), line.name),
        (t("key", "密钥"), line.did),
        (t("state", "状态"), _state(line)),
        (t("begun by entry", "启用条目"), _place(line.begun)),
        (t("ended by entry", "终止条目"), _place(line.ended)),
    ]
    if line.verifier_key is not None:
        rows.append((t("verifier key", "验证密钥"), line.verifier_key))
    print_rows(rows)


def new(
    role: RoleArgument,
    *,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Make a key."""
    from carnet.core.clock import SystemClock
    from carnet.services.key_changing import new_key

    with open_workspace(workspace) as opened:
        line = new_key(opened, role, name, SystemClock())
    _print(line, output_format)


def list_(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """List the keys."""
    from carnet.services.key_changing import list_keys

    with open_workspace(workspace) as opened:
        lines = list_keys(opened)
    if output_format == "json":
        print_json({"keys": [line.to_json() for line in lines]})
        return
    headers = [
        t("role", "用途"),
        t("name", "名称"),
        t("state", "状态"),
        t("begun", "启用"),
        t("ended", "终止"),
        t("key", "密钥"),
    ]
    print_table(
        headers,
        [
            (line.role, line.name, _state(line), _place(line.begun), _place(line.ended), line.did)
            for line in lines
        ],
    )


def rotate(
    role: RoleArgument,
    *,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Replace a key."""
    from carnet.core.clock import SystemClock
    from carnet.services.key_changing import rotate_key

    with open_workspace(workspace) as opened:
        line = rotate_key(opened, role, name, SystemClock())
    _print(line, output_format)


def revoke(
    role: RoleArgument,
    *,
    reason: Annotated[
        Literal["compromised", "lost", "retired"],
        typer.Option("--reason", help=t("Why it ends.", "终止的原因。")),
    ],
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """End a key."""
    from carnet.core.clock import SystemClock
    from carnet.services.key_changing import revoke_key

    with open_workspace(workspace) as opened:
        line = revoke_key(opened, role, name, reason, SystemClock())
    _print(line, output_format)


def export(
    role: RoleArgument,
    *,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Print the public part of a key."""
    from carnet.services.key_changing import exported_key

    with open_workspace(workspace) as opened:
        line = exported_key(opened, role, name)
    if output_format == "json":
        print_json(line.to_json())
    else:
        typer.echo(line.verifier_key or line.did)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    key = typer.Typer(no_args_is_help=True, help=HELP)
    key.command("new", help=NEW_HELP)(new)
    key.command("list", help=LIST_HELP)(list_)
    key.command("rotate", help=ROTATE_HELP)(rotate)
    key.command("revoke", help=REVOKE_HELP)(revoke)
    key.command("export", help=EXPORT_HELP)(export)
    app.add_typer(key, name="key")

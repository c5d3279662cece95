"""``carnet record revoke`` and ``carnet status-list``: what still counts, and the list of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from carnet.services.status_listing import ListState

REVOKE_HELP = t(
    "Revoke a record for ever.\n\n"
    "The status list that says so goes into the log at once, with all that waits. The reason stays "
    "in the workspace.\n\n"
    'Example: carnet record revoke urn:uuid:... --reason "the body withdrew the certificate"',
    "永久撤销一条记录。\n\n"
    "说明该撤销的状态列表连同所有待入日志的记录立即写入日志。理由仅保存在工作区。\n\n"
    '示例：carnet record revoke urn:uuid:... --reason "公告机构已撤回该证书"',
)
GROUP_HELP = t(
    "Signed lists of the records that were revoked or replaced.\n\n"
    "Example: carnet status-list publish",
    "已撤销或已被取代的记录的签名状态列表。\n\n示例：carnet status-list publish",
)
PUBLISH_HELP = t(
    "Sign the status lists that are due and append them to the log, with all that waits.\n\n"
    "A list is due where it would say something else, where a record stands behind it in the log, "
    "or where half of its time is over. `carnet anchor push` publishes due lists by itself.\n\n"
    "Example: carnet status-list publish",
    "签署到期应更新的状态列表并写入日志，连同所有待入日志的记录。\n\n"
    "内容有变化、日志中有记录位于其后或有效期已过半时，列表即应更新。"
    "`carnet anchor push` 会自动发布应更新的列表。\n\n"
    "示例：carnet status-list publish",
)
SHOW_HELP = t(
    "Show the status lists, how many records each tells of, and until when.\n\n"
    "Example: carnet status-list show --format json",
    "显示状态列表、各列表涉及的记录数及有效期。\n\n示例：carnet status-list show --format json",
)


def record_revoke(
    record_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help=t("The record's urn:uuid or its hash.", "记录的 urn:uuid 或哈希。")
        ),
    ],
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help=t("Why it is revoked.", "撤销理由。"))
    ],
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Revoke a record."""
    from carnet.core.clock import SystemClock, format_instant
    from carnet.services.status_listing import revoke_record

    with open_workspace(workspace) as opened:
        found = revoke_record(opened, record_id, reason, SystemClock())
    name, at = found.record.record_id, format_instant(found.at)
    if output_format == "json":
        shown = {"id": name, "revokedAt": at, "reason": found.reason, "isNew": found.is_new}
        print_json(shown)
        return
    if found.is_new:
        typer.echo(t(f"Revoked {name}.", f"已撤销 {name}。"))
    else:
        typer.echo(
            t(f"{name} was revoked at {at} already.", f"{name} 此前已于 {at} 撤销。"),
        )


def _print(states: "list[ListState]", output_format: str) -> None:
    from carnet.core.clock import format_instant
    from carnet.ledger.kinds.status import REVOKED, SUPERSEDED

    ends = [state.newest.valid_until if state.newest else None for state in states]
    lines = [
        {
            "list": state.urn,
            "entries": state.entries,
            "revoked": state.counted(REVOKED),
            "superseded": state.counted(SUPERSEDED),
            "index": state.index,
            "validUntil": format_instant(end) if end else None,
        }
        for state, end in zip(states, ends, strict=True)
    ]
    if output_format == "json":
        print_json({"lists": lines})
        return
    headers = [
        t("list", "列表"),
        t("entries", "条目"),
        t("revoked", "已撤销"),
        t("superseded", "已被取代"),
        t("log index", "日志位置"),
        t("valid until", "有效期至"),
    ]
    rows = [tuple("-" if item is None else str(item) for item in line.values()) for line in lines]
    print_table(headers, rows)


def status_list_publish(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Publish the status lists that are due."""
    from carnet.core.clock import SystemClock
    from carnet.services.status_listing import list_states, publish_lists
    from carnet.store.engine import reading

    with open_workspace(workspace) as opened:
        published = publish_lists(opened, SystemClock())
        with reading(opened.engine) as connection:
            states = list_states(connection)
    count = len(published)
    if output_format != "json":
        typer.echo(t(f"{count} published.", f"已发布 {count} 份。"), err=True)
    _print(states, output_format)


def status_list_show(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show the status lists."""
    from carnet.services.status_listing import list_states
    from carnet.store.engine import reading

    with open_workspace(workspace) as opened, reading(opened.engine) as connection:
        states = list_states(connection)
    _print(states, output_format)


def register(app: typer.Typer, record: typer.Typer) -> None:
    """Add the commands of this module.

    Args:
        app: The program.
        record: The group ``carnet record``.
    """
    record.command("revoke", help=REVOKE_HELP)(record_revoke)
    group = typer.Typer(no_args_is_help=True, help=GROUP_HELP)
    group.command("publish", help=PUBLISH_HELP)(status_list_publish)
    group.command("show", help=SHOW_HELP)(status_list_show)
    app.add_typer(group, name="status-list")

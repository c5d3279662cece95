"""``carnet anchor``: the log on the chain."""

import sys
from typing import TYPE_CHECKING, Any

import typer

from carnet.cli.failure import EXIT_FINDINGS
from carnet.cli.language import t
from carnet.cli.opening import open_session
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows

if TYPE_CHECKING:
    from carnet.services.anchoring import Anchored, AnchorStatus

HELP = t(
    "Anchors of the log on the chain.\n\nExample: carnet anchor push",
    "日志在链上的锚定。\n\n示例：carnet anchor push",
)
PUSH_HELP = t(
    "Anchor the newest checkpoint of the log, once.\n\n"
    "Run it again after any failure: it reads the chain before it sends.\n\n"
    "Example: carnet anchor push",
    "将日志的最新检查点锚定上链，仅一次。\n\n"
    "失败后可重新运行：发送之前会先读取链上状态。\n\n示例：carnet anchor push",
)
STATUS_HELP = t(
    "Compare the newest checkpoint with the chain. Exit 1 where the chain contradicts the log.\n\n"
    "Example: carnet anchor status --format json",
    "比对最新检查点与链上状态。若链与日志矛盾，退出码为 1。\n\n"
    "示例：carnet anchor status --format json",
)

app = typer.Typer(name="anchor", help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.command("push", help=PUSH_HELP)
def push(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Anchor the newest checkpoint."""
    from carnet.services import anchoring

    with open_session(workspace) as session:
        done = anchoring.push(session)
    if output_format == "json":
        print_json(_anchored_json(done))
        return
    root = done.root.hex()
    if done.is_new:
        typer.echo(
            t(
                f"Anchored {done.size} entries, root {root}, in block {done.block_number}.",
                f"已锚定 {done.size} 个条目，根 {root}，区块 {done.block_number}。",
            )
        )
    else:
        typer.echo(
            t(
                f"The root {root} of {done.size} entries is anchored already.",
                f"{done.size} 个条目的根 {root} 此前已锚定。",
            )
        )


def _anchored_json(done: "Anchored") -> dict[str, Any]:
    return {
        "origin": done.origin,
        "size": done.size,
        "root": done.root.hex(),
        "chain_id": done.chain_id,
        "contract": done.contract,
        "tx_hash": None if done.tx_hash is None else "0x" + done.tx_hash.hex(),
        "block": done.block_number,
        "is_new": done.is_new,
    }


@app.command("status", help=STATUS_HELP)
def status(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Compare the newest checkpoint with the chain."""
    from carnet.services import anchoring

    with open_session(workspace) as session:
        found = anchoring.status(session)
    if output_format == "json":
        print_json(_status_json(found))
    else:
        print_rows(_status_rows(found))
    if found.orphaned or found.state in {"ahead", "conflict"}:
        sys.exit(EXIT_FINDINGS)


def _status_json(found: "AnchorStatus") -> dict[str, Any]:
    from carnet.core.clock import format_instant

    return {
        "origin": found.origin,
        "state": found.state.value,
        "size": found.size,
        "root": None if found.root is None else found.root.hex(),
        "anchored_size": found.anchored_size,
        "anchored_at": None if found.anchored_at is None else format_instant(found.anchored_at),
        "orphaned": list(found.orphaned),
    }


def _status_rows(found: "AnchorStatus") -> list[tuple[str, str | int]]:
    from carnet.core.clock import format_instant

    words = {
        "none": t("there is no checkpoint yet", "尚无检查点"),
        "anchored": t("the newest checkpoint is anchored", "最新检查点已锚定"),
        "behind": t("the newest checkpoint waits for `anchor push`", "最新检查点待锚定"),
        "ahead": t("THE CHAIN IS AHEAD OF THE LOG", "链上状态比日志新"),
        "conflict": t("THE CHAIN HOLDS ANOTHER ROOT", "链上的根与日志不符"),
    }
    rows: list[tuple[str, str | int]] = [
        (t("Origin", "来源"), found.origin),
        (t("State", "状态"), words[found.state.value]),
        (t("Checkpoint", "检查点"), found.size),
        (t("Anchored", "已锚定"), found.anchored_size),
    ]
    if found.anchored_at is not None:
        rows.append((t("Anchored at", "锚定时间"), format_instant(found.anchored_at)))
    if found.orphaned:
        sizes = ", ".join(str(size) for size in found.orphaned)
        rows.append((t("LOST BY THE CHAIN", "链上已丢失"), sizes))
    return rows


def register(root: typer.Typer) -> None:
    """Add the group of this module."""
    root.add_typer(app)

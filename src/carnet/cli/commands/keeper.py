"""``carnet keeper``: the loop that does what is due."""

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.failure import EXIT_UNDECIDED, print_failure
from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carnet.keeper.loop import Keeper, Tick

HELP = t(
    "The keeper: does what is due, and nothing else.\n\nExample: carnet keeper run --once",
    "自动执行器：只执行到期的操作。\n\n示例：carnet keeper run --once",
)
RUN_HELP = t(
    "Sweep lockboxes that were paid and publish status lists that are due, until interrupted.\n\n"
    "On the chain it holds no power: anyone may call what it calls. Nothing is done twice.\n\n"
    "Example: carnet keeper run --once --dry-run",
    "持续归集已到账的专用收款地址，并发布到期的状态列表，直至被中断。\n\n"
    "它在链上没有任何特权：其调用任何人均可发起。任何操作都不会重复执行。\n\n"
    "示例：carnet keeper run --once --dry-run",
)
SECONDS_MAX = 86_400

app = typer.Typer(name="keeper", help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keep the group a group while it has one command."""


@app.command("run", help=RUN_HELP)
def run(
    *,
    once: Annotated[
        bool, typer.Option("--once", help=t("End after one round.", "执行一轮后结束。"))
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help=t("Show what is due and do nothing.", "只显示到期事项。")),
    ] = False,
    interval: Annotated[
        int,
        typer.Option(
            "--interval",
            min=1,
            max=SECONDS_MAX,
            metavar="SECONDS",
            help=t("Seconds between two rounds.", "两轮之间的秒数。"),
        ),
    ] = 15,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Do what is due."""
    from carnet.core.clock import SystemClock
    from carnet.keeper.loop import Keeper

    failed = False
    with open_workspace(workspace) as opened:
        keeper = Keeper(opened, SystemClock())
        with _stopping_on_signals(keeper):
            for tick in keeper.run(interval_s=float(interval), is_once=once, is_dry_run=dry_run):
                _print_tick(tick, output_format, is_dry_run=dry_run)
                failed = tick.error is not None
    if once and failed:
        sys.exit(EXIT_UNDECIDED)


@contextmanager
def _stopping_on_signals(keeper: "Keeper") -> "Iterator[None]":
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: keeper.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _print_tick(tick: "Tick", output_format: str, *, is_dry_run: bool) -> None:
    if tick.error is not None:
        print_failure(tick.error)
    if output_format == "json":
        # One object a line: a loop has no end at which one object could be closed.
        typer.echo(json.dumps(_tick_json(tick, is_dry_run=is_dry_run), ensure_ascii=False))
        return
    if tick.report is not None:
        _print_report(tick)
    for urn in tick.lists:
        # Where the chain failed, what was published is told all the same.
        typer.echo(
            t(f"  status list due: {urn}", f"  状态列表到期：{urn}")
            if is_dry_run
            else t(f"  published status list {urn}", f"  已发布状态列表 {urn}")
        )


def _tick_json(tick: "Tick", *, is_dry_run: bool) -> dict[str, Any]:
    from carnet.core.clock import format_instant

    report = tick.report
    if report is None:
        assert tick.error is not None, "a tick has a report or an error"
        return {
            "at": format_instant(tick.at),
            "is_dry_run": is_dry_run,
            "error": tick.error.code,
            "status_lists": list(tick.lists),
        }
    return {
        "at": format_instant(tick.at),
        "chain_now": format_instant(report.at),
        "is_dry_run": is_dry_run,
        "due": [item.receivable_id.hex() for item in report.due],
        "swept": [
            {
                "id": each.receivable_id.hex(),
                "applied": str(each.applied),
                "passed_on": str(each.passed_on),
                "tx_hash": "0x" + each.tx_hash.hex(),
            }
            for each in report.swept
        ],
        "failed": [item.receivable_id.hex() for item in report.failed],
        "gas_used": report.gas_used,
        "status_lists": list(tick.lists),
    }


def _print_report(tick: "Tick") -> None:
    from carnet.core.clock import format_instant

    report = tick.report
    assert report is not None, "the caller looked"
    head = format_instant(tick.at)
    counts = t(
        f"{len(report.due)} due, {len(report.swept)} swept, {len(report.failed)} failed",
        f"到期 {len(report.due)}，已归集 {len(report.swept)}，失败 {len(report.failed)}",
    )
    typer.echo(f"{head}  {counts}")
    for item in report.due if report.is_dry_run else ():
        typer.echo(
            t(f"  would sweep {item.receivable_id.hex()}", f"  将归集 {item.receivable_id.hex()}")
        )
    for each in report.swept:
        typer.echo(t(f"  swept {each.receivable_id.hex()}", f"  已归集 {each.receivable_id.hex()}"))
    for item in report.failed:
        typer.echo(t(f"  failed {item.receivable_id.hex()}", f"  失败 {item.receivable_id.hex()}"))


def register(root: typer.Typer) -> None:
    """Add the group of this module."""
    root.add_typer(app)

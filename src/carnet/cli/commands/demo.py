"""``carnet demo``: the whole story on the sample seller."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from carnet.cli.language import t
from carnet.cli.options import LanguageOption

HELP = t(
    "Tell the whole story on a sample seller: facts, decisions, records, log, anchor, bundle, "
    "repayment.\n\n"
    "Everything is real: the database, the signatures, the chain. The workspace stays to explore; "
    "telling the story again makes it anew.\n\n"
    "Example: carnet demo --lang zh",
    "在示例卖家上讲完整个过程：事实、判定、记录、日志、锚定、验证包、还款。\n\n"
    "一切都是真实的：数据库、签名、链。工作区会保留以供查看；再次运行会重新生成。\n\n"
    "示例：carnet demo --lang zh",
)


def demo(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[DIR]", help=t("The workspace to make.", "要新建的工作区。")),
    ] = Path("carnet-demo"),
    _lang: LanguageOption = None,
) -> None:
    """Tell the whole story."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from carnet.cli.blocks import make_console, print_step
    from carnet.services.demo.story import STEP_COUNT, tell

    output = make_console()
    columns = (TextColumn("carnet demo"), BarColumn(), MofNCompleteColumn())
    is_shown = sys.stderr.isatty()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not is_shown
    ) as progress:
        task = progress.add_task("demo", total=STEP_COUNT)
        for step in tell(folder):
            print_step(output, step, STEP_COUNT)
            progress.advance(task)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", help=HELP)(demo)

"""``carnet verify``: what a bundle proves, with two files and one node."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INPUT, EXIT_UNDECIDED
from carnet.cli.language import say, t
from carnet.cli.options import FormatOption, LanguageOption
from carnet.cli.tables import print_json, print_table
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.services.words import VERDICTS

if TYPE_CHECKING:
    from carnet.ledger.verify import Verification

HELP = t(
    "Verify a bundle step by step, trusting your own policy file alone.\n\n"
    "No workspace and no account is needed: the bundle, the policy and, for the anchor, a node of "
    "your choice. Exit code: 0 valid, 1 not valid, 2 unusable input, 3 a required step was not "
    "checked.\n\n"
    "Example: carnet verify bundle.json --policy policy.toml --rpc http://127.0.0.1:8545",
    "逐步核验验证包，仅信任您自己的策略文件。\n\n"
    "无需工作区和账户：只需验证包、策略文件，以及用于读取锚定的任一节点。"
    "退出码：0 有效；1 无效；2 输入无法使用；3 必需的步骤未核验。\n\n"
    "示例：carnet verify bundle.json --policy policy.toml --rpc http://127.0.0.1:8545",
)


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(
        "CRN-V-021",
        Text(f"The file {path} cannot be read ({reason}).", f"无法读取文件 {path}（{reason}）。"),
        Text("Name a regular file, or - for stdin.", "请指定普通文件，或用 - 表示标准输入。"),
    )


def _read(path: Path) -> bytes:
    from carnet.core.canonical import SIZE_MAX

    if str(path) == "-":
        return sys.stdin.buffer.read(SIZE_MAX + 1)
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, t("not a regular file", "不是普通文件"))
        with path.open("rb") as file:
            return file.read(SIZE_MAX + 1)
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error


def _exit_code(found: "Verification") -> int:
    if not found.is_bundle:
        return EXIT_INPUT
    codes = {"valid": EXIT_CLEAN, "not_valid": EXIT_FINDINGS, "not_checked": EXIT_UNDECIDED}
    return codes[found.verdict]


def _print(found: "Verification", output_format: str) -> None:
    if output_format == "json":
        steps = [
            {"step": step.name, "verdict": step.verdict, "cause": say(step.cause)}
            for step in found.steps
        ]
        print_json({"verdict": found.verdict, "steps": steps})
        return
    rows = [(step.name, say(VERDICTS[step.verdict]), say(step.cause)) for step in found.steps]
    print_table([t("step", "步骤"), t("verdict", "结论"), t("cause", "原因")], rows)
    typer.echo("")
    typer.echo(t("Verdict: ", "结论：") + say(VERDICTS[found.verdict]))


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-", help=t("The bundle; - reads stdin.", "验证包；- 表示标准输入。")
        ),
    ],
    *,
    policy: Annotated[
        Path,
        typer.Option(
            "--policy",
            metavar="FILE",
            help=t("Whom you trust and what must be checked.", "您信任谁、哪些步骤必须检查。"),
        ),
    ],
    rpc: Annotated[
        str | None,
        typer.Option(
            "--rpc",
            metavar="URL",
            envvar="CARNET_RPC_URL",
            help=t("The node to read the anchor from.", "用于读取锚定的节点。"),
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help=t("Read no chain: the anchor stays not checked.", "不读取链：锚定步骤为未核验。"),
        ),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="YYYY-MM-DD",
            help=t(
                "The day at which validity is judged; default: the policy's, else today (UTC).",
                "判断有效期所依据的日期；默认为策略文件中的日期，否则为今天（UTC）。",
            ),
        ),
    ] = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Verify a bundle."""
    from carnet.cli.days import parse_as_of
    from carnet.core.clock import SystemClock
    from carnet.services.verifying import verify_file

    found = verify_file(
        _read(file),
        _read(policy),
        today=SystemClock().now().date(),
        as_of=parse_as_of(as_of) if as_of else None,
        rpc_url=None if offline else rpc,
    )
    _print(found, output_format)
    sys.exit(_exit_code(found))


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("verify", help=HELP)(verify)

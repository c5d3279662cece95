"""``carnet verify``: what a bundle proves, with two files and one node."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS, EXIT_INPUT, EXIT_UNDECIDED
from carnet.cli.language import say, t
from carnet.cli.options import STDOUT, FormatOption, LanguageOption, OutputOption
from carnet.cli.tables import print_json, print_table
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.services.words import VERDICTS

if TYPE_CHECKING:
    from carnet.ledger.verify import Verification

HELP = t(
    "Verify a bundle step by step, trusting your own policy file alone.\n\n"
    "No workspace and no account is needed: the bundle, the policy and, for the anchor, a node of "
    "your choice. The newest checkpoint of each log is remembered, so that a log which later shows "
    "another history is caught. Exit code: 0 valid, 1 not valid, 2 unusable input, 3 a required "
    "step was not checked.\n\n"
    "With --page the same verification is written as one static HTML page for a browser, which "
    "works offline and reads no chain; its SHA-256 goes to stderr.\n\n"
    "Example: carnet verify bundle.json --policy policy.toml --rpc http://127.0.0.1:8545",
    "逐步核验验证包，仅信任您自己的策略文件。\n\n"
    "无需工作区和账户：只需验证包、策略文件，以及用于读取锚定的任一节点。"
    "每个日志的最新检查点会被记住，以便发现日志日后出示另一份历史。"
    "退出码：0 有效；1 无效；2 输入无法使用；3 必需的步骤未核验。\n\n"
    "加 --page 时输出一个静态 HTML 页面：在浏览器中离线进行相同的核验，但不读取链；"
    "其 SHA-256 写到标准错误。\n\n"
    "示例：carnet verify bundle.json --policy policy.toml --rpc http://127.0.0.1:8545",
)

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE|-", help=t("The bundle; - reads stdin.", "验证包；- 表示标准输入。")
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help=t("Whom you trust and what must be checked.", "您信任谁、哪些步骤必须检查。"),
    ),
]
RpcOption = Annotated[
    str | None,
    typer.Option(
        "--rpc",
        metavar="URL",
        envvar="CARNET_RPC_URL",
        help=t("The node to read the anchor from.", "用于读取锚定的节点。"),
    ),
]
OfflineOption = Annotated[
    bool,
    typer.Option(
        "--offline",
        help=t("Read no chain: the anchor stays not checked.", "不读取链：锚定步骤为未核验。"),
    ),
]
JudgedOnOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="YYYY-MM-DD",
        help=t(
            "The day at which validity is judged; default: the policy's, else today (UTC).",
            "判断有效期所依据的日期；默认为策略文件中的日期，否则为今天（UTC）。",
        ),
    ),
]
PageOption = Annotated[
    bool,
    typer.Option(
        "--page",
        help=t(
            "Write the static page that verifies in a browser, and verify nothing.",
            "输出在浏览器中核验的静态页面，不执行核验。",
        ),
    ),
]


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


def _missing(name: str) -> InputError:
    return InputError(
        "CRN-V-022",
        Text(f"{name} is missing: nothing can be verified.", f"缺少 {name}：无法核验。"),
        Text(
            "Name a bundle and a policy, or write the page with --page -o verify.html.",
            "请指定验证包和策略文件，或用 --page -o verify.html 输出页面。",
        ),
    )


def _write_page(output: Path) -> None:
    from carnet.cli.output import deliver
    from carnet.ledger.page import page_digest, verify_page

    deliver(verify_page().decode("utf-8"), output)
    typer.echo(f"SHA-256 {page_digest().hex()}", err=True)


def verify(
    file: FileArgument = None,
    *,
    policy: PolicyOption = None,
    rpc: RpcOption = None,
    offline: OfflineOption = False,
    as_of: JudgedOnOption = None,
    page: PageOption = False,
    output: OutputOption = STDOUT,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            envvar="CARNET_STATE",
            help=t(
                "Where the newest checkpoint seen of each log is kept; default: the user's state "
                "folder.",
                "保存各日志所见最新检查点的文件夹；默认为用户的状态文件夹。",
            ),
        ),
    ] = None,
    no_state: Annotated[
        bool,
        typer.Option(
            "--no-state", help=t("Remember nothing, compare nothing.", "不保存，也不比较。")
        ),
    ] = False,
    consistency: Annotated[
        list[Path] | None,
        typer.Option(
            "--consistency",
            metavar="FILE",
            help=t(
                "The output of `carnet log consistency` between a size seen and one of the bundle.",
                "所见大小与验证包中大小之间的 `carnet log consistency` 输出。",
            ),
        ),
    ] = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Verify a bundle."""
    from carnet.cli.days import parse_as_of
    from carnet.core.clock import SystemClock
    from carnet.services.seen import default_state_folder
    from carnet.services.verifying import verify_file

    if page:
        _write_page(output)
        return
    if file is None or policy is None:
        raise _missing("FILE" if file is None else "--policy")
    if output != STDOUT:
        raise _missing("--page")
    found = verify_file(
        _read(file),
        _read(policy),
        today=SystemClock().now().date(),
        as_of=parse_as_of(as_of) if as_of else None,
        rpc_url=None if offline else rpc,
        state=None if no_state else state or default_state_folder(),
        proofs=[_read(path) for path in consistency or ()],
    )
    _print(found, output_format)
    sys.exit(_exit_code(found))


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("verify", help=HELP)(verify)

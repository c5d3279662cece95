"""``carnet witness``: cosigns checkpoints of logs, and refuses a fork or a rollback."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.language import t
from carnet.cli.options import STDOUT, LanguageOption
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.core.envelope import Secret

HELP = t(
    "A witness of logs: it cosigns a checkpoint only if that continues the last one it signed.\n\n"
    "It needs no workspace, only a folder of its own, best on another machine than the log's.\n\n"
    "Example: carnet witness new witness.example/w1 --state w1",
    "日志的见证者：仅当检查点承接其上次签署的检查点时才联署。\n\n"
    "无需工作区，只需自己的文件夹，最好与日志不在同一台机器上。\n\n"
    "示例：carnet witness new witness.example/w1 --state w1",
)
NEW_HELP = t(
    "Make the key of a witness and print what policies name.\n\n"
    "The key is encrypted under a passphrase (CARNET_PASSPHRASE or a prompt) or under --secret.\n\n"
    "Example: carnet witness new witness.example/w1 --state w1",
    "生成见证者密钥，并输出供策略文件使用的公钥。\n\n"
    "密钥以口令（CARNET_PASSPHRASE 或提示输入）或 --secret 文件加密。\n\n"
    "示例：carnet witness new witness.example/w1 --state w1",
)
SIGN_HELP = t(
    "Cosign a checkpoint (C2SP cosignature/v1) that continues the last one signed for its log.\n\n"
    "A fork, a rollback or a missing proof is refused with exit code 1. The first checkpoint of a "
    "log is taken as it comes.\n\n"
    "Example: carnet witness sign checkpoint.txt --log LOGKEY --state w1 --proof proof.json",
    "联署检查点（C2SP cosignature/v1），前提是它承接为该日志上次签署的检查点。\n\n"
    "分叉、回滚或缺少证明时拒绝联署，退出码为 1。某日志的首个检查点直接采用。\n\n"
    "示例：carnet witness sign checkpoint.txt --log LOGKEY --state w1 --proof proof.json",
)
StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        help=t("The folder of the witness.", "见证者的文件夹。"),
    ),
]
SecretOption = Annotated[
    Path | None,
    typer.Option(
        "--secret",
        metavar="FILE",
        help=t(
            "A file of 32 random bytes instead of a passphrase, mode 0600.",
            "以 32 个随机字节的文件代替口令，权限 0600。",
        ),
    ),
]
NOTE_BYTES_MAX = 1024 * 1024


def _secret(path: Path | None, *, is_new: bool) -> "Secret":
    import os

    from carnet.cli.opening import ask_new_passphrase, ask_passphrase
    from carnet.core.envelope import Secret
    from carnet.core.settings import PASSPHRASE_VARIABLE

    if path is not None:
        return Secret.from_key_file(path)
    ask = ask_new_passphrase if is_new else ask_passphrase
    return Secret.from_passphrase(os.environ.get(PASSPHRASE_VARIABLE) or ask())


def _unreadable(path: Path, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-L-038",
        Text(f"The file {path} cannot be read ({en}).", f"无法读取文件 {path}（{zh}）。"),
        Text("Name a regular file, or - for stdin.", "请指定普通文件，或用 - 表示标准输入。"),
    )


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a small file, or of stdin where it is ``-``.

    Raises:
        InputError: It cannot be read.
    """
    if path == STDOUT:
        return sys.stdin.buffer.read(NOTE_BYTES_MAX + 1)
    try:
        with path.open("rb") as file:
            return file.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise _unreadable(path, str(error.strerror), str(error.strerror)) from error


def read_text(path: Path) -> str:
    """Return the text of a small file, or of stdin where it is ``-``.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8", "不是 UTF-8") from error


def new(
    name: Annotated[
        str,
        typer.Argument(
            help=t("Such as witness.example/w1: no space, no plus.", "例如 witness.example/w1。")
        ),
    ],
    *,
    state: StateOption,
    secret: SecretOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Make the key of a witness."""
    from carnet.services.witnessing import new_witness

    typer.echo(new_witness(state, name, _secret(secret, is_new=True)).to_text())


def sign(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT|-",
            help=t("As `carnet log checkpoint` prints it.", "`carnet log checkpoint` 的输出。"),
        ),
    ],
    *,
    log: Annotated[
        list[str],
        typer.Option(
            "--log",
            metavar="KEY",
            help=t(
                "The key of a log to watch; after a rotation the old one and the new one.",
                "所关注日志的密钥；轮换后请同时指定新旧密钥。",
            ),
        ),
    ],
    state: StateOption,
    proof: Annotated[
        list[Path] | None,
        typer.Option(
            "--proof",
            metavar="FILE",
            help=t(
                "The output of `carnet log consistency` from the last size signed to this one.",
                "从上次签署的大小到本次大小的 `carnet log consistency` 输出。",
            ),
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help=t(
                "The encrypted key; default: witness.key in the folder.",
                "加密的密钥；默认为文件夹中的 witness.key。",
            ),
        ),
    ] = None,
    secret: SecretOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Cosign a checkpoint and print the signature line."""
    from carnet.core.clock import SystemClock
    from carnet.services.verifying import read_consistency
    from carnet.services.witnessing import log_key, sign_as_witness

    signature = sign_as_witness(
        read_text(checkpoint),
        [log_key(text) for text in log],
        [read_consistency(read_bytes(path)) for path in proof or ()],
        state=state,
        secret=_secret(secret, is_new=False),
        clock=SystemClock(),
        key_path=key,
    )
    sys.stdout.buffer.write(signature.to_line().encode())
    sys.stdout.flush()


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    witness = typer.Typer(no_args_is_help=True, help=HELP)
    witness.command("new", help=NEW_HELP)(new)
    witness.command("sign", help=SIGN_HELP)(sign)
    app.add_typer(witness, name="witness")

"""The entry point of the ``carnet`` command."""

import errno
import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from carnet import __version__
from carnet.cli.commands import (
    anchor,
    certificates,
    chain,
    confirm,
    data_point,
    demo,
    erase,
    evaluation,
    evidence,
    explain,
    findings,
    keeper,
    key,
    law,
    ledger,
    pack,
    passport,
    receivable,
    review,
    serve,
    trace,
    verify,
    witness,
    workspace,
)
from carnet.cli.failure import EXIT_CLEAN, EXIT_INPUT, exit_code_of, print_failure
from carnet.cli.language import t
from carnet.cli.options import LanguageOption, WorkspaceOption
from carnet.cli.usage import is_help, usage_failure
from carnet.core.errors import CarnetError, InputError
from carnet.core.text import Text

app = typer.Typer(
    name="carnet",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    help=t(
        "Compliance decisions, verifiable records, receivables that repay themselves.",
        "合规判定、可核验的记录、自动还款的应收账款。",
    ),
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"carnet {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda wanted: _print_version(wanted=wanted),
            help=t("Print the version and exit.", "显示版本并退出。"),
        ),
    ] = False,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    # A command without --workspace of its own finds this one in the environment.
    if workspace is not None:
        os.environ["CARNET_WORKSPACE"] = str(workspace)


anchor.register(app)
certificates.register(app)
chain.register(app)
confirm.register(pack.app)
data_point.register(app)
demo.register(app)
erase.register(app)
evaluation.register(app)
evidence.register(certificates.app)
explain.register(app)
findings.register(app)
keeper.register(app)
key.register(app)
law.register(app)
ledger.register(app)
pack.register(app)
passport.register(app)
receivable.register(app)
review.register(app)
serve.register(app)
trace.register(app)
verify.register(app)
witness.register(app)
workspace.register(app)


def main() -> None:
    """Run the command line and turn expected errors into messages and exit codes."""
    try:
        code = app(prog_name="carnet", standalone_mode=False)
    except typer.Abort:
        sys.stderr.write(t("Nothing was done.\n", "未执行任何操作。\n"))
        sys.exit(1)
    except TyperException as error:
        _stop_at_usage(error)
    except CarnetError as error:
        print_failure(error)
        sys.exit(exit_code_of(error))
    except OSError as error:
        if error.errno not in _STDOUT_FULL:
            raise
        _stop_without_output(error)
    else:
        # A command that ends early gives its exit code, any other nothing.
        sys.exit(code or EXIT_CLEAN)


def _stop_at_usage(error: TyperException) -> NoReturn:
    """Say what is wrong with the command line; what is typed without a command asks for help."""
    if is_help(error):
        sys.stderr.write(f"{error.format_message()}\n")
        sys.exit(EXIT_INPUT)
    failure = usage_failure(error)
    print_failure(failure)
    sys.exit(exit_code_of(failure))


_STDOUT_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What writing to a full or broken disk ends with; files of `-o` tell it themselves."""


def _stop_without_output(error: OSError) -> None:
    """Say that the result could not be written; an exit code of a finding would be a lie."""
    # What is still in the buffer would fail once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    failure = InputError(
        "CRN-C-041",
        Text(
            f"The result cannot be written: {error.strerror}.",
            f"无法写出结果：{error.strerror}。",
        ),
        Text("Free space, or name another file with -o.", "请释放空间，或用 -o 指定其他文件。"),
    )
    print_failure(failure)
    sys.exit(exit_code_of(failure))

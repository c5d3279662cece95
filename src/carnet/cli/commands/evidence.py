"""``carnet certificates attach`` and ``evidence``: the documents themselves, by their digests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import say, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import STDOUT, FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_table
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.services.evidence import Attached, Checked

ATTACH_HELP = t(
    "Store a file as the evidence of a certificate, under the SHA-256 of its content.\n\n"
    "The file is kept as it is and never read for what it says. Where the certificate names "
    "another digest already, as that of an imported credential, the file is refused.\n\n"
    "Example: carnet certificates attach CRT-001 declaration.pdf --replace",
    "将文件存为证书的证据，以其内容的 SHA-256 为名。\n\n"
    "文件原样保存，不解析其内容。若证书已指明另一摘要（例如导入凭证所载），则拒绝该文件。\n\n"
    "示例：carnet certificates attach CRT-001 declaration.pdf --replace",
)
EVIDENCE_HELP = t(
    "Compare evidence files with their digests: that of one certificate, or all.\n\n"
    "With -o the file of the certificate is written after the comparison. Exit code 1: one is "
    "missing or altered.\n\n"
    "Example: carnet certificates evidence CRT-001 -o declaration.pdf",
    "将证据文件与其摘要比对：某一证书的，或全部。\n\n"
    "使用 -o 时，比对后写出该证书的文件。退出码 1：有文件缺失或被改动。\n\n"
    "示例：carnet certificates evidence CRT-001 -o declaration.pdf",
)
_STATES = {
    "intact": Text("intact", "完好"),
    "missing": Text("missing", "缺失"),
    "altered": Text("altered", "被改动"),
}


def _print_attached(found: "Attached") -> None:
    typer.echo(f"{found.digest.hex()}  {found.size}")
    if found.is_new_version:
        line = t(
            f"{found.certificate}: version {found.version} names it.",
            f"{found.certificate}：第 {found.version} 版已指明该文件。",
        )
    else:
        line = t(
            f"{found.certificate} named it already.", f"{found.certificate} 此前已指明该文件。"
        )
    typer.echo(line)
    if not found.is_stored:
        typer.echo(t("The file was there already.", "文件此前已存入。"))


def attach(
    certificate: Annotated[
        str, typer.Argument(metavar="CERTIFICATE", help=t("Its id.", "证书标识。"))
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=t("The document.", "文件。"))],
    *,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=t(
                "Make a new version of a certificate that names another file.",
                "对指明其他文件的证书追加新版本。",
            ),
        ),
    ] = False,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Store a file as the evidence of a certificate."""
    from carnet.core.clock import SystemClock
    from carnet.services import evidence

    with open_workspace(workspace) as opened:
        found = evidence.attach(opened, certificate, file, SystemClock(), is_replacing=replace)
    if output_format == "json":
        print_json(found.to_json())
    else:
        _print_attached(found)


def _print_checked(found: "list[Checked]") -> None:
    headers = (
        t("State", "状态"),
        t("Bytes", "字节"),
        t("Certificates", "证书"),
        t("File", "文件"),
        "SHA-256",
    )
    rows = [
        (
            say(_STATES[each.state]),
            str(each.file.size),
            ", ".join(each.certificates) or "-",
            each.file.name,
            each.file.digest.hex(),
        )
        for each in found
    ]
    if rows:
        print_table(headers, rows)
    bad = sum(each.state != "intact" for each in found)
    line = t(
        f"{len(found)} files, {bad} missing or altered.",
        f"共 {len(found)} 个文件，{bad} 个缺失或被改动。",
    )
    typer.echo(line, err=True)


def evidence(
    certificate: Annotated[
        str | None,
        typer.Argument(
            metavar="[CERTIFICATE]", help=t("One certificate; default: all.", "证书；默认为全部。")
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|-",
            help=t(
                "Write the certificate's file; - is stdout.", "写出该证书的文件；- 为标准输出。"
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Compare evidence files with their digests."""
    from carnet.services.evidence import check_evidence, check_files

    if certificate is not None and output is not None:
        _write(certificate, output, workspace)
        return
    if output is not None:
        raise _no_certificate()
    with open_workspace(workspace) as opened:
        if certificate is None:
            found = check_files(opened)
        else:
            found = [check_evidence(opened, certificate)]
    if output_format == "json":
        print_json({"files": [each.to_json() for each in found]})
    else:
        _print_checked(found)
    is_bad = any(each.state != "intact" for each in found)
    raise typer.Exit(EXIT_FINDINGS if is_bad else EXIT_CLEAN)


def _no_certificate() -> InputError:
    return InputError(
        "CRN-F-075",
        Text("-o needs a certificate.", "使用 -o 须指明证书。"),
        Text(
            "Name it: carnet certificates evidence CRT-001 -o FILE.",
            "请指明：carnet certificates evidence CRT-001 -o 文件。",
        ),
    )


def _write(certificate: str, output: Path, workspace: Path | None) -> None:
    from carnet.core.files import write_atomic
    from carnet.services.evidence import find_evidence, read_evidence

    with open_workspace(workspace) as opened:
        data = read_evidence(opened, find_evidence(opened, certificate))
    if output == STDOUT:
        sys.stdout.buffer.write(data)
    else:
        write_atomic(output, data)


def register(certificates: typer.Typer) -> None:
    """Add the commands of this module to the group ``carnet certificates``."""
    certificates.command("attach", help=ATTACH_HELP)(attach)
    certificates.command("evidence", help=EVIDENCE_HELP)(evidence)

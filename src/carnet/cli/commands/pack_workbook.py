"""``carnet pack export|import``: a pack as a workbook and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.failure import EXIT_FINDINGS, EXIT_INPUT
from carnet.cli.language import say, t
from carnet.cli.options import FormatOption, LanguageOption
from carnet.cli.tables import print_json, print_rows
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carnet.rules.check.report import Defect

EXPORT_HELP = t(
    "Write a pack as an XLSX workbook: one sheet for each kind of entry and for each table.\n\n"
    "`carnet pack import` makes the same pack of it again. Comments of the files are not kept.\n\n"
    "Example: carnet pack export eu-ce -o eu-ce.xlsx",
    "将规则包写为 XLSX 工作簿：每类条目和每张决策表各一个工作表。\n\n"
    "`carnet pack import` 可由其还原同一规则包。文件中的注释不会保留。\n\n"
    "示例：carnet pack export eu-ce -o eu-ce.xlsx",
)
IMPORT_HELP = t(
    "Make the folder of a pack from a workbook without fault, or none at all.\n\n"
    "Faults name the sheet, the row and the column. Formulas are refused. Exit code: 0 the folder "
    "is made, 1 the pack has defects, 2 the workbook cannot be read.\n\n"
    "Example: carnet pack import eu-ce.xlsx -o packs/eu-ce/0.2.0",
    "由没有问题的工作簿生成规则包文件夹；有问题则不写入任何文件。\n\n"
    "问题会指明工作表、行和列；不接受公式。"
    "退出码：0 已生成；1 规则包有缺陷；2 无法读取工作簿。\n\n"
    "示例：carnet pack import eu-ce.xlsx -o packs/eu-ce/0.2.0",
)


def _refuse_existing(path: Path) -> InputError:
    return InputError(
        "CRN-R-152",
        Text(f"{path} exists already.", f"{path} 已经存在。"),
        Text("Name a new one with -o; nothing is overwritten.", "请用 -o 指定新路径；不会覆盖。"),
    )


def _refuse_path(path: Path, error: OSError) -> InputError:
    return InputError(
        "CRN-R-153",
        Text(
            f"{path} cannot be used ({error.strerror}).", f"无法使用 {path}（{error.strerror}）。"
        ),
        Text("Check the path and its permissions.", "请检查路径及其权限。"),
    )


def export(
    pack: Annotated[
        str,
        typer.Argument(
            metavar="PACK",
            help=t("A pack's folder, its id, or ID@VERSION.", "规则包文件夹、标识，或 标识@版本。"),
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help=t("The workbook.", "工作簿文件。")),
    ],
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Write a pack as a workbook."""
    from carnet.core.files import write_atomic
    from carnet.rules.pack import load_pack
    from carnet.rules.shelf import find_pack
    from carnet.rules.workbook import write_workbook

    folder = find_pack(pack)
    loaded = load_pack(folder)
    data = write_workbook(folder)
    if output.exists():
        raise _refuse_existing(output)
    try:
        write_atomic(output, data)
    except OSError as error:
        raise _refuse_path(output, error) from None
    _print(f"{loaded.id}@{loaded.version}", loaded.digest.hex(), output, output_format)


def _print(name: str, digest: str, path: Path, output_format: str) -> None:
    if output_format == "json":
        print_json({"pack": name, "digest": digest, "path": str(path)})
    else:
        rows = [
            (t("pack", "规则包"), name),
            (t("digest", "摘要"), digest),
            (t("written to", "写入"), str(path)),
        ]
        print_rows(rows)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=t("The workbook.", "工作簿文件。"))],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help=t("The new folder of the pack.", "规则包的新文件夹。"),
        ),
    ],
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Make a pack from a workbook."""
    from carnet.rules.check.inspect import inspect_files
    from carnet.rules.workbook import read_file
    from carnet.rules.workbook.folder import write_folder
    from carnet.rules.workbook.origins import at_origin

    if output.exists():
        raise _refuse_existing(output)
    read = read_file(file)
    found = inspect_files(read.files, output)
    placed = [at_origin(each, read.files, read.origins) for each in found.defects]
    for each in placed:
        if each.severity == "warning":
            typer.echo(f"{each.code} {say(each.message)}", err=True)
    if found.errors:
        _print_defects([each for each in placed if each.severity == "error"], output_format)
        raise typer.Exit(EXIT_INPUT if found.is_refused else EXIT_FINDINGS)
    assert found.pack is not None, "a pack that could not be built has a defect"
    try:
        write_folder(read, output)
    except OSError as error:
        raise _refuse_path(Path(error.filename or output), error) from None
    pack = found.pack
    _print(f"{pack.id}@{pack.version}", pack.digest.hex(), output, output_format)


def _print_defects(defects: "Sequence[Defect]", output_format: str) -> None:
    if output_format == "json":
        print_json({"path": None, "defects": [each.to_json() for each in defects]})
    else:
        for each in defects:
            typer.echo(f"{each.code} {say(each.message)}")
            if each.hint.en:
                typer.echo(f"  {say(each.hint)}")
    typer.echo(
        t(
            "Nothing was written. Correct the workbook and import it again.",
            "未写入任何文件。请更正工作簿后重新导入。",
        ),
        err=True,
    )


def register(pack: typer.Typer) -> None:
    """Add the commands to the group of packs."""
    pack.command("export", help=EXPORT_HELP)(export)
    pack.command("import", help=IMPORT_HELP)(import_)

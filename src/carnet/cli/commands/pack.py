"""``carnet pack``: the rule packs on the shelf, their defects and their tests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from carnet.cli.commands import pack_change, pack_diff, pack_workbook
from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import say, t
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from carnet.rules.ast import Pack
    from carnet.rules.coverage import Coverage
    from carnet.rules.testing import TestResult

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "Rule packs: check, test, compare, approve, roll back, edit in a workbook.\n\n"
        "Example: carnet pack check eu-ce",
        "规则包：检查、测试、比较、批准、回退、以工作簿编辑。\n\n示例：carnet pack check eu-ce",
    ),
)
TestFormat = Literal["table", "json", "junit"]
PackArgument = Annotated[
    str,
    typer.Argument(
        metavar="PACK",
        help=t(
            "A pack's folder, its id, ID@VERSION, or a folder of packs.",
            "规则包文件夹、标识、标识@版本，或包含多个规则包的文件夹。",
        ),
    ),
]


def list_packs(
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """List rule packs, and what officers decided about them."""
    if workspace is not None:
        pack_change.list_states(workspace, output_format)
        return
    from carnet.rules.pack import load_pack
    from carnet.rules.shelf import shelved_packs

    packs = [load_pack(found.folder) for found in shelved_packs()]
    if output_format == "json":
        print_json({"packs": [_pack_json(pack) for pack in packs]})
        return
    for pack in packs:
        typer.echo(
            f"{pack.id}@{pack.version}  {pack.status}  {pack.jurisdiction}  "
            + t(f"{len(pack.rules)} rules  ", f"{len(pack.rules)} 条规则  ")
            + say(pack.title)
        )


def _pack_json(pack: "Pack") -> dict[str, Any]:
    return {
        "id": pack.id,
        "version": pack.version,
        "status": pack.status,
        "title": pack.title.to_json(),
        "jurisdiction": pack.jurisdiction,
        "rules": len(pack.rules),
        "digest": pack.digest.hex(),
    }


def check(
    pack: PackArgument,
    *,
    strict: Annotated[
        bool,
        typer.Option("--strict", help=t("Let warnings count as errors.", "将警告视同错误。")),
    ] = False,
    notes: Annotated[
        bool,
        typer.Option("--notes", help=t("Print the notes as well.", "同时列出提示。")),
    ] = False,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Check packs: every defect with file, line and what to do."""
    from carnet.cli.checks import exit_code_of, print_inspections
    from carnet.rules.check.inspect import inspect_pack
    from carnet.rules.shelf import find_packs

    found = [inspect_pack(folder) for folder in find_packs(pack)]
    if workspace is not None:
        found = pack_change.add_edited(found, workspace)
    if output_format == "json":
        print_json({"packs": [one.to_json() for one in found]})
    else:
        print_inspections(found, with_notes=notes)
    sys.exit(exit_code_of(found, strict=strict))


def run_tests_of(
    pack: PackArgument,
    *,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="reference|live|bulk|spark",
            help=t("Which engine runs the tests.", "运行测试所用的引擎。"),
        ),
    ] = "reference",
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help=t(
                "Measure which rules and conditions the tests try both ways.",
                "统计测试对规则和条件正反两面的覆盖。",
            ),
        ),
    ] = False,
    fail_under: Annotated[
        int,
        typer.Option(
            "--fail-under",
            metavar="PERCENT",
            min=0,
            max=100,
            help=t(
                "Exit 1 where the rules or the conditions of a pack are covered less.",
                "任一规则包的规则或条件覆盖率低于此值时退出码为 1。",
            ),
        ),
    ] = 0,
    output_format: Annotated[
        TestFormat,
        typer.Option("--format", help=t("How to print the result.", "结果的输出格式。")),
    ] = "table",
    _lang: LanguageOption = None,
) -> None:
    """Run the tests that packs carry, all of them."""
    from carnet.cli.pack_tests import Tested, print_tested, to_junit
    from carnet.rules.engine import check_engine
    from carnet.rules.shelf import find_packs

    check_engine(engine)
    is_measured = coverage or fail_under > 0
    tested = [Tested(folder, *_tested(folder, engine, is_measured)) for folder in find_packs(pack)]
    failed = sum(len(one.results) - one.passed for one in tested)
    if output_format == "json":
        print_json({"packs": [one.to_json() for one in tested], "failed": failed})
    elif output_format == "junit":
        typer.echo(to_junit(tested))
    else:
        print_tested(tested)
    covered = all(one.coverage is None or one.coverage.reaches(fail_under) for one in tested)
    sys.exit(EXIT_CLEAN if not failed and covered else EXIT_FINDINGS)


def _tested(
    folder: Path,
    engine: str,
    is_measured: bool,  # noqa: FBT001  # what the command was asked
) -> "tuple[list[TestResult], Coverage | None]":
    from carnet.rules.check.places import Material
    from carnet.rules.coverage import coverage_of
    from carnet.rules.pack import load_earlier, load_pack, read_documents
    from carnet.rules.testing import run_tests

    loaded, resolve = load_pack(folder), load_earlier(folder)
    results = run_tests(loaded, engine, resolve)
    if not is_measured:
        return results, None
    return results, coverage_of(Material(loaded, read_documents(folder)), resolve)


app.command(
    name="list",
    help=t(
        "List rule packs: those that come with the program, in a workspace also its own.\n\n"
        "With a workspace, each version that officers acted on and where it stands: active, "
        "scheduled, approved, proposed, past, overtaken before it ran, or on the shelf alone.\n\n"
        "Example: carnet pack list --workspace demo",
        "列出规则包：随程序提供的规则包，以及工作区自有的规则包。\n\n"
        "指定工作区时，列出合规专员操作过的每个版本及其状态："
        "生效、待生效、已批准、已提议、曾生效、生效前被取代或仅在架。\n\n"
        "示例：carnet pack list --workspace demo",
    ),
)(list_packs)
app.command(
    name="check",
    help=t(
        "Check packs: every defect with file, line and what to do.\n\n"
        "Errors must be mended; warnings may be meant (--strict counts them); notes mostly are.\n\n"
        "Exit code: 0 clean, 1 defects, 2 unreadable or hostile.\n\n"
        "Example: carnet pack check rules/packs/eu-ce/0.1.0",
        "检查规则包：列出每处缺陷的文件、行号和处理方法。\n\n"
        "错误必须更正；警告可能是有意为之（--strict 将其计入）；提示通常无碍。\n\n"
        "退出码：0 无缺陷；1 有缺陷；2 无法读取或有害。\n\n"
        "示例：carnet pack check rules/packs/eu-ce/0.1.0",
    ),
)(check)
app.command(
    name="test",
    help=t(
        "Run the tests that packs carry: expected beside actual, all of them.\n\n"
        "Exit code: 0 all as expected, 1 a test failed or too little is covered.\n\n"
        "Example: carnet pack test rules/packs --coverage --fail-under 95",
        "运行规则包自带的全部测试：期望与实际并列。\n\n"
        "退出码：0 全部符合；1 有测试未通过或覆盖不足。\n\n"
        "示例：carnet pack test rules/packs --coverage --fail-under 95",
    ),
)(run_tests_of)


def register(program: typer.Typer) -> None:
    """Add the command group to the program."""
    pack_change.register(app)
    pack_diff.register(app)
    pack_workbook.register(app)
    program.add_typer(app, name="pack")

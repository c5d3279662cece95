"""``carnet pack``: the rule packs on the shelf, their defects and their tests."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.commands import pack_change
from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import say, t
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from carnet.rules.ast import Pack
    from carnet.rules.testing import TestResult

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "Rule packs: list, check, test.\n\nExample: carnet pack check eu-ce",
        "规则包：列出、检查、测试。\n\n示例：carnet pack check eu-ce",
    ),
)
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
    """List the packs that come with the program, and what officers decided about them."""
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
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Check packs: every defect with file, line and what to do."""
    from carnet.cli.checks import exit_code_of, print_inspections
    from carnet.rules.check.inspect import inspect_pack
    from carnet.rules.shelf import find_packs

    found = [inspect_pack(folder) for folder in find_packs(pack)]
    if output_format == "json":
        print_json({"packs": [one.to_json() for one in found]})
    else:
        print_inspections(found, with_notes=notes)
    sys.exit(exit_code_of(found, strict=strict))


def _test_json(result: "TestResult") -> dict[str, Any]:
    return {
        "id": result.id,
        "file": result.file,
        "line": result.line,
        "is_passed": result.is_passed,
        "error": result.error.to_json() if result.error else None,
        "differences": [
            {"case": one.case, "what": one.what, "expected": one.expected, "actual": one.actual}
            for one in result.differences
        ],
    }


def _print_failed(result: "TestResult") -> None:
    typer.echo(t(f"FAILED {result.id}", f"未通过 {result.id}") + f"  ({result.file}:{result.line})")
    if result.error:
        typer.echo(f"  {say(result.error)}")
    for one in result.differences:
        typer.echo(f"  {one.case} {one.what}")
        typer.echo(t(f"    expected  {one.expected}", f"    期望  {one.expected}"))
        typer.echo(t(f"    actual    {one.actual}", f"    实际  {one.actual}"))


def run_tests_of(
    pack: PackArgument,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="reference|live",
            help=t("Which engine runs the tests.", "运行测试所用的引擎。"),
        ),
    ] = "reference",
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Run the tests that packs carry, all of them."""
    from carnet.rules.engine import check_engine
    from carnet.rules.pack import load_pack
    from carnet.rules.shelf import find_packs
    from carnet.rules.testing import run_tests

    check_engine(engine)
    results = {folder: run_tests(load_pack(folder), engine) for folder in find_packs(pack)}
    failed = [result for listed in results.values() for result in listed if not result.is_passed]
    if output_format == "json":
        packs = [
            {"folder": str(folder), "tests": [_test_json(result) for result in listed]}
            for folder, listed in results.items()
        ]
        print_json({"packs": packs, "failed": len(failed)})
    else:
        for folder, listed in results.items():
            for result in listed:
                if not result.is_passed:
                    _print_failed(result)
            passed = sum(result.is_passed for result in listed)
            typer.echo(
                t(
                    f"{folder}: {passed} of {len(listed)} passed",
                    f"{folder}：{len(listed)} 项中 {passed} 项通过",
                )
            )
    sys.exit(EXIT_FINDINGS if failed else EXIT_CLEAN)


app.command(
    name="list",
    help=t(
        "List the packs that come with the program.\n\n"
        "With a workspace, also those officers acted on, and where each stands: active, scheduled, "
        "approved, proposed, past, or on the shelf alone.\n\n"
        "Example: carnet pack list --workspace demo",
        "列出随程序提供的规则包。\n\n"
        "指定工作区时，还列出合规专员操作过的规则包及其状态："
        "生效、待生效、已批准、已提议、曾生效或仅在架。\n\n"
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
        "Example: carnet pack test rules/packs",
        "运行规则包自带的全部测试：期望与实际并列。\n\n示例：carnet pack test rules/packs",
    ),
)(run_tests_of)


def register(program: typer.Typer) -> None:
    """Add the command group to the program."""
    pack_change.register(app)
    program.add_typer(app, name="pack")

"""``carnet pack``: the rule packs on the shelf, their defects and their tests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import say, t
from carnet.cli.options import FormatOption, LanguageOption
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from carnet.core.errors import RulePackError
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


def list_packs(output_format: FormatOption = "table", _lang: LanguageOption = None) -> None:
    """List the packs that come with the program."""
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


def _defect_json(error: "RulePackError") -> dict[str, Any]:
    return {
        "code": error.code,
        "file": error.path,
        "line": error.line,
        "message": error.message.to_json(),
        "hint": error.hint.to_json(),
    }


def _print_check(folder: Path, found: list["RulePackError"]) -> None:
    if not found:
        typer.echo(t(f"{folder}: no defect.", f"{folder}：没有缺陷。"))
    for error in found:
        typer.echo(f"{error.code} {say(error.message)}")
        if error.hint.en:
            typer.echo(f"  {say(error.hint)}")


def check(
    pack: PackArgument, output_format: FormatOption = "table", _lang: LanguageOption = None
) -> None:
    """Check packs: every defect with file, line and what to do."""
    from carnet.rules.pack import check_pack
    from carnet.rules.shelf import find_packs

    results = [(folder, check_pack(folder)[1]) for folder in find_packs(pack)]
    if output_format == "json":
        listed = [
            {"folder": str(folder), "defects": [_defect_json(error) for error in found]}
            for folder, found in results
        ]
        print_json({"packs": listed})
    else:
        for folder, found in results:
            _print_check(folder, found)
    sys.exit(EXIT_FINDINGS if any(found for _, found in results) else EXIT_CLEAN)


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
        "List the packs that come with the program.\n\nExample: carnet pack list",
        "列出随程序提供的规则包。\n\n示例：carnet pack list",
    ),
)(list_packs)
app.command(
    name="check",
    help=t(
        "Check packs: every defect with file, line and what to do.\n\n"
        "Exit code: 0 clean, 1 defects, 2 unreadable or hostile.\n\n"
        "Example: carnet pack check rules/packs/eu-ce/0.1.0",
        "检查规则包：列出每处缺陷的文件、行号和处理方法。\n\n"
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
    program.add_typer(app, name="pack")

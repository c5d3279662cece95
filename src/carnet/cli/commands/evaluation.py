"""``carnet eval``: what a rule pack decides about facts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    AsOfOption,
    EngineOption,
    FormatOption,
    LanguageOption,
    WorkspaceOption,
)
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from datetime import date

    from carnet.rules.ast import Pack

HELP = t(
    "Decide cases by a rule pack: which conform, which do not, and why.\n\n"
    "Exit code: 0 all conform, 1 some do not, 3 none is nonconforming but some undetermined.\n\n"
    "Example: carnet eval eu-ce --facts facts.json --as-of 2026-11-23",
    "按规则包判定案件：哪些合规、哪些不合规以及原因。\n\n"
    "退出码：0 全部合规；1 存在不合规；3 无不合规但有无法判定。\n\n"
    "示例：carnet eval eu-ce --facts facts.json --as-of 2026-11-23",
)
Explain = Literal["none", "fails", "full"]


def _load(workspace: Path | None, name: str, as_of: "date") -> "tuple[Pack, frozenset[str]]":
    """Return a pack, and which of its parameters officers confirmed; none outside a workspace.

    Inside one, a pack that officers activated is the version in force on the date.
    """
    if workspace is None:
        from carnet.rules.pack import load_pack
        from carnet.rules.shelf import find_pack

        return load_pack(find_pack(name)), frozenset()
    from carnet.services.approvals import confirmed_parameters
    from carnet.services.packs import find_installed

    with open_workspace(workspace) as opened:
        pack = find_installed(opened, name, as_of).pack
        return pack, confirmed_parameters(opened, pack)


def evaluate(
    pack: Annotated[
        str,
        typer.Argument(
            metavar="PACK",
            help=t("A pack's folder, its id, or ID@VERSION.", "规则包文件夹、标识，或 标识@版本。"),
        ),
    ],
    *,
    facts: Annotated[
        Path,
        typer.Option(
            "--facts",
            metavar="FILE|-",
            help=t(
                "Facts as JSON or NDJSON; - reads stdin.",
                "JSON 或 NDJSON 格式的事实；- 表示标准输入。",
            ),
        ),
    ],
    engine: EngineOption = "live",
    explain: Annotated[
        Explain,
        typer.Option(
            "--explain",
            help=t(
                "Add which lines decided: for what failed, or for every rule.",
                "附加决定性条件：仅未通过的规则，或全部规则。",
            ),
        ),
    ] = "none",
    output_format: FormatOption = "table",
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Decide cases by a rule pack."""
    from carnet.cli.days import parse_as_of
    from carnet.facts.intake import read_facts_json
    from carnet.rules import engine as engines

    engines.check_engine(engine)
    day = parse_as_of(as_of)
    loaded, confirmed = _load(workspace, pack, day)
    given = read_facts_json(facts)
    result = engines.evaluate(loaded, given, day, engine, confirmed)
    document = result.to_json()
    if explain != "none":
        from carnet.rules.explain import explain_cases

        document["explanations"] = explain_cases(
            loaded, given, day, confirmed, only_failed=explain == "fails"
        )
    if output_format == "json":
        print_json(document)
    else:
        from carnet.cli.decisions import print_evaluation

        print_evaluation(document)
    sys.exit(result.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="eval", help=HELP)(evaluate)

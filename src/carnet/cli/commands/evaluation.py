"""``carnet eval``: what a rule pack decides about facts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    EngineOption,
    LanguageOption,
    OutputOption,
    ReportFormatOption,
    WorkspaceOption,
)

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


Confirmed = dict[str, frozenset[str]]


def _load(
    workspace: Path | None, name: str, as_of: "date"
) -> "tuple[Pack, dict[str, Pack], Confirmed]":
    """Return a pack, those that it comes after, and what officers confirmed of each; by id.

    Nothing is confirmed outside a workspace. Inside one, a pack that officers activated is the
    version in force on the date.
    """
    from carnet.rules.stages import packs_before

    if workspace is None:
        from carnet.rules.pack import load_earlier, load_pack
        from carnet.rules.shelf import find_pack

        folder = find_pack(name)
        pack = load_pack(folder)
        return pack, packs_before(pack, load_earlier(folder)), {}
    from carnet.services.approvals import confirmed_parameters
    from carnet.services.packs import find_installed

    with open_workspace(workspace) as opened:
        pack = find_installed(opened, name, as_of).pack
        earlier = packs_before(pack, lambda each: find_installed(opened, each, as_of).pack)
        confirmed = {
            each.id: confirmed_parameters(opened, each) for each in (pack, *earlier.values())
        }
        return pack, earlier, confirmed


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
    output_format: ReportFormatOption = "table",
    output: OutputOption = STDOUT,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Decide cases by a rule pack."""
    from carnet.cli.days import parse_as_of
    from carnet.cli.reporting import write_evaluation
    from carnet.facts.intake import read_facts_json
    from carnet.rules import engine as engines
    from carnet.rules.stages import Stages

    engines.check_engine(engine)
    day = parse_as_of(as_of)
    loaded, before, confirmed = _load(workspace, pack, day)
    given = read_facts_json(facts)

    def confirmed_of(each: "Pack") -> frozenset[str]:
        return confirmed.get(each.id, frozenset())

    stages = Stages(given, day, engine, confirmed_of, before.__getitem__)
    result = stages.result(loaded)
    document = result.to_json()
    if explain != "none":
        from carnet.rules.explain import explain_cases

        document["explanations"] = explain_cases(
            loaded,
            given,
            day,
            confirmed_of(loaded),
            earlier=stages.earlier(loaded),
            only_failed=explain == "fails",
        )
    write_evaluation(loaded, document, output_format, output)
    sys.exit(result.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="eval", help=HELP)(evaluate)

"""``carnet eval``: what a rule pack decides about facts."""

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from carnet.cli.language import say, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    EngineOption,
    FactsOption,
    LanguageOption,
    OutputOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from datetime import date

    from carnet.rules.ast import Pack
    from carnet.rules.bulk.sources import FactSource
    from carnet.rules.decision import Engine

HELP = t(
    "Decide cases by a rule pack: which conform, which do not, and why.\n\n"
    "Exit code: 0 all conform, 1 some do not, 2 facts or pack cannot be used, 3 none is "
    "nonconforming but some undetermined, or no case was there to decide.\n\n"
    "Example: carnet eval eu-ce --facts facts.json --as-of 2026-11-23",
    "按规则包判定案件：哪些合规、哪些不合规以及原因。\n\n"
    "退出码：0 全部合规；1 存在不合规；2 事实或规则包无法使用；"
    "3 无不合规但有无法判定，或没有可判定的案件。\n\n"
    "示例：carnet eval eu-ce --facts facts.json --as-of 2026-11-23",
)
Explain = Literal["none", "fails", "full"]
EvaluationFormat = Literal["table", "json", "csv", "sarif", "junit", "parquet"]


Confirmed = dict[str, frozenset[str]]


def load_for(
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
    facts: FactsOption = None,
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
    output_format: Annotated[
        EvaluationFormat,
        typer.Option(
            "--format",
            help=t(
                "How to write the result: csv for spreadsheets, sarif and junit for other tools, "
                "parquet for large runs.",
                "结果的输出格式：csv 供电子表格使用，sarif 与 junit 供其他工具使用，"
                "parquet 供大批量运行。",
            ),
        ),
    ] = "table",
    output: OutputOption = STDOUT,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Decide cases by a rule pack."""
    from carnet.cli.days import parse_as_of
    from carnet.cli.large import LARGE_ENGINES, LARGE_FORMATS, check_format
    from carnet.rules.engine import check_engine

    chosen = check_engine(engine)
    check_format(engine, output_format, output, is_explained=explain != "none")
    request = _Request(
        facts, chosen, parse_as_of(as_of), workspace or (Path() if facts is None else None), output
    )
    # Explanations are told by the reference, over all facts at once.
    if explain == "none" and chosen in LARGE_ENGINES and output_format in LARGE_FORMATS:
        sys.exit(_decide_large(pack, request, output_format))
    sys.exit(_decide(pack, request, explain, output_format))


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for.

    Args:
        facts: Where the facts are; None reads those of the workspace.
        engine: The engine.
        as_of: The date that decides.
        workspace: The workspace, None outside one.
        output: Where the result goes.
    """

    facts: Path | None
    engine: "Engine"
    as_of: "date"
    workspace: Path | None
    output: Path


def _decide(name: str, request: _Request, explain: Explain, output_format: EvaluationFormat) -> int:
    from carnet.cli.large import read_given
    from carnet.cli.reporting import write_evaluation
    from carnet.rules.stages import Stages

    pack, before, confirmed = load_for(request.workspace, name, request.as_of)

    def confirmed_of(each: "Pack") -> frozenset[str]:
        return confirmed.get(each.id, frozenset())

    given = read_given(request.facts, request.workspace)
    stages = Stages(given, request.as_of, request.engine, confirmed_of, before.__getitem__)
    result = stages.result(pack)
    document = result.to_json()
    if explain != "none":
        from carnet.rules.explain import explain_cases

        document["explanations"] = explain_cases(
            pack,
            given,
            request.as_of,
            confirmed_of(pack),
            earlier=stages.earlier(pack),
            only_failed=explain == "fails",
        )
    assert output_format != "parquet", "it is written in bulk alone"
    write_evaluation(pack, document, output_format, request.output)
    return result.exit_code


def _decide_large(name: str, request: _Request, output_format: str) -> int:
    from carnet.cli.large import open_source, options_of, read_given, write_large
    from carnet.rules.bulk.run import open_run
    from carnet.rules.bulk.sources import GivenFacts
    from carnet.rules.decision import NOTHING_EARLIER
    from carnet.rules.stages import Stages

    pack, before, confirmed = load_for(request.workspace, name, request.as_of)
    source: AbstractContextManager[FactSource] = open_source(request.facts, request.workspace)
    earlier = NOTHING_EARLIER
    if before:
        # What earlier stages decided is facts in memory, and so are those that they read.
        given = read_given(request.facts, request.workspace)
        stages = Stages(
            given,
            request.as_of,
            request.engine,
            lambda each: confirmed.get(each.id, frozenset()),
            before.__getitem__,
        )
        source, earlier = nullcontext(GivenFacts(given)), stages.earlier(pack)
    with source as opened:
        options = options_of(request.engine, request.workspace)
        trusted = confirmed.get(pack.id, frozenset())
        with open_run(pack, opened, request.as_of, trusted, earlier, options) as results:
            write_large(results, output_format, request.output)
            if not results.is_decided:
                from carnet.cli.render.report import nothing_decided

                sys.stderr.write(f"{say(nothing_decided(pack, results.count_excluded()))}\n")
            return results.exit_code


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="eval", help=HELP)(evaluate)

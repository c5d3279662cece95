"""``carnet explain``: why a pack decided as it did, as text, JSON or a decision tree."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from carnet.cli.language import current_language, t
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    FactsOption,
    LanguageOption,
    OutputOption,
    WorkspaceOption,
)
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text

if TYPE_CHECKING:
    from datetime import date

    from carnet.rules.ast import Pack

HELP = t(
    "Explain decisions: every condition, the values it read, the parameter in force and why.\n\n"
    "As an SVG it is the decision tree of one rule in one case.\n\n"
    "Example: carnet explain eu-ce --facts facts.json --case L1 --rule certificate-expired"
    " --format svg -o tree.svg",
    "解释判定：逐条列出条件、所读取的值、有效参数及其依据。\n\n"
    "SVG 格式为某一规则在某一案件中的决策树。\n\n"
    "示例：carnet explain eu-ce --facts facts.json --case L1 --rule certificate-expired"
    " --format svg -o tree.svg",
)
ExplainFormat = Literal["table", "json", "svg"]


def explain(
    pack: Annotated[
        str,
        typer.Argument(
            metavar="PACK",
            help=t("A pack's folder, its id, or ID@VERSION.", "规则包文件夹、标识，或 标识@版本。"),
        ),
    ],
    *,
    facts: FactsOption = None,
    case: Annotated[
        str | None,
        typer.Option("--case", metavar="ID", help=t("Only this case.", "仅此案件。")),
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="ID", help=t("Only this rule.", "仅此规则。")),
    ] = None,
    output_format: Annotated[
        ExplainFormat,
        typer.Option("--format", help=t("How to print the explanation.", "解释的输出格式。")),
    ] = "table",
    output: OutputOption = STDOUT,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Explain what a pack decides about facts."""
    from carnet.cli.days import parse_as_of
    from carnet.cli.output import deliver

    day = parse_as_of(as_of)
    place = workspace or (Path() if facts is None else None)
    loaded, told = _told(pack, facts, day, place, _Wanted(case, rule))
    if output_format == "json":
        deliver(_json(loaded, day.isoformat(), told), output)
        return
    subject = f"{loaded.id} {loaded.version}, {day}"
    is_drawn = output_format == "svg"
    deliver(_svg(told, rule, subject) if is_drawn else _text(told, subject), output)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The case and the rule to explain; None for all."""

    case: str | None
    rule: str | None


def _told(
    name: str, facts: Path | None, day: "date", workspace: Path | None, wanted: _Wanted
) -> "tuple[Pack, list[dict[str, Any]]]":
    """Return the pack, and the explanation of every case that is wanted."""
    from carnet.cli.commands.evaluation import load_for
    from carnet.cli.large import read_given
    from carnet.rules.explain import explain_cases
    from carnet.rules.stages import Stages

    pack, before, confirmed = load_for(workspace, name, day)
    _check_rule(pack, wanted.rule)
    given = read_given(facts, workspace)

    def confirmed_of(each: "Pack") -> frozenset[str]:
        return confirmed.get(each.id, frozenset())

    stages = Stages(given, day, "reference", confirmed_of, before.__getitem__)
    told = explain_cases(
        pack,
        given,
        day,
        confirmed_of(pack),
        earlier=stages.earlier(pack),
        only_case=wanted.case,
        only_rule=wanted.rule,
    )
    _check_found(told, wanted.case)
    return pack, told


def _text(told: list[dict[str, Any]], subject: str) -> str:
    from carnet.cli.decisions import explanation_lines

    return "\n".join([subject, *(line for one in told for line in explanation_lines(one)), ""])


def _json(pack: "Pack", as_of: str, told: list[dict[str, Any]]) -> str:
    import json

    head = {"pack": pack.id, "version": pack.version, "digest": pack.digest.hex(), "as_of": as_of}
    return json.dumps({**head, "explanations": told}, ensure_ascii=False, indent=2) + "\n"


def _check_rule(pack: "Pack", rule: str | None) -> None:
    known = [one.id for one in pack.rules]
    if rule is None or rule in known:
        return
    from carnet.rules.format.names import suggest

    raise NotFoundError(
        "CRN-R-240",
        Text(f"{pack.id} has no rule {rule!r:.80}.", f"{pack.id} 没有规则 {rule!r:.80}。"),
        suggest(rule, known),
    )


def _check_found(told: list[dict[str, Any]], case: str | None) -> None:
    if told:
        return
    shown = case or "-"
    raise NotFoundError(
        "CRN-R-241",
        Text(f"There is no case {shown} among the facts.", f"事实中没有案件 {shown}。"),
        Text(
            "Name the id of a fact of the pack's case type that the pack takes for a case.",
            "请指定规则包案件类型中、且被视为案件的事实标识。",
        ),
    )


def _svg(told: list[dict[str, Any]], rule: str | None, subject: str) -> str:
    from carnet.cli.render.tree import to_svg

    rules = {one["rule"] for each in told for one in each["rules"]}
    if len(told) != 1 or len(rules) != 1:
        raise InputError(
            "CRN-R-242",
            Text(
                f"A tree shows one rule in one case, not {len(rules)} in {len(told)}.",
                f"决策树仅显示一个案件中的一条规则，而非 {len(told)} 个案件中的 {len(rules)} 条。",
            ),
            Text("Give --case and --rule.", "请指定 --case 和 --rule。"),
        )
    return to_svg(told[0], rule or rules.pop(), current_language(), subject)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="explain", help=HELP)(explain)

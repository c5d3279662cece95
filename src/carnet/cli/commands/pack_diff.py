"""``carnet pack diff``: what differs between two packs, and which cases that changes."""

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import say, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_table
from carnet.core.text import Text

if TYPE_CHECKING:
    from datetime import date

    from carnet.rules.difference import Change
    from carnet.services.impact import CaseChange, Impact
    from carnet.services.packs import Installed
    from carnet.services.workspace import Workspace

HELP = t(
    "Show what differs between two packs: rules, dated values, rows of tables.\n\n"
    "With --impact both decide, on the facts of the workspace, every day that was decided there "
    "and today: which cases change, and whether the second pack is stricter or milder.\n\n"
    "Exit code: 0 no difference, 1 differences.\n\n"
    "Example: carnet pack diff eu-ce@0.1.0 packs/eu-ce/0.2.0 --impact --since 2026-01-01",
    "显示两个规则包的差异：规则、带日期的取值、决策表的行。\n\n"
    "使用 --impact 时，两者以工作区的事实重新判定以往判定过的每一天及今天："
    "列出哪些案件发生变化，以及第二个规则包更严格还是更宽松。\n\n"
    "退出码：0 没有差异；1 有差异。\n\n"
    "示例：carnet pack diff eu-ce@0.1.0 packs/eu-ce/0.2.0 --impact --since 2026-01-01",
)
_SHOWN_MAX = 100
_WIDTH_MAX = 300
_LEVELS = {
    "pack": Text("pack", "规则包"),
    "parameter": Text("parameter", "参数"),
    "law": Text("law", "法规"),
    "derived": Text("derived field", "派生字段"),
    "measure": Text("measure", "指标"),
    "closure": Text("closure", "闭包"),
    "output": Text("output", "输出"),
    "rule": Text("rule", "规则"),
    "table": Text("table", "决策表"),
    "test": Text("test", "测试"),
}
_KINDS = {
    "added": Text("added", "新增"),
    "removed": Text("removed", "删除"),
    "changed": Text("changed", "更改"),
}
_DIRECTIONS = {
    "stricter": Text("stricter", "更严格"),
    "milder": Text("milder", "更宽松"),
    "other": Text("other", "其他"),
}

_MEANT = t(
    "A pack's folder, ID, ID@VERSION, or 12 or more digits of a digest.",
    "规则包文件夹、标识、标识@版本，或摘要的 12 位以上数字。",
)


def _find(opened: "Workspace | None", name: str, today: "date") -> "Installed":
    from carnet.services.packs import Installed, find_installed

    if opened is not None:
        return find_installed(opened, name, today)
    from carnet.rules.pack import load_pack
    from carnet.rules.shelf import find_pack

    folder = find_pack(name)
    return Installed(load_pack(folder), folder)


def _check_options(since: str | None, engine: str | None, *, impact: bool) -> None:
    from carnet.core.errors import InputError
    from carnet.rules.engine import check_engine

    if engine is not None:
        check_engine(engine)
    if not impact and (since is not None or engine is not None):
        raise InputError(
            "CRN-R-182",
            Text(
                "--since and --engine say how the impact is worked out, which is not asked for.",
                "--since 和 --engine 用于计算影响，而此处未要求计算影响。",
            ),
            Text("Add --impact, or leave them out.", "请加上 --impact，或去掉这些选项。"),
        )


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_MEANT)],
    after: Annotated[str, typer.Argument(metavar="B", help=_MEANT)],
    *,
    impact: Annotated[
        bool,
        typer.Option("--impact", help=t("Also which cases change.", "同时列出发生变化的案件。")),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="YYYY-MM-DD",
            help=t("With --impact: the first day that counts.", "与 --impact 同用：起始日期。"),
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="reference|live|bulk|spark",
            help=t(
                "With --impact: which engine decides; default: the one for many cases.",
                "与 --impact 同用：判定引擎；默认为批量引擎。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Compare two packs."""
    from carnet.cli.days import parse_day
    from carnet.core.clock import SystemClock
    from carnet.rules.difference import differences
    from carnet.rules.pack import read_documents

    _check_options(since, engine, impact=impact)
    first_day = None if since is None else parse_day(since)
    today = SystemClock().now().date()
    found_impact: Impact | None = None
    is_inside = impact or workspace is not None
    with open_workspace(workspace) if is_inside else nullcontext() as opened:
        packs = [_find(opened, name, today) for name in (before, after)]
        found: list[Change] = []
        if packs[0].pack.digest != packs[1].pack.digest:
            found = differences(*(read_documents(each.folder) for each in packs))
        if impact and opened is not None:
            from carnet.services.impact import impact_of

            found_impact = impact_of(opened, *packs, today=today, since=first_day, engine=engine)
    if output_format == "json":
        document: dict[str, Any] = {
            "a": _pack_json(packs[0]),
            "b": _pack_json(packs[1]),
            "changes": [each.to_json() for each in found],
        }
        if found_impact is not None:
            document["impact"] = found_impact.to_json()
        print_json(document)
    else:
        _print_changes(packs, found)
        if found_impact is not None:
            _print_impact(found_impact)
    raise typer.Exit(EXIT_FINDINGS if found else EXIT_CLEAN)


def _pack_json(installed: "Installed") -> dict[str, str]:
    pack = installed.pack
    return {"id": pack.id, "version": pack.version, "digest": pack.digest.hex()}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH_MAX else text[:_WIDTH_MAX] + " ..."


def _title(value: Any) -> str:
    """Return the title of a whole entry, if it has one."""
    title = value.get("title") if isinstance(value, dict) else None
    return say(Text(title["en"], title["zh"])) if isinstance(title, dict) else ""


def _print_changes(packs: "list[Installed]", found: "list[Change]") -> None:
    for sign, each in zip("-+", packs, strict=True):
        pack = each.pack
        typer.echo(f"{sign} {pack.id}@{pack.version}  {pack.digest.hex()}")
    if not found:
        typer.echo(t("No difference.", "没有差异。"))
    for change in found:
        name = "" if change.id == "*" else f" {change.id}"
        part = f"  {change.part}" if change.part else ""
        kind = say(_KINDS[change.kind])
        typer.echo(f"{say(_LEVELS[change.level])}{name}{part}: {kind}")
        if not change.part:
            title = _title(change.after or change.before)
            if title:
                typer.echo(f"    {title}")
            continue
        if change.before is not None:
            typer.echo(f"  - {_shown(change.before)}")
        if change.after is not None:
            typer.echo(f"  + {_shown(change.after)}")


def _impact_row(change: "CaseChange") -> tuple[str, ...]:
    from carnet.services.words import CONFORMITIES

    verdicts = ["-" if one is None else say(CONFORMITIES[one]) for one in _verdicts(change)]
    rules = [
        f"{sign}{rule} ({_severity(severity)})"
        for sign, listed in (("-", change.removed), ("+", change.added))
        for rule, severity in listed
    ]
    return (
        change.as_of.isoformat(),
        f"{change.case[0]}/{change.case[1]}",
        say(_DIRECTIONS[change.direction]),
        " → ".join(verdicts),
        " ".join(rules),
    )


def _severity(severity: str) -> str:
    from carnet.services.words import CONFORMITIES, SEVERITIES

    return say(SEVERITIES.get(severity) or CONFORMITIES["undetermined"])


def _verdicts(change: "CaseChange") -> tuple[str | None, str | None]:
    return change.before, change.after


def _print_impact(impact: "Impact") -> None:
    counts = ", ".join(f"{n} {say(_DIRECTIONS[name])}" for name, n in impact.counts.items())
    days, cases = len(impact.days), impact.cases
    typer.echo("")
    typer.echo(
        t(
            f"Impact on {cases} decisions of {days} days ({impact.engine}): {counts}",
            f"对 {days} 天共 {cases} 项判定的影响（{impact.engine}）：{counts}",
        )
    )
    for each in impact.left_out:
        typer.echo(t("left out: ", "未计入：") + f"{each.as_of}: {say(each.reason)}")
    shown = impact.changes[:_SHOWN_MAX]
    if shown:
        headers = (
            t("date", "日期"),
            t("case", "案件"),
            t("direction", "方向"),
            t("verdict", "判定"),
            t("rules", "规则"),
        )
        print_table(headers, [_impact_row(each) for each in shown])
    if len(impact.changes) > len(shown):
        rest = len(impact.changes) - len(shown)
        typer.echo(
            t(f"... and {rest} more (--format json).", f"…… 另有 {rest} 项（--format json）。")
        )


def register(pack: typer.Typer) -> None:
    """Add the command to the group of packs."""
    pack.command("diff", help=HELP)(diff)

"""``carnet pack diff|propose|approve|activate|rollback|history``: changing which pack runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.language import say, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows, print_table
from carnet.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from carnet.rules.check.inspect import Inspection
    from carnet.services.officer_events import OfficerEvent
    from carnet.services.pack_changing import Act
    from carnet.services.pack_listing import ListedPack
    from carnet.services.workspace import Workspace

OfficerOption = Annotated[
    str, typer.Option("--officer", help=t("Who signs: a role id.", "签名者：角色代号。"))
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help=t("Why, in a sentence.", "理由，一句话。"))
]
EffectiveOption = Annotated[
    str,
    typer.Option(
        "--effective",
        metavar="YYYY-MM-DD",
        help=t(
            "The first day on which it runs; today (UTC) or later.",
            "开始运行的日期；今天（UTC）或以后。",
        ),
    ),
]
PackArgument = Annotated[
    str,
    typer.Argument(
        metavar="PACK",
        help=t(
            "A pack's folder, ID, ID@VERSION, or 12 or more digits of a digest.",
            "规则包文件夹、标识、标识@版本，或摘要的 12 位以上数字。",
        ),
    ),
]

KINDS = {
    "pack-proposal": Text("proposed", "提议"),
    "pack-approval": Text("approved", "批准"),
    "pack-activation": Text("activated", "启用"),
    "pack-rollback": Text("rollback asked for", "申请回退"),
}


def _act(officer: str, reason: str) -> "Act":
    from carnet.core.clock import SystemClock
    from carnet.services.pack_changing import Act

    return Act(officer, reason, SystemClock())


def _day(text: str) -> "date":
    from carnet.cli.days import parse_day

    return parse_day(text)


def _event_json(workspace: "Workspace", event: "OfficerEvent") -> dict[str, Any]:
    from carnet.services.pack_changing import signed_document

    document = signed_document(workspace, event)
    return {"digest": event.digest.hex(), "document": document}


def _rows(event: "OfficerEvent") -> list[tuple[str, str]]:
    content = event.content
    rows = [
        (t("act", "操作"), say(KINDS[event.kind])),
        (t("pack", "规则包"), f"{event.subject}@{content['version']}"),
        (t("pack's digest", "规则包摘要"), content["packDigest"]),
        (t("officer", "合规专员"), event.officer),
        (t("signed", "签署时间"), event.at.isoformat()),
        (t("reason", "理由"), content["reason"]),
        (t("act's digest", "操作摘要"), event.digest.hex()),
    ]
    if "effective" in content:
        rows.insert(3, (t("runs from", "运行起始日"), content["effective"]))
    if content.get("replaces"):
        replaced = content["replaces"]
        shown = f"{event.subject}@{replaced['version']} ({replaced['packDigest'][:12]})"
        rows.insert(3, (t("in place of", "取代"), shown))
    return rows


def _print_event(workspace: "Workspace", event: "OfficerEvent", output_format: str) -> None:
    if output_format == "json":
        print_json(_event_json(workspace, event))
    else:
        print_rows(_rows(event))


def propose(
    pack: PackArgument,
    *,
    officer: OfficerOption,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Propose a version."""
    from carnet.rules.shelf import find_pack
    from carnet.services import pack_changing

    folder = Path(find_pack(pack))
    with open_workspace(workspace) as opened:
        event = pack_changing.propose(opened, folder, _act(officer, reason))
        _print_event(opened, event, output_format)


def approve(
    pack: PackArgument,
    *,
    officer: OfficerOption,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Approve what another officer proposed."""
    from carnet.services import pack_changing

    with open_workspace(workspace) as opened:
        event = pack_changing.approve(opened, pack, _act(officer, reason))
        _print_event(opened, event, output_format)


def activate(
    pack: PackArgument,
    *,
    effective: EffectiveOption,
    officer: OfficerOption,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Activate an approved version."""
    from carnet.services import pack_changing

    day = _day(effective)
    with open_workspace(workspace) as opened:
        event = pack_changing.activate(opened, pack, day, _act(officer, reason))
        _print_event(opened, event, output_format)


def rollback(
    pack: Annotated[
        str, typer.Argument(metavar="ID", help=t("The id of a pack.", "规则包的标识。"))
    ],
    *,
    effective: EffectiveOption,
    officer: OfficerOption,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Ask for the version before."""
    from carnet.services import pack_changing

    day = _day(effective)
    with open_workspace(workspace) as opened:
        event = pack_changing.roll_back(opened, pack, day, _act(officer, reason))
        _print_event(opened, event, output_format)
    if output_format == "table":
        typer.echo(
            t(
                "It takes effect when another officer approves it: `carnet pack approve`.",
                "须由另一名合规专员批准后生效：`carnet pack approve`。",
            ),
            err=True,
        )


def history(
    pack: Annotated[
        str, typer.Argument(metavar="ID", help=t("The id of a pack.", "规则包的标识。"))
    ],
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show the signed acts on a pack."""
    from carnet.services.pack_history import History
    from carnet.services.packs import pack_histories
    from carnet.store.engine import reading

    with open_workspace(workspace) as opened:
        with reading(opened.engine) as connection:
            found = pack_histories(connection).get(pack, History(pack))
        if output_format == "json":
            acts = [_event_json(opened, event) for event in found.events]
            print_json({"pack": pack, "acts": acts})
            return
    if not found.events:
        typer.echo(t(f"No officer has acted on {pack}.", f"尚无合规专员对 {pack} 进行操作。"))
    for number, event in enumerate(found.events):
        if number:
            typer.echo("")
        print_rows(_rows(event))


def add_edited(found: "list[Inspection]", workspace: Path) -> "list[Inspection]":
    """Return inspections with a defect where officers approved another content as that version."""
    from carnet.services.packs import pack_histories
    from carnet.store.engine import reading

    with open_workspace(workspace) as opened, reading(opened.engine) as connection:
        histories = pack_histories(connection)
    recorded = {name: history.recorded for name, history in histories.items()}
    return [_with_edit(each, recorded) for each in found]


def _with_edit(found: "Inspection", recorded: "Mapping[str, Mapping[str, str]]") -> "Inspection":
    from dataclasses import replace

    from carnet.core.errors import RulePackError
    from carnet.rules.check.report import from_error
    from carnet.rules.released import check_unedited

    pack = found.pack
    if pack is None:
        return found
    try:
        check_unedited(pack, recorded.get(pack.id, {}).get(pack.version))
    except RulePackError as error:
        return replace(found, defects=(*found.defects, from_error(error)))
    return found


_STATES = {
    "active": Text("active", "生效"),
    "scheduled": Text("scheduled", "待生效"),
    "approved": Text("approved", "已批准"),
    "proposed": Text("proposed", "已提议"),
    "past": Text("past", "曾生效"),
    "overtaken": Text("overtaken before it ran", "生效前被取代"),
    "shelf": Text("on the shelf", "在架"),
}


def list_states(workspace: Path, output_format: str) -> None:
    """Print the packs of a workspace, where each version stands and which one runs."""
    from carnet.core.clock import SystemClock
    from carnet.services.pack_listing import list_packs

    with open_workspace(workspace) as opened:
        listed = list_packs(opened, SystemClock().now().date())
    if output_format == "json":
        print_json({"packs": [each.to_json() for each in listed]})
        return
    headers = (
        t("pack", "规则包"),
        t("digest", "摘要"),
        t("state", "状态"),
        t("from", "起始日"),
        t("runs today", "今日运行"),
        t("title", "名称"),
    )
    print_table(headers, [_listed_row(each) for each in listed])


def _listed_row(listed: "ListedPack") -> tuple[str, ...]:
    state = say(_STATES[listed.state])
    if listed.rollback:
        state += t(", rollback waits", "，回退待批准")
    return (
        f"{listed.pack.id}@{listed.pack.version}",
        listed.pack.digest.hex()[:12],
        state,
        "-" if listed.runs_from is None else listed.runs_from.isoformat(),
        t("yes", "是") if listed.is_running else t("no", "否"),
        say(listed.pack.title),
    )


_COMMANDS = (
    (
        "propose",
        propose,
        t(
            "Sign, as one officer, that a version of a pack should run here.\n\n"
            "The pack has to be released, without defect, and pass its tests. "
            "It is copied into the workspace under its digest.\n\n"
            "Example: carnet pack propose packs/eu-ce/0.2.0 --officer officer-1 "
            '--reason "New toy rules"',
            "以一名合规专员的身份签名，提议在此运行规则包的某一版本。\n\n"
            "规则包须已发布、没有缺陷且通过自带测试；其内容按摘要复制到工作区。\n\n"
            "示例：carnet pack propose packs/eu-ce/0.2.0 --officer officer-1 "
            '--reason "新玩具规则"',
        ),
    ),
    (
        "approve",
        approve,
        t(
            "Sign, as another officer, what one proposed: a version, or a rollback.\n\n"
            "Exactly the digest that was proposed is approved.\n\n"
            'Example: carnet pack approve eu-ce --officer officer-2 --reason "Read and agreed"',
            "以另一名合规专员的身份签名，批准所提议的版本或回退。\n\n"
            "批准的正是所提议的摘要。\n\n"
            '示例：carnet pack approve eu-ce --officer officer-2 --reason "已审阅，同意"',
        ),
    ),
    (
        "activate",
        activate,
        t(
            "Sign that an approved version runs from a day on.\n\n"
            "Whoever approved it cannot. From that day `carnet review` and `carnet eval ID` of "
            "this workspace use it, exactly as it was approved.\n\n"
            "Example: carnet pack activate eu-ce --effective 2027-01-01 --officer officer-1 "
            '--reason "Law applies"',
            "签名启用已批准的版本，自指定日期起运行。\n\n"
            "批准者本人不得启用。自该日起，本工作区的 `carnet review` 和 `carnet eval 标识` "
            "均使用获批的内容。\n\n"
            "示例：carnet pack activate eu-ce --effective 2027-01-01 --officer officer-1 "
            '--reason "法规开始适用"',
        ),
    ),
    (
        "rollback",
        rollback,
        t(
            "Ask, as one officer, for the version before to run again from a day on.\n\n"
            "It takes effect when another officer approves it, and not before that day.\n\n"
            "Example: carnet pack rollback eu-ce --effective 2027-01-05 --officer officer-1 "
            '--reason "Wrong limit"',
            "以一名合规专员的身份申请自某日起恢复运行上一版本。\n\n"
            "须由另一名合规专员批准后生效，且不早于该日。\n\n"
            "示例：carnet pack rollback eu-ce --effective 2027-01-05 --officer officer-1 "
            '--reason "限值有误"',
        ),
    ),
    (
        "history",
        history,
        t(
            "Show what officers signed about a pack, oldest first; as JSON with the signatures.\n\n"
            "Example: carnet pack history eu-ce --format json",
            "按时间顺序显示合规专员就某规则包签署的操作；JSON 格式含签名。\n\n"
            "示例：carnet pack history eu-ce --format json",
        ),
    ),
)


def register(pack: typer.Typer) -> None:
    """Add the commands to the group of packs."""
    for name, command, told in _COMMANDS:
        pack.command(name, help=told)(command)

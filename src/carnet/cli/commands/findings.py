"""``carnet findings``: what stands, why, and what officers did about it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS
from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    FormatOption,
    LanguageOption,
    ListFormatOption,
    OutputOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from carnet.cli.options import OutputFormat
    from carnet.services.finding_acts import Signing
    from carnet.services.findings import TrackedFinding
    from carnet.services.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "Work through findings: what stands, why, and who waived it until when.\n\n"
        "Example: carnet findings list --state open",
        "处理发现项：哪些仍待处理、原因，以及由谁豁免至何时。\n\n"
        "示例：carnet findings list --state open",
    ),
)
LIST_HELP = t(
    "List findings as they stand on a day.\n\n"
    "Exit code 1 where one of those listed is open or acknowledged, else 0.\n\n"
    "Example: carnet findings list --state open --format csv -o findings.csv",
    "列出发现项在某日的状态。\n\n"
    "所列发现项中有待处理或已确认知悉的，退出码为 1，否则为 0。\n\n"
    "示例：carnet findings list --state open --format csv -o findings.csv",
)
SHOW_HELP = t(
    "Show one finding: message, remedy, law, values, decision and history.\n\n"
    "Example: carnet findings show 8f72621a",
    "显示一个发现项：说明、处理办法、法律依据、数值、判定与历史。\n\n"
    "示例：carnet findings show 8f72621a",
)
HISTORY_HELP = t(
    "Show what happened to one finding, or to all of them, day by day.\n\n"
    "Example: carnet findings history --as-of 2026-11-23",
    "按日期显示一个或全部发现项的历史。\n\n示例：carnet findings history --as-of 2026-11-23",
)
ACKNOWLEDGE_HELP = t(
    "Sign that you took note of a finding, with a day by which it is put right.\n\n"
    "Example: carnet findings acknowledge 8f72621a --by officer-1 --note 'Lab booked.' "
    "--due 2026-12-15",
    "签名确认已知悉某发现项，并可注明整改期限。\n\n"
    "示例：carnet findings acknowledge 8f72621a --by officer-1 --note '已预约实验室。' "
    "--due 2026-12-15",
)
WAIVE_HELP = t(
    "Ask, as one officer, that a finding be waived to a last day.\n\n"
    "It counts once a second officer has approved it (approve-waiver), and never changes the "
    "decision. Blocking findings cannot be waived.\n\n"
    "Example: carnet findings waive 8f72621a --until 2026-12-31 --reason 'Test report is due.' "
    "--by officer-1",
    "以一名合规专员的身份申请将某发现项豁免至某日。\n\n"
    "须经另一名合规专员批准（approve-waiver）才生效，且不改变判定。阻断级发现项不得豁免。\n\n"
    "示例：carnet findings waive 8f72621a --until 2026-12-31 --reason '等待检测报告。' "
    "--by officer-1",
)
APPROVE_HELP = t(
    "Approve, as a second officer with another key, the waiver that is proposed.\n\n"
    "Example: carnet findings approve-waiver 8f72621a --by officer-2",
    "以另一名合规专员的身份、用其自己的密钥批准待批准的豁免。\n\n"
    "示例：carnet findings approve-waiver 8f72621a --by officer-2",
)
WITHDRAW_HELP = t(
    "Take back the waiver that is proposed, else the one in force; one officer is enough.\n\n"
    "Example: carnet findings withdraw-waiver 8f72621a --reason 'Report failed.' --by officer-2",
    "撤回待批准的豁免；若无，则撤回生效的豁免；一名合规专员即可。\n\n"
    "示例：carnet findings withdraw-waiver 8f72621a --reason '检测未通过。' --by officer-2",
)


class StateName(StrEnum):
    """The states, as the command line spells them."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    WAIVED = "waived"
    RESOLVED = "resolved"


IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help=t(
            "A finding's id, or its first four characters or more.",
            "发现项的标识，或其前四位以上。",
        ),
    ),
]
ByOption = Annotated[
    str,
    typer.Option("--by", metavar="OFFICER", help=t("Who signs: a role id.", "签名者：角色代号。")),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help=t("Why; it is signed and kept.", "理由；将被签名并保存。"))
]


@app.command("list", help=LIST_HELP)
def list_(
    *,
    state: Annotated[
        list[StateName] | None,
        typer.Option("--state", help=t("Only of this state; repeatable.", "仅此状态；可重复。")),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help=t("Only of this rule; repeatable.", "仅此规则；可重复。")),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help=t("Only of this case; repeatable.", "仅此案件；可重复。")),
    ] = None,
    is_overdue: Annotated[
        bool,
        typer.Option(
            "--overdue",
            help=t(
                "Only where the day to put it right, or the waiver, has passed.",
                "仅整改期限已过或豁免已到期的。",
            ),
        ),
    ] = False,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """List findings."""
    from carnet.cli.days import parse_as_of
    from carnet.cli.reporting import write_findings
    from carnet.services.findings import Wanted, list_findings

    day = parse_as_of(as_of)
    wanted = Wanted(tuple(state or ()), tuple(rule or ()), tuple(case or ()), is_overdue)
    with open_workspace(workspace) as opened:
        found = list_findings(opened, day, wanted)
    write_findings(found, day, output_format, output)
    is_due = any(each.life.state in {"open", "acknowledged"} for each in found)
    raise typer.Exit(EXIT_FINDINGS if is_due else EXIT_CLEAN)


@app.command("show", help=SHOW_HELP)
def show(
    finding: IdArgument,
    *,
    as_of: AsOfOption = None,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show a finding."""
    from carnet.cli.days import parse_as_of
    from carnet.services.findings import find_finding

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        _print_one(opened, find_finding(opened, finding, day), output_format)


def _print_one(
    workspace: "Workspace", found: "TrackedFinding", output_format: "OutputFormat"
) -> None:
    from carnet.cli.reporting import write_finding
    from carnet.services.findings import law_of_finding

    write_finding(found, law_of_finding(workspace, found), output_format)


@app.command("history", help=HISTORY_HELP)
def history(
    finding: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help=t("A finding's id; all without it.", "发现项的标识；省略则为全部。"),
        ),
    ] = None,
    *,
    as_of: AsOfOption = None,
    output_format: ListFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Show what happened."""
    from carnet.cli.days import parse_as_of
    from carnet.cli.reporting import write_history
    from carnet.services.findings import list_findings, pick

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        found = list_findings(opened, day)
    chosen = found if finding is None else [pick(found, finding)]
    write_history(chosen, day, output_format, output)


@app.command("acknowledge", help=ACKNOWLEDGE_HELP)
def acknowledge(
    finding: IdArgument,
    *,
    officer: ByOption,
    note: Annotated[
        str,
        typer.Option("--note", help=t("What is being done; signed.", "处理情况；将被签名。")),
    ],
    due: Annotated[
        str | None,
        typer.Option(
            "--due",
            metavar="YYYY-MM-DD",
            help=t("The day by which it is put right.", "整改期限。"),
        ),
    ] = None,
    as_of: AsOfOption = None,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Acknowledge a finding."""
    from carnet.cli.days import parse_day
    from carnet.services import finding_acts

    day = parse_day(due) if due else None
    _sign(
        lambda opened, signing: finding_acts.acknowledge(
            opened, finding, signing, note=note, due=day
        ),
        (officer, as_of),
        workspace,
        output_format,
    )


@app.command("waive", help=WAIVE_HELP)
def waive(
    finding: IdArgument,
    *,
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="YYYY-MM-DD",
            help=t("The last day it counts.", "豁免的最后一日。"),
        ),
    ],
    reason: ReasonOption,
    officer: ByOption,
    as_of: AsOfOption = None,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Propose a waiver."""
    from carnet.cli.days import parse_day
    from carnet.services import finding_acts

    day = parse_day(until)
    _sign(
        lambda opened, signing: finding_acts.propose_waiver(
            opened, finding, signing, until=day, reason=reason
        ),
        (officer, as_of),
        workspace,
        output_format,
    )


@app.command("approve-waiver", help=APPROVE_HELP)
def approve_waiver(
    finding: IdArgument,
    *,
    officer: ByOption,
    as_of: AsOfOption = None,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Approve a waiver."""
    from carnet.services import finding_acts

    _sign(
        lambda opened, signing: finding_acts.approve_waiver(opened, finding, signing),
        (officer, as_of),
        workspace,
        output_format,
    )


@app.command("withdraw-waiver", help=WITHDRAW_HELP)
def withdraw_waiver(
    finding: IdArgument,
    *,
    reason: ReasonOption,
    officer: ByOption,
    as_of: AsOfOption = None,
    output_format: FormatOption = "table",
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Withdraw a waiver."""
    from carnet.services import finding_acts

    _sign(
        lambda opened, signing: finding_acts.withdraw_waiver(
            opened, finding, signing, reason=reason
        ),
        (officer, as_of),
        workspace,
        output_format,
    )


def _sign(
    act: "Callable[[Workspace, Signing], TrackedFinding]",
    who_and_when: tuple[str, str | None],
    workspace: Path | None,
    output_format: "OutputFormat",
) -> None:
    """Do one act as an officer and show the finding after it."""
    from carnet.cli.days import parse_as_of
    from carnet.core.clock import SystemClock
    from carnet.services.finding_acts import Signing

    officer, as_of = who_and_when
    signing = Signing(officer, parse_as_of(as_of), SystemClock())
    with open_workspace(workspace) as opened:
        _print_one(opened, act(opened, signing), output_format)


def register(main: typer.Typer) -> None:
    """Add the group of commands."""
    main.add_typer(app, name="findings")

"""``carnet erase``: the data of one subject, destroyed by two officers."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from carnet.services.erasure_standing import Erased, Plan, Standing

HELP = t(
    "Erase a subject: destroy its keys, what is sealed under them, and the facts that describe "
    "it.\n\n"
    "One officer proposes (--reason), another with a key of their own approves (--approve); "
    "without --by nothing is changed and what would go is listed. Facts that a law keeps stay, "
    "and are listed with that law. The log and every bundle stay verifiable; withheld members "
    "cannot be revealed any more. Run again, it completes what a crash left undone.\n\n"
    "Example: carnet erase SELLER-1 --reason subject_request --by officer-1",
    "删除一个主体的数据：销毁其密钥、以其加密的内容，以及描述它的事实。\n\n"
    "由一名合规专员提议（--reason），另一名持有自己密钥的专员批准（--approve）；"
    "不带 --by 时不作任何更改，仅列出将删除的内容。法律要求保存的事实予以保留，并列明依据。"
    "日志与所有验证包仍可核验；隐藏的成员将无法再披露。再次运行可完成因崩溃而未完成的步骤。\n\n"
    "示例：carnet erase SELLER-1 --reason subject_request --by officer-1",
)
Reason = Literal[
    "consent_withdrawn",
    "legal_order",
    "retention_ended",
    "subject_request",
    "unlawful_processing",
]
SubjectType = Literal["party", "responsible_person"]


def _state(found: "Standing") -> str:
    return {
        "planned": t("nothing is proposed", "尚未提议"),
        "proposed": t("proposed, waits for a second officer", "已提议，待第二名专员批准"),
        "erased": t("erased", "已删除"),
    }[found.state]


def _plan_rows(plan: "Plan") -> list[tuple[str, str]]:
    counts: dict[str, int] = {}
    for name, _ in plan.facts:
        counts[name] = counts.get(name, 0) + 1
    return [
        *((t(f"goes: {name}", f"删除：{name}"), str(counts[name])) for name in sorted(counts)),
        (
            t("decisions that lose what they quoted", "失去引用内容的判定"),
            str(len(plan.decisions)),
        ),
        (
            t("records whose withheld members go", "隐藏成员被删除的记录"),
            str(len(plan.records)),
        ),
        (t("key of the subject", "主体密钥"), t("yes", "有") if plan.has_key else t("none", "无")),
    ]


def _erased_rows(erased: "Erased") -> list[tuple[str, str]]:
    subject = erased.record.subject
    waits = t("waits", "待入日志")
    return [
        (t("erased at", "删除时间"), str(erased.to_json()["at"])),
        (t("reason", "理由"), str(subject["reason"])),
        (t("facts", "事实"), str(subject["facts"])),
        (t("decisions", "判定"), str(subject["decisions"])),
        (t("records", "记录"), str(subject["records"])),
        (t("facts that stay by law", "依法保留的事实"), str(subject["retained"])),
        (t("record", "记录标识"), erased.record.record_id),
        (t("log index", "日志位置"), waits if erased.index is None else str(erased.index)),
        (
            t("out of the database's files", "已清出数据库文件"),
            t("yes", "是") if erased.is_purged else t("no: run it again", "否：请重新运行"),
        ),
    ]


def _print(found: "Standing") -> None:
    rows = [
        (t("subject", "主体"), str(found.subject)),
        (t("state", "状态"), _state(found)),
    ]
    if found.proposal is not None:
        rows += [
            (t("proposed by", "提议人"), found.proposal.officer),
            (t("reason", "理由"), found.proposal.reason),
        ]
    if found.erased is not None:
        rows += _erased_rows(found.erased)
    if found.plan is not None:
        rows += _plan_rows(found.plan)
    print_rows(rows)
    if found.plan is not None:
        _print_retained(found.plan.retained)


def _print_retained(retained: "Mapping[str, int]") -> None:
    """Print what stays under the reason why it does, each reason once."""
    from carnet.services.erasure_scope import RETAINED

    for reason in dict.fromkeys(RETAINED[name] for name in retained):
        counts = {name: count for name, count in retained.items() if RETAINED[name] == reason}
        total = sum(counts.values())
        typer.echo(
            t(
                f"\n{total} facts stay. Each {reason.en}.",
                f"\n{total} 条事实保留。{reason.zh}。",
            )
        )
        typer.echo("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def _refuse_options() -> InputError:
    return InputError(
        "CRN-L-102",
        Text(
            "An officer (--by) does one thing: propose with --reason, --approve or --withdraw.",
            "合规专员（--by）一次执行一项：以 --reason 提议、--approve 批准或 --withdraw 撤回。",
        ),
        Text(
            "To see what would go, leave all of them out.",
            "若只查看将删除的内容，请不带这些选项。",
        ),
    )


def erase(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help=t("The id of the party or of the responsible person.", "当事方或负责人的标识。"),
        ),
    ],
    *,
    reason: Annotated[
        Reason | None,
        typer.Option("--reason", help=t("Propose it, for this reason.", "以此理由提议。")),
    ] = None,
    is_approving: Annotated[
        bool,
        typer.Option("--approve", help=t("Approve the proposal, and do it.", "批准提议并执行。")),
    ] = False,
    is_withdrawing: Annotated[
        bool, typer.Option("--withdraw", help=t("Take the proposal back.", "撤回提议。"))
    ] = False,
    is_dry: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=t("List what goes, change nothing.", "列出将删除的内容，不作更改。")
        ),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="OFFICER", help=t("Who signs: a role id.", "签名者：角色代号。")
        ),
    ] = None,
    fact_type: Annotated[
        SubjectType | None,
        typer.Option("--type", help=t("What kind of subject it is.", "主体的类型。")),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Erase a subject."""
    from carnet.core.clock import SystemClock
    from carnet.services import erasing, erasure_standing

    asked = [reason is not None, is_approving, is_withdrawing]
    is_looking = is_dry or (by is None and not any(asked))
    if not is_looking and (by is None or sum(asked) != 1):
        raise _refuse_options()
    with open_workspace(workspace) as opened:
        if is_looking:
            found = erasure_standing.standing(opened, subject, fact_type)
        else:
            act = erasing.Act(subject, by or "", SystemClock(), fact_type)
            if reason is not None:
                found = erasing.propose_erasure(opened, act, reason)
            elif is_approving:
                found = erasing.approve_erasure(opened, act)
            else:
                found = erasing.withdraw_erasure(opened, act)
    if output_format == "json":
        print_json(found.to_json())
    else:
        _print(found)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("erase", help=HELP)(erase)

"""``carnet receivable``: from confirmation to repayment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_session
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.receivables import (
    print_list,
    print_view,
    print_waterfalls,
    view_json,
    waterfall_json,
)
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from carnet.services.chaining import ChainSession
    from carnet.services.receivables import ReceivableView

HELP = t(
    "Receivables: confirm, fund, freeze, pay, sweep.\n\nExample: carnet receivable list",
    "应收账款：确权、放款、冻结、付款、归集。\n\n示例：carnet receivable list",
)
CONFIRM_HELP = t(
    "Let the platform sign that it owes a receivable, and register it.\n\n"
    "Example: carnet receivable confirm RCV-01",
    "由平台签署确认应付款（确权），并登记应收账款。\n\n示例：carnet receivable confirm RCV-01",
)
FUND_HELP = t(
    "Let the lender pay the advance; not before the UTC day after confirmation (T+1).\n\n"
    "Example: carnet receivable fund RCV-01",
    "由资金方放款；最早在确权次日（T+1，按 UTC）。\n\n示例：carnet receivable fund RCV-01",
)
LIST_HELP = t(
    "List the receivables and their states.\n\nExample: carnet receivable list --format json",
    "列出应收账款及其状态。\n\n示例：carnet receivable list --format json",
)
SHOW_HELP = t(
    "Show one receivable as fact and chain tell it.\n\nExample: carnet receivable show RCV-01",
    "显示一笔应收账款的事实与链上状态。\n\n示例：carnet receivable show RCV-01",
)
FREEZE_HELP = t(
    "Hold back the seller's residual of one receivable by a signed finding.\n\n"
    "Fee and lender are still paid. The evidence is a hash, such as that of an attestation.\n\n"
    "Example: carnet receivable freeze RCV-01 --code 7 --evidence SHA256",
    "以签名的合规发现项暂扣一笔应收账款中卖家的余款。\n\n"
    "服务费和资金方仍照常受偿。证据为哈希值，例如证明的哈希。\n\n"
    "示例：carnet receivable freeze RCV-01 --code 7 --evidence SHA256",
)
UNFREEZE_HELP = t(
    "Lift a freeze by a signed finding and release what is on hold.\n\n"
    "Example: carnet receivable unfreeze RCV-01 --evidence SHA256",
    "以签名的合规发现项解除冻结并放行暂扣款。\n\n"
    "示例：carnet receivable unfreeze RCV-01 --evidence SHA256",
)
REVOKE_HELP = t(
    "Revoke, by a signed finding, what the gate was shown of a receivable's listing.\n\n"
    "Nothing of that listing can be funded until an attestation of a later day is proved.\n\n"
    "Example: carnet receivable revoke RCV-01 --code 7 --evidence SHA256",
    "以签名的合规发现项，在闸门撤销应收账款所属上架商品的合规证明。\n\n"
    "在出示日期更晚的证明之前，该上架商品的应收账款均不能放款。\n\n"
    "示例：carnet receivable revoke RCV-01 --code 7 --evidence SHA256",
)
PAY_HELP = t(
    "Let the platform pay the lockbox of a receivable, in test money.\n\n"
    "The same reference is never paid twice.\n\nExample: carnet receivable pay RCV-01",
    "由平台以测试币向应收账款的专用收款地址付款。\n\n"
    "同一付款参考号不会重复支付。\n\n示例：carnet receivable pay RCV-01",
)
SWEEP_HELP = t(
    "Apply what is in the lockbox of a receivable; anyone may, and the keeper does.\n\n"
    "Example: carnet receivable sweep RCV-01",
    "将专用收款地址中的款项按清偿顺序分配；任何人均可发起，自动执行器也会执行。\n\n"
    "示例：carnet receivable sweep RCV-01",
)
WATERFALL_HELP = t(
    "Show how each payment was split, read from the chain.\n\n"
    "Example: carnet receivable waterfall RCV-01",
    "显示每笔还款按清偿顺序的分配，数据取自链上。\n\n示例：carnet receivable waterfall RCV-01",
)

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help=t("The receivable.", "应收账款编号。"))
]
EvidenceOption = Annotated[
    str,
    typer.Option(
        "--evidence",
        metavar="SHA256",
        help=t("The hash of the evidence, 64 hex digits.", "证据的哈希，64 位十六进制数字。"),
    ),
]
CodeOption = Annotated[
    int,
    typer.Option(
        "--code", min=1, max=65_535, help=t("Why, 1 to 65535.", "发现项代码，1 至 65535。")
    ),
]
_TERM_MAX = 10_000

app = typer.Typer(name="receivable", help=HELP, no_args_is_help=True, rich_markup_mode=None)


def _bps(name: str, en: str, zh: str) -> Any:
    return typer.Option(name, min=0, max=_TERM_MAX, metavar="BPS", help=t(en, zh))


@app.command("confirm", help=CONFIRM_HELP)
def confirm(
    receivable: IdArgument,
    *,
    advance: Annotated[int, _bps("--advance-bps", "Share advanced.", "预付比例。")] = 8_000,
    rate: Annotated[int, _bps("--rate-bps", "Yearly interest.", "年利率。")] = 900,
    late_rate: Annotated[int, _bps("--late-rate-bps", "Added when late.", "逾期加收。")] = 300,
    fee: Annotated[int, _bps("--fee-bps", "Servicing fee.", "服务费率。")] = 50,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Confirm a receivable."""
    from carnet.services import financing

    terms = financing.Terms(
        advance_bps=advance, rate_bps=rate, late_rate_bps=late_rate, fee_bps=fee
    )
    _run(workspace, output_format, lambda session: financing.confirm(session, receivable, terms))


@app.command("fund", help=FUND_HELP)
def fund(
    receivable: IdArgument,
    *,
    lender: Annotated[
        str,
        typer.Option(
            "--lender",
            metavar="PARTY",
            help=t("The lender; default: that of the agreement.", "资金方；默认为协议中的资金方。"),
        ),
    ] = "",
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Fund a receivable."""
    from carnet.services import financing

    _run(
        workspace,
        output_format,
        lambda session: financing.fund(session, receivable, lender_id=lender),
    )


@app.command("list", help=LIST_HELP)
def list_(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """List the receivables."""
    from carnet.services.receivables import list_all

    with open_session(workspace) as session:
        views = list_all(session)
    if output_format == "json":
        print_json({"receivables": [view_json(view) for view in views]})
    else:
        print_list(views)


@app.command("show", help=SHOW_HELP)
def show(
    receivable: IdArgument,
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show one receivable."""
    from carnet.services import receivables

    _run(workspace, output_format, lambda session: receivables.show(session, receivable))


@app.command("freeze", help=FREEZE_HELP)
def freeze(
    receivable: IdArgument,
    *,
    code: CodeOption,
    evidence: EvidenceOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Freeze a receivable."""
    from carnet.services import financing

    proof = _digest(evidence)
    _run(
        workspace,
        output_format,
        lambda session: financing.freeze(session, receivable, code=code, evidence=proof),
    )


@app.command("unfreeze", help=UNFREEZE_HELP)
def unfreeze(
    receivable: IdArgument,
    *,
    evidence: EvidenceOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Lift the freeze of a receivable."""
    from carnet.services import financing

    proof = _digest(evidence)
    _run(
        workspace,
        output_format,
        lambda session: financing.unfreeze(session, receivable, evidence=proof),
    )


@app.command("revoke", help=REVOKE_HELP)
def revoke(
    receivable: IdArgument,
    *,
    code: CodeOption,
    evidence: EvidenceOption,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Revoke the proof of a receivable's listing."""
    from carnet.services import financing

    proof = _digest(evidence)
    _run(
        workspace,
        output_format,
        lambda session: financing.revoke_listing(session, receivable, code=code, evidence=proof),
    )


@app.command("pay", help=PAY_HELP)
def pay(
    receivable: IdArgument,
    *,
    amount_minor: Annotated[
        int | None,
        typer.Option(
            "--amount-minor",
            min=1,
            metavar="CENTS",
            help=t("How much, in minor units; default: the face.", "金额（分）；默认为面值。"),
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            metavar="TEXT",
            help=t("Names the payment; needed to pay in parts.", "付款参考号；分次付款时需要。"),
        ),
    ] = "settlement",
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Pay a receivable's lockbox."""
    from carnet.services import financing, receivables

    def paid(session: "ChainSession") -> "ReceivableView":
        units = None
        if amount_minor is not None:
            fact = receivables.find_receivable(session.workspace, receivable)
            units = receivables.token_units(amount_minor, fact.currency)
        financing.pay(session, receivable, units=units, reference=reference)
        return receivables.show(session, receivable)

    _run(workspace, output_format, paid)


@app.command("sweep", help=SWEEP_HELP)
def sweep(
    receivable: IdArgument,
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Apply what is in the lockbox."""
    from carnet.services import financing, receivables

    def swept(session: "ChainSession") -> "ReceivableView":
        financing.sweep(session, receivable)
        return receivables.show(session, receivable)

    _run(workspace, output_format, swept)


@app.command("waterfall", help=WATERFALL_HELP)
def waterfall(
    receivable: IdArgument,
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show how each payment was split."""
    from carnet.services import receivables

    with open_session(workspace) as session:
        view = receivables.show(session, receivable)
        found = receivables.waterfalls(session, receivable)
    if output_format == "json":
        print_json({"id": receivable, "payments": [waterfall_json(each) for each in found]})
    else:
        print_waterfalls(view, found)


def _digest(text: str) -> bytes:
    from carnet.core.digests import digest_from_hex
    from carnet.core.errors import InputError
    from carnet.core.text import Text

    try:
        return digest_from_hex(text)
    except ValueError as error:
        raise InputError(
            "CRN-H-038",
            Text(f"The evidence is not a digest: {error}.", f"证据不是哈希：{error}。"),
            Text("Give the SHA-256 of the evidence.", "请提供证据的 SHA-256。"),
        ) from error


def _run(
    workspace: Path | None,
    output_format: str,
    action: "Callable[[ChainSession], ReceivableView]",
) -> None:
    """Run one action on a receivable and print the receivable as it then is."""
    with open_session(workspace) as session:
        view = action(session)
    if output_format == "json":
        print_json(view_json(view))
    else:
        print_view(view)


def register(root: typer.Typer) -> None:
    """Add the group of this module."""
    root.add_typer(app)

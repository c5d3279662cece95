"""Whether a statement adds up: opening and closing balance, and the summary of its entries."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from carnet.core.text import Text
from carnet.facts.intake.statements.amounts import (
    ValueRefusedError,
    read_currency,
    read_minor,
)
from carnet.facts.intake.statements.xml_tree import Element, StatementError
from carnet.facts.issue import shown

Booked: TypeAlias = Sequence[tuple[int, str]]
"""The entries: minor units, positive where the account was credited, and currency."""

OPENING: Final = ("OPBD", "PRCD")
CLOSING: Final = ("CLBD",)
_OF_BALANCE: Final = frozenset(("Tp", "CdtLine", "Amt", "CdtDbtInd", "Dt", "Avlbty"))
_OF_SUMMARY: Final = frozenset(("TtlNtries", "TtlCdtNtries", "TtlDbtNtries", "TtlNtriesPerBkTxCd"))
_ASK: Final = Text(
    "The statement contradicts itself: ask the bank for a correct one.",
    "对账单自相矛盾：请向银行索取正确的对账单。",
)


def check_sums(report: Element, booked: Booked) -> None:
    """Check everything that a statement says about its entries as a whole.

    Raises:
        StatementError: Currencies are mixed, or a sum or a number of entries is another one.
    """
    balances = [_balance(element) for element in report.all("Bal")]
    account = report.one("Acct").maybe("Ccy")
    told = [] if account is None else [account.text]
    told += [currency for _, _, currency in balances]
    told += [currency for _, currency in booked]
    for entry in report.all("Ntry"):
        amount = entry.one("Amt")
        if amount.attributes["Ccy"] != told[0]:
            raise _other_currency(amount, amount.attributes["Ccy"], told[0])
    if len(set(told)) > 1:
        raise _other_currency(report, ", ".join(sorted(set(told))), told[0])
    _check_balances(report, balances, booked)
    summary = report.maybe("TxsSummry")
    if summary is not None and told:
        _check_summary(summary, booked, told[0])


def _other_currency(element: Element, found: str, wanted: str) -> StatementError:
    return element.refuse(
        shown(found),
        Text(
            f"{wanted}: entries, balances and account in one currency",
            f"{wanted}：分录、余额与账户使用同一币种",
        ),
        Text(
            "Ask the bank for a statement of the account in its own currency.",
            "请向银行索取以账户币种编制的对账单。",
        ),
    )


def _minor(element: Element, currency: str, *, is_signed: bool = False) -> int:
    try:
        return read_minor(element.text, read_currency(currency), is_signed=is_signed)
    except ValueRefusedError as refusal:
        raise element.refuse(refusal.found, refusal.expected, refusal.remedy) from None


def _signed(element: Element, currency: str, direction: Element) -> int:
    minor = _minor(element, currency)
    if direction.text not in {"CRDT", "DBIT"}:
        raise direction.refuse(
            shown(direction.text), Text("one of CRDT, DBIT", "以下之一：CRDT、DBIT")
        )
    return minor if direction.text == "CRDT" else -minor


def _balance(element: Element) -> tuple[str, int, str]:
    """Return the code of a balance, its minor units and its currency."""
    element.known(_OF_BALANCE)
    amount, code = element.one("Amt"), element.one("Tp").at("CdOrPrtry/Cd")
    currency = amount.attributes.get("Ccy", "")
    value = _signed(amount, currency, element.one("CdtDbtInd"))
    return "" if code is None else code.text, value, currency


def _check_balances(
    report: Element, balances: Sequence[tuple[str, int, str]], booked: Booked
) -> None:
    opening = [value for code, value, _ in balances if code in OPENING]
    closing = [value for code, value, _ in balances if code in CLOSING]
    if not opening or not closing:
        return
    total = sum(minor for minor, _ in booked)
    if any(first + total != last for first in opening for last in closing):
        raise report.refuse(
            Text(
                f"an opening balance of {opening[0]} and entries of {total} minor units",
                f"期初余额 {opening[0]}，分录合计 {total}（最小货币单位）",
            ),
            Text(f"a closing balance of {closing[0]}", f"期末余额 {closing[0]}"),
            _ASK,
        )


def _check_summary(summary: Element, booked: Booked, currency: str) -> None:
    summary.known(_OF_SUMMARY)
    amounts = [minor for minor, _ in booked]
    credited = [minor for minor in amounts if minor >= 0]
    debited = [minor for minor in amounts if minor < 0]
    for name, group in (
        ("TtlNtries", amounts),
        ("TtlCdtNtries", credited),
        ("TtlDbtNtries", debited),
    ):
        element = summary.maybe(name)
        if element is not None:
            _check_total(element, group, currency)


def _check_total(element: Element, group: Sequence[int], currency: str) -> None:
    count, total = element.maybe("NbOfNtries"), element.maybe("Sum")
    if count is not None and count.text.lstrip("0") != str(len(group) or ""):
        raise _differs(count, str(len(group)))
    absolute = sum(abs(minor) for minor in group)
    if total is not None and _minor(total, currency) != absolute:
        raise _differs(total, str(absolute))
    net = _net(element, currency)
    if net is not None and net != sum(group):
        raise _differs(element, str(sum(group)))


def _net(element: Element, currency: str) -> int | None:
    """Return the net amount of a total: inline in version 02, an element of its own in 08."""
    inline, own = element.maybe("TtlNetNtryAmt"), element.maybe("TtlNetNtry")
    if inline is not None and element.maybe("CdtDbtInd") is not None:
        return _signed(inline, currency, element.one("CdtDbtInd"))
    if own is not None:
        return _signed(own.one("Amt"), currency, own.one("CdtDbtInd"))
    return None


def _differs(element: Element, expected: str) -> StatementError:
    return element.refuse(
        shown(element.text.strip() or element.name),
        Text(
            f"{expected}, as the entries of the statement come to",
            f"{expected}，即对账单分录的合计",
        ),
        _ASK,
    )

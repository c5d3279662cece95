"""ISO 20022 camt.053 (statement) and camt.054 (debit and credit notification), versions 02 and 08.

What is read must add up: the transactions of an entry to the entry, the entries to the balances and
to the summary, wherever the message has them. Entries that are not booked, accounts that the map
does not name and codes that it does not know refuse the message.

Source: ISO 20022 message definitions camt.053.001.02 and .08, camt.054.001.02 and .08.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.statements.amounts import (
    ValueRefusedError,
    read_currency,
    read_day,
    read_minor,
)
from carnet.facts.intake.statements.bookings import Booking, Period, add_lines, add_points
from carnet.facts.intake.statements.camt_checks import check_sums
from carnet.facts.intake.statements.camt_names import OF_ENTRY, OF_REPORT, OF_TRANSACTION
from carnet.facts.intake.statements.mapping import CamtMap, Direction, StatementMap
from carnet.facts.intake.statements.xml_tree import Element, StatementError, read_tree
from carnet.facts.issue import Source, shown
from carnet.facts.types.settlement import StatementKind

T = TypeVar("T")
_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.{}.001.{}"
_MESSAGES: Final = {
    _NAMESPACE.format(message, version): names
    for message, names in (
        ("053", ("BkToCstmrStmt", "Stmt")),
        ("054", ("BkToCstmrDbtCdtNtfctn", "Ntfctn")),
    )
    for version in ("02", "08")
}
_NOT_PROVIDED: Final = "NOTPROVIDED"
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def value_of(element: Element, read: Callable[[str], T]) -> T:
    """Return what the text of an element says.

    Raises:
        StatementError: It says nothing of the kind.
    """
    try:
        return read(element.text)
    except ValueRefusedError as refusal:
        raise element.refuse(refusal.found, refusal.expected, refusal.remedy) from None


def _among(element: Element, *choices: str) -> str:
    if element.text in choices:
        return element.text
    listed = Text(f"one of {', '.join(choices)}", f"以下之一：{'、'.join(choices)}")
    raise element.refuse(shown(element.text), listed)


def _direction(element: Element) -> Direction:
    return "CRDT" if _among(element.one("CdtDbtInd"), "CRDT", "DBIT") == "CRDT" else "DBIT"


def _day(element: Element) -> date:
    """Return the day of a choice of Dt and DtTm."""
    element.known({"Dt", "DtTm"})
    plain, instant = element.maybe("Dt"), element.maybe("DtTm")
    if (plain is None) == (instant is None):
        raise element.refuse(
            Text("not one day", "并非一个日期"),
            Text("either Dt or DtTm", "Dt 或 DtTm 之一"),
        )
    if plain is not None:
        return value_of(plain, read_day)
    assert instant is not None, "one of the two is there"
    return value_of(instant, lambda text: read_day(text, is_instant=True))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency and sign: positive where the account was credited."""

    minor: int
    currency: str


def money_of(amount: Element, direction: Direction) -> Money:
    """Return the amount of an element with the attribute Ccy.

    Raises:
        StatementError: It is no amount of a known currency.
    """
    code = amount.attributes.get("Ccy")
    if code is None or len(amount.attributes) != 1:
        raise amount.refuse(
            shown(", ".join(amount.attributes)),
            Text("the attribute Ccy and no other", "仅有属性 Ccy"),
        )
    try:
        currency = read_currency(code)
    except ValueRefusedError as refusal:
        raise amount.refuse(refusal.found, refusal.expected, refusal.remedy) from None
    minor = value_of(amount, lambda text: read_minor(text, currency))
    return Money(minor if direction == "CRDT" else -minor, currency)


# --- the message ------------------------------------------------------------------------------


def read_camt(
    data: bytes, evidence: str, found: StatementMap, file: str, collector: Collector
) -> None:
    """Read a message: its lines, and a data point for each statement.

    Args:
        data: The content of the file.
        evidence: The SHA-256 of that content, in hex.
        found: The statement map, which has a part for camt.
        file: How messages name the file.
        collector: Takes the facts and the problems.

    Raises:
        FileRefusedError: It is not XML that can be read.
    """
    assert found.camt is not None, "the caller checked the map"
    try:
        report_name, reports = _reports(read_tree(data))
    except StatementError as refusal:
        collector.log.add(Source(file, refusal.row), refusal.problem)
        return
    for report in reports:
        try:
            _read_report(report, report_name, evidence, found, file, collector)
        except StatementError as refusal:
            collector.log.add(Source(file, refusal.row), refusal.problem)


def _reports(root: Element) -> tuple[str, list[Element]]:
    names = _MESSAGES.get(root.namespace)
    if root.name != "Document" or names is None:
        raise root.refuse(
            shown(f"{root.name} {root.namespace}".strip()),
            Text(
                f"a Document of {' or '.join(_MESSAGES)}",
                f"下列之一的 Document：{'、'.join(_MESSAGES)}",
            ),
            Text(
                "Ask the bank for camt.053 or camt.054 in version 08.",
                "请向银行索取 08 版的 camt.053 或 camt.054。",
            ),
        )
    root.known({names[0]})
    message = root.one(names[0])
    message.known({"GrpHdr", names[1], "SplmtryData"})
    _check_pages(message.one("GrpHdr"))
    reports = message.all(names[1])
    if not reports:
        message.one(names[1])
    return names[1], reports


def _check_pages(header: Element) -> None:
    """Check that a message is whole: the sums of a page alone prove nothing."""
    pages = header.maybe("MsgPgntn")
    if pages is None:
        return
    number, last = pages.one("PgNb"), pages.one("LastPgInd")
    is_last = _BOOLEANS.get(last.text, False)
    if number.text.lstrip("0") != "1" or not is_last:
        raise pages.refuse(
            Text(f"page {number.text[:9]}", f"第 {number.text[:9]} 页"),
            Text("a message of one page", "单页报文"),
            Text(
                "Ask the bank for the whole statement in one message.",
                "请向银行索取单个报文的完整对账单。",
            ),
        )


@dataclass(frozen=True, slots=True)
class _Report:
    """What all entries of one statement or notification have in common."""

    name: str
    identifier: str
    account: str
    codes: CamtMap


def _account(report: Element, codes: CamtMap) -> str:
    identification = report.one("Acct").one("Id")
    element = identification.maybe("IBAN")
    if element is None:
        element = identification.at("Othr/Id")
    if element is None:
        raise identification.refuse(
            Text("no account", "没有账户"),
            Text("an IBAN or another identification", "IBAN 或其他账户标识"),
        )
    if element.text not in codes.accounts:
        raise element.refuse(
            shown(element.text),
            Text("an account that the statement map names", "对账单映射中列出的账户"),
            Text(
                "If it is the seller's, add it to `accounts` of the map.",
                "若属于该卖家，请加入映射的 accounts。",
            ),
        )
    return element.text


def _read_report(
    report: Element,
    name: str,
    evidence: str,
    found: StatementMap,
    file: str,
    collector: Collector,
) -> None:
    assert found.camt is not None, "the caller checked the map"
    report.known(OF_REPORT)
    account = _account(report, found.camt)
    common = _Report(name, report.one("Id").text, account, found.camt)
    bookings: list[Booking] = []
    booked: list[Money] = []
    is_whole = True
    for entry in report.all("Ntry"):
        try:
            money = _entry_money(entry)
            bookings += _bookings(entry, money, common)
            booked.append(money)
        except StatementError as refusal:
            collector.log.add(Source(file, refusal.row), refusal.problem)
            is_whole = False
    if not is_whole:
        return
    check_sums(report, [(money.minor, money.currency) for money in booked])
    add_lines(bookings, found, file, collector)
    if name == "Stmt" and bookings:
        period = _period(report, account, bookings)
        add_points(bookings, period, "bank", evidence, found, file, collector)


def _period(report: Element, account: str, bookings: list[Booking]) -> Period:
    made = report.maybe("CreDtTm")
    days = [booking.day for booking in bookings]
    covered = report.maybe("FrToDt")
    start, end = min(days), max(days)
    if covered is not None:
        start, end = (
            value_of(covered.one(name), lambda text: read_day(text, is_instant=True))
            for name in ("FrDtTm", "ToDtTm")
        )
    if min(days) < start or max(days) > end:
        raise report.refuse(
            f"{min(days)} .. {max(days)}",
            Text(f"bookings from {start} to {end}", f"{start} 至 {end} 的入账"),
        )
    observed = end if made is None else value_of(made, lambda t: read_day(t, is_instant=True))
    return Period(account, start, end, observed, report.line)


# --- entries ----------------------------------------------------------------------------------


def _entry_money(entry: Element) -> Money:
    entry.known(OF_ENTRY)
    status = entry.one("Sts")
    code = status.maybe("Cd")
    _among(status if code is None else code, "BOOK")
    return money_of(entry.one("Amt"), _direction(entry))


def _is_reversal(entry: Element) -> bool:
    indicator = entry.maybe("RvslInd")
    return indicator is not None and _BOOLEANS[_among(indicator, *_BOOLEANS)]


def _bookings(entry: Element, money: Money, common: _Report) -> Iterator[Booking]:
    day = _day(entry.one("BookgDt"))
    reference = _text(entry.maybe("AcctSvcrRef"))
    transactions = []
    for details in entry.all("NtryDtls"):
        details.known({"Btch", "TxDtls"})
        transactions += details.all("TxDtls")
    for each in transactions:
        each.known(OF_TRANSACTION)
    parts = _parts(entry, money, transactions)
    for number, (transaction, part) in enumerate(parts, start=1):
        own = _text(transaction.at("Refs/AcctSvcrRef")) if transaction is not None else None
        bank = reference or own
        place = _place(entry, common, bank)
        kind, amount = _meaning(entry, transaction, part, common.codes)
        yield Booking(
            kind=kind,
            amount=amount,
            currency=part.currency,
            day=day,
            key=(common.account, *place, str(_is_reversal(entry)), number),
            row=(entry if transaction is None else transaction).line,
            payment_reference=_payment_reference(transaction),
            bank_reference=bank,
        )


def _text(element: Element | None) -> str | None:
    return None if element is None else element.text


def _payment_reference(transaction: Element | None) -> str | None:
    found = _text(transaction.at("Refs/EndToEndId")) if transaction is not None else None
    return None if found == _NOT_PROVIDED else found


def _place(entry: Element, common: _Report, reference: str | None) -> tuple[str | int, ...]:
    """Return what names an entry: the bank's reference, else its place in the statement.

    Two entries of one day and amount are two bookings. A notification without a reference could not
    be told from the same booking in the statement that follows, so it is refused.
    """
    if reference is not None:
        return ("reference", reference)
    if common.name == "Ntfctn":
        raise entry.refuse(
            Text("no AcctSvcrRef", "没有 AcctSvcrRef"),
            Text("the bank's reference of the booking", "银行的入账参考号"),
            Text(
                "Import the statement (camt.053) of the day instead.",
                "请改为导入当日的对账单（camt.053）。",
            ),
        )
    return ("statement", common.identifier, entry.place)


def _parts(
    entry: Element, money: Money, transactions: list[Element]
) -> list[tuple[Element | None, Money]]:
    """Return the transactions of an entry with their amounts, or the entry as a whole."""
    if len(transactions) <= 1:
        transaction = transactions[0] if transactions else None
        own = _own_money(transaction, money) if transaction is not None else None
        if own is not None and own != money and own.currency == money.currency:
            raise _no_sum(entry, own.minor, money)
        return [(transaction, money)]
    parts: list[tuple[Element | None, Money]] = []
    for transaction in transactions:
        own = _own_money(transaction, money)
        if own is None or own.currency != money.currency:
            raise transaction.refuse(
                Text("no amount in the entry's currency", "没有以该分录币种计的金额"),
                Text(f"an Amt in {money.currency}", f"以 {money.currency} 计的 Amt"),
            )
        parts.append((transaction, own))
    total = sum(part.minor for _, part in parts)
    if total != money.minor:
        raise _no_sum(entry, total, money)
    return parts


def _own_money(transaction: Element, money: Money) -> Money | None:
    amount = transaction.maybe("Amt")
    if amount is None:
        amount = transaction.at("AmtDtls/TxAmt/Amt")
    if amount is None:
        return None
    has_own = transaction.maybe("CdtDbtInd") is not None
    direction = _direction(transaction) if has_own else "CRDT" if money.minor >= 0 else "DBIT"
    return money_of(amount, direction)


def _no_sum(entry: Element, found: int, money: Money) -> StatementError:
    return entry.refuse(
        Text(
            f"transactions of {found} minor units in all",
            f"交易合计 {found}（最小货币单位）",
        ),
        Text(f"{money.minor}, as the entry says", f"{money.minor}，即分录所载"),
        Text(
            "The message contradicts itself: ask the bank for a correct one.",
            "报文自相矛盾：请向银行索取正确的报文。",
        ),
    )


# --- codes ------------------------------------------------------------------------------------


def _codes(element: Element) -> list[str]:
    """Return the codes of a BkTxCd as the statement map names them."""
    found = []
    domain = element.maybe("Domn")
    if domain is not None:
        family = domain.one("Fmly")
        names = (domain.one("Cd"), family.one("Cd"), family.one("SubFmlyCd"))
        found.append("/".join(name.text for name in names))
    proprietary = element.maybe("Prtry")
    if proprietary is not None:
        code, issuer = proprietary.one("Cd").text, _text(proprietary.maybe("Issr"))
        found += [f"{issuer or ''}:{code}"]
        if issuer is not None:
            found.append(f":{code}")
    return found


def _meaning(
    entry: Element, transaction: Element | None, part: Money, codes: CamtMap
) -> tuple[StatementKind, int]:
    """Return the kind of a booking and its amount; a reversal takes back what went the other way.

    Source: ISO 20022, ReversalIndicator: with CRDT the original was a debit entry, with DBIT a
    credit entry.
    """
    own = transaction.maybe("BkTxCd") if transaction is not None else None
    element = entry.maybe("BkTxCd") if own is None else own
    is_reversal = _is_reversal(entry)
    is_credit = (part.minor >= 0) != is_reversal
    direction: Direction = "CRDT" if is_credit else "DBIT"
    names = _codes(element) if element is not None else []
    kinds: set[StatementKind] = {
        codes.codes[name, direction] for name in names if (name, direction) in codes.codes
    }
    if len(kinds) == 1:
        return kinds.pop(), -abs(part.minor) if is_reversal else abs(part.minor)
    if not kinds and codes.unknown == "other_fee":
        return "other_fee", -part.minor
    raise (entry if element is None else element).refuse(
        shown(f"{' '.join(names)} {direction}".strip()),
        Text(
            "one kind for this code and direction in the statement map",
            "对账单映射中该代码与方向对应唯一类别",
        ),
        Text(
            "Ask what the code stands for and add it to [[camt.codes]] of the map.",
            "请核实该代码的含义，并加入映射的 [[camt.codes]]。",
        ),
    )

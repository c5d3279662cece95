"""Receivables as text for people and as JSON."""

from typing import TYPE_CHECKING, Any

from carnet.cli.language import say, t
from carnet.cli.tables import print_rows, print_table
from carnet.services.words import RECEIVABLE_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carnet.chain.receivable import Receivable, ReceivableState, Waterfall
    from carnet.services.receivables import ReceivableView


def state_word(state: "ReceivableState") -> str:
    """Return the name of a state in the current language."""
    return say(RECEIVABLE_STATES[state.name])


def money(units: int) -> str:
    """Return an amount of the token for people, with its currency."""
    from carnet.services.receivables import SETTLED_IN, format_units

    return f"{format_units(units)} {SETTLED_IN}"


def view_json(view: "ReceivableView") -> dict[str, Any]:
    """Return a receivable as JSON; amounts of the token are texts of its smallest units."""
    fact = view.fact
    found = view.on_chain
    return {
        "id": fact.id,
        "seller_id": fact.seller_id,
        "debtor_id": fact.debtor_id,
        "listing_id": fact.listing_id,
        "face_minor": fact.face_minor,
        "currency": fact.currency,
        "due_on": fact.due_on.isoformat(),
        "state": view.state.name.lower(),
        "chain": None if found is None else _chain_json(found),
    }


def _chain_json(found: "Receivable") -> dict[str, Any]:
    return {
        "id": "0x" + found.id.hex(),
        "lockbox": found.lockbox,
        "lockbox_balance": str(found.lockbox_balance),
        "face": str(found.face),
        "advance": str(found.advance),
        "principal": str(found.principal),
        "owed": str(found.owed),
        "received": str(found.received),
        "held": str(found.held),
        "is_frozen": found.is_frozen,
        "lender": found.lender,
        "seller": found.seller,
    }


def waterfall_json(found: "Waterfall") -> dict[str, Any]:
    """Return a payment and its legs as JSON."""
    from carnet.core.clock import date_of_day_number

    return {
        "day": date_of_day_number(found.day).isoformat(),
        "paid": str(found.paid),
        "fee": str(found.fee),
        "interest": str(found.interest),
        "principal": str(found.principal),
        "residual": str(found.residual),
        "payer": found.payer,
        "tx_hash": "0x" + found.tx_hash.hex(),
    }


def print_list(views: "Sequence[ReceivableView]") -> None:
    """Print one line for each receivable."""
    headers = (
        t("Id", "编号"),
        t("Debtor", "债务人"),
        t("Face", "面值"),
        t("Due", "到期日"),
        t("State", "状态"),
        t("Owed", "待还"),
        t("On hold", "暂扣"),
    )
    rows = []
    for view in views:
        fact, found = view.fact, view.on_chain
        frozen = t(" (frozen)", "（冻结）") if found is not None and found.is_frozen else ""
        rows.append(
            (
                fact.id,
                fact.debtor_id,
                _face(view),
                fact.due_on.isoformat(),
                state_word(view.state) + frozen,
                "" if found is None else money(found.owed),
                "" if found is None or not found.held else money(found.held),
            )
        )
    print_table(headers, rows)


def _face(view: "ReceivableView") -> str:
    from carnet.core.money import format_minor

    return format_minor(view.fact.face_minor, view.fact.currency)


def print_view(view: "ReceivableView") -> None:
    """Print one receivable."""
    fact, found = view.fact, view.on_chain
    rows: list[tuple[str, str | int]] = [
        (t("Receivable", "应收账款"), fact.id),
        (t("Seller", "卖家"), fact.seller_id),
        (t("Debtor", "债务人"), fact.debtor_id),
        (t("Listing", "上架商品"), fact.listing_id or ""),
        (t("Face", "面值"), _face(view)),
        (t("Due", "到期日"), fact.due_on.isoformat()),
        (t("State", "状态"), state_word(view.state)),
    ]
    if found is not None:
        rows += _chain_rows(found)
    print_rows(rows)


def _chain_rows(found: "Receivable") -> list[tuple[str, str | int]]:
    from carnet.core.clock import date_of_day_number

    rows: list[tuple[str, str | int]] = [
        (t("Advance", "预付款"), money(found.advance)),
        (t("Owed today", "今日待还"), money(found.owed)),
        (t("Received", "已收"), money(found.received)),
        (t("Lockbox", "专用收款地址"), f"{found.lockbox}  {money(found.lockbox_balance)}"),
        (t("On the chain", "链上编号"), "0x" + found.id.hex()),
    ]
    if found.is_frozen:
        until = date_of_day_number(found.frozen_until_day).isoformat()
        rows.append((t("Frozen until", "冻结至"), until))
    if found.held:
        rows.append((t("On hold for the seller", "为卖家暂扣"), money(found.held)))
    return rows


def print_waterfalls(view: "ReceivableView", found: "Sequence[Waterfall]") -> None:
    """Print each payment of a receivable with its legs and their sum."""
    from carnet.core.clock import date_of_day_number

    headers = (
        t("Day", "日期"),
        t("Paid", "还款"),
        t("1 Fee", "1 服务费"),
        t("2 Interest", "2 利息"),
        t("3 Principal", "3 本金"),
        t("4 Residual", "4 余款"),
    )
    amounts = [
        (each.paid, each.fee, each.interest, each.principal, each.residual) for each in found
    ]
    rows = [
        (date_of_day_number(each.day).isoformat(), *map(money, line))
        for each, line in zip(found, amounts, strict=True)
    ]
    if len(found) > 1:
        rows.append((t("Sum", "合计"), *(money(sum(c)) for c in zip(*amounts, strict=True))))
    print_table(headers, rows)
    held = view.on_chain.held if view.on_chain is not None else 0
    if held:
        print_rows([(t("On hold for the seller", "为卖家暂扣"), money(held))])

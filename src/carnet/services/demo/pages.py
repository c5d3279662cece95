"""How the story shows decisions, verifications and repayments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from carnet.chain.receivable import Waterfall
from carnet.core.text import Text
from carnet.ledger.verify import Verification
from carnet.rules.ast import Citation, Pack
from carnet.services.demo.blocks import Block, Item, Paragraph, Table, plain
from carnet.services.receivables import ReceivableView, format_units
from carnet.services.words import CONFORMITIES, RECEIVABLE_STATES, SEVERITIES, VERDICTS

LAW = Text("law", "法律依据")
FACT = Text("fact", "事实")
REMEDY = Text("remedy", "整改")
MESSAGE = Text("finding", "发现项")


def amount(units: int) -> Text:
    """Return an amount of the token."""
    return plain(format_units(units))


def citations_of(packs: Iterable[Pack]) -> dict[str, Citation]:
    """Return every law fact that some packs cite, by id."""
    found: dict[str, Citation] = {}
    for pack in packs:
        found |= {each.citation.fact: each.citation for each in pack.parameters.values()}
        found |= pack.law
    return found


def _law(ids: Iterable[str], citations: Mapping[str, Citation]) -> str:
    return "; ".join(f"{citations[name].title}, {citations[name].article}" for name in ids)


def _words(value: Mapping[str, str]) -> Text:
    return Text(value["en"], value["zh"])


def _joined(parts: Sequence[str | Text]) -> Text:
    return Text(
        " · ".join(str(part) if isinstance(part, str) else part.en for part in parts),
        " · ".join(str(part) if isinstance(part, str) else part.zh for part in parts),
    )


def findings(
    decisions: Iterable[Mapping[str, Any]], citations: Mapping[str, Citation]
) -> tuple[Item, ...]:
    """Return the findings of stored decisions, each with rule, law, fact and remedy."""
    return tuple(
        Item(
            _joined(
                (
                    decision["case"]["id"],
                    SEVERITIES[found["severity"]],
                    f"{decision['pack']}/{found['rule']}",
                )
            ),
            (
                (MESSAGE, _words(found["message"])),
                (LAW, plain(_law(found["citation"], citations))),
                (FACT, plain(", ".join(f"{f['type']}/{f['id']}" for f in found["facts"]))),
                (REMEDY, _words(found["remedy"])),
            ),
        )
        for decision in decisions
        for found in decision["findings"]
    )


def conformity_table(decisions: Sequence[Mapping[str, Any]]) -> Table:
    """Return how many stored decisions of each pack have which verdict."""
    packs = sorted({str(decision["pack"]) for decision in decisions})
    return Table(
        (Text("pack", "规则包"), *CONFORMITIES.values()),
        tuple(
            (
                plain(pack),
                *(
                    plain(sum(d["pack"] == pack and d["conformity"] == c for d in decisions))
                    for c in CONFORMITIES
                ),
            )
            for pack in packs
        ),
    )


def verification_table(found: Verification) -> Table:
    """Return the steps of a verification."""
    return Table(
        (Text("step", "步骤"), Text("verdict", "结论"), Text("cause", "原因")),
        tuple((plain(step.name), VERDICTS[step.verdict], step.cause) for step in found.steps),
    )


def first_fault(found: Verification) -> Block:
    """Return where a verification failed first."""
    step = next(step for step in found.steps if step.verdict == "not_valid")
    return Paragraph(
        Text(
            f"A copy with one word changed fails at the step {step.name}: {step.cause.en}",
            f"改动一个词的副本在步骤 {step.name} 失败：{step.cause.zh}",
        )
    )


def receivable_table(views: Iterable[ReceivableView]) -> Table:
    """Return receivables as the book holds them."""
    rows = []
    for view in views:
        held = view.on_chain
        assert held is not None, "the story confirmed it"
        state = RECEIVABLE_STATES[held.state.name]
        if held.is_frozen:
            state = Text(f"{state.en} (frozen)", f"{state.zh}（已冻结）")
        rows.append(
            (
                plain(view.fact.id),
                state,
                amount(held.face),
                amount(held.advance),
                amount(held.owed),
                amount(held.held),
                plain(view.fact.due_on),
            )
        )
    return Table(
        (
            Text("receivable", "应收账款"),
            Text("state", "状态"),
            Text("face USD", "面值 USD"),
            Text("advance", "预付款"),
            Text("owed, fee included", "应还（含服务费）"),
            Text("residual on hold", "暂扣的余款"),
            Text("due", "到期日"),
        ),
        tuple(rows),
    )


def waterfall_table(payments: Iterable[tuple[str, Waterfall]]) -> Table:
    """Return the legs of repayments as the events of the chain tell them, with their sums."""
    return Table(
        (
            Text("receivable", "应收账款"),
            Text("paid USD", "实付 USD"),
            Text("1 fee", "1 服务费"),
            Text("2 interest", "2 利息"),
            Text("3 principal", "3 本金"),
            Text("4 residual", "4 余款"),
            Text("sum of legs", "各项合计"),
        ),
        tuple(
            (
                plain(name),
                amount(paid.paid),
                amount(paid.fee),
                amount(paid.interest),
                amount(paid.principal),
                amount(paid.residual),
                amount(paid.fee + paid.interest + paid.principal + paid.residual),
            )
            for name, paid in payments
        ),
    )

"""What of a subject is erased, and what stays because a law says so.

A subject is a party or a responsible person. What describes it goes: the fact that names it and
every fact that it owns of the types in `OWNED`. What documents a product or a debt stays for as
long as its own law asks, with the subject's id in it, which is a pseudonym by the vocabulary of
facts; nothing but the erased facts says whose it is.

Source: Regulation (EU) 2016/679, Article 17(1) and (3)(b), (e); Personal Information Protection
Law of the People's Republic of China, Article 47; docs/spec/record-and-log.md, section 9.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.schema import FACT_TYPES
from carnet.store.erasing import FactKey

SUBJECT_TYPES: Final = ("party", "responsible_person")
"""The types of facts that name a person or a company."""

OWNED: Final[Mapping[str, str]] = {
    "data_point": "seller_id",
    "deposit_account": "seller_id",
    "financials": "party_id",
    "insurance": "seller_id",
    "legal_retainer": "seller_id",
    "quality_stat": "seller_id",
    "reserve": "seller_id",
    "sales": "seller_id",
}
"""The types that describe a party, with the field that names it: they go with the party."""

PRODUCT_FILE: Final = Text(
    "documents a product: kept ten years after it was placed on the market "
    "(Decision 768/2008/EC, Annex I, R2(3); Regulation (EU) 2023/988, Article 9(3))",
    "产品合规文件：投放市场后须保存十年（第 768/2008/EC 号决定附件一 R2(3)；"
    "第 (EU) 2023/988 号条例第 9 条第 3 款）",
)
ACCOUNTS: Final = Text(
    "documents a debt or a payment: kept as long as accounting law and claims ask "
    "(Regulation (EU) 2016/679, Article 17(3)(b) and (e))",
    "债权债务或付款凭证：按会计法规及诉讼时效保存"
    "（第 (EU) 2016/679 号条例第 17 条第 3 款 b、e 项）",
)
SHARED: Final = Text(
    "describes no party: a place of sale, a laboratory, a body or a recall",
    "不描述任何当事方：销售渠道、实验室、机构或召回",
)
RETAINED: Final[Mapping[str, Text]] = {
    **dict.fromkeys(
        (
            *("product", "listing", "certificate", "certificate_act", "certificate_standard"),
            "certificate_credential",
            *("renewal_plan", "responsible_person", "ip_search", "batch", "unit", "incident"),
            *("material_lot", "trace_link", "inspection", "recall_item"),
        ),
        PRODUCT_FILE,
    ),
    **dict.fromkeys(
        (
            *("agreement", "covenant", "clause", "clause_scope", "clause_exclusion"),
            *("liability", "debt", "receivable", "statement_line"),
        ),
        ACCOUNTS,
    ),
    **dict.fromkeys(("channel", "test_lab", "lab_recognition", "notified_body", "recall"), SHARED),
}
"""The types that stay when a party is erased, with the reason. A responsible person's own fact goes
when that person is the subject."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which facts go and which stay.

    Args:
        erased: The facts that go.
        around: The facts that stay and lead to the subject.
    """

    erased: frozenset[FactKey]
    around: frozenset[FactKey]

    @property
    def retained(self) -> dict[str, int]:
        """By type, how many facts stay that lead to the subject."""
        return dict(sorted(Counter(key[0] for key in self.around).items()))


def scope_of(subject: FactKey, versions: Iterable[Fact]) -> Scope:
    """Return what of a subject goes and what stays.

    A fact goes if any of its versions names the subject as its owner.

    Args:
        subject: Type and id of the fact that names it.
        versions: Every version of every fact.
    """
    erased: set[FactKey] = set()
    by_target: defaultdict[FactKey, set[FactKey]] = defaultdict(set)
    for fact in versions:
        key = (fact.type, fact.id)
        owner = OWNED.get(fact.type)
        is_owned = owner is not None and subject == ("party", fact.fields.get(owner))
        if key == subject or is_owned:
            erased.add(key)
            continue
        for field in FACT_TYPES[fact.type].references:
            for target_type in field.refers_to:
                by_target[target_type, str(fact.fields.get(field.name))].add(key)
    return Scope(frozenset(erased), frozenset(_leading_to(subject, by_target) - erased))


def _leading_to(subject: FactKey, by_target: Mapping[FactKey, Iterable[FactKey]]) -> set[FactKey]:
    """Return the facts from which references lead to a subject."""
    found: set[FactKey] = set()
    waiting = [subject]
    while waiting:
        for key in by_target.get(waiting.pop(), ()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found

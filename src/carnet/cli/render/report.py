"""What all forms of output have in common: decisions, the packs behind them, where findings stand.

Decisions are taken in the form they are published in, so that every form says what JSON says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carnet.core.text import Language, Text
from carnet.rules.ast import Citation, Pack, Rule
from carnet.services.findings import FindingKey, TrackedFinding, key_of

DECISIVE: Final = frozenset({"blocking", "major"})
"""The severities that make a case nonconforming."""
CASE_RULE: Final = "case"
"""The rule that an error of the case as a whole is listed under."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision of one pack on one case.

    Args:
        pack: The pack.
        as_of: The day the decision is for.
        content: The decision, as published.
    """

    pack: Pack
    as_of: str
    content: Mapping[str, Any]

    @property
    def case(self) -> str:
        """The case, as its type and id."""
        return name_of(self.content["case"])


@dataclass(frozen=True, slots=True)
class Report:
    """Decisions to be written down.

    Args:
        language: The language of the texts.
        verdicts: The decisions.
        lives: Where each finding stands, where that is known.
        not_reviewed: Listings that no pack decided, with the reason.
        placed: Batches that are judged for their own placing dates, a line each.
        unreached: Facts that belong to no case.
        nothing: Why there is no decision at all, where there is none.
    """

    language: Language
    verdicts: Sequence[Verdict]
    lives: Mapping[FindingKey, TrackedFinding] = field(default_factory=dict)
    not_reviewed: Sequence[tuple[str, Text]] = ()
    placed: Sequence[Text] = ()
    unreached: Sequence[Mapping[str, str]] = ()
    nothing: Text | None = None

    def say(self, text: Mapping[str, str]) -> str:
        """Return a published text in the language of the report."""
        return text[self.language]

    def t(self, en: str, zh: str) -> str:
        """Return one of two texts, in the language of the report."""
        return Text(en, zh).in_language(self.language)

    def key(self, verdict: Verdict, finding: Mapping[str, Any]) -> FindingKey:
        """Return what makes a finding the same one in another evaluation."""
        return key_of(verdict.pack.id, verdict.content["case"], finding)

    def life(self, verdict: Verdict, finding: Mapping[str, Any]) -> TrackedFinding | None:
        """Return where a finding stands, None where that is not known."""
        return self.lives.get(self.key(verdict, finding))

    def by_pack(self) -> Iterator[tuple[Pack, str, list[Verdict]]]:
        """Yield each pack and day with its decisions, in order of their names."""
        groups: dict[tuple[str, str, str], list[Verdict]] = {}
        for each in self.verdicts:
            groups.setdefault((each.pack.id, each.pack.version, each.as_of), []).append(each)
        for name in sorted(groups):
            verdicts = groups[name]
            yield verdicts[0].pack, name[2], verdicts


def nothing_decided(pack: Pack, excluded: int) -> Text:
    """Return why a pack decided no case.

    Args:
        pack: The pack.
        excluded: How many facts of its case type there are, none of which is a case.
    """
    kind = pack.case.fact_type
    if not excluded:
        return Text(
            f"No case was decided: there is no {kind} among the facts.",
            f"没有判定任何案件：事实中没有 {kind}。",
        )
    return Text(
        f"No case was decided: none of the facts of type {kind} ({excluded}) is a case of "
        f"{pack.id} (see case.when in its pack.yaml).",
        f"没有判定任何案件：共有 {excluded} 条 {kind} 事实，均不属于 {pack.id} 的案件"
        "（见其 pack.yaml 的 case.when）。",
    )


def name_of(fact: Mapping[str, str]) -> str:
    """Return a fact or a case as its type and id."""
    return f"{fact['type']}/{fact['id']}"


def raising_rules(pack: Pack) -> list[Rule]:
    """Return the rules of a pack that raise findings, in order of their ids."""
    raising = [rule for rule in pack.rules if rule.message is not None]
    return sorted(raising, key=lambda rule: rule.id)


def law_of(pack: Pack, ids: Sequence[str]) -> list[Citation]:
    """Return where the law facts of a finding are written down; one without a place has its id."""
    return [pack.law.get(each) or Citation(each, "", "", "") for each in ids]


def spell_law(citation: Citation) -> str:
    """Return a citation as a line: the title, the article and the id of the law fact."""
    place = ", ".join(part for part in (citation.title, citation.article) if part)
    return f"{place} [{citation.fact}]" if place else citation.fact

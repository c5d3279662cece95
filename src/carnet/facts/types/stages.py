"""What packs of earlier stages decided, as facts of later ones: computed, never imported.

The schema of these types is what rules may name; the facts themselves are made by
`carnet.rules.stages` from decisions. None of them can be imported, so that nobody can bring a
verdict of his own.

Source: docs/spec/pack-format.md, PF-33 to PF-36.
"""

from typing import Annotated, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    Boolean,
    FactId,
    FactModel,
    Line,
    Note,
    RefersTo,
    Sha256,
    SignedAmount,
)

DecisionRef = Annotated[FactId, RefersTo(("decision",))]
FindingRef = Annotated[FactId, RefersTo(("finding",))]
_CASE_ID = Note("of the fact that was decided, of the type `case_type`; no reference")


class Decision(FactModel):
    """What a pack of an earlier stage decided about one case."""

    TYPE = "decision"
    TITLE = Text("Decision of an earlier stage", "前一阶段的判定")

    pack: Line
    version: Line
    digest: Annotated[Sha256, Note("of the pack")]
    case_type: Line
    case_id: Annotated[FactId, _CASE_ID]
    conformity: Literal["conforming", "nonconforming", "undetermined"]
    is_complete: Annotated[Boolean, Note("whether every rule could be evaluated")]


class Finding(FactModel):
    """A finding of a decision of an earlier stage."""

    TYPE = "finding"
    TITLE = Text("Finding of an earlier stage", "前一阶段的发现项")

    decision_id: DecisionRef
    pack: Line
    rule: Line
    severity: Literal["blocking", "major", "minor", "info"]
    case_type: Line
    case_id: Annotated[FactId, _CASE_ID]


class FindingFact(FactModel):
    """A fact that a finding of an earlier stage names."""

    TYPE = "finding_fact"
    TITLE = Text("Fact of a finding", "发现项涉及的事实")

    finding_id: FindingRef
    fact_type: Line
    fact_id: Annotated[FactId, Note("of the fact, of the type `fact_type`; no reference")]


class DecisionValue(FactModel):
    """A measure or an output of a decision of an earlier stage."""

    TYPE = "decision_value"
    TITLE = Text("Measure or output of a decision", "判定的指标或输出项")

    decision_id: DecisionRef
    kind: Literal["measure", "output"]
    name: Line
    value: SignedAmount


MODELS: tuple[type[FactModel], ...] = (Decision, Finding, FindingFact, DecisionValue)
"""The types of this topic, in the order of the documentation."""

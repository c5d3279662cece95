"""The credit data pool: figures about a seller that lenders cannot see elsewhere."""

from typing import Annotated, ClassVar, Final, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    ChannelRef,
    Currency,
    Day,
    FactModel,
    Line,
    Note,
    PartyRef,
    Sha256,
    SignedInteger,
)
from carnet.facts.types.checks import CrossCheck, Follows, NotBefore, PresentWith

DataPointKind = Literal[
    "own_site_sales",
    "repurchase_rate",
    "social",
    "customs_exports",
    "upstream_purchases",
    "capacity",
    "platform_settlement",
]
Provenance = Literal["self_declared", "platform", "customs", "bank", "third_party"]
Unit = Literal["minor", "bps", "count"]

UNITS: Final[tuple[tuple[str, str], ...]] = (
    ("own_site_sales", "minor"),
    ("repurchase_rate", "bps"),
    ("social", "count"),
    ("customs_exports", "minor"),
    ("upstream_purchases", "minor"),
    ("capacity", "count"),
    ("platform_settlement", "minor"),
)
"""The unit that the figures of each kind are counted in, so that they can be added up."""


class DataPoint(FactModel):
    """One figure about a seller over a period: what was measured, by whom, when it was seen.

    Source: docs/adr/0017-credit-data-points.md.
    """

    TYPE = "data_point"
    TITLE = Text("Credit data point", "信用数据点")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("period_start", "period_end"),
        NotBefore("period_end", "observed_on"),
        Follows("kind", "unit", UNITS),
        PresentWith("unit", "minor", "currency"),
    )

    seller_id: PartyRef
    kind: DataPointKind
    provider: Annotated[Line, Note("who or what system gave the figure")]
    provenance: Provenance
    channel_id: Annotated[ChannelRef | None, Note("the channel that the figure is of")] = None
    period_start: Day
    period_end: Day
    value: Annotated[SignedInteger, Note("in `unit`; an amount may be negative")]
    unit: Unit
    currency: Currency | None = None
    observed_on: Annotated[Day, Note("the day on which the figure was seen at its provider")]
    evidence_sha256: Annotated[Sha256 | None, Note("of the document that shows the figure")] = None


MODELS: tuple[type[FactModel], ...] = (DataPoint,)
"""The types of this topic, in the order of the documentation."""

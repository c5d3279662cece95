"""Where goods come from and where they went: lots, batches, units, links, inspections, recalls."""

from typing import Annotated, ClassVar, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    BatchRef,
    Boolean,
    Count,
    Day,
    EventHash,
    FactModel,
    Instant,
    Line,
    Note,
    PartyRef,
    ProductRef,
    Quantity,
    RecallRef,
    RoleId,
    Sha256,
    TraceNodeRef,
)
from carnet.facts.types.checks import CrossCheck, Different, NotBefore
from carnet.facts.types.trading import Market

_UOM_NOTE = Note("unit of measure, such as a UN/ECE Recommendation 20 code: C62, KGM, MTR")


class Batch(FactModel):
    """A production batch of a product."""

    TYPE = "batch"
    TITLE = Text("Production batch", "生产批次")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("produced_on", "placed_on"),)

    product_id: ProductRef
    lot: Line
    produced_on: Day
    placed_on: Day | None = None
    market: Market | None = None
    quantity: Quantity
    uom: Annotated[Line, _UOM_NOTE]
    site_id: RoleId | None = None
    inspector_id: RoleId | None = None


class Unit(FactModel):
    """One serialised unit."""

    TYPE = "unit"
    TITLE = Text("Unit", "单件产品")

    product_id: ProductRef
    serial: Line
    batch_id: BatchRef | None = None


class MaterialLot(FactModel):
    """A lot of raw material or components from a supplier."""

    TYPE = "material_lot"
    TITLE = Text("Material lot", "原料批次")

    supplier_id: PartyRef
    material: Line
    received_on: Day
    quantity: Quantity
    uom: Annotated[Line, _UOM_NOTE]
    has_certificate: Boolean | None = None


class TraceLink(FactModel):
    """An edge of the genealogy, from what went in to what came out."""

    TYPE = "trace_link"
    TITLE = Text("Trace link", "追溯关系")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (Different("from_id", "to_id"),)

    from_id: TraceNodeRef
    to_id: TraceNodeRef
    kind: Literal["transformed", "aggregated", "shipped", "associated"]
    quantity: Quantity | None = None
    uom: Annotated[Line | None, _UOM_NOTE] = None
    occurred_at: Instant
    event_hash: Annotated[EventHash | None, Note("of the EPCIS event, no reference")] = None


class Inspection(FactModel):
    """A quality inspection of a batch."""

    TYPE = "inspection"
    TITLE = Text("Inspection", "质量检验")

    batch_id: BatchRef
    inspector_id: RoleId
    inspected_on: Day
    result: Literal["pass", "fail", "conditional"]
    sample_size: Quantity
    critical: Annotated[Count, Note("critical defects found")]
    major: Annotated[Count, Note("major defects found")]
    minor: Annotated[Count, Note("minor defects found")]
    report_sha256: Sha256 | None = None


class Recall(FactModel):
    """A recall or a public warning."""

    TYPE = "recall"
    TITLE = Text("Recall", "召回")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("opened_on", "closed_on"),)

    authority: Line
    opened_on: Day
    closed_on: Day | None = None
    risk: Literal["serious", "high", "medium", "low"]


class RecallItem(FactModel):
    """A batch that a recall covers."""

    TYPE = "recall_item"
    TITLE = Text("Recalled batch", "召回批次")

    recall_id: RecallRef
    batch_id: BatchRef


MODELS: tuple[type[FactModel], ...] = (
    Batch,
    Unit,
    MaterialLot,
    TraceLink,
    Inspection,
    Recall,
    RecallItem,
)
"""The types of this topic, in the order of the documentation."""

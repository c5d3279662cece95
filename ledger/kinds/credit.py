"""The credit data pool and the passport drawn from it; the seller stands under a pseudonym.

Who the seller is, who gave a figure and how much it is can be withheld: what stands openly tells
that a figure of some kind exists, how it is known and how old it is.
"""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import LIST_MAX, PACK, RecordKind

SUBJECT: Final = "subject"
"""What the urn of a pseudonym names."""

DATA_POINT_KINDS: Final = (
    "capacity",
    "customs_exports",
    "own_site_sales",
    "platform_settlement",
    "repurchase_rate",
    "social",
    "upstream_purchases",
)
PROVENANCES: Final = ("bank", "customs", "platform", "self_declared", "third_party")
UNITS: Final = ("bps", "count", "minor")

_LINE = shape.text(r"[^\u0000-\u001f]{1,1024}", 1024, "a line of text", "单行文本")

DATA_POINT: Final = RecordKind(
    name="data-point",
    type_name="CarnetDataPoint",
    title=Text("Credit data point", "替代性信用数据点"),
    noun=SUBJECT,
    required={
        "kind": shape.one_of(DATA_POINT_KINDS),
        "unit": shape.one_of(UNITS),
        "provenance": shape.one_of(PROVENANCES),
        "periodStart": shape.day,
        "periodEnd": shape.day,
        "observedOn": shape.day,
    },
    withheld={
        "dataPoint": shape.identifier,
        "seller": shape.identifier,
        "provider": _LINE,
        "channel": shape.identifier,
        "value": shape.integer(),
        "currency": shape.currency,
        "evidenceSha256": shape.digest,
    },
    has_status=True,
    checks=("period",),
)

FIGURE_RECORDS_MAX: Final = 150
"""Records that one figure names one by one: more would not fit into one disclosure."""

_FIGURE = shape.obj(
    {"recordCount": shape.integer(0), "recordsDigest": shape.digest},
    {
        "records": shape.array(shape.digest, FIGURE_RECORDS_MAX, is_set=True),
        "value": shape.integer(),
        "causes": shape.array(shape.name, LIST_MAX, is_set=True),
    },
)
"""A figure, how many records it rests on, the SHA-256 of the canonical list of their hashes, and
the list itself where it is not too long. Without value it is undetermined, by the rules named as
causes."""

PASSPORT_FIGURES: Final = (
    "tier",
    "overallIndex",
    "multiChannelSalesHealth",
    "userQualityIndex",
    "supplyChainStability",
    "complianceStanding",
)

PASSPORT: Final = RecordKind(
    name="passport",
    type_name="CarnetPassport",
    title=Text("Credit passport", "信用护照"),
    noun=SUBJECT,
    required={
        "quarter": shape.text(r"[0-9]{4}Q[1-4]", 6, "a quarter like 2026Q3", "形如 2026Q3 的季度"),
        "asOf": shape.day,
        "pack": PACK,
    },
    withheld={
        "seller": shape.identifier,
        "officerConfirmed": shape.array(shape.name, LIST_MAX, is_set=True),
        **dict.fromkeys(PASSPORT_FIGURES, _FIGURE),
    },
    has_status=True,
)

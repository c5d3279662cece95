"""The credit data pool and the passport drawn from it; the seller stands under a pseudonym."""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import LIST_MAX, PACK, RecordKind

SUBJECT: Final = "subject"
"""What the urn of a pseudonym names."""

_LINE = shape.text(r"[^\u0000-\u001f]{1,200}", 200, "a line of text", "单行文本")

DATA_POINT: Final = RecordKind(
    name="data-point",
    type_name="CarnetDataPoint",
    title=Text("Credit data point", "替代性信用数据点"),
    noun=SUBJECT,
    required={
        "kind": shape.name,
        "provenance": shape.one_of(("bank", "customs", "platform", "self_declared", "third_party")),
        "periodStart": shape.day,
        "periodEnd": shape.day,
        "observedOn": shape.day,
    },
    withheld={
        "dataPoint": shape.identifier,
        "seller": shape.identifier,
        "source": _LINE,
        "unit": shape.one_of(("bps", "count", "minor")),
        "value": shape.integer(),
        "currency": shape.currency,
        "evidenceSha256": shape.digest,
    },
    has_status=True,
    checks=("period",),
)

_FIGURE = shape.obj(
    {"dataPoints": shape.array(shape.digest, LIST_MAX, is_set=True)},
    {"value": shape.integer()},
)
"""A figure and the hashes of the records it was computed from; without value where undetermined."""

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
        "tier": shape.name,
        "multiChannelSalesHealth": _FIGURE,
        "userQualityIndex": _FIGURE,
        "supplyChainStability": _FIGURE,
        "complianceStanding": _FIGURE,
        "decisionDigest": shape.digest,
    },
    has_status=True,
)

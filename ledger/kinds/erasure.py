"""That the data of a subject is gone, and what made its withheld members readable with it.

The record names the subject by its pseudonym alone, and tells nothing about it but counts.
"""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import RecordKind

ERASURE_REASONS: Final = (
    "consent_withdrawn",
    "legal_order",
    "retention_ended",
    "subject_request",
    "unlawful_processing",
)

ERASURE: Final = RecordKind(
    name="erasure",
    type_name="CarnetErasure",
    title=Text("Erasure", "删除"),
    noun="subject",
    required={
        "erasedOn": shape.day,
        "reason": shape.one_of(ERASURE_REASONS),
        "facts": shape.integer(0),
        "decisions": shape.integer(0),
        "records": shape.integer(0),
        "retained": shape.integer(0),
        "proposal": shape.digest,
        "approval": shape.digest,
    },
    has_status=True,
)
"""`facts` were deleted, `decisions` lost what they said of the subject, `records` can reveal no
more, `retained` facts stay by law; `proposal` and `approval` are the acts of the two officers."""

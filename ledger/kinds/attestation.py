"""What a rule pack decided about a listing."""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import LIST_MAX, PACK, RecordKind, Variants, counted

CONFORMITIES: Final = ("conforming", "nonconforming", "undetermined")
SEVERITIES: Final = ("blocking", "info", "major", "minor")
FINDINGS_MAX: Final = 500

ATTESTATION: Final = RecordKind(
    name="attestation:listing",
    type_name="CarnetListingAttestation",
    title=Text("Attestation of a decision on a listing", "上架商品判定证明"),
    noun="listing",
    required={
        "pack": PACK,
        "asOf": shape.day,
        "conformity": shape.one_of(CONFORMITIES),
        "officerConfirmed": shape.array(shape.name, LIST_MAX, is_set=True),
        "findings": shape.array(
            shape.obj({"rule": shape.name, "severity": shape.one_of(SEVERITIES)}), FINDINGS_MAX
        ),
        "decisionDigest": shape.digest,
    },
    withheld={
        "listing": shape.identifier,
        "seller": shape.identifier,
        "measures": counted(shape.integer()),
        "outputs": counted(shape.integer()),
    },
    named_by=("listing", "seller"),
    variants=Variants("conformity", CONFORMITIES),
    has_status=True,
    checks=("attestation",),
)

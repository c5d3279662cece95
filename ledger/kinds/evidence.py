"""What a workspace holds as evidence: certificates, chains of custody, agreements, deposits.

Each is named by a random pseudonym of the fact that it records, so that its entries in the log
belong together and yet tell nobody which fact, or whose, they are about.
"""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import LIST_MAX, RecordKind

BPS_MAX: Final = 1_000_000
_BPS = shape.integer(0, BPS_MAX)
_DAYS = shape.integer(0, 100_000)
_COUNT = shape.integer(0)

CERTIFICATE: Final = RecordKind(
    name="certificate",
    type_name="CarnetCertificate",
    title=Text("Certificate registered", "证书登记"),
    noun="certificate",
    required={
        "kind": shape.name,
        "act": shape.name,
        "issuedOn": shape.day,
        "isVerified": shape.boolean,
    },
    optional={
        "printedValidUntil": shape.day,
        "certificateStatus": shape.name,
        "certificateStatusOn": shape.day,
    },
    withheld={
        "certificate": shape.identifier,
        "product": shape.identifier,
        "seller": shape.identifier,
        "number": shape.text(r"[^\u0000-\u001f]{1,200}", 200, "a number", "编号"),
        "certifier": shape.identifier,
        "bodyNumber": shape.name,
        "testLab": shape.identifier,
        "evidenceSha256": shape.digest,
        "factDigest": shape.digest,
    },
    has_status=True,
)
TRACE_EVIDENCE: Final = RecordKind(
    name="trace-evidence",
    type_name="CarnetTraceEvidence",
    title=Text("Trace evidence", "溯源证据"),
    noun="traced",
    required={
        "nodeType": shape.one_of(("batch", "material_lot", "unit")),
        "direction": shape.one_of(("back", "forward")),
        "asOf": shape.day,
        "isComplete": shape.boolean,
    },
    withheld={
        "node": shape.identifier,
        "seller": shape.identifier,
        "nodes": _COUNT,
        "links": _COUNT,
        "chainDigest": shape.digest,
    },
    has_status=True,
)
_COVENANT = shape.obj(
    {"measure": shape.name, "at": shape.one_of(("least", "most")), "testedOn": shape.day},
    {"limitBps": shape.integer(), "limitMinor": shape.integer()},
)
_CLAUSE = shape.obj(
    {"kind": shape.name, "noticeDays": _DAYS, "cureDays": _DAYS, "effectiveFrom": shape.day},
    {"effectiveTo": shape.day, "capMinor": shape.integer(), "periodDays": _DAYS},
)
AGREEMENT: Final = RecordKind(
    name="agreement",
    type_name="CarnetAgreement",
    title=Text("Agreement terms", "协议条款"),
    noun="agreement",
    required={
        "kind": shape.name,
        "signedOn": shape.day,
        "endsOn": shape.day,
        "currency": shape.currency,
    },
    withheld={
        "agreement": shape.identifier,
        "lender": shape.identifier,
        "borrower": shape.identifier,
        "crossDefaultThresholdMinor": shape.integer(),
        "covenants": shape.array(_COVENANT, LIST_MAX),
        "clauses": shape.array(_CLAUSE, LIST_MAX),
        "termsDigest": shape.digest,
    },
    has_status=True,
)
DEPOSIT_ADJUSTMENT: Final = RecordKind(
    name="deposit-adjustment",
    type_name="CarnetDepositAdjustment",
    title=Text("Deposit adjustment", "保证金调整"),
    noun="deposit-account",
    required={
        "changedOn": shape.day,
        "baseBps": _BPS,
        "currentBps": _BPS,
    },
    optional={"previousBps": _BPS},
    withheld={
        "account": shape.identifier,
        "seller": shape.identifier,
        "platform": shape.identifier,
        "category": shape.name,
        "balanceMinor": shape.integer(),
        "currency": shape.currency,
    },
    has_status=True,
)

"""The kinds of record, each one closed shape; nothing else can be recorded."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from carnet.ledger.kinds.attestation import ATTESTATION
from carnet.ledger.kinds.base import RecordKind
from carnet.ledger.kinds.credit import DATA_POINT, PASSPORT
from carnet.ledger.kinds.erasure import ERASURE
from carnet.ledger.kinds.events import PACK_EVENT, RECEIVABLE_EVENT
from carnet.ledger.kinds.evidence import (
    AGREEMENT,
    CERTIFICATE,
    DEPOSIT_ADJUSTMENT,
    TRACE_EVIDENCE,
)
from carnet.ledger.kinds.keys import KEY_EVENT
from carnet.ledger.kinds.publication import PUBLICATION
from carnet.ledger.kinds.status import STATUS_LIST

__all__ = [
    "AGREEMENT",
    "ALL",
    "ATTESTATION",
    "CERTIFICATE",
    "DATA_POINT",
    "DEPOSIT_ADJUSTMENT",
    "ERASURE",
    "KEY_EVENT",
    "KIND_OF_TYPE",
    "LOG_KINDS",
    "PACK_EVENT",
    "PASSPORT",
    "PUBLICATION",
    "RECEIVABLE_EVENT",
    "STATUS_LIST",
    "TRACE_EVIDENCE",
    "RecordKind",
]

ALL: Final = (
    ATTESTATION,
    CERTIFICATE,
    TRACE_EVIDENCE,
    AGREEMENT,
    DEPOSIT_ADJUSTMENT,
    DATA_POINT,
    PASSPORT,
    KEY_EVENT,
    STATUS_LIST,
    PACK_EVENT,
    RECEIVABLE_EVENT,
    ERASURE,
    PUBLICATION,
)

KIND_OF_TYPE: Final[Mapping[str, RecordKind]] = MappingProxyType(
    {kind.type_name: kind for kind in ALL}
)
"""Each kind by the second type of its credentials."""

LOG_KINDS: Final = tuple(name for kind in ALL for name in kind.log_kinds)
"""Every word by which the log knows a record."""

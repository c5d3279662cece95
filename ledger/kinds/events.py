"""What happened elsewhere and is kept in the log: to rule packs here, to receivables on a chain."""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.kinds.base import RecordKind, counted

PACK_EVENTS: Final = ("activation", "approval", "proposal", "rollback")

PACK_EVENT: Final = RecordKind(
    name="pack-event",
    type_name="CarnetPackEvent",
    title=Text("Rule pack event", "规则包事件"),
    noun="pack",
    required={
        "pack": shape.name,
        "event": shape.one_of(PACK_EVENTS),
        "seq": shape.integer(1),
        "at": shape.instant,
        "actDigest": shape.digest,
    },
    optional={
        "version": shape.name,
        "packDigest": shape.digest,
        "effectiveOn": shape.day,
    },
    named_by=("pack",),
    has_status=True,
)
_HASH = shape.text(r"0x[0-9a-f]{64}", 66, "0x and 64 hex digits", " 0x 加 64 位十六进制数字")
_ADDRESS = shape.text(r"0x[0-9a-f]{40}", 42, "0x and 40 hex digits", " 0x 加 40 位十六进制数字")

RECEIVABLE_EVENT: Final = RecordKind(
    name="receivable-event",
    type_name="CarnetReceivableEvent",
    title=Text("Receivable event", "应收账款事件"),
    noun="receivable",
    required={
        "event": shape.name,
        "chainId": shape.integer(1),
        "contract": _ADDRESS,
        "blockNumber": shape.integer(0),
        "logIndex": shape.integer(0),
        "transaction": _HASH,
    },
    withheld={
        "receivable": shape.identifier,
        "seller": shape.identifier,
        "values": counted(shape.text(r"[ -~]{0,200}", 200, "printable ASCII", "可打印的 ASCII")),
    },
    has_status=True,
)

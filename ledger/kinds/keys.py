"""What happened to a signing key."""

from typing import Final

from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.did import is_issuer_id
from carnet.ledger.kinds.base import RecordKind

KEY_ROLES: Final = ("issuer", "log", "officer", "witness")
REVOCATION_REASONS: Final = ("compromised", "lost", "retired")
EVENTS: Final = {
    "add": frozenset[str](),
    "rotate": frozenset({"previousMultibase"}),
    "revoke": frozenset({"reason"}),
}
"""The members that each event has besides those of all."""

ISSUER_ID: Final = shape.where(
    "issuer", is_issuer_id, "a did:key or a did:web", " did:key 或 did:web"
)

KEY_EVENT: Final = RecordKind(
    name="key-event",
    type_name="CarnetKeyEvent",
    title=Text("Key event", "密钥事件"),
    noun=None,
    required={
        "id": ISSUER_ID,
        "event": shape.one_of(EVENTS),
        "role": shape.one_of(KEY_ROLES),
        "name": shape.name,
        "publicKeyMultibase": shape.multibase,
    },
    optional={
        "previousMultibase": shape.multibase,
        "reason": shape.one_of(REVOCATION_REASONS),
    },
    checks=("key-event",),
)

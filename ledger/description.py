"""The shapes of everything that a verifier reads, as JSON: what the verify page is built from.

The page has no shape of its own. It interprets these descriptions, so that a member that Python
takes or refuses is taken or refused there too, with the same words.
"""

from typing import Any

from carnet.ledger.bundle import BUNDLE, KEY_EVENTS_MAX
from carnet.ledger.entry import ENTRY_SHAPE
from carnet.ledger.kinds import ALL
from carnet.ledger.kinds.keys import EVENTS
from carnet.ledger.kinds.status import STATUS_ENTRIES, STATUS_ENTRY_SHAPE
from carnet.ledger.policy import POLICY, STEPS
from carnet.ledger.record import ENVELOPE, ENVELOPE_OPTIONAL
from carnet.ledger.shape import describe


def describe_all() -> dict[str, Any]:
    """Return the descriptions of records, entries, bundles and policies."""
    return {
        "kinds": [kind.describe() for kind in ALL],
        "envelope": describe(ENVELOPE),
        "envelopeOptional": describe(ENVELOPE_OPTIONAL),
        "credentialStatus": STATUS_ENTRY_SHAPE.description,
        "statusEntries": STATUS_ENTRIES,
        "keyEvents": {event: sorted(members) for event, members in EVENTS.items()},
        "keyEventsMax": KEY_EVENTS_MAX,
        "entry": ENTRY_SHAPE.description,
        "bundle": describe(BUNDLE),
        "policy": POLICY.description,
        "steps": list(STEPS),
    }

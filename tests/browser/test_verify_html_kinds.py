"""Records of every kind in the page: what Python takes or refuses, with the same words."""

import json
from dataclasses import replace
from typing import Any

import pytest

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.ledger.did import did_of_key
from carnet.ledger.entry import KINDS as LOG_KINDS
from carnet.ledger.keys import key_event_record
from carnet.ledger.kinds import RecordKind
from carnet.ledger.policy import TrustedIssuer
from tests.browser.comparing import compare, policies
from tests.browser.conftest import StaticPage
from tests.browser.test_verify_html_equal import REMOVED, at, changed, leaves, put
from tests.fixtures_kinds import KINDS, record_of
from tests.fixtures_ledger import ISSUER_KEY, NOW, LedgerWorld, failing, forge

SAMPLED_EVERY = 3
"""One altered member in so many is compared; each kind begins elsewhere."""


def altered(data: bytes, start: int) -> list[bytes]:
    """Return a bundle with members of its record altered, one at a time."""
    document: dict[str, Any] = json.loads(data)
    paths = [("record", *path) for path in leaves(document["record"])]
    cases = [
        put(document, path, value)
        for path in paths
        for value in (*changed(at(document, path)), REMOVED)
    ]
    return sorted({*cases[start % SAMPLED_EVERY :: SAMPLED_EVERY]} - {data})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_equal__record_of_every_kind(
    static_page: StaticPage, ledger_world: LedgerWorld, kind: RecordKind
) -> None:
    added = key_event_record(ISSUER_KEY, "issuer", ISSUER_KEY.issuer, FixedClock(NOW))
    data = forge(record_of(kind), added)
    trusted = TrustedIssuer(did_of_key(ISSUER_KEY.signer.public_key), frozenset(LOG_KINDS))
    policy = replace(policies(ledger_world)["plain"], issuers=(trusted,))
    (whole,) = compare(static_page, [data], policy)
    assert whole.verdict == "valid", [(step.name, step.cause.en) for step in whole.steps]
    cases = altered(data, len(kind.name))
    found = compare(static_page, cases, policy)
    assert all(map(failing, found))
    assert canonical(json.loads(data)) == data
    assert len(cases) > 50

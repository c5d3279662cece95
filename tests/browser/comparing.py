"""Comparing the page with the Python verifier: the same steps, verdicts and causes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from carnet.ledger.did import did_of_key
from carnet.ledger.entry import KINDS
from carnet.ledger.keys import Key
from carnet.ledger.note import ED25519, VerifierKey
from carnet.ledger.policy import STEPS, Policy, TrustedIssuer
from carnet.ledger.signer import Ed25519Signer
from carnet.ledger.verify import Verification, verify_bundle
from tests.browser.conftest import StaticPage
from tests.fixtures_ledger import DAY, ISSUER_KEY, STRANGER, LedgerWorld

Json = dict[str, Any]
STRANGER_DID = did_of_key(STRANGER.public_key)
OTHER_KEY = Key("issuer", Ed25519Signer(b"\x07" * 32))
THIRD_KEY = Key("issuer", Ed25519Signer(b"\x08" * 32))
UNSPOKEN = {"parse"}
"""Steps whose cause quotes the reader of JSON, which differs."""


def by_python(found: Verification) -> list[Any]:
    """Return what Python found as plain lists: the verdict, then each step."""
    steps = [[each.name, each.verdict, each.cause.en, each.cause.zh] for each in found.steps]
    return [found.verdict, *map(_spoken, steps)]


def by_page(found: Json) -> list[Any]:
    """Return what the page found in the same form."""
    steps = [
        [each["name"], each["verdict"], each["cause"]["en"], each["cause"]["zh"]]
        for each in found["steps"]
    ]
    return [found["verdict"], *map(_spoken, steps)]


def _spoken(step: list[str]) -> list[str]:
    return step[:2] if step[0] in UNSPOKEN and step[1] == "not_valid" else step


def compare(page: StaticPage, cases: Sequence[bytes], policy: Policy) -> list[Verification]:
    """Check that the page and Python agree on all cases, and return what they found."""
    shown = page.verify(cases, policy.to_toml(), DAY.isoformat())
    found = [verify_bundle(data, policy, today=DAY) for data in cases]
    for data, ours, theirs in zip(cases, found, shown, strict=True):
        assert by_page(theirs) == by_python(ours), data[:2000]
    return found


def policies(world: LedgerWorld) -> dict[str, Policy]:
    """Return policies that trust other issuers, keys, logs and days."""
    first = did_of_key(ISSUER_KEY.signer.public_key)
    kinds = frozenset(KINDS)
    base = replace(world.policy, required=frozenset(STEPS[:9]), witnesses=(), quorum=0)
    pinned = (TrustedIssuer(first, kinds, (ISSUER_KEY.signer.public_key,)),)
    other = (TrustedIssuer(first, kinds, (OTHER_KEY.signer.public_key,)),)
    second = (TrustedIssuer(did_of_key(OTHER_KEY.signer.public_key), kinds),)
    return {
        "plain": base,
        "all kinds": replace(base, issuers=(TrustedIssuer(first, kinds),)),
        "pinned": replace(base, issuers=pinned),
        "another pinned": replace(base, issuers=other),
        "second trusted": replace(base, issuers=second),
        "no issuer": replace(base, issuers=(TrustedIssuer(STRANGER_DID, kinds),)),
        "no log": replace(base, logs=(VerifierKey("other.example", ED25519, STRANGER.public_key),)),
        "quorum": world.policy,
        "before": replace(base, as_of=DAY.replace(year=2020)),
        "after": replace(base, as_of=DAY.replace(year=2030)),
    }

"""Certificates as packs judge them, by hand: their dates, and the plans to renew them."""

from datetime import date
from types import MappingProxyType
from typing import Any

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.derivation import Derived
from carnet.rules.pack import load_pack
from carnet.rules.shelf import SHELF
from carnet.services.certificates import CertificateLine
from tests.fixtures_rules import AS_OF, certificate, product

PACK = load_pack(SHELF / "eu-ce" / "0.2.0")
NOT_TOLD = Derived(None, cause=Text("not confirmed", "未确认"))


def plan(planned: str, lead: int = 45, applied: str | None = None) -> Fact:
    fields: dict[str, Any] = {
        "certificate_id": "K1",
        "planned_application_on": date.fromisoformat(planned),
        "lab_lead_days": lead,
    }
    if applied:
        fields["applied_on"] = date.fromisoformat(applied)
    return Fact("renewal_plan", "R1", MappingProxyType(fields))


def line(*plans: Fact, status: str = "valid", **values: Any) -> CertificateLine:
    told = {name: one if isinstance(one, Derived) else Derived(one) for name, one in values.items()}
    found = {"standing": Derived(status), **told}
    return CertificateLine(certificate(), product(), AS_OF, PACK, found, plans, ("L1",))


END, CLOSES = date(2027, 7, 10), date(2027, 1, 10)
WINDOW: dict[str, Any] = {
    "effective_end": END,
    "window_opens": date(2026, 7, 10),
    "window_closes": CLOSES,
    "window": "open",
}

"""The workload of the rules benchmark: products with three certificates each, always the same ones.

One third of the certificates are declarations of conformity; about one in ten has ended, one in
seventeen ends within the days of notice.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

AS_OF = date(2026, 11, 23)
NOTICE_DAYS = 60
TODAY = AS_OF.toordinal()
NOTICE_END = TODAY + NOTICE_DAYS
CERTIFICATES = 3
SIZES_DEFAULT = (1_000, 10_000, 100_000)

Record = tuple[str, str, dict[str, Any]]
"""Type, id and fields of a fact, dates as `date`."""
Match = tuple[str, str, str]
"""Product, rule, and the certificate matched or nothing."""

EXPIRED, EXPIRING, MISSING = "certificate-expired", "certificate-expiring", "declaration-missing"
_FLAGS = (
    "is_radio", "is_mains_powered", "has_battery", "is_internet_connected",
    "processes_personal_data", "transfers_value", "is_toy", "is_childrens_product", "is_ppe",
    "is_machinery",
)  # fmt: skip


def records(count: int) -> list[Record]:
    """Return the facts of some products."""
    chance = random.Random(20261123)
    result: list[Record] = []
    for number in range(count):
        product = f"P{number:07d}"
        fields = {"seller_id": "S1", "model": f"M-{number}", "category": "charger"}
        result.append(("product", product, fields | dict.fromkeys(_FLAGS, False)))
        for place in range(CERTIFICATES):
            until = AS_OF + timedelta(days=chance.randint(-100, 900))
            kind = chance.choice(("eu_doc", "test_report", "tech_file"))
            certificate = {
                "product_id": product,
                "kind": kind,
                "act": "red",
                "issued_on": until - timedelta(days=1095),
                "printed_valid_until": until,
                "status": "active",
                "is_verified": True,
            }
            result.append(("certificate", f"K{number:07d}-{place}", certificate))
    return result


def digest_of(matches: Iterable[Match]) -> str:
    """Return a digest by which engines are compared: of all matches, sorted."""
    lines = sorted(" ".join(match) for match in matches)
    return sha256("\n".join(lines).encode()).hexdigest()


def by_product(facts: Sequence[Record]) -> dict[str, list[tuple[str, str, int]]]:
    """Return the certificates of each product as id, kind and last day: what peers read."""
    result: dict[str, list[tuple[str, str, int]]] = {}
    for kind, name, _ in facts:
        if kind == "product":
            result[name] = []
    for kind, name, fields in facts:
        if kind == "certificate":
            until = fields["printed_valid_until"].toordinal()
            result[fields["product_id"]].append((name, fields["kind"], until))
    return result

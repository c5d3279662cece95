"""Decisions on one listing, stored as a review would, and what two officers do about findings."""

import functools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.services import finding_acts
from carnet.services.finding_acts import Signing
from carnet.services.findings import TrackedFinding, list_findings
from carnet.services.reviewing import newest_packs
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.tables import DECISION

DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def days(count: int) -> date:
    return DAY + timedelta(days=count)


def finding(rule: str = "r-1", severity: str = "major", fact: str = "CRT-1") -> dict[str, Any]:
    return {
        "rule": rule,
        "severity": severity,
        "facts": [{"type": "certificate", "id": fact}, {"type": "listing", "id": "L-1"}],
        "message": {"en": f"{rule} on {fact}", "zh": f"{fact} 的 {rule}"},
        "remedy": {"en": "Renew it.", "zh": "请换证。"},
        "citation": ["EU-RED-MODULES-HS"],
        "values": {"c.id": fact},
    }


packs = functools.cache(newest_packs)


class Decided:
    """Stores decisions on one listing as a review would, each behind the one before it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heads: dict[date, str] = {}

    def __call__(
        self,
        as_of: date,
        *findings: dict[str, Any],
        errors: Sequence[str] = (),
        pack: str = "eu-ce",
    ) -> str:
        rules = packs()[pack]
        body = canonical(
            {
                "case": {"type": "listing", "id": "L-1"},
                "pack": pack,
                "version": rules.version,
                "pack_digest": rules.digest.hex(),
                "facts_digest": sha256(b"facts").hex(),
                "follows": self.heads.get(as_of),
                "as_of": as_of.isoformat(),
                "conformity": "nonconforming" if findings else "conforming",
                "findings": list(findings),
                "errors": [{"rule": rule, "cause": {"en": "?", "zh": "?"}} for rule in errors],
            }
        )
        row = {
            "digest": sha256(body),
            "case_type": "listing",
            "case_id": "L-1",
            "pack": pack,
            "version": rules.version,
            "pack_digest": rules.digest,
            "facts_digest": sha256(b"facts"),
            "as_of": as_of,
            "engine": "reference",
            "conformity": "nonconforming" if findings else "conforming",
            "decided_at": NOW,
            "body": body,
        }
        with writing(self.engine) as connection:
            connection.execute(insert(DECISION), row)
        self.heads[as_of] = sha256(body).hex()
        return self.heads[as_of]


@pytest.fixture
def decide(workspace: Workspace) -> Decided:
    return Decided(workspace.engine)


def by(officer: str, day: date = DAY) -> Signing:
    return Signing(officer, day, FixedClock(NOW))


def waive(
    workspace: Workspace, name: str, day: date = DAY, until: date | None = None
) -> TrackedFinding:
    term = until or day + timedelta(days=30)
    finding_acts.propose_waiver(workspace, name, by("officer-1", day), until=term, reason="Due.")
    return finding_acts.approve_waiver(workspace, name, by("officer-2", day))


def only(workspace: Workspace, day: date = DAY) -> TrackedFinding:
    (found,) = list_findings(workspace, day)
    return found


def told(found: TrackedFinding) -> list[str]:
    return [entry.what for entry in found.life.history]

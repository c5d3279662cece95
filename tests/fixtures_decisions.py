"""A seller's workspace, and decisions that are stored in it without a review."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from carnet.core.canonical import canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.ledger.record import Record
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.importing import import_files
from carnet.services.reviewing import facts_digests, newest_packs
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.facts import current_facts
from carnet.store.tables import DECISION
from tests.fixtures_chain import FACTS, LISTINGS
from tests.fixtures_ledger import NOW

LISTING = next(iter(LISTINGS.values()))
DAY = date(2026, 11, 23)


@pytest.fixture
def seller(workspace: Workspace, tmp_path: Path, clock: FixedClock) -> Workspace:
    """Return a workspace with the facts of one seller."""
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": FACTS}), encoding="utf-8")
    import_files(workspace, [path], clock)
    return workspace


def decide(
    workspace: Workspace,
    *,
    case: str = LISTING,
    case_type: str = "listing",
    as_of: date = DAY,
    pack: str = "eu-ce",
    conformity: str = "conforming",
    findings: Sequence[Mapping[str, Any]] = (
        {"rule": "eu-ce-001", "severity": "minor", "facts": []},
    ),
) -> bytes:
    """Store a decision as a review would, and return its digest."""
    rules = newest_packs()[pack]
    with reading(workspace.engine) as connection:
        facts = facts_digests(rules, list(current_facts(connection)), as_of)
    facts_digest = facts.get(case, sha256(b"no facts"))
    body = {
        "case": {"type": case_type, "id": case},
        "version": rules.version,
        "pack_digest": rules.digest.hex(),
        "facts_digest": facts_digest.hex(),
        "follows": None,
        "as_of": as_of.isoformat(),
        "pack": pack,
        "conformity": conformity,
        "officer_confirmed": ["b", "a"],
        "findings": [dict(each) for each in findings],
        "measures": {"days_left": 12},
        "outputs": {},
    }
    digest = sha256(canonical(body))
    row = {
        "digest": digest,
        "case_type": case_type,
        "case_id": case,
        "pack": pack,
        "version": rules.version,
        "pack_digest": rules.digest,
        "facts_digest": facts_digest,
        "as_of": as_of,
        "engine": "reference",
        "conformity": conformity,
        "decided_at": NOW,
        "body": canonical(body),
    }
    with writing(workspace.engine) as connection:
        connection.execute(insert(DECISION), row)
    return digest


def attest_and_append(
    workspace: Workspace, clock: FixedClock, digests: Sequence[bytes]
) -> list[Record]:
    """Return the attestations of decisions, signed and in the log."""
    records = issue_attestations(workspace, digests, clock)
    append_records(workspace, clock)
    return records

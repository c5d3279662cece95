"""A real development node for tests, each in its own folder. A missing anvil fails the test."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from carnet.chain.anvil import AnvilNode
from carnet.chain.rpc import DEV_CHAIN_ID, RpcClient
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.subjects import listing_hash
from carnet.ledger.append import stage_records
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    LISTING_URN,
    Validity,
    new_salt,
    sign_record,
    urn_of_digest,
)
from carnet.services.anchoring import push
from carnet.services.appending import append_records
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.deploying import deploy
from carnet.services.importing import import_files
from carnet.services.keys import ensure_key
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import RECORD

CHAIN_START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture
def anvil_node(tmp_path: Path) -> Iterator[AnvilNode]:
    node = AnvilNode(tmp_path / "chain")
    node.start(start_at=CHAIN_START, is_detached=True)
    yield node
    node.stop()


@pytest.fixture
def rpc(anvil_node: AnvilNode) -> Iterator[RpcClient]:
    status = anvil_node.status()
    assert status is not None
    with RpcClient(status.url, chain_id=DEV_CHAIN_ID) as client:
        yield client


# A workspace with two receivables of one platform each, attested, logged and ready to anchor.

SELLER, LENDER = "SELLER-1", "LENDER-1"
LISTINGS = {"RCV-1": "LST-1", "RCV-2": "LST-2"}
FACES_MINOR = {"RCV-1": 4_250_000, "RCV-2": 1_984_025}
CLOCK = FixedClock(CHAIN_START)

FACTS: list[dict[str, Any]] = [
    *({"type": "party", "id": name, "name": name, "country": "CN"} for name in (SELLER, LENDER)),
    *(
        {"type": "party", "id": name, "name": name, "country": "IE"}
        for name in ("PLATFORM-A", "PLATFORM-B")
    ),
    *(
        {
            "type": "channel",
            "id": f"CH-{letter}",
            "name": letter,
            "kind": "fully_managed",
            "platform_id": f"PLATFORM-{letter}",
        }
        for letter in "AB"
    ),
    {
        "type": "product",
        "id": "PRD-1",
        "seller_id": SELLER,
        "model": "M1",
        "category": "home_goods",
        **dict.fromkeys(
            (
                "is_radio",
                "is_mains_powered",
                "has_battery",
                "is_internet_connected",
                "processes_personal_data",
                "transfers_value",
                "is_toy",
                "is_childrens_product",
                "is_ppe",
                "is_machinery",
            ),
            False,
        ),
    },
    *(
        {
            "type": "listing",
            "id": listing,
            "product_id": "PRD-1",
            "market": "EU",
            "channel_id": "CH-A",
            "status": "live",
        }
        for listing in LISTINGS.values()
    ),
    {
        "type": "agreement",
        "id": "AGR-1",
        "lender_id": LENDER,
        "borrower_id": SELLER,
        "kind": "factoring",
        "signed_on": "2026-01-05",
        "ends_on": "2027-12-31",
        "currency": "USD",
    },
    *(
        {
            "type": "receivable",
            "id": name,
            "seller_id": SELLER,
            "debtor_id": platform,
            "document_sha256": sha256(name.encode()).hex(),
            "face_minor": FACES_MINOR[name],
            "currency": "USD",
            "delivered_on": "2026-11-02",
            "due_on": "2027-01-04",
            "listing_id": LISTINGS[name],
            "agreement_id": "AGR-1",
        }
        for name, platform in (("RCV-1", "PLATFORM-A"), ("RCV-2", "PLATFORM-B"))
    ),
]


def attest(workspace: Workspace, listing_id: str, conformity: str, day: date) -> bytes:
    """Sign and stage an attestation of a listing, and return the hash of its record."""
    subject = listing_hash(listing_id, SELLER)
    decision = sha256(f"{listing_id}/{conformity}/{day}".encode())
    start = datetime.combine(day, time(), UTC)
    with reading(workspace.engine) as connection:
        query = select(RECORD.c.record_hash).where(RECORD.c.subject == subject)
        earlier = connection.execute(query.order_by(RECORD.c.created_at.desc())).scalars().first()
    record = sign_record(
        ATTESTATION_TYPE,
        {
            "id": LISTING_URN + subject.hex(),
            "listing": listing_id,
            "seller": SELLER,
            "pack": {"id": "eu-ce", "version": "2026.1", "digest": sha256(b"pack").hex()},
            "asOf": day.isoformat(),
            "conformity": conformity,
            "officerConfirmed": [],
            "findings": [],
            "measures": {},
            "outputs": {},
            "decisionDigest": decision.hex(),
            "salt": new_salt(),
        },
        record_id=urn_of_digest(decision),
        issuer=ensure_key(workspace, "issuer", CLOCK).issuer,
        validity=Validity(start, start + timedelta(days=91, seconds=-1)),
        created=CLOCK.now(),
        supersedes=earlier,
    )
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [record], CLOCK)
    return record.digest


def make_workspace(folder: Path) -> None:
    """Make a workspace with the facts above, every listing attested as conforming and logged."""
    create(folder, clock=CLOCK)
    facts_file = folder.parent / "facts.json"
    facts_file.write_text(json.dumps({"facts": FACTS}), encoding="utf-8")
    with Workspace.open(folder) as workspace:
        import_files(workspace, [facts_file], CLOCK)
        for listing_id in LISTINGS.values():
            attest(workspace, listing_id, "conforming", CHAIN_START.date())
        append_records(workspace, CLOCK)


@pytest.fixture(scope="session")
def workspace_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "ws"
    make_workspace(folder)
    return folder


@pytest.fixture
def chain_workspace(workspace_template: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of its own, whose node is stopped at the end."""
    folder = tmp_path / "ws"
    shutil.copytree(workspace_template, folder)
    with Workspace.open(folder) as workspace:
        yield workspace
        AnvilNode(workspace.chain_path).stop()


@pytest.fixture
def session(chain_workspace: Workspace) -> Iterator[ChainSession]:
    """An open chain with the contracts deployed and the log anchored."""
    with open_chain(chain_workspace, clock=CLOCK, start_at=CHAIN_START) as opened:
        deploy(opened, issuer=ensure_key(chain_workspace, "issuer", CLOCK).did)
        push(opened)
        yield opened

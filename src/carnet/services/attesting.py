"""Attesting: signed records of the decisions on listings.

A decision is attested once. Decisions are read from the store, where their digest is their name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from carnet.core.canonical import parse_canonical
from carnet.core.clock import Clock
from carnet.core.errors import InputError, NotFoundError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger.append import stage_records
from carnet.ledger.entry import ATTESTATION_PREFIX
from carnet.ledger.reader import batches
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    LISTING_URN,
    Issuer,
    Record,
    Validity,
    new_salt,
    parse_record,
    sign_record,
    urn_of_digest,
)
from carnet.services.keys import ensure_key
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.facts import existing
from carnet.store.locks import Lock
from carnet.store.tables import DECISION, RECORD

VALID_DAYS: Final = 90
"""How long an attestation holds where nothing else is asked: one quarter."""

LISTING: Final = "listing"


@dataclass(frozen=True, slots=True)
class _Attested:
    """One listing decision with what its record needs from the facts."""

    digest: bytes
    as_of: date
    subject: bytes
    pack: str
    fields: Mapping[str, Any]


def issue_attestations(
    workspace: Workspace, decisions: Sequence[bytes], clock: Clock, *, valid_days: int = VALID_DAYS
) -> list[Record]:
    """Return the signed attestations of stored decisions, in their order.

    A decision that is attested already gives the record there is. Records wait for the next append;
    each replaces the newest one of the same listing under the same pack.

    Args:
        workspace: The workspace.
        decisions: Digests of decisions on listings.
        clock: Gives the time of signing.
        valid_days: Days after the day of the decision through which the attestation holds.

    Raises:
        NotFoundError: A decision is not stored.
        InputError: It is not on a listing, or the facts of the listing are missing.
    """
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        rows = _decision_rows(connection, decisions)
        sellers = _sellers(connection, [row.case_id for row in rows if row.case_type == LISTING])
        records = []
        for row in rows:
            record = _existing_record(connection, urn_of_digest(row.digest))
            if record is None:
                item = _attested(row, sellers)
                newest = _newest_of(connection, item.subject, item.pack)
                record = _sign_attestation(item, issuer, clock.now(), newest, valid_days)
                stage_records(connection, [record], clock, {record.record_id: row.digest})
            records.append(record)
    return records


def _decision_rows(connection: Connection, digests: Sequence[bytes]) -> list[Row[Any]]:
    found: dict[bytes, Row[Any]] = {}
    for group in batches(digests):
        rows = connection.execute(select(DECISION).where(DECISION.c.digest.in_(group)))
        found |= {row.digest: row for row in rows}
    missing = [item for item in digests if item not in found]
    if missing:
        raise NotFoundError(
            "CRN-L-010",
            Text(f"There is no decision {missing[0].hex()}.", f"没有判定 {missing[0].hex()}。"),
            Text("Decide first: `carnet review --all`.", "请先审核：`carnet review --all`。"),
        )
    return [found[item] for item in digests]


def _sellers(connection: Connection, listing_ids: Sequence[str]) -> dict[str, str]:
    listings = existing(connection, LISTING, set(listing_ids))
    product_of = {
        name: str(version.fact().fields["product_id"]) for name, version in listings.items()
    }
    products = existing(connection, "product", set(product_of.values()))
    return {
        name: str(products[product].fact().fields["seller_id"])
        for name, product in product_of.items()
        if product in products
    }


def _existing_record(connection: Connection, record_id: str) -> Record | None:
    query = select(RECORD.c.body).where(RECORD.c.record_id == record_id)
    body = connection.execute(query).scalar_one_or_none()
    return None if body is None else parse_record(body)


def _attested(row: Row[Any], sellers: Mapping[str, str]) -> _Attested:
    if row.case_type != LISTING or row.case_id not in sellers:
        raise _not_attestable(row.case_type, row.case_id)
    seller = sellers[row.case_id]
    body = parse_canonical(row.body)
    subject = listing_hash(row.case_id, seller)
    fields = {
        "id": LISTING_URN + subject.hex(),
        "listing": row.case_id,
        "seller": seller,
        "pack": {"id": row.pack, "version": row.version, "digest": row.pack_digest.hex()},
        "asOf": row.as_of.isoformat(),
        "conformity": row.conformity,
        "officerConfirmed": sorted(set(body["officer_confirmed"])),
        "findings": [
            {"rule": item["rule"], "severity": item["severity"]} for item in body["findings"]
        ],
        "measures": body["measures"],
        "outputs": body["outputs"],
        "decisionDigest": row.digest.hex(),
        "salt": new_salt(),
    }
    return _Attested(row.digest, row.as_of, subject, row.pack, fields)


def _not_attestable(case_type: str, case_id: str) -> InputError:
    return InputError(
        "CRN-L-011",
        Text(
            f"The decision on {case_type} {case_id!r} cannot be attested.",
            f"无法为 {case_type} {case_id!r} 的判定出具证明。",
        ),
        Text(
            "Attestations are of listings whose product and seller are imported.",
            "仅可为已导入商品及卖家的上架商品出具证明。",
        ),
    )


def _newest_of(connection: Connection, subject: bytes, pack: str) -> bytes | None:
    """Return the attestation of a listing under a pack that no other replaces."""
    query = select(RECORD.c.record_hash, RECORD.c.supersedes, RECORD.c.body).where(
        RECORD.c.subject == subject, RECORD.c.kind.startswith(ATTESTATION_PREFIX)
    )
    rows = [
        row
        for row in connection.execute(query.order_by(RECORD.c.created_at))
        if parse_canonical(row.body)["credentialSubject"]["pack"]["id"] == pack
    ]
    replaced = {row.supersedes for row in rows}
    return next((row.record_hash for row in rows if row.record_hash not in replaced), None)


def _sign_attestation(
    item: _Attested, issuer: Issuer, now: datetime, supersedes: bytes | None, valid_days: int
) -> Record:
    start = datetime.combine(item.as_of, time(), UTC)
    until = start + timedelta(days=valid_days + 1, seconds=-1)
    return sign_record(
        ATTESTATION_TYPE,
        item.fields,
        record_id=urn_of_digest(item.digest),
        issuer=issuer,
        validity=Validity(start, until),
        created=now,
        supersedes=supersedes,
    )

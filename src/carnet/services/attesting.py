"""Attesting: signed records of the decisions on listings.

A decision is attested once. Decisions are read from the store, where their digest is their name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from carnet.core.clock import Clock
from carnet.core.errors import InputError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger.append import stage_records
from carnet.ledger.disclosure import withhold as withhold_fields
from carnet.ledger.entry import ATTESTATION_PREFIX
from carnet.ledger.kinds import ATTESTATION
from carnet.ledger.reader import stored_record
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    LISTING_URN,
    Issuer,
    Record,
    Validity,
    new_salt,
    sign_record,
    urn_of_digest,
)
from carnet.services.decisions import LISTING, StoredDecision, decisions_of
from carnet.services.keys import ensure_key, require_current_issuer
from carnet.services.reviewing import require_current
from carnet.services.status_entries import StatusEntry, allocate_entry
from carnet.services.vault import Subject, open_vault, require_not_erased
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.facts import existing
from carnet.store.locks import Lock
from carnet.store.tables import LOG_ENTRY, RECORD

VALID_DAYS: Final = 90
"""How long an attestation holds where nothing else is asked: one quarter."""

WITHHOLDABLE: Final = frozenset(ATTESTATION.withheld)
"""The members of an attestation that may be withheld."""


@dataclass(frozen=True, slots=True)
class _Attested:
    """One listing decision with what its record needs from the facts."""

    digest: bytes
    as_of: date
    subject: bytes
    pack: str
    fields: Mapping[str, Any]

    @property
    def about(self) -> Subject:
        """Whose listing it is."""
        return Subject("party", str(self.fields["seller"]))


def issue_attestations(
    workspace: Workspace,
    decisions: Sequence[bytes],
    clock: Clock,
    *,
    valid_days: int = VALID_DAYS,
    withhold: Collection[str] = (),
) -> list[Record]:
    """Return the signed attestations of stored decisions, in their order.

    A decision that is attested already gives the record there is. Records wait for the next append;
    each replaces the newest one of the same listing under the same pack.

    Args:
        workspace: The workspace.
        decisions: Digests of decisions on listings.
        clock: Gives the time of signing.
        valid_days: Days after the day of the decision through which the attestation holds.
        withhold: The members of `WITHHOLDABLE` that stand in it as digests; the vault keeps what
            they say, for the holder to reveal.

    Raises:
        NotFoundError: A decision is not stored.
        InputError: It is not on a listing, the facts of the listing are missing, or a later
            attestation of it stands.
        ConflictError: Facts, rules or the decision itself have changed since, or the data of the
            seller was erased.
        LedgerFatalError: A stored decision or record is damaged.
    """
    assert set(withhold) <= WITHHOLDABLE, "other members are never withheld"
    issuer = ensure_key(workspace, "issuer", clock).issuer
    vault = open_vault(workspace) if withhold else None
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        require_current_issuer(connection, issuer)
        found = decisions_of(connection, decisions)
        known = {item.digest: _existing_record(connection, item) for item in found}
        fresh = [item for item in found if known[item.digest] is None]
        sellers = _sellers(connection, fresh)
        items = [_attested(item, sellers) for item in fresh]
        require_current(workspace, connection, fresh)
        for item in items:
            if known[item.digest] is None:
                newest = _newest_of(connection, item)
                require_not_erased(connection, item.about)
                entry = allocate_entry(connection)
                fields, disclosures = withhold_fields(item.fields, sorted(withhold))
                hidden = replace(item, fields=fields)
                record = _sign_attestation(hidden, issuer, clock.now(), newest, entry, valid_days)
                stage_records(connection, [record], clock, {record.record_id: item.digest})
                entry.keep(connection, record)
                if vault is not None:
                    vault.seal(connection, item.about, record.digest, disclosures, clock)
                known[item.digest] = record
    records = [known[item.digest] for item in found]
    return [record for record in records if record is not None]


def _sellers(connection: Connection, decisions: Sequence[StoredDecision]) -> dict[str, str]:
    lines = {item.line for item in decisions}
    names = {line.case_id for line in lines if line.case_type == LISTING}
    listings = existing(connection, LISTING, names)
    product_of = {
        name: str(version.fact().fields["product_id"]) for name, version in listings.items()
    }
    products = existing(connection, "product", set(product_of.values()))
    return {
        name: str(products[product].fact().fields["seller_id"])
        for name, product in product_of.items()
        if product in products
    }


def _existing_record(connection: Connection, decision: StoredDecision) -> Record | None:
    name = urn_of_digest(decision.digest)
    query = select(RECORD.c.record_hash, RECORD.c.body).where(RECORD.c.record_id == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else stored_record(bytes(row.record_hash), bytes(row.body))


def _attested(decision: StoredDecision, sellers: Mapping[str, str]) -> _Attested:
    line, body = decision.line, decision.content
    if line.case_type != LISTING or line.case_id not in sellers:
        raise _not_attestable(line.case_type, line.case_id)
    seller = sellers[line.case_id]
    subject = listing_hash(line.case_id, seller)
    fields = {
        "id": LISTING_URN + subject.hex(),
        "listing": line.case_id,
        "seller": seller,
        "pack": {"id": line.pack, "version": body["version"], "digest": body["pack_digest"]},
        "asOf": body["as_of"],
        "conformity": body["conformity"],
        "officerConfirmed": sorted(set(body["officer_confirmed"])),
        "findings": [
            {"rule": item["rule"], "severity": item["severity"]} for item in body["findings"]
        ],
        "measures": body["measures"],
        "outputs": body["outputs"],
        "decisionDigest": decision.digest.hex(),
        "salt": new_salt(),
    }
    return _Attested(decision.digest, line.as_of, subject, line.pack, fields)


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


def _newest_of(connection: Connection, item: _Attested) -> bytes | None:
    """Return the attestation that a new one replaces: of that listing and pack, itself unreplaced.

    Raises:
        InputError: One of a later day stands; what was true before does not replace it.
    """
    query = (
        select(RECORD.c.record_hash, RECORD.c.body)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD.c.subject == item.subject, RECORD.c.kind.startswith(ATTESTATION_PREFIX))
        .order_by(LOG_ENTRY.c.index.is_(None), LOG_ENTRY.c.index, RECORD.c.created_at)
    )
    rows = connection.execute(query)
    records = [stored_record(bytes(row.record_hash), bytes(row.body)) for row in rows]
    same = [record for record in records if record.subject["pack"]["id"] == item.pack]
    replaced = {record.entry.supersedes for record in same}
    standing = [record for record in same if record.digest not in replaced]
    latest = max((str(record.subject["asOf"]) for record in standing), default="")
    if latest > item.as_of.isoformat():
        raise _older(item, latest)
    # Of several of one day the last in the log is taken: max returns the first of equals.
    newest = max(reversed(standing), key=lambda record: str(record.subject["asOf"]), default=None)
    return newest.digest if newest else None


def _older(item: _Attested, latest: str) -> InputError:
    name = item.fields["listing"]
    return InputError(
        "CRN-L-015",
        Text(
            f"The listing {name} is attested as of {latest} under {item.pack}; an attestation as "
            f"of {item.as_of} cannot replace that.",
            f"上架商品 {name} 在规则包 {item.pack} 下已有基准日为 {latest} 的证明；"
            f"基准日为 {item.as_of} 的证明不能取代它。",
        ),
        Text(
            f"Review and issue with --as-of {latest} or later.",
            f"请以 --as-of {latest} 或之后的日期审核并签发。",
        ),
    )


def _sign_attestation(
    item: _Attested,
    issuer: Issuer,
    now: datetime,
    supersedes: bytes | None,
    entry: StatusEntry,
    valid_days: int,
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
        status=entry.credential_status,
    )

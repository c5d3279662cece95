"""What passports rest on and replace, read from the records: attestations, earlier passports."""

from datetime import date

from sqlalchemy import Connection, select

from carnet.core.errors import InputError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.ledger.kinds import ATTESTATION, PASSPORT
from carnet.ledger.reader import stored_record
from carnet.ledger.record import Record
from carnet.store.facts import existing
from carnet.store.tables import LOG_ENTRY, RECORD, REVOCATION


def _records_of(connection: Connection, kinds: tuple[str, ...], subject: bytes) -> list[Record]:
    """Return the records of some kinds about one subject, in the order of the log."""
    query = (
        select(RECORD.c.record_hash, RECORD.c.body)
        .outerjoin(LOG_ENTRY, LOG_ENTRY.c.record_hash == RECORD.c.record_hash)
        .where(RECORD.c.subject == subject, RECORD.c.kind.in_(kinds))
        .order_by(LOG_ENTRY.c.index.is_(None), LOG_ENTRY.c.index, RECORD.c.created_at)
    )
    rows = connection.execute(query)
    return [stored_record(bytes(row.record_hash), bytes(row.body)) for row in rows]


def passports_of(connection: Connection, pseudonym: bytes) -> list[Record]:
    """Return the passports of a seller, oldest first.

    Raises:
        LedgerFatalError: A stored record is damaged.
    """
    return _records_of(connection, PASSPORT.log_kinds, pseudonym)


def is_revoked(connection: Connection, record: Record) -> bool:
    """Return whether a record was revoked here."""
    query = select(REVOCATION.c.at).where(REVOCATION.c.record_hash == record.digest)
    return connection.execute(query).one_or_none() is not None


def _subject_of(connection: Connection, listing: str) -> bytes:
    version = existing(connection, "listing", [listing])[listing]
    product = str(version.fact().fields["product_id"])
    seller = existing(connection, "product", [product])[product].fact().fields["seller_id"]
    return listing_hash(listing, str(seller))


def attestation_of(connection: Connection, decision: Fact, as_of: date) -> bytes:
    """Return the hash of the attestation that says what a pack decided about a listing.

    Args:
        connection: Of any transaction.
        decision: A fact of the type `decision`, made for the day.
        as_of: The day; the attestation must hold on it.

    Raises:
        InputError: None stands that says the same under the same pack.
        LedgerFatalError: A stored record is damaged.
    """
    fields = decision.fields
    listing = str(fields["case_id"])
    records = _records_of(connection, ATTESTATION.log_kinds, _subject_of(connection, listing))
    replaced = {record.entry.supersedes for record in records}
    for record in records:
        said = record.subject
        is_same = (
            said["pack"]["id"] == fields["pack"]
            and said["pack"]["digest"] == fields["digest"]
            and said["conformity"] == fields["conformity"]
        )
        until = record.valid_until
        holds = record.valid_from.date() <= as_of and (until is None or as_of <= until.date())
        if is_same and holds and record.digest not in replaced:
            return record.digest
    raise InputError(
        "CRN-L-078",
        Text(
            f"{fields['pack']} decides {listing} as {fields['conformity']} for {as_of}, and no "
            "attestation stands that says so.",
            f"规则包 {fields['pack']} 对 {listing} 在 {as_of} 的判定为 {fields['conformity']}，"
            "但没有与之一致的现行证明。",
        ),
        Text(
            f"Review and attest first: carnet review --all --as-of {as_of}; carnet record issue "
            f"--as-of {as_of}.",
            f"请先审核并签发：carnet review --all --as-of {as_of}；carnet record issue --as-of "
            f"{as_of}。",
        ),
    )

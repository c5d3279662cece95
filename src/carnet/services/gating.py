"""Proving to the gate, from the anchored log, that a listing is attested as conforming."""

from dataclasses import dataclass

from sqlalchemy import select

from carnet.chain.anchor import AnchorRegistry
from carnet.chain.deployment import GATE, REGISTRY
from carnet.chain.gate import Attestation, ComplianceGate
from carnet.chain.keys import ChainRole
from carnet.core.canonical import parse_canonical
from carnet.core.errors import ConflictError, NotFoundError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger.entry import ATTESTATION_PREFIX, LogEntry, entry_from_json
from carnet.ledger.reader import LogReader
from carnet.services.chaining import ChainSession
from carnet.services.deploying import ATTESTATION_AGE_DAYS_MAX
from carnet.services.dispatching import Call, Intent
from carnet.store.engine import reading
from carnet.store.tables import LOG_ENTRY, RECORD

CONFORMING = f"{ATTESTATION_PREFIX}conforming"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a receivable of a listing may be funded today, by what the gate was shown.

    Args:
        listing_id: The listing.
        is_eligible: The gate's answer.
        record_hash: The attestation that was proved in this call, if one was.
    """

    listing_id: str
    is_eligible: bool
    record_hash: bytes | None


def is_eligible(session: ChainSession, listing_id: str, seller_id: str) -> bool:
    """Return the gate's answer for a listing, without showing it anything."""
    gate = ComplianceGate(session.contract(GATE))
    return gate.is_eligible(listing_hash(listing_id, seller_id), ATTESTATION_AGE_DAYS_MAX)


def prove(session: ChainSession, listing_id: str, seller_id: str) -> Eligibility:
    """Show the gate the newest attestation of a listing, if that is conforming and anchored.

    Nothing is shown where an attestation that no later one replaces says otherwise: after a
    decision that a listing does not conform, an older conforming one proves nothing.

    Raises:
        NotFoundError: The log holds no attestation of the listing.
        ConflictError: It is in the log but not under an anchored checkpoint yet.
        TransactionRevertedError: The gate refuses it.
    """
    subject = listing_hash(listing_id, seller_id)
    gate = ComplianceGate(session.contract(GATE))
    index, entry = _standing(session, subject, listing_id)
    if entry.kind != CONFORMING:
        return Eligibility(listing_id, is_eligible=False, record_hash=None)
    was_proved = _is_proved(gate, subject, entry)
    _show(session, gate, subject, index, entry)
    answer = gate.is_eligible(subject, ATTESTATION_AGE_DAYS_MAX)
    return Eligibility(listing_id, answer, None if was_proved else entry.record_hash)


def _is_proved(gate: ComplianceGate, subject: bytes, entry: LogEntry) -> bool:
    return gate.standing(subject).valid_from_day >= (entry.valid_from or 0)


def _show(
    session: ChainSession, gate: ComplianceGate, subject: bytes, index: int, entry: LogEntry
) -> None:
    registry = AnchorRegistry(session.contract(REGISTRY), session.workspace.settings.log_origin)
    size = registry.head().size
    if index >= size:
        raise _not_anchored(index, size)
    assert entry.valid_from is not None, "an attestation has a first day"
    assert entry.valid_until is not None, "an attestation has a last day"
    attestation = Attestation(
        record_hash=entry.record_hash,
        listing_hash=subject,
        valid_from_day=entry.valid_from,
        valid_until_day=entry.valid_until,
        supersedes=entry.supersedes,
        status_ref=entry.status_ref,
    )
    proof = LogReader(session.workspace.engine).inclusion_proof(index, size)
    session.dispatcher.perform(
        Intent(
            kind="gate.prove",
            key=f"prove:{session.chain_id}:{gate.contract.address}:{entry.record_hash.hex()}",
            payload={"listingHash": subject.hex(), "recordHash": entry.record_hash.hex()},
            sender=session.sender(ChainRole.KEEPER),
            make_call=lambda: Call(
                gate.contract.address,
                gate.prove_call(registry.origin_hash, size, attestation, index, proof),
            ),
            is_done=lambda _: _is_proved(gate, subject, entry),
        )
    )


def _standing(session: ChainSession, subject: bytes, listing_id: str) -> tuple[int, LogEntry]:
    """Return the entry that decides: of those that no other replaces, one that does not conform.

    A listing can be attested under several packs, each with a line of its own; where all conform,
    the newest entry is returned.
    """
    query = (
        select(LOG_ENTRY.c.index, LOG_ENTRY.c.entry)
        .join(RECORD, RECORD.c.record_hash == LOG_ENTRY.c.record_hash)
        .where(RECORD.c.subject == subject, RECORD.c.kind.startswith(ATTESTATION_PREFIX))
        .order_by(LOG_ENTRY.c.index.desc())
    )
    with reading(session.workspace.engine) as connection:
        rows = connection.execute(query).all()
    found = [(int(row[0]), entry_from_json(parse_canonical(bytes(row[1])))) for row in rows]
    replaced = {entry.supersedes for _, entry in found}
    standing = [pair for pair in found if pair[1].record_hash not in replaced]
    if not standing:
        raise NotFoundError(
            "CRN-H-040",
            Text(
                f"The log holds no attestation of the listing {listing_id}.",
                f"日志中没有上架商品 {listing_id} 的证明。",
            ),
            Text(
                "Review the listing, record the decision and append it: `carnet log append`.",
                "请先审核该上架商品、签发证明并追加到日志：`carnet log append`。",
            ),
        )
    return next((pair for pair in standing if pair[1].kind != CONFORMING), standing[0])


def _not_anchored(index: int, size: int) -> ConflictError:
    return ConflictError(
        "CRN-H-041",
        Text(
            f"The attestation is entry {index} of the log; only {size} entries are anchored.",
            f"该证明是日志的第 {index} 个条目；目前只锚定了 {size} 个条目。",
        ),
        Text("Run `carnet anchor push` first.", "请先运行 `carnet anchor push`。"),
    )

"""Proving to the gate, from the anchored log, that a listing is attested as conforming.

Each pack of a listing's market decides on its own and is attested on its own. The gate is shown one
attestation, so it is shown none unless every pack that decided the listing on that day is attested
in the log, and all of them as conforming.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from carnet.chain.anchor import AnchorRegistry
from carnet.chain.deployment import GATE, REGISTRY
from carnet.chain.gate import Attestation, ComplianceGate
from carnet.chain.keys import ChainRole
from carnet.chain.signing import Finding, SigningDomain, nonce_of, sign_statement
from carnet.contracts.typed_data import GATE_DOMAIN_NAME
from carnet.core.canonical import parse_canonical
from carnet.core.clock import date_of_day_number
from carnet.core.errors import ChainError, ConflictError, InputError, NotFoundError
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger.entry import ATTESTATION_PREFIX, LogEntry, entry_from_json
from carnet.ledger.reader import LogReader, stored_record
from carnet.services.chaining import ChainSession
from carnet.services.decisions import LISTING, read_decisions
from carnet.services.deploying import ATTESTATION_AGE_DAYS_MAX
from carnet.services.dispatching import Call, Intent
from carnet.store.engine import reading
from carnet.store.tables import DECISION, LOG_ENTRY, RECORD

CONFORMING = f"{ATTESTATION_PREFIX}conforming"
CODE_MAX = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a receivable of a listing may be funded today, by what the gate was shown.

    Args:
        listing_id: The listing.
        is_eligible: The gate's answer.
        record_hash: The attestation that was proved in this call, if one was.
        conformity: What the attestation that decides says, such as ``conforming``.
    """

    listing_id: str
    is_eligible: bool
    record_hash: bytes | None
    conformity: str


def is_eligible(session: ChainSession, listing_id: str, seller_id: str) -> bool:
    """Return the gate's answer for a listing, without showing it anything."""
    gate = ComplianceGate(session.contract(GATE))
    return gate.is_eligible(listing_hash(listing_id, seller_id), ATTESTATION_AGE_DAYS_MAX)


def prove(session: ChainSession, listing_id: str, seller_id: str) -> Eligibility:
    """Show the gate the newest attestation of a listing, if that is conforming and anchored.

    Nothing is shown where an attestation that no later one replaces says otherwise: after a
    decision that a listing does not conform, an older conforming one proves nothing. Neither is
    one shown while a pack that decided the listing on the same day is not attested.

    Raises:
        NotFoundError: The log holds no attestation of the listing.
        ConflictError: It is in the log but not under an anchored checkpoint yet, or the decision
            of another pack is not attested.
        TransactionRevertedError: The gate refuses it.
    """
    subject = listing_hash(listing_id, seller_id)
    gate = ComplianceGate(session.contract(GATE))
    index, entry = _standing(session, subject, listing_id)
    conformity = entry.kind.removeprefix(ATTESTATION_PREFIX)
    if entry.kind != CONFORMING:
        # The gate may still hold an older proof; what it says is worth nothing now.
        return Eligibility(listing_id, is_eligible=False, record_hash=None, conformity=conformity)
    was_proved = _is_proved(gate, subject, entry)
    _show(session, gate, subject, index, entry)
    answer = gate.is_eligible(subject, ATTESTATION_AGE_DAYS_MAX)
    return Eligibility(listing_id, answer, None if was_proved else entry.record_hash, conformity)


def require_eligible(session: ChainSession, listing_id: str, seller_id: str) -> None:
    """Show the gate what it lacks, and check that a receivable of a listing may be funded today.

    Raises:
        ChainError: The attestation that decides is not conforming, or the gate does not accept it.
        NotFoundError: The log holds no attestation of the listing.
    """
    found = prove(session, listing_id, seller_id)
    if not found.is_eligible:
        raise _not_eligible(found)


def revoke(
    session: ChainSession, listing_id: str, seller_id: str, *, code: int, evidence: bytes
) -> None:
    """Let the gate forget what was proved of a listing, by a finding that compliance signs.

    Every attestation that is valid from the day of the finding or earlier is void at the gate; one
    that is valid from a later day can be proved again.

    Args:
        session: An open chain.
        listing_id: The listing.
        seller_id: Its seller.
        code: Why, 1 to 65535.
        evidence: SHA-256 of the evidence, such as the hash of a nonconforming attestation.

    Raises:
        InputError: The code is outside its range.
        TransactionRevertedError: The gate refuses the finding.
    """
    require_code(code)
    subject = listing_hash(listing_id, seller_id)
    gate = ComplianceGate(session.contract(GATE))
    contract = gate.contract
    # A finding voids what was proved before it, once; a later proof takes a finding of its own.
    proved_day = gate.standing(subject).valid_from_day
    nonce = nonce_of("revoke", subject, code, evidence, proved_day)
    signer = session.keys.address(ChainRole.COMPLIANCE)
    place = f"{session.chain_id}:{contract.address}:{subject.hex()}"

    def call() -> Call:
        statement = Finding(subject, code, evidence, int(session.now().timestamp()), nonce)
        domain = SigningDomain(GATE_DOMAIN_NAME, session.chain_id, contract.address)
        signature = sign_statement(session.keys.account(ChainRole.COMPLIANCE), statement, domain)
        return Call(contract.address, gate.revoke_call(statement, signature))

    session.dispatcher.perform(
        Intent(
            kind="gate.revoke",
            key=f"revoke:{place}:{code}:{evidence.hex()}:{proved_day}",
            payload={"code": str(code), "evidence": evidence.hex(), "listing": listing_id},
            sender=session.sender(ChainRole.COMPLIANCE),
            make_call=call,
            is_done=lambda _: bool(contract.read("isNonceUsed", signer, nonce)),
        )
    )


def require_code(code: int) -> None:
    """Check the code of a finding that holds something back.

    Raises:
        InputError: It is outside 1 to 65535.
    """
    if not 1 <= code <= CODE_MAX:
        raise InputError(
            "CRN-H-035",
            Text(
                f"The code of a finding is {code}, expected 1 to {CODE_MAX}.",
                f"发现项代码为 {code}，应为 1 至 {CODE_MAX}。",
            ),
        )


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
        missing = _not_attested(connection, [entry for _, entry in standing], listing_id)
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
    other = next((pair for pair in standing if pair[1].kind != CONFORMING), None)
    if other is None and missing:
        raise _incomplete(listing_id, missing)
    return other or standing[0]


def _not_attested(
    connection: Connection, standing: Collection[LogEntry], listing_id: str
) -> list[str]:
    """Return the packs that decided a listing on the day of its newest attestation, unattested.

    Decisions that never came into this workspace are not known here: then the attestations stand
    for themselves, as they do for every other reader of the log.
    """
    days = [entry.valid_from for entry in standing if entry.valid_from is not None]
    if not days:
        return []
    condition = (
        (DECISION.c.case_type == LISTING)
        & (DECISION.c.case_id == listing_id)
        & (DECISION.c.as_of == date_of_day_number(max(days)))
    )
    decided = {found.line.pack for found in read_decisions(connection, condition).values()}
    hashes = [entry.record_hash for entry in standing if entry.valid_from == max(days)]
    query = select(RECORD.c.record_hash, RECORD.c.body).where(RECORD.c.record_hash.in_(hashes))
    attested = {
        stored_record(bytes(row.record_hash), bytes(row.body)).subject["pack"]["id"]
        for row in connection.execute(query)
    }
    return sorted(decided - attested)


def _incomplete(listing_id: str, packs: Collection[str]) -> ConflictError:
    names = ", ".join(packs)
    return ConflictError(
        "CRN-H-047",
        Text(
            f"The listing {listing_id} was decided by {names} too, which the log does not attest.",
            f"上架商品 {listing_id} 还经规则包 {names} 判定，而日志中没有相应证明。",
        ),
        Text(
            "Attest the decision of every pack, then append and anchor: `carnet record issue`.",
            "请为每个规则包的判定签发证明，再追加并锚定：`carnet record issue`。",
        ),
    )


def _not_eligible(found: Eligibility) -> ChainError:
    if found.conformity != "conforming":
        cause = Text(f"its attestation is {found.conformity}", f"其证明的结论为 {found.conformity}")
    else:
        cause = Text(
            "its attestation is too old, expired or revoked at the gate",
            "其证明过旧、已到期，或已在闸门撤销",
        )
    return ChainError(
        "CRN-H-042",
        Text(
            f"The listing {found.listing_id} cannot be financed: {cause.en}.",
            f"上架商品 {found.listing_id} 不能融资：{cause.zh}。",
        ),
        Text(
            "Review the listing anew, append the attestation and anchor it: `carnet log append`, "
            "`carnet anchor push`.",
            "请重新审核该上架商品，追加证明并锚定：`carnet log append`、`carnet anchor push`。",
        ),
    )


def _not_anchored(index: int, size: int) -> ConflictError:
    return ConflictError(
        "CRN-H-041",
        Text(
            f"The attestation is entry {index} of the log; only {size} entries are anchored.",
            f"该证明是日志的第 {index} 个条目；目前只锚定了 {size} 个条目。",
        ),
        Text("Run `carnet anchor push` first.", "请先运行 `carnet anchor push`。"),
    )

"""Signed statements: what platforms and compliance officers sign for the contracts (EIP-712)."""

from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from carnet.contracts.typed_data import TYPES, typed_message
from carnet.core.digests import sha256


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a platform signs to confirm that it owes a receivable (确权).

    Args:
        doc_hash: The platform's own hash of its statement.
        listing_hash: The listing, as in its attestation.
        platform_id: The platform's number on the chain.
        seller: The account that is owed.
        face: What is owed, in units of the token.
        due_day: The UTC day number on which it is due.
        advance_bps: The share of the face that is advanced.
        rate_bps: Yearly interest until the due day.
        late_rate_bps: Yearly interest added after it.
        fee_bps: The servicing fee, a share of the face.
        basis: Days of the interest year, 360 or 365.
        grace_days: Days after the due day before the reserve may be drawn.
        has_recourse: Whether the seller answers for what the platform does not pay.
        nonce: A number that the signer has not used before.
        deadline_s: The last second at which it may be registered.
    """

    doc_hash: bytes
    listing_hash: bytes
    platform_id: int
    seller: str
    face: int
    due_day: int
    advance_bps: int
    rate_bps: int
    late_rate_bps: int
    fee_bps: int
    basis: int
    grace_days: int
    has_recourse: bool
    nonce: int
    deadline_s: int

    def members(self) -> tuple[Any, ...]:
        """Return the values in the order of the contract's struct."""
        return (
            self.doc_hash,
            self.listing_hash,
            self.platform_id,
            self.seller,
            self.face,
            self.due_day,
            self.advance_bps,
            self.rate_bps,
            self.late_rate_bps,
            self.fee_bps,
            self.basis,
            self.grace_days,
            self.has_recourse,
            self.nonce,
            self.deadline_s,
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a compliance officer signs about one subject.

    Args:
        subject: A receivable's id, a seller's address left-padded, or a listing hash.
        code: Why; 0 lifts what an earlier finding did.
        evidence_hash: SHA-256 of the evidence, which stays off the chain.
        issued_at_s: When it was signed.
        nonce: A number that the signer has not used before.
    """

    subject: bytes
    code: int
    evidence_hash: bytes
    issued_at_s: int
    nonce: int

    def members(self) -> tuple[Any, ...]:
        """Return the values in the order of the contract's struct."""
        return (self.subject, self.code, self.evidence_hash, self.issued_at_s, self.nonce)


@dataclass(frozen=True, slots=True)
class SigningDomain:
    """For which contract a statement is signed: it is worth nothing anywhere else."""

    name: str
    chain_id: int
    contract: str


def sign_statement(
    account: LocalAccount, statement: Confirmation | Finding, domain: SigningDomain
) -> bytes:
    """Return the signature of a statement, 65 bytes.

    Source: EIP-712; docs/spec of the contracts, section 9.
    """
    name = type(statement).__name__
    names = [member for member, _ in TYPES[name]]
    values = dict(zip(names, statement.members(), strict=True))
    message = typed_message(
        name,
        values,
        domain_name=domain.name,
        chain_id=domain.chain_id,
        contract=domain.contract,
    )
    signed = account.sign_message(encode_typed_data(full_message=message))
    return bytes(signed.signature)


def nonce_of(*parts: str | bytes | int) -> int:
    """Return the nonce of a statement, the same for the same parts.

    Nonces of the contracts have no order. One that follows from what is stated makes a statement
    that is signed twice, after a crash, the very same one to the contract, which takes it once.
    """
    texts = [part.hex() if isinstance(part, bytes) else str(part) for part in parts]
    return int.from_bytes(sha256("\n".join(texts).encode("utf-8")), "big")

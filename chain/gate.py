"""The compliance gate: which listings are shown to be conforming by an anchored log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carnet.chain.bound import BoundContract
from carnet.chain.signing import Finding
from carnet.core.digests import DIGEST_SIZE


@dataclass(frozen=True, slots=True)
class Attestation:
    """The fields of a log entry that attests a conforming listing.

    Args:
        record_hash: The signed record.
        listing_hash: The subject of the entry.
        valid_from_day: The first UTC day of validity, a day number.
        valid_until_day: The last one.
        supersedes: The record it replaces, or None.
        status_ref: Where its status is listed, or None.
    """

    record_hash: bytes
    listing_hash: bytes
    valid_from_day: int
    valid_until_day: int
    supersedes: bytes | None
    status_ref: str | None

    def members(self) -> tuple[Any, ...]:
        """Return the values in the order of the contract's struct."""
        return (
            self.record_hash,
            self.listing_hash,
            self.valid_from_day,
            self.valid_until_day,
            self.supersedes or bytes(DIGEST_SIZE),
            self.status_ref or "",
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gate knows of a listing; day numbers, 0 where it knows nothing."""

    valid_from_day: int
    valid_until_day: int
    revoked_through_day: int


class ComplianceGate:
    """The gate contract."""

    def __init__(self, contract: BoundContract) -> None:
        self.contract = contract

    def is_eligible(self, listing_hash: bytes, age_days_max: int) -> bool:
        """Return whether a receivable of a listing may be funded today."""
        return bool(self.contract.read("isEligible", listing_hash, age_days_max))

    def standing(self, listing_hash: bytes) -> Standing:
        """Return what was proved and revoked of a listing."""
        return Standing(*(int(day) for day in self.contract.read("attestationOf", listing_hash)))

    def entry_bytes(self, attestation: Attestation) -> bytes:
        """Return the log entry as the contract rebuilds it."""
        return bytes(self.contract.read("entryBytes", attestation.members()))

    def prove_call(
        self,
        origin_hash: bytes,
        size: int,
        attestation: Attestation,
        index: int,
        proof: Sequence[bytes],
    ) -> bytes:
        """Return the call data that proves an attestation under an anchored root."""
        arguments = (origin_hash, size, attestation.members(), index, list(proof))
        return self.contract.abi.encode_call("prove", *arguments)

    def revoke_call(self, finding: Finding, signature: bytes) -> bytes:
        """Return the call data that voids what was proved of a listing up to today."""
        subject = finding.subject
        return self.contract.abi.encode_call("revoke", subject, finding.members(), signature)

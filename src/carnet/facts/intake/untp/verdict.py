"""What a check of a credential's signature gave; the check itself is the caller's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from carnet.core.text import Text
from carnet.facts.intake.untp.envelope import Secured
from carnet.facts.types.conformity import SignatureCause


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """Whether a signature is valid.

    Args:
        cause: Why it was not checked; None where it was.
        fault: What is wrong with it, and at which path; None where it is valid or not checked.
    """

    cause: SignatureCause | None = None
    fault: tuple[str, Text] | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it was checked and holds."""
        return self.cause is None and self.fault is None


CheckSignature: TypeAlias = Callable[[Secured, str, Sequence[str]], SignatureVerdict]
"""Checks a credential of an issuer, by its DID, under the multikeys pinned for it."""

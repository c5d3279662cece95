"""How a step of a verification ends when it is not valid: it refuses, or has nothing to look at."""

from carnet.core.errors import VerificationError
from carnet.core.text import Text


class NotCheckedError(Exception):
    """A step has nothing to look at."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.cause = Text(en, zh)


def refuse(en: str, zh: str) -> VerificationError:
    """Return the refusal of a step, with its cause."""
    return VerificationError("CRN-V-030", Text(en, zh))

"""Errors that are expected in operation, each with a code, a message and a hint.

Misuse by our own code is never a CarnetError: it is an AssertionError or RuntimeError. A product
that does not conform is not an error either: it is a finding.

Codes are stable and grouped by part: C core and workspace, F facts and intake, R rules, L ledger,
V verification, H chain.
"""

from carnet.core.text import Text

NO_HINT = Text("", "")


class CarnetError(Exception):
    """Something a user can understand and act on.

    Args:
        code: A stable code such as ``CRN-F-001``, listed in docs/errors.md.
        message: What happened, with which value, and what was expected.
        hint: What to do next.
    """

    is_retryable = False

    def __init__(self, code: str, message: Text, hint: Text = NO_HINT) -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.message.en}" + (f" {self.hint.en}" if self.hint.en else "")


class InputError(CarnetError):
    """What the user gave cannot be used."""


class AmountError(InputError):
    """An amount or a rate is outside its range, or two currencies were mixed."""


class RecordFormatError(InputError):
    """Bytes are not a record, an entry or a document in the canonical profile."""


class RulePackError(InputError):
    """A rule pack cannot be read or does not mean anything safe.

    Args:
        path: The file at fault, relative to the pack.
        line: Its line, counted from 1; 0 where none applies.
    """

    def __init__(
        self, code: str, message: Text, hint: Text = NO_HINT, *, path: str = "", line: int = 0
    ) -> None:
        super().__init__(code, message, hint)
        self.path = path
        self.line = line


class NotFoundError(CarnetError):
    """What was asked for does not exist."""


class ConflictError(CarnetError):
    """The state changed meanwhile, or another process holds it."""

    is_retryable = True


class StoreError(CarnetError):
    """The database cannot be used as it is."""


class StoreUnavailableError(StoreError):
    """The database did not answer; look at what it holds before trying again."""

    is_retryable = True


class VerificationError(CarnetError):
    """Something presented as proof does not prove what it claims."""


class SignatureError(VerificationError):
    """A signature does not verify under the expected key."""


class CheckpointError(VerificationError):
    """A checkpoint note is malformed or not signed as required."""


class InclusionProofError(VerificationError):
    """An inclusion proof does not lead to the root."""


class ConsistencyProofError(VerificationError):
    """One tree is not shown to be a prefix of another."""


class LedgerError(CarnetError):
    """The ledger refused an operation; its state is known and unchanged."""


class LedgerFatalError(LedgerError):
    """The state of the ledger is unknown: stop, and recover on restart."""


class ChainError(CarnetError):
    """The chain refused an operation."""


class ChainUnavailableError(ChainError):
    """The node did not answer; the operation may be tried again after reading the state anew."""

    is_retryable = True


class TransactionRevertedError(ChainError):
    """A transaction or a call reverted.

    Args:
        reason: The custom error of the contract with its arguments, or the raw revert data.
    """

    def __init__(self, code: str, message: Text, hint: Text = NO_HINT, *, reason: str = "") -> None:
        super().__init__(code, message, hint)
        self.reason = reason

"""Errors for people: one table from error class to exit code, one way to print them."""

import sys

from carnet.cli.language import say
from carnet.core.errors import (
    CarnetError,
    ChainError,
    ConflictError,
    InputError,
    LedgerError,
    NotFoundError,
    StoreUnavailableError,
    VerificationError,
)

EXIT_CLEAN = 0
EXIT_FINDINGS = 1
EXIT_INPUT = 2
EXIT_UNDECIDED = 3

_EXIT_CODES: tuple[tuple[type[CarnetError], int], ...] = (
    (InputError, EXIT_INPUT),
    (NotFoundError, EXIT_INPUT),
    (VerificationError, EXIT_FINDINGS),
    (ConflictError, EXIT_UNDECIDED),
    (StoreUnavailableError, EXIT_UNDECIDED),
    (LedgerError, EXIT_UNDECIDED),
    (ChainError, EXIT_UNDECIDED),
    (CarnetError, EXIT_INPUT),
)


def exit_code_of(error: CarnetError) -> int:
    """Return the exit code of an error: 1 not valid, 2 invalid input, 3 could not decide."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))


def print_failure(error: CarnetError) -> None:
    """Print an error to stderr in the current language, with its code and its hint."""
    sys.stderr.write(f"{error.code}: {say(error.message)}\n")
    if error.hint.en:
        sys.stderr.write(f"  {say(error.hint)}\n")

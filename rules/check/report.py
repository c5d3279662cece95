"""Defects of a pack as values: errors to mend, warnings to look at, notes to know."""

from dataclasses import dataclass
from typing import Any, Literal

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.format.hostile import REFUSED_CODES

Severity = Literal["error", "warning", "note"]
NO_HINT = Text("", "")


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong or doubtful in a pack.

    Args:
        severity: `error` must be mended; `warning` may be meant; `note` mostly is.
        code: A stable code, listed in docs/errors.md.
        file: The file, relative to the pack.
        line: Its line, counted from 1; 0 where none applies.
        message: What is wrong, with the names and values at fault.
        hint: What to do.
    """

    severity: Severity
    code: str
    file: str
    line: int
    message: Text
    hint: Text = NO_HINT

    @property
    def is_refusal(self) -> bool:
        """Whether it refuses the pack as a whole."""
        return self.code in REFUSED_CODES

    def to_json(self) -> dict[str, Any]:
        """Return the defect as published."""
        return {
            "severity": self.severity,
            "code": self.code,
            "file": self.file,
            "line": self.line,
            "message": self.message.to_json(),
            "hint": self.hint.to_json(),
        }


def from_error(error: RulePackError) -> Defect:
    """Return the defect that a reader of the pack met."""
    return Defect("error", error.code, error.path, error.line, error.message, error.hint)


def warning(code: str, place: tuple[str, int], message: Text, hint: Text = NO_HINT) -> Defect:
    """Return a warning at a place, with its file and line before the message."""
    return _placed("warning", code, place, message, hint)


def note(code: str, place: tuple[str, int], message: Text, hint: Text = NO_HINT) -> Defect:
    """Return a note at a place, with its file and line before the message."""
    return _placed("note", code, place, message, hint)


def fault(code: str, place: tuple[str, int], message: Text, hint: Text = NO_HINT) -> Defect:
    """Return an error at a place, with its file and line before the message."""
    return _placed("error", code, place, message, hint)


def _placed(
    severity: Severity, code: str, place: tuple[str, int], message: Text, hint: Text
) -> Defect:
    file, line = place
    shown = Text(f"{file}:{line}: {message.en}", f"{file}:{line}：{message.zh}")
    return Defect(severity, code, file, line, shown, hint)

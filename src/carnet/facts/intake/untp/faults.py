"""What is wrong with a credential, at the JSON path where it stands."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from carnet.core.text import Text
from carnet.facts.issue import Found, Problem

ROOT: Final = "$"
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_SHOWN_MAX: Final = 60

ASK: Final = Text("Ask the issuer for a correct credential.", "请向签发方索取正确的凭证。")


class CredentialRefusedError(Exception):
    """A credential cannot be read; the problems say where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(str(problems[0].found))
        self.problems = tuple(problems)


def at(path: str, found: Found, expected: Text, remedy: Text = ASK) -> CredentialRefusedError:
    """Return the refusal of a credential for what stands at a path."""
    return CredentialRefusedError([Problem(path, found, expected, remedy)])


def member(path: str, part: str | int) -> str:
    """Return the path of a member or an item. Source: RFC 9535, section 2.7.

    >>> member("$.issuer", "id"), member("$.a", 3), member("$", "@context")
    ('$.issuer.id', '$.a[3]', "$['@context']")
    """
    if isinstance(part, int):
        return f"{path}[{part}]"
    if _PLAIN.fullmatch(part):
        return f"{path}.{part}"
    shown = part if len(part) <= _NAME_SHOWN_MAX else part[:_NAME_SHOWN_MAX] + "…"
    return f"{path}[{shown!a}]"


def path_of(parts: Iterable[str | int]) -> str:
    """Return the path of some steps from the root."""
    path = ROOT
    for part in parts:
        path = member(path, part)
    return path

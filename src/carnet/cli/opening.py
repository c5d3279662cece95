"""Opening the workspace that a command works on."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from carnet.cli.language import prefer_language, t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carnet.services.chaining import ChainSession
    from carnet.services.workspace import Workspace


def ask_passphrase() -> str:
    """Ask for the passphrase of a workspace on a terminal; without one, return nothing."""
    if not sys.stdin.isatty():
        return ""
    prompt = t("Passphrase of the workspace", "工作区口令")
    return str(typer.prompt(prompt, hide_input=True, err=True))


def ask_new_passphrase() -> str:
    """Ask twice for a new passphrase on a terminal; without one, return nothing."""
    if not sys.stdin.isatty():
        return ""
    prompt = t("New passphrase", "新口令")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))


def open_workspace(path: Path | None, *, is_upgrading: bool = False) -> "Workspace":
    """Open the workspace named on the command line, else the present folder, for a ``with``.

    Its language becomes that of the output where none was named.
    """
    from carnet.services.workspace import Workspace

    workspace = Workspace.open(
        path or Path.cwd(), ask_passphrase=ask_passphrase, is_upgrading=is_upgrading
    )
    if workspace.settings.lang:
        prefer_language(workspace.settings.lang)
    return workspace


@contextmanager
def open_session(path: Path | None) -> "Iterator[ChainSession]":
    """Open the workspace named on the command line and connect to its chain, for a ``with``.

    Raises:
        ChainError: The node does not answer, is on another chain, or anvil is missing.
    """
    from carnet.core.clock import SystemClock
    from carnet.services.chaining import open_chain

    with open_workspace(path) as workspace, open_chain(workspace, clock=SystemClock()) as session:
        yield session

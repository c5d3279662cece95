"""Disclosing: the withheld members of a record that its holder chooses to show."""

from collections.abc import Collection

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.ledger.record import Record
from carnet.services.vault import not_kept, open_vault, withheld_digests
from carnet.services.workspace import Workspace
from carnet.store.engine import reading


def disclosed(workspace: Workspace, record: Record, names: Collection[str]) -> tuple[str, ...]:
    """Return the texts that reveal some withheld members of a record, by name.

    Args:
        workspace: The workspace.
        record: The record.
        names: The members to reveal.

    Raises:
        InputError: The record does not withhold a member of that name.
        NotFoundError: What it withholds was erased, or is not kept here.
        LedgerFatalError: What is kept cannot be opened.
    """
    if not names:
        return ()
    vault = open_vault(workspace)
    with reading(workspace.engine) as connection:
        kept = {item.name: item for item in vault.kept(connection, record.digest)}
        known = {item.digest for item in kept.values()}
        is_whole = withheld_digests(connection, record.digest) <= known
        for name in sorted(names):
            if name not in kept:
                raise _unknown(name, kept) if is_whole else not_kept(connection, record.digest)
    return tuple(kept[name].text for name in sorted(names))


def _unknown(name: str, kept: Collection[str]) -> InputError:
    listed = ", ".join(sorted(kept))
    return InputError(
        "CRN-L-103",
        Text(
            f"The record does not withhold a member {name!r}; it withholds {listed or 'nothing'}.",
            f"记录没有隐藏成员 {name!r}；其隐藏的成员：{listed or '无'}。",
        ),
        Text(
            "Members that are not withheld are shown in any case.",
            "未隐藏的成员本来就会显示。",
        ),
    )

"""The rule packs of a workspace: kept under their digests, and run from the day officers named.

A pack that was proposed or that decided is copied into the workspace, under a folder named by its
digest, so that what it decided can be decided again when the folder it came from is gone. What is
read back is compared with that digest every time.

For a pack that was never activated here, the newest version of the shelf runs.
"""

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from carnet.core.crash import crash_point
from carnet.core.errors import InputError, LedgerFatalError, NotFoundError, RulePackError
from carnet.core.files import sync_folder, write_atomic
from carnet.core.text import Text
from carnet.rules import shelf
from carnet.rules.ast import Pack
from carnet.rules.pack import check_documents, load_pack, read_documents, read_files
from carnet.services.officer_events import OfficerEvent, read_events
from carnet.services.pack_history import (
    CHANGED,
    KINDS,
    BreachError,
    History,
    history_of,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

PACKS_FOLDER: Final = "packs"
REVIEWABLE: Final = ("draft", "released")
"""The statuses of packs that decide; a proposal is for what-if alone."""

_DIGEST = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Installed:
    """A pack and the folder that it was read from."""

    pack: Pack
    folder: Path


# --- kept under their digests -----------------------------------------------------------------


def kept_folder(workspace: Workspace, digest: str) -> Path:
    """Return the folder that keeps the pack of a digest (hex)."""
    return workspace.path / PACKS_FOLDER / digest


def kept_digests(workspace: Workspace) -> list[str]:
    """Return the digests of the packs that a workspace keeps, in hex."""
    folder = workspace.path / PACKS_FOLDER
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if _DIGEST.fullmatch(each.name))


def keep_pack(workspace: Workspace, installed: Installed) -> None:
    """Copy a pack into the workspace, unless it is there.

    The copy is made beside its place and then moved into it: it is whole or absent.
    """
    place = kept_folder(workspace, installed.pack.digest.hex())
    if place.is_dir():
        return
    place.parent.mkdir(exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".keeping-", dir=place.parent))
    try:
        for name, data in read_files(installed.folder).items():
            (beside / name).parent.mkdir(exist_ok=True)
            write_atomic(beside / name, data)
        crash_point("packs.before-rename")
        beside.chmod(0o755)
        try:
            beside.rename(place)
        except OSError:
            # Another process kept the same pack meanwhile.
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sync_folder(place.parent)


def kept_pack(workspace: Workspace, digest: str) -> Installed:
    """Return the pack of a digest (hex) that the workspace keeps.

    Raises:
        LedgerFatalError: It is missing, or is not of that digest any more.
    """
    folder = kept_folder(workspace, digest)
    try:
        # The packs that it comes after are those in force, wherever their folders stand.
        pack, found = check_documents(read_documents(folder))
    except RulePackError as error:
        raise _not_kept(digest, error.message.en, error.message.zh) from error
    if pack is None or found:
        raise _not_kept(digest, found[0].message.en, found[0].message.zh)
    if pack.digest.hex() != digest:
        raise _not_kept(
            digest, f"its digest is {pack.digest.hex()}", f"其摘要为 {pack.digest.hex()}"
        )
    return Installed(pack, folder)


def _not_kept(digest: str, en: str, zh: str) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-R-140",
        Text(
            f"The workspace does not hold the rule pack {digest} as it was approved: {en}",
            f"工作区中的规则包 {digest} 与获批内容不符：{zh}",
        ),
        Text("Restore the folder packs/ from a backup.", "请从备份恢复 packs/ 文件夹。"),
    )


# --- what officers decided --------------------------------------------------------------------


def pack_histories(connection: Connection) -> dict[str, History]:
    """Return what officers decided about each pack, by its id.

    Raises:
        LedgerFatalError: An act is not what an officer signed, or could not have been signed.
    """
    by_pack: defaultdict[str, list[OfficerEvent]] = defaultdict(list)
    for event in read_events(connection, KINDS):
        by_pack[event.subject].append(event)
    return {pack: _believed(pack, events) for pack, events in sorted(by_pack.items())}


def _believed(pack: str, events: list[OfficerEvent]) -> History:
    try:
        return history_of(pack, events)
    except BreachError as error:
        raise _forged(pack, error.message) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _forged(pack, Text("one is incomplete.", "其中一项不完整。")) from error


def _forged(pack: str, reason: Text) -> LedgerFatalError:
    return LedgerFatalError(
        "CRN-R-141",
        Text(
            f"The stored acts on the rule pack {pack} cannot be relied on: {reason.en}",
            f"已存的对规则包 {pack} 的操作不可信：{reason.zh}",
        ),
        Text("Restore the workspace from a backup.", "请从备份恢复工作区。"),
    )


# --- what runs --------------------------------------------------------------------------------


def newest_on_shelf(pack_id: str) -> Installed | None:
    """Return the newest version of a pack that comes with the program, None where there is none."""
    versions = shelf.versions_in(shelf.SHELF / pack_id)
    return Installed(load_pack(versions[-1].folder), versions[-1].folder) if versions else None


def _shelf_ids() -> set[str]:
    return {each.id for each in shelf.shelved_packs(shelf.SHELF)}


def _running(
    workspace: Workspace, pack_id: str, history: History | None, as_of: date
) -> Installed | None:
    if history is None or not history.is_managed:
        return newest_on_shelf(pack_id)
    period = history.in_force(as_of)
    return None if period is None else kept_pack(workspace, period.version.digest)


def packs_in_force(
    workspace: Workspace, as_of: date, connection: Connection | None = None
) -> dict[str, Installed]:
    """Return the packs that may decide for a date, by id.

    A pack that officers activated runs in the version that is in force on the date, as it was
    approved; any other in the newest version that comes with the program.

    Args:
        workspace: The workspace.
        as_of: The date that decides.
        connection: Of the transaction to read in, if there is one.

    Raises:
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    if connection is None:
        with reading(workspace.engine) as opened:
            histories = pack_histories(opened)
    else:
        histories = pack_histories(connection)
    return dict(_in_force(workspace, histories, as_of))


def in_force(installed: Mapping[str, Installed], pack_id: str, as_of: date) -> Pack:
    """Return one of the packs in force, such as one that another comes after.

    Raises:
        NotFoundError: No version of it is in force.
    """
    if pack_id not in installed:
        raise _none_in_force(pack_id, as_of)
    return installed[pack_id].pack


def _in_force(
    workspace: Workspace, histories: Mapping[str, History], as_of: date
) -> Iterator[tuple[str, Installed]]:
    for name in sorted(_shelf_ids() | histories.keys()):
        found = _running(workspace, name, histories.get(name), as_of)
        if found is not None and found.pack.status in REVIEWABLE:
            yield name, found


def check_recorded(pack: Pack, history: History | None) -> None:
    """Check that a version that was approved here is still what was approved.

    Raises:
        InputError: Its content is another.
    """
    known = history.recorded.get(pack.version) if history is not None else None
    if known not in {None, pack.digest.hex()}:
        raise InputError(
            CHANGED,
            Text(
                f"{pack.id}@{pack.version} was approved with the digest {known}; this folder has"
                f" {pack.digest.hex()}.",
                f"{pack.id}@{pack.version} 获批时的摘要为 {known}；"
                f"此文件夹为 {pack.digest.hex()}。",
            ),
            Text(
                "A released version is never edited: give the change a version of its own.",
                "已发布的版本不得修改：请为更改指定新的版本号。",
            ),
        )


def named_versions(history: History) -> Iterator[tuple[str, str]]:
    """Yield version and digest of everything that acts name, newest last."""
    for event in history.events:
        yield event.content["version"], event.content["packDigest"]
        replaced = event.content.get("replaces")
        if replaced is not None:
            yield replaced["version"], replaced["packDigest"]


def _by_digest(workspace: Workspace, name: str) -> Installed | None:
    found = [each for each in kept_digests(workspace) if each.startswith(name)]
    return kept_pack(workspace, found[0]) if len(found) == 1 else None


def _by_version(workspace: Workspace, version: str, history: History) -> Installed | None:
    recorded = history.recorded.get(version)
    digests = [digest for each, digest in named_versions(history) if each == version]
    digest = recorded or (digests[-1] if digests else None)
    return None if digest is None else kept_pack(workspace, digest)


def find_installed(workspace: Workspace, name: str, as_of: date) -> Installed:
    """Return the pack that a name means in a workspace.

    Args:
        workspace: The workspace.
        name: A folder; ``ID``, the version in force; ``ID@VERSION``; or 12 to 64 digits of the
            digest of a pack that the workspace keeps.
        as_of: The date that decides.

    Raises:
        NotFoundError: There is none.
        InputError: A folder does not hold what officers approved as that version.
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    if _DIGEST.fullmatch(name):
        kept = _by_digest(workspace, name)
        if kept is not None:
            return kept
    with reading(workspace.engine) as connection:
        histories = pack_histories(connection)
    identifier, _, version = name.partition("@")
    history = histories.get(identifier)
    if history is not None and not Path(name).is_dir():
        found = (
            _by_version(workspace, version, history)
            if version
            else _running(workspace, identifier, history, as_of)
        )
        if found is not None:
            return found
        if not version and history.is_managed:
            raise _none_in_force(identifier, as_of)
    folder = shelf.find_pack(name)
    pack = load_pack(folder)
    check_recorded(pack, histories.get(pack.id))
    return Installed(pack, folder)


def _none_in_force(pack_id: str, as_of: date) -> NotFoundError:
    return NotFoundError(
        "CRN-R-142",
        Text(
            f"No version of {pack_id} is in force on {as_of}.",
            f"{pack_id} 在 {as_of} 没有生效的版本。",
        ),
        Text("See `carnet pack list`.", "请查看 `carnet pack list`。"),
    )

"""Changing keys: a new one, another in its place, or the end of one; each an event in the log.

What waits is appended before the event is staged, and the event is appended at once, so that no
record that an old key signed comes to stand behind the end of that key. A crash in between leaves
an event that waits, which the next append takes up.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import ConflictError, InputError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.bundle import KEY_EVENTS_MAX
from carnet.ledger.did import did_of_key
from carnet.ledger.keys import (
    KeyRole,
    adopt_or_generate,
    current_public_key,
    key_file,
    public_keys,
    revocation_record,
    rotation_record,
    stage_key_event,
)
from carnet.ledger.keystate import REVOKE
from carnet.ledger.note import COSIGNATURE_V1, ED25519, VerifierKey
from carnet.ledger.reader import LogReader
from carnet.services.appending import append_records
from carnet.services.keys import (
    ensure_key,
    has_key,
    key_events,
    key_name,
    require_current_issuer,
    stated_keys,
)
from carnet.services.officers import officer_key, officer_key_history
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock

ROLES: Final[tuple[KeyRole, ...]] = ("issuer", "log", "officer", "witness")
ISSUER_EVENTS_MAX: Final = KEY_EVENTS_MAX - 1
"""Events of the issuer's keys: a bundle holds them all and leaves room for the end of the last."""

_TYPES: Final = {"log": ED25519, "witness": COSIGNATURE_V1}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of a workspace, as it is shown; nothing secret.

    Args:
        role: What it is for.
        name: What it signs under, or its holder's role id.
        public_key: The key.
        begun: The log entry that began it, None while that waits.
        ended: The log entry that ended it, None where none did or it waits.
        is_current: Whether it is in use.
        has_file: Whether its envelope lies in the workspace.
    """

    role: KeyRole
    name: str
    public_key: bytes
    begun: int | None
    ended: int | None
    is_current: bool
    has_file: bool

    @property
    def did(self) -> str:
        """The key as a did:key."""
        return did_of_key(self.public_key)

    @property
    def verifier_key(self) -> str | None:
        """The key as policies name it (C2SP vkey), None where it does not sign notes."""
        kind = _TYPES.get(self.role)
        return None if kind is None else VerifierKey(self.name, kind, self.public_key).to_text()

    def to_json(self) -> dict[str, Any]:
        """Return the members of the JSON object."""
        return {
            "role": self.role,
            "name": self.name,
            "did": self.did,
            "verifierKey": self.verifier_key,
            "begun": self.begun,
            "ended": self.ended,
            "isCurrent": self.is_current,
            "hasFile": self.has_file,
        }


def list_keys(workspace: Workspace) -> list[KeyLine]:
    """Return the keys of a workspace by role, oldest first.

    Raises:
        VerificationError: A stored key event is not what the issuer stated.
    """
    reader, found = LogReader(workspace.engine), []
    for role in ROLES:
        with reading(workspace.engine) as connection:
            stated = [item.statement for item in stated_keys(connection, role)]
            records = key_events(connection, role)
        places = [reader.index_of(record.digest) for record in records]
        ends: dict[bytes, int | None] = {}
        for statement, place in zip(stated, places, strict=True):
            ended = statement.public_key if statement.event == REVOKE else statement.previous
            if ended is not None:
                ends[ended] = place
        found += [
            KeyLine(
                role=role,
                name=statement.name,
                public_key=statement.public_key,
                begun=place,
                ended=ends.get(statement.public_key),
                is_current=statement.public_key not in ends,
                has_file=key_file(workspace.keys_path, role, statement.public_key).is_file(),
            )
            for statement, place in zip(stated, places, strict=True)
            if statement.event != REVOKE
        ]
    return found


def new_key(workspace: Workspace, role: KeyRole, name: str | None, clock: Clock) -> KeyLine:
    """Make the first key of a role, or of an officer, state it in the log, and return it.

    Raises:
        InputError: An officer is not named, or another role is.
        ConflictError: There is one; or it was revoked and nothing can follow it.
    """
    _check_name(role, name)
    if role == "officer":
        assert name is not None, "checked above"
        with reading(workspace.engine) as connection:
            held = officer_key_history(connection).get(name, ())
        if held and held[-1].until is None:
            raise _exists(f"{role} {name}")
        key = officer_key(workspace, name, clock)
    else:
        if has_key(workspace, role):
            raise _exists(role)
        key = ensure_key(workspace, role, clock)
    append_records(workspace, clock)
    return _line_of(workspace, key.signer.public_key)


def rotate_key(workspace: Workspace, role: KeyRole, name: str | None, clock: Clock) -> KeyLine:
    """Put a new key in the place of the one in use, and return it.

    The issuer's old key signs the event that names the new one; for other roles the issuer does.

    Raises:
        InputError: An officer is not named, or another role is.
        NotFoundError: There is no key in use.
        ConflictError: The issuer has rotated as often as a bundle can show, or another process
            changed the same key at this moment.
    """
    seen = _seen(workspace, role, name)
    append_records(workspace, clock)
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        previous = _unchanged(connection, role, name, seen)
        require_current_issuer(connection, issuer)
        if role == "issuer" and len(public_keys(connection, "issuer")) >= ISSUER_EVENTS_MAX:
            raise _too_many()
        known = public_keys(connection, role)
        key = adopt_or_generate(workspace.keys_path, workspace.secret, role, known=known)
        shown = name or key_name(workspace, role)
        record = rotation_record(key, shown, previous, issuer, clock)
        stage_key_event(connection, record, clock)
        crash_point("keys.before-commit")
    crash_point("keys.after-commit")
    append_records(workspace, clock)
    return _line_of(workspace, key.signer.public_key)


def revoke_key(
    workspace: Workspace, role: KeyRole, name: str | None, reason: str, clock: Clock
) -> KeyLine:
    """End the key in use with nothing in its place, and return it.

    Args:
        workspace: The workspace.
        role: Of the key.
        name: The officer, for that role alone.
        reason: One of `REVOCATION_REASONS`.
        clock: Gives the time of signing.

    Raises:
        InputError: An officer is not named, or another role is.
        NotFoundError: There is no key in use.
        ConflictError: It is the log's, without which the log could not hold its end, or another
            process changed the same key at this moment.
    """
    if role == "log":
        _check_name(role, name)
        raise _log_needs_a_key()
    seen = _seen(workspace, role, name)
    append_records(workspace, clock)
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        public_key = _unchanged(connection, role, name, seen)
        require_current_issuer(connection, issuer)
        shown = name or key_name(workspace, role)
        record = revocation_record(role, shown, public_key, reason, issuer, clock)
        stage_key_event(connection, record, clock)
        crash_point("keys.before-commit")
    crash_point("keys.after-commit")
    append_records(workspace, clock)
    return _line_of(workspace, public_key)


def exported_key(workspace: Workspace, role: KeyRole, name: str | None) -> KeyLine:
    """Return the key in use of a role, to be shown to those who shall trust it.

    Raises:
        InputError: An officer is not named, or another role is.
        NotFoundError: There is no key in use.
    """
    _check_name(role, name)
    with reading(workspace.engine) as connection:
        public_key = _current(connection, role, name)
    return _line_of(workspace, public_key)


def _seen(workspace: Workspace, role: KeyRole, name: str | None) -> bytes:
    """Return the key in use as the command begins: that one is changed, or none."""
    _check_name(role, name)
    with reading(workspace.engine) as connection:
        return _current(connection, role, name)


def _unchanged(connection: Connection, role: KeyRole, name: str | None, seen: bytes) -> bytes:
    """Return the key in use, within the transaction that changes it.

    Raises:
        ConflictError: It is not the one that the command began with.
    """
    found: bytes | None
    try:
        found = _current(connection, role, name)
    except NotFoundError:
        found = None
    if found is None or found != seen:
        shown = f"{role} {name}" if name else role
        raise ConflictError(
            "CRN-L-105",
            Text(
                f"Another process rotated or revoked the key of {shown} at this moment; nothing "
                "was changed here.",
                f"另一进程刚刚轮换或吊销了 {shown} 的密钥；此处未作任何更改。",
            ),
            Text(
                "See `carnet key list`, and run the command again if it is still wanted.",
                "请查看 `carnet key list`；如仍需要，请重新运行该命令。",
            ),
        )
    return found


def _current(connection: Connection, role: KeyRole, name: str | None) -> bytes:
    if role == "officer":
        held = officer_key_history(connection).get(name or "", ())
        found = held[-1].public_key if held and held[-1].until is None else None
    else:
        found = current_public_key(connection, role)
    if found is None:
        shown = f"{role} {name}" if name else role
        raise NotFoundError(
            "CRN-L-025",
            Text(f"There is no key in use of {shown}.", f"没有使用中的密钥：{shown}。"),
            Text("See `carnet key list`.", "请查看 `carnet key list`。"),
        )
    return found


def _line_of(workspace: Workspace, public_key: bytes) -> KeyLine:
    return next(line for line in list_keys(workspace) if line.public_key == public_key)


def _check_name(role: KeyRole, name: str | None) -> None:
    if (role == "officer") != (name is not None):
        raise InputError(
            "CRN-L-026",
            Text(
                "An officer's key needs the officer's role id, the other keys have no such name.",
                "合规专员的密钥须指定其角色代号，其他密钥没有此名称。",
            ),
            Text("Name one with --name, such as officer-1.", "请用 --name 指定，例如 officer-1。"),
        )


def _exists(shown: str) -> ConflictError:
    return ConflictError(
        "CRN-L-027",
        Text(f"There is a key of {shown} in use.", f"已有使用中的密钥：{shown}。"),
        Text("Replace it with `carnet key rotate`.", "请用 `carnet key rotate` 轮换。"),
    )


def _log_needs_a_key() -> ConflictError:
    return ConflictError(
        "CRN-L-028",
        Text(
            "The log's key is not revoked: nothing could sign the checkpoint that holds its end.",
            "日志密钥不能吊销：否则没有密钥可以签署包含该事件的检查点。",
        ),
        Text("Replace it with `carnet key rotate log`.", "请用 `carnet key rotate log` 轮换。"),
    )


def _too_many() -> ConflictError:
    return ConflictError(
        "CRN-L-029",
        Text(
            f"The issuer's key was rotated {ISSUER_EVENTS_MAX - 1} times, as often as a bundle "
            "can show.",
            f"签发方密钥已轮换 {ISSUER_EVENTS_MAX - 1} 次，达到验证包可展示的上限。",
        ),
        Text(
            "Begin a new workspace, whose policy lenders take over.",
            "请新建工作区，并由资金方采用其策略文件。",
        ),
    )

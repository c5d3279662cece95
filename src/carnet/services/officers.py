"""Officers' signing keys: one a person, stated in the log by the issuer under the person's name."""

from typing import Final

from sqlalchemy import Connection, select

from carnet.core.clock import Clock
from carnet.core.errors import InputError
from carnet.core.ids import is_fact_id
from carnet.core.text import Text
from carnet.ledger.keys import Key, add_key, adopt_or_generate, open_key
from carnet.ledger.record import parse_record
from carnet.services.keys import ensure_key
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import KEY_EVENT, RECORD

ROLE: Final = "officer"


def officer_keys(connection: Connection) -> dict[str, bytes]:
    """Return the public key of each officer, by name."""
    query = (
        select(KEY_EVENT.c.public_key, RECORD.c.body)
        .join(RECORD, RECORD.c.record_hash == KEY_EVENT.c.record_hash)
        .where(KEY_EVENT.c.role == ROLE)
        .order_by(KEY_EVENT.c.id)
    )
    return {
        str(parse_record(bytes(row.body)).subject["name"]): bytes(row.public_key)
        for row in connection.execute(query)
    }


def officer_key(workspace: Workspace, name: str, clock: Clock) -> Key:
    """Return the key of an officer, made and staged for the log if there is none.

    Args:
        workspace: The workspace.
        name: The officer's role id, such as ``officer-1``.
        clock: Gives the time of the key's event.

    Raises:
        InputError: The name is not an id, or the secret of the workspace is wrong.
    """
    if not is_fact_id(name):
        raise InputError(
            "CRN-R-094",
            Text(f"{name!r} cannot name an officer.", f"{name!r} 不能作为合规专员代号。"),
            Text("Use a role id such as officer-1.", "请使用角色代号，例如 officer-1。"),
        )
    with reading(workspace.engine) as connection:
        found = officer_keys(connection).get(name)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, ROLE, found)
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        known = officer_keys(connection)
        if name in known:
            return open_key(workspace.keys_path, workspace.secret, ROLE, known[name])
        key = adopt_or_generate(
            workspace.keys_path, workspace.secret, ROLE, known=frozenset(known.values())
        )
        add_key(connection, key, name, issuer, clock)
    return key

"""Bundling: all that a lender needs to verify one record alone."""

from collections.abc import Collection, Sequence
from typing import Final

from carnet.chain.deployment import REGISTRY, find_deployments
from carnet.core.errors import NotFoundError
from carnet.core.text import Text
from carnet.ledger.bundle import AnchorCoordinates, Bundle, Consistency, LoggedRecord
from carnet.ledger.checkpoint import SignedCheckpoint, origin_hash
from carnet.ledger.did import key_multibase
from carnet.ledger.keystate import REVOKE
from carnet.ledger.note import VerifierKey
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record, signing_key
from carnet.services.cosignatures import cosigned
from carnet.services.disclosing import disclosed
from carnet.services.keys import key_events, witness_keys
from carnet.services.status_listing import newest_list
from carnet.services.workspace import Workspace
from carnet.store import outbox
from carnet.store.engine import reading
from carnet.store.tables import OutboxState

_ANCHORS_MAX: Final = 100_000


def export_bundle(
    workspace: Workspace, record_id: str, *, disclose: Collection[str] = ()
) -> Bundle:
    """Return the bundle of a record: under the newest anchor that covers it, else the newest tree.

    Args:
        workspace: The workspace.
        record_id: The record's identifier, or its hash in hex.
        disclose: The withheld members that it reveals.

    Raises:
        NotFoundError: There is no such record, it is not in the log, or what it withholds was
            erased.
        InputError: It does not withhold a member of that name.
    """
    reader = LogReader(workspace.engine)
    record = reader.record(record_id)
    texts = disclosed(workspace, record, disclose)
    head = reader.checkpoint()
    anchor = _anchored(workspace)
    index = _logged(reader, record, 0).index
    if anchor is not None and not index < anchor.size <= head.checkpoint.size:
        anchor = None
    tree = reader.checkpoint(anchor.size) if anchor else head
    (tree, first), (head, second) = cosigned(workspace, tree), cosigned(workspace, head)
    size = tree.checkpoint.size
    sizes = (size, head.checkpoint.size)
    is_newer = head.checkpoint.size > size
    proof = reader.consistency_proof(size, head.checkpoint.size)
    status = _newest_status(workspace, record, head.checkpoint.size)
    with reading(workspace.engine) as connection:
        events = key_events(connection, "issuer")
    subjects = [record, *([status] if status else [])]
    return Bundle(
        logged=_logged(reader, record, size),
        checkpoint=tree.text,
        disclosures=texts,
        cosigners=_cosigners([*witness_keys(workspace), *first, *second], [tree, head]),
        key_events=_key_events(reader, subjects, events, sizes),
        status=_logged(reader, status, *sizes) if status else None,
        consistency=Consistency(head.text, tuple(proof)) if is_newer else None,
        anchor=anchor,
    )


def _newest_status(workspace: Workspace, record: Record, size: int) -> Record | None:
    """Return the newest status list that tells of a record, None where there is none."""
    if record.status_ref is None:
        return None
    with reading(workspace.engine) as connection:
        return newest_list(connection, record.status_ref.partition("#")[0], size)


def _key_events(
    reader: LogReader,
    subjects: Sequence[Record],
    events: Sequence[Record],
    sizes: tuple[int, int],
) -> tuple[LoggedRecord, ...]:
    """Return the issuer's key events before some records, and those that ended their keys later."""
    found = []
    for event in events:
        index, subject = reader.index_of(event.digest), event.subject
        if index is None or index >= max(sizes):
            continue
        ended = {subject.get("previousMultibase")}
        if subject["event"] == REVOKE:
            ended.add(subject["publicKeyMultibase"])
        keys = {key_multibase(signing_key(record)) for record in subjects}
        places = [reader.index_of(record.digest) for record in subjects]
        if keys & ended or any(place is not None and index < place for place in places):
            found.append(_logged(reader, event, *sizes))
    return tuple(sorted(found, key=lambda event: event.index))


def _logged(reader: LogReader, record: Record, size: int, newer: int = 0) -> LoggedRecord:
    """Return a record with its proof: for the tree of a size where that holds it, else a newer."""
    index = reader.index_of(record.digest)
    if index is None:
        raise NotFoundError(
            "CRN-L-012",
            Text(
                f"The record {record.record_id} is not in the log yet.",
                f"记录 {record.record_id} 尚未进入日志。",
            ),
            Text("Run `carnet log append`.", "请运行 `carnet log append`。"),
        )
    tree = size if index < size else newer
    proof = reader.inclusion_proof(index, tree) if index < tree else []
    return LoggedRecord(record, record.entry, index, tuple(proof))


def _cosigners(keys: Sequence[VerifierKey], notes: Sequence[SignedCheckpoint]) -> tuple[str, ...]:
    return tuple(
        sorted(
            key.to_text()
            for key in set(keys)
            if any(signed.note.signatures_of(key) for signed in notes)
        )
    )


def _anchored(workspace: Workspace) -> AnchorCoordinates | None:
    """Return where the newest confirmed anchor of the log stands, None where there is none."""
    settings = workspace.settings
    with reading(workspace.engine) as connection:
        registry = find_deployments(connection, settings.chain_id).get(REGISTRY)
        actions = outbox.pending(
            connection,
            kinds=("anchor",),
            states=(OutboxState.CONFIRMED, OutboxState.FINALISED),
            limit=_ANCHORS_MAX,
        )
    sizes = [
        int(action.payload["size"])
        for action in actions
        if action.payload["origin"] == settings.log_origin
        and f":{settings.chain_id}:" in action.idempotency_key
    ]
    if registry is None or not sizes:
        return None
    return AnchorCoordinates(
        chain_id=settings.chain_id,
        contract=registry.address.lower(),
        origin_hash=origin_hash(settings.log_origin),
        size=max(sizes),
    )

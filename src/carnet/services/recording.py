"""Records of a workspace: keys, attestations, the log, bundles and the policy that a lender pins.

Everything here can be repeated: a key is made once, a decision is attested once, a record stands in
the log once. Decisions are read from the store, where their digest is their name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from carnet.chain.deployment import REGISTRY, find_deployments
from carnet.core.canonical import parse_canonical
from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import InputError, NotFoundError
from carnet.core.files import write_atomic
from carnet.core.subjects import listing_hash
from carnet.core.text import Text
from carnet.ledger.append import Log, stage_records
from carnet.ledger.bundle import AnchorCoordinates, Bundle, Consistency, LoggedRecord
from carnet.ledger.checkpoint import Checkpoint, SignedCheckpoint, cosign, origin_hash
from carnet.ledger.did import did_of_key, key_of_multibase
from carnet.ledger.entry import ATTESTATION_PREFIX, KEY_EVENT, KINDS
from carnet.ledger.keys import (
    Key,
    KeyRole,
    add_key,
    adopt_or_generate,
    current_public_key,
    open_key,
)
from carnet.ledger.note import COSIGNATURE_V1, ED25519, NoteSignature, VerifierKey
from carnet.ledger.policy import STEPS_ALWAYS, Policy, TrustedAnchor, TrustedIssuer
from carnet.ledger.reader import LogReader, batches
from carnet.ledger.record import (
    ATTESTATION_TYPE,
    LISTING_URN,
    Issuer,
    Record,
    Validity,
    new_salt,
    parse_record,
    sign_record,
    signing_key,
    urn_of_digest,
)
from carnet.services.workspace import Workspace
from carnet.store import outbox
from carnet.store.engine import reading, writing
from carnet.store.facts import existing
from carnet.store.locks import Lock
from carnet.store.tables import DECISION, RECORD, OutboxState
from carnet.store.tables import KEY_EVENT as KEY_EVENTS

VALID_DAYS: Final = 90
"""How long an attestation holds where nothing else is asked: one quarter."""

LISTING: Final = "listing"
PUBLISHED: Final = "log/checkpoint"
"""The published checkpoint, relative to the workspace and outside its database."""

WITNESS_SUFFIX: Final = "/witness"
_ANCHORS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Attested:
    """One listing decision with what its record needs from the facts."""

    digest: bytes
    as_of: date
    subject: bytes
    pack: str
    fields: Mapping[str, Any]


def _make_key(connection: Connection, workspace: Workspace, role: KeyRole, clock: Clock) -> Key:
    found = current_public_key(connection, role)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, role, found)
    key = adopt_or_generate(workspace.keys_path, workspace.secret, role)
    crash_point("keys.after-file")
    issuer = key if role == "issuer" else _make_key(connection, workspace, "issuer", clock)
    origin = workspace.settings.log_origin
    name = {"log": origin, "witness": origin + WITNESS_SUFFIX}.get(role, role)
    add_key(connection, key, name, issuer.issuer, clock)
    return key


def ensure_key(workspace: Workspace, role: KeyRole, clock: Clock) -> Key:
    """Return the key of a role, made and staged for the log if there is none.

    Raises:
        InputError: The secret of the workspace is wrong, or a key file is missing.
    """
    with reading(workspace.engine) as connection:
        found = current_public_key(connection, role)
    if found is not None:
        return open_key(workspace.keys_path, workspace.secret, role, found)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        return _make_key(connection, workspace, role, clock)


def _has_key(workspace: Workspace, role: KeyRole) -> bool:
    with reading(workspace.engine) as connection:
        return current_public_key(connection, role) is not None


def open_log(workspace: Workspace, clock: Clock) -> Log:
    """Return the log of a workspace, ready to append.

    A witness key in the same workspace cosigns too. It shows how witnesses work; a lender who needs
    one that is independent names another in the policy.

    Raises:
        LedgerFatalError: The log contradicts itself or what it published.
    """
    ensure_key(workspace, "issuer", clock)
    origin = workspace.settings.log_origin
    cosigners = []
    if _has_key(workspace, "witness"):
        witness = ensure_key(workspace, "witness", clock)

        def sign(checkpoint: Checkpoint) -> NoteSignature:
            return cosign(checkpoint, origin + WITNESS_SUFFIX, witness.signer, clock.now())

        cosigners.append(sign)
    return Log(
        workspace.engine,
        signer=ensure_key(workspace, "log", clock).signer,
        origin=origin,
        clock=clock,
        published=workspace.path / PUBLISHED,
        cosigners=cosigners,
    )


def append_records(workspace: Workspace, clock: Clock) -> list[int]:
    """Append every record that waits, and return their places in the log."""
    return open_log(workspace, clock).append_pending()


def _decision_rows(connection: Connection, digests: Sequence[bytes]) -> list[Row[Any]]:
    found: dict[bytes, Row[Any]] = {}
    for group in batches(digests):
        rows = connection.execute(select(DECISION).where(DECISION.c.digest.in_(group)))
        found |= {row.digest: row for row in rows}
    missing = [item for item in digests if item not in found]
    if missing:
        raise NotFoundError(
            "CRN-L-010",
            Text(f"There is no decision {missing[0].hex()}.", f"没有判定 {missing[0].hex()}。"),
            Text("Decide first: `carnet review --all`.", "请先审核：`carnet review --all`。"),
        )
    return [found[item] for item in digests]


def _sellers(connection: Connection, listing_ids: Sequence[str]) -> dict[str, str]:
    listings = existing(connection, LISTING, set(listing_ids))
    product_of = {
        name: str(version.fact().fields["product_id"]) for name, version in listings.items()
    }
    products = existing(connection, "product", set(product_of.values()))
    return {
        name: str(products[product].fact().fields["seller_id"])
        for name, product in product_of.items()
        if product in products
    }


def _not_attestable(case_type: str, case_id: str) -> InputError:
    return InputError(
        "CRN-L-011",
        Text(
            f"The decision on {case_type} {case_id!r} cannot be attested.",
            f"无法为 {case_type} {case_id!r} 的判定出具证明。",
        ),
        Text(
            "Attestations are of listings whose product and seller are imported.",
            "仅可为已导入商品及卖家的上架商品出具证明。",
        ),
    )


def _attested(row: Row[Any], sellers: Mapping[str, str]) -> _Attested:
    if row.case_type != LISTING or row.case_id not in sellers:
        raise _not_attestable(row.case_type, row.case_id)
    seller = sellers[row.case_id]
    body = parse_canonical(row.body)
    subject = listing_hash(row.case_id, seller)
    fields = {
        "id": LISTING_URN + subject.hex(),
        "listing": row.case_id,
        "seller": seller,
        "pack": {"id": row.pack, "version": row.version, "digest": row.pack_digest.hex()},
        "asOf": row.as_of.isoformat(),
        "conformity": row.conformity,
        "officerConfirmed": sorted(set(body["officer_confirmed"])),
        "findings": [
            {"rule": item["rule"], "severity": item["severity"]} for item in body["findings"]
        ],
        "measures": body["measures"],
        "outputs": body["outputs"],
        "decisionDigest": row.digest.hex(),
        "salt": new_salt(),
    }
    return _Attested(row.digest, row.as_of, subject, row.pack, fields)


def _newest_of(connection: Connection, subject: bytes, pack: str) -> bytes | None:
    """Return the attestation of a listing under a pack that no other replaces."""
    query = select(RECORD.c.record_hash, RECORD.c.supersedes, RECORD.c.body).where(
        RECORD.c.subject == subject, RECORD.c.kind.startswith(ATTESTATION_PREFIX)
    )
    rows = [
        row
        for row in connection.execute(query.order_by(RECORD.c.created_at))
        if parse_canonical(row.body)["credentialSubject"]["pack"]["id"] == pack
    ]
    replaced = {row.supersedes for row in rows}
    return next((row.record_hash for row in rows if row.record_hash not in replaced), None)


def _sign_attestation(
    item: _Attested, issuer: Issuer, now: datetime, supersedes: bytes | None, valid_days: int
) -> Record:
    start = datetime.combine(item.as_of, time(), UTC)
    until = start + timedelta(days=valid_days + 1, seconds=-1)
    return sign_record(
        ATTESTATION_TYPE,
        item.fields,
        record_id=urn_of_digest(item.digest),
        issuer=issuer,
        validity=Validity(start, until),
        created=now,
        supersedes=supersedes,
    )


def issue_attestations(
    workspace: Workspace, decisions: Sequence[bytes], clock: Clock, *, valid_days: int = VALID_DAYS
) -> list[Record]:
    """Return the signed attestations of stored decisions, in their order.

    A decision that is attested already gives the record there is. Records wait for the next append;
    each replaces the newest one of the same listing under the same pack.

    Args:
        workspace: The workspace.
        decisions: Digests of decisions on listings.
        clock: Gives the time of signing.
        valid_days: Days after the day of the decision through which the attestation holds.

    Raises:
        NotFoundError: A decision is not stored.
        InputError: It is not on a listing, or the facts of the listing are missing.
    """
    issuer = ensure_key(workspace, "issuer", clock).issuer
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        rows = _decision_rows(connection, decisions)
        sellers = _sellers(connection, [row.case_id for row in rows if row.case_type == LISTING])
        records = []
        for row in rows:
            record = _existing_record(connection, urn_of_digest(row.digest))
            if record is None:
                item = _attested(row, sellers)
                newest = _newest_of(connection, item.subject, item.pack)
                record = _sign_attestation(item, issuer, clock.now(), newest, valid_days)
                stage_records(connection, [record], clock, {record.record_id: row.digest})
            records.append(record)
    return records


def _existing_record(connection: Connection, record_id: str) -> Record | None:
    query = select(RECORD.c.body).where(RECORD.c.record_id == record_id)
    body = connection.execute(query).scalar_one_or_none()
    return None if body is None else parse_record(body)


def anchored(workspace: Workspace) -> AnchorCoordinates | None:
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


def _logged(reader: LogReader, record: Record, size: int) -> LoggedRecord:
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
    proof = reader.inclusion_proof(index, size) if index < size else []
    return LoggedRecord(record, record.entry, index, tuple(proof))


def _key_events(connection: Connection, role: KeyRole, public_key: bytes | None) -> list[Record]:
    query = select(RECORD.c.body).join(KEY_EVENTS, KEY_EVENTS.c.record_hash == RECORD.c.record_hash)
    query = query.where(KEY_EVENTS.c.role == role)
    if public_key is not None:
        query = query.where(KEY_EVENTS.c.public_key == public_key)
    rows = connection.execute(query.order_by(KEY_EVENTS.c.id))
    return [parse_record(row.body) for row in rows]


def _witness_keys(workspace: Workspace) -> list[VerifierKey]:
    """Return the witnesses whose keys are in the log of this workspace."""
    with reading(workspace.engine) as connection:
        records = _key_events(connection, "witness", None)
    return [
        VerifierKey(str(record.subject["name"]), COSIGNATURE_V1, _key_of(record))
        for record in records
    ]


def _key_of(record: Record) -> bytes:
    return key_of_multibase(str(record.subject["publicKeyMultibase"]))


def _cosigners(workspace: Workspace, notes: Sequence[SignedCheckpoint]) -> tuple[str, ...]:
    return tuple(
        sorted(
            key.to_text()
            for key in _witness_keys(workspace)
            if any(signed.note.signatures_of(key) for signed in notes)
        )
    )


def export_bundle(workspace: Workspace, record_id: str) -> Bundle:
    """Return the bundle of a record: under the newest anchor that covers it, else the newest tree.

    Args:
        workspace: The workspace.
        record_id: The record's identifier, or its hash in hex.

    Raises:
        NotFoundError: There is no such record, or it is not in the log.
    """
    reader = LogReader(workspace.engine)
    record = reader.record(record_id)
    head = reader.checkpoint()
    anchor = anchored(workspace)
    index = _logged(reader, record, 0).index
    if anchor is not None and not index < anchor.size <= head.checkpoint.size:
        anchor = None
    tree = reader.checkpoint(anchor.size) if anchor else head
    size = tree.checkpoint.size
    is_newer = head.checkpoint.size > size
    proof = reader.consistency_proof(size, head.checkpoint.size)
    with reading(workspace.engine) as connection:
        events = _key_events(connection, "issuer", signing_key(record))
    return Bundle(
        logged=_logged(reader, record, size),
        checkpoint=tree.text,
        cosigners=_cosigners(workspace, [tree, head]),
        key_events=tuple(_logged(reader, event, size) for event in events if event != record),
        consistency=Consistency(head.text, tuple(proof)) if is_newer else None,
        anchor=anchor,
    )


def _public_key(connection: Connection, role: KeyRole) -> bytes:
    found = current_public_key(connection, role)
    if found is None:
        raise NotFoundError(
            "CRN-L-013",
            Text(
                f"The workspace has no key of the role {role}.", f"工作区没有角色为 {role} 的密钥。"
            ),
            Text(
                "Run `carnet log append`, which makes it.", "请运行 `carnet log append` 生成密钥。"
            ),
        )
    return found


def make_policy(workspace: Workspace, *, as_of: date | None = None) -> Policy:
    """Return the policy that trusts this workspace: its issuer, its log, its registry.

    A lender takes it over after comparing the keys by another way than the one the file came by.

    Args:
        workspace: The workspace.
        as_of: The day at which validity is to be judged; the day of verification where None.
    """
    settings = workspace.settings
    with reading(workspace.engine) as connection:
        issuer = did_of_key(_public_key(connection, "issuer"))
        log = VerifierKey(settings.log_origin, ED25519, _public_key(connection, "log"))
        registry = find_deployments(connection, settings.chain_id).get(REGISTRY)
    witnesses = tuple(_witness_keys(workspace))
    required = {*STEPS_ALWAYS, "validity"}
    anchors: tuple[TrustedAnchor, ...] = ()
    if witnesses:
        required.add("witnesses")
    if registry is not None:
        required.add("anchor")
        anchors = (TrustedAnchor(settings.chain_id, registry.address.lower()),)
    return Policy(
        required=frozenset(required),
        issuers=(TrustedIssuer(issuer, frozenset(KINDS) - {KEY_EVENT}),),
        logs=(log,),
        anchors=anchors,
        witnesses=witnesses,
        quorum=len(witnesses),
        as_of=as_of,
    )


def write_policy(workspace: Workspace, path: Path, *, as_of: date | None = None) -> Policy:
    """Write the policy that trusts this workspace to a file, and return it."""
    policy = make_policy(workspace, as_of=as_of)
    write_atomic(path, policy.to_toml().encode())
    return policy

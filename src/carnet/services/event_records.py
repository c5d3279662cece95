"""Recording what happens to rule packs and receivables, each event once, as it is found.

An officer's act on a pack is recorded from the chain of acts; an event of a receivable from the
book on the chain, once its block has the confirmations that the settings ask for. Both are staged
before the log is appended or anchored, and nothing is recorded twice, whenever that is interrupted.

Source: docs/spec/record-and-log.md, RL-1.17 and RL-1.18.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import func, select

from carnet.chain.deployment import BOOK, find_deployments
from carnet.chain.receivable import Happening
from carnet.core.clock import Clock, format_instant
from carnet.ledger.kinds import PACK_EVENT, RECEIVABLE_EVENT
from carnet.ledger.record import Validity
from carnet.services.chaining import ChainSession
from carnet.services.issuing import Statement, open_issuer, stage_statement
from carnet.services.officer_events import OfficerEvent, read_events
from carnet.services.pack_history import KINDS
from carnet.services.receivables import id_on_chain, list_facts, open_book
from carnet.services.vault import Subject, open_vault
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import RECORD_SOURCE

_PREFIX: Final = "pack-"
_VALUE_MAX: Final = 200


def record_pack_events(workspace: Workspace, clock: Clock) -> int:
    """Stage a record of each act on a rule pack that has none, and return how many were made.

    Raises:
        LedgerFatalError: The chain of acts is damaged.
    """
    known = _sources(workspace, PACK_EVENT.name)
    with reading(workspace.engine) as connection:
        events = read_events(connection, KINDS)
    fresh = [event for event in events if _pack_source(event) not in known]
    if not fresh:
        return 0
    issuer = open_issuer(workspace, clock)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        staged = [
            stage_statement(connection, issuer, _pack_statement(event), clock) for event in fresh
        ]
    return sum(each.is_new for each in staged)


def _sources(workspace: Workspace, kind: str) -> frozenset[str]:
    query = select(RECORD_SOURCE.c.source).where(RECORD_SOURCE.c.kind == kind)
    with reading(workspace.engine) as connection:
        return frozenset(connection.execute(query).scalars())


def _pack_source(event: OfficerEvent) -> str:
    return f"officer-event/{event.seq}"


def _pack_statement(event: OfficerEvent) -> Statement:
    content = event.content
    named = {"version": "version", "packDigest": "packDigest", "effective": "effectiveOn"}
    return Statement(
        kind=PACK_EVENT,
        subject={
            "pack": event.subject,
            "event": event.kind.removeprefix(_PREFIX),
            "seq": event.seq,
            "at": format_instant(event.at),
            "actDigest": event.digest.hex(),
            **{new: content[old] for old, new in named.items() if old in content},
        },
        source=_pack_source(event),
        validity=Validity(event.at),
    )


def record_receivable_events(session: ChainSession) -> int:
    """Stage a record of each event of an imported receivable that has none, and return how many.

    Raises:
        ChainUnavailableError: The node does not answer.
    """
    workspace, clock = session.workspace, session.clock
    with reading(workspace.engine) as connection:
        has_book = BOOK in find_deployments(connection, session.chain_id)
    facts = list_facts(workspace) if has_book else []
    if not facts:
        return 0
    book = open_book(session)
    last = session.rpc.block_number() - workspace.settings.confirmations + 1
    contract = book.contract.address.lower()
    prefix = f"{session.chain_id}/{contract}/"
    first = _first_block(workspace, prefix)
    # A development chain that was begun anew is shorter than what was recorded of the old one.
    found = book.happenings_between(first if first <= last else 0, last)
    owners = {id_on_chain(book, fact): fact for fact in facts}
    statements = [
        (
            _event_statement(session.chain_id, contract, name, happening, owners[name].id, clock),
            owners[name].seller_id,
        )
        for name, happening in found
        if name in owners
    ]
    known = _sources(workspace, RECEIVABLE_EVENT.name)
    fresh = [(each, seller) for each, seller in statements if each.source not in known]
    if not fresh:
        return 0
    issuer, vault = open_issuer(workspace, clock), open_vault(workspace)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        for statement, seller in fresh:
            subject = {**statement.subject, "seller": seller}
            issued = stage_statement(connection, issuer, replace(statement, subject=subject), clock)
            digest, holder = issued.record.digest, Subject("party", seller)
            vault.seal(connection, holder, digest, issued.disclosures, clock)
    return len(fresh)


def _first_block(workspace: Workspace, prefix: str) -> int:
    """Return the block of the newest event that is recorded: what comes before it is known."""
    query = select(func.max(RECORD_SOURCE.c.source)).where(
        RECORD_SOURCE.c.kind == RECEIVABLE_EVENT.name, RECORD_SOURCE.c.source.startswith(prefix)
    )
    with reading(workspace.engine) as connection:
        newest = connection.execute(query).scalar_one()
    return 0 if newest is None else int(newest.removeprefix(prefix).partition("/")[0])


def _event_statement(
    chain_id: int, contract: str, name: bytes, happening: Happening, fact_id: str, clock: Clock
) -> Statement:
    return Statement(
        kind=RECEIVABLE_EVENT,
        subject={
            "id": f"{RECEIVABLE_EVENT.urn}{name.hex()}",
            "event": happening.name,
            "chainId": chain_id,
            "contract": contract,
            "blockNumber": happening.block_number,
            "logIndex": happening.log_index,
            "transaction": "0x" + happening.tx_hash.hex(),
            "receivable": fact_id,
            "values": _texts(happening.values),
        },
        # Padded, so that the greatest text is the newest event.
        source=f"{chain_id}/{contract}/{happening.block_number:015}/{happening.log_index:09}/"
        + happening.tx_hash.hex(),
        validity=Validity(clock.now()),
    )


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments of an event as texts: amounts in digits, hashes in hex."""
    shown = {
        name: "0x" + value.hex() if isinstance(value, bytes) else str(value).lower()
        for name, value in values.items()
    }
    return {name: text[:_VALUE_MAX] for name, text in shown.items()}

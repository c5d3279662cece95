"""What a workspace holds, read from its database in one snapshot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from carnet.core.clock import format_instant
from carnet.services.evidence import count_states
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import count_by_type
from carnet.store.tables import (
    CHECKPOINT,
    DECISION,
    DEPLOYMENT,
    IMPORT_BATCH,
    LOG_ENTRY,
    OUTBOX,
    RECORD,
)


@dataclass(frozen=True, slots=True)
class Head:
    """The latest checkpoint of the log."""

    size: int
    root: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Deployed:
    """One contract on a chain."""

    chain_id: int
    contract: str
    address: str
    block: int


@dataclass(frozen=True, slots=True)
class Status:
    """Counts and heads of a workspace.

    Args:
        path: Its folder.
        facts: How many facts of each type; versions of one fact count once.
        import_count: How many imports brought something new.
        last_import_at: When the latest of them was made.
        decision_count: How many decisions are kept.
        record_count: How many signed records there are.
        log_size: How many of them are in the log.
        checkpoint: The head of the log.
        actions: How many actions on the chain of each kind are in each state.
        evidence: How many evidence files were attached, and how many of them are missing or of
            another size.
        deployments: The contracts, on all chains this workspace was on.
        chain_id: The chain it is set to.
        rpc_url: The node it is set to, scheme and host alone; empty for the own node.
    """

    path: str
    facts: dict[str, int]
    import_count: int
    last_import_at: datetime | None
    decision_count: int
    record_count: int
    log_size: int
    checkpoint: Head | None
    actions: dict[str, dict[str, int]]
    evidence: dict[str, int]
    deployments: tuple[Deployed, ...]
    chain_id: int
    rpc_url: str

    def to_json(self) -> dict[str, Any]:
        """Return the status as JSON."""
        head = self.checkpoint
        return {
            "workspace": self.path,
            "facts": self.facts,
            "imports": {
                "count": self.import_count,
                "last_at": self.last_import_at and format_instant(self.last_import_at),
            },
            "decisions": self.decision_count,
            "records": self.record_count,
            "log": {
                "size": self.log_size,
                "checkpoint": head
                and {"size": head.size, "root": head.root.hex(), "at": format_instant(head.at)},
            },
            "evidence": self.evidence,
            "actions": self.actions,
            "chain": {
                "id": self.chain_id,
                "rpc_url": self.rpc_url,
                "deployments": [
                    {
                        "chain_id": each.chain_id,
                        "contract": each.contract,
                        "address": each.address,
                        "block": each.block,
                    }
                    for each in self.deployments
                ],
            },
        }


def _head(connection: Connection) -> Head | None:
    query = select(CHECKPOINT.c.size, CHECKPOINT.c.root, CHECKPOINT.c.at)
    row = connection.execute(query.order_by(CHECKPOINT.c.size.desc()).limit(1)).one_or_none()
    return Head(*row) if row is not None else None


def _actions(connection: Connection) -> dict[str, dict[str, int]]:
    query = select(OUTBOX.c.kind, OUTBOX.c.state, func.count()).group_by(
        OUTBOX.c.kind, OUTBOX.c.state
    )
    found: dict[str, dict[str, int]] = {}
    for kind, state, count in connection.execute(query.order_by(OUTBOX.c.kind, OUTBOX.c.state)):
        found.setdefault(kind, {})[state] = count
    return found


def _deployments(connection: Connection) -> tuple[Deployed, ...]:
    query = select(
        DEPLOYMENT.c.chain_id, DEPLOYMENT.c.contract, DEPLOYMENT.c.address, DEPLOYMENT.c.block
    ).order_by(DEPLOYMENT.c.chain_id, DEPLOYMENT.c.contract)
    return tuple(Deployed(*row) for row in connection.execute(query))


def _host_of(url: str) -> str:
    """Return scheme and host: providers put keys into the path as well as before the host."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("/")[0].rpartition("@")[2]


def workspace_status(workspace: Workspace) -> Status:
    """Return what a workspace holds."""
    with reading(workspace.engine) as connection:
        imports, last_import_at = connection.execute(
            select(func.count(), func.max(IMPORT_BATCH.c.imported_at)).select_from(IMPORT_BATCH)
        ).one()
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (DECISION, RECORD, LOG_ENTRY)
        ]
        return Status(
            path=str(workspace.path),
            facts=count_by_type(connection),
            import_count=imports,
            last_import_at=last_import_at,
            decision_count=counts[0],
            record_count=counts[1],
            log_size=counts[2],
            checkpoint=_head(connection),
            evidence=count_states(workspace, connection),
            actions=_actions(connection),
            deployments=_deployments(connection),
            chain_id=workspace.settings.chain_id,
            rpc_url=_host_of(workspace.settings.rpc_url),
        )

"""Keeping what a pack decided, so that it can be attested, replayed and looked up.

A decision's name is the digest of its canonical JSON, which states pack, date and facts: deciding
the same about the same facts again adds nothing.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert, select

from carnet.core.canonical import canonical
from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.facts.fact import Fact
from carnet.ledger.reader import batches
from carnet.rules.decision import Decision, EvaluationResult
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.tables import DECISION


def facts_digest(facts: Iterable[Fact]) -> bytes:
    """Return the digest of the facts that were put to the rules, in whatever order."""
    digests = sorted(sha256(canonical(fact.to_json())).hex() for fact in facts)
    return sha256(canonical(digests))


def decision_body(result: EvaluationResult, decision: Decision, facts: bytes) -> bytes:
    """Return the canonical JSON of a decision; the engine, which changes nothing, is left out."""
    head = {
        "pack": result.pack,
        "version": result.version,
        "digest": result.digest.hex(),
        "as_of": result.as_of.isoformat(),
        "facts_digest": facts.hex(),
    }
    return canonical({**head, **decision.to_json()})


def keep_decisions(
    workspace: Workspace, result: EvaluationResult, facts: Iterable[Fact], clock: Clock
) -> list[bytes]:
    """Store the decisions of an evaluation and return their digests, in the same order."""
    of_facts = facts_digest(facts)
    rows = [_row(result, decision, of_facts, clock) for decision in result.decisions]
    with writing(workspace.engine) as connection:
        known: set[bytes] = set()
        for group in batches([row["digest"] for row in rows]):
            query = select(DECISION.c.digest).where(DECISION.c.digest.in_(group))
            known |= {bytes(found) for found in connection.execute(query).scalars()}
        fresh = [row for row in rows if row["digest"] not in known]
        if fresh:
            connection.execute(insert(DECISION), fresh)
    return [row["digest"] for row in rows]


def _row(
    result: EvaluationResult, decision: Decision, facts: bytes, clock: Clock
) -> dict[str, Any]:
    body = decision_body(result, decision, facts)
    return {
        "digest": sha256(body),
        "case_type": decision.case[0],
        "case_id": decision.case[1],
        "pack": result.pack,
        "version": result.version,
        "pack_digest": bytes(result.digest),
        "facts_digest": facts,
        "as_of": result.as_of,
        "engine": result.engine,
        "conformity": decision.conformity,
        "decided_at": clock.now(),
        "body": body,
    }

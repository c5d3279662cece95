"""Recording what a workspace holds: certificates, chains of custody, agreements, deposits, files.

Each is named by a pseudonym of the fact, and withholds what tells whose it is and what it says
beyond its kind and dates; the vault keeps that under the key of the seller or borrower. The same
versions of the same facts are recorded once; a later version replaces the record before it.

Source: docs/spec/record-and-log.md, RL-1.11 to RL-1.14 and RL-1.19.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from carnet.core.canonical import canonical
from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.facts.fact import Fact, Scalar
from carnet.ledger.kinds import (
    AGREEMENT,
    CERTIFICATE,
    DEPOSIT_ADJUSTMENT,
    PUBLICATION,
    TRACE_EVIDENCE,
    RecordKind,
)
from carnet.ledger.record import Validity
from carnet.services.issuing import (
    Issued,
    Statement,
    open_issuer,
    stage_statement,
    standing_record,
)
from carnet.services.tracing import trace_from
from carnet.services.vault import Subject, open_vault, pseudonym_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.facts import FactVersion, current_facts, existing, history
from carnet.store.locks import Lock

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What the facts of a workspace say for one record.

    Args:
        fact: The fact that it is about.
        subject: The members besides the id.
        holder: Under whose key the withheld members are kept.
        versions: The versions that it was made from.
        until: The last day on which it holds, where there is one.
    """

    fact: Subject
    subject: Mapping[str, Any]
    holder: Subject
    versions: tuple[FactVersion, ...]
    until: date | None = None

    def source(self) -> str:
        """Return what it records: the fact, and a digest of the names and versions behind it."""
        named = sorted([each.type, each.fact_id, each.version] for each in self.versions)
        return f"{self.fact.type}/{self.fact.id}@{sha256(canonical(named)).hex()}"


def _plain(value: Scalar) -> str | int | bool:
    return value.isoformat() if isinstance(value, date) else value


def _renamed(fact: Fact, names: Mapping[str, str]) -> Json:
    """Return some fields of a fact under the names that records have for them."""
    return {new: _plain(fact.fields[old]) for old, new in names.items() if old in fact.fields}


def _find(connection: Connection, fact_type: str, fact_id: str) -> FactVersion:
    found = existing(connection, fact_type, {fact_id}).get(fact_id)
    if found is None:
        raise NotFoundError(
            "CRN-L-042",
            Text(
                f"There is no {fact_type} {fact_id!r} in this workspace.",
                f"本工作区中没有 {fact_type} {fact_id!r}。",
            ),
            Text("Import it first, or check the id.", "请先导入，或检查标识。"),
        )
    return found


def _seller_of_product(connection: Connection, product_id: str) -> str:
    return str(_find(connection, "product", product_id).fact().fields["seller_id"])


def _content_digest(versions: Iterable[FactVersion]) -> str:
    """Return the digest of the content of some facts, in the order of their names."""
    named = sorted([each.type, each.fact_id, each.digest.hex()] for each in versions)
    return sha256(canonical(named)).hex()


def _certificate(workspace: Workspace, fact_id: str) -> Draft:
    with reading(workspace.engine) as connection:
        version = _find(connection, "certificate", fact_id)
        fact = version.fact()
        seller = _seller_of_product(connection, str(fact.fields["product_id"]))
    names = {
        "kind": "kind",
        "act": "act",
        "issued_on": "issuedOn",
        "is_verified": "isVerified",
        "printed_valid_until": "printedValidUntil",
        "status": "certificateStatus",
        "status_on": "certificateStatusOn",
        "product_id": "product",
        "number": "number",
        "issuer_id": "certifier",
        "body_number": "bodyNumber",
        "test_lab_id": "testLab",
        "evidence_sha256": "evidenceSha256",
    }
    own = {"certificate": fact_id, "seller": seller, "factDigest": version.digest.hex()}
    until = fact.fields.get("printed_valid_until")
    return Draft(
        fact=Subject("certificate", fact_id),
        subject={**_renamed(fact, names), **own},
        holder=Subject("party", seller),
        versions=(version,),
        until=until if isinstance(until, date) else None,
    )


_DIRECTION: Final = "back"


def _trace_evidence(workspace: Workspace, fact_id: str) -> Draft:
    report = trace_from(workspace, fact_id, _DIRECTION)
    keys = {(report.start.type, report.start.id)}
    keys |= {(node.fact.type, node.fact.id) for node in report.nodes}
    links = {tuple(name.split("/", 1)) for node in report.nodes for name in node.evidence}
    with reading(workspace.engine) as connection:
        versions = [_find(connection, kind, name) for kind, name in sorted({*keys, *links})]
        seller = _seller_of_node(connection, report.start)
    return Draft(
        fact=Subject(report.start.type, fact_id),
        subject={
            "nodeType": report.start.type,
            "direction": _DIRECTION,
            "isComplete": report.is_complete,
            "node": fact_id,
            "seller": seller,
            "nodes": len(keys),
            "links": len(links),
            "chainDigest": _content_digest(versions),
        },
        holder=Subject("party", seller),
        versions=tuple(versions),
    )


def _seller_of_node(connection: Connection, fact: Fact) -> str:
    if fact.type == "material_lot":
        return str(fact.fields["supplier_id"])
    return _seller_of_product(connection, str(fact.fields["product_id"]))


def _agreement(workspace: Workspace, fact_id: str) -> Draft:
    with reading(workspace.engine) as connection:
        version = _find(connection, "agreement", fact_id)
        parts = _terms(connection, fact_id)
        versions = [version, *(_find(connection, part.type, part.id) for part in parts)]
    fact = version.fact()
    borrower = str(fact.fields["borrower_id"])
    names = {
        "kind": "kind",
        "signed_on": "signedOn",
        "ends_on": "endsOn",
        "currency": "currency",
        "lender_id": "lender",
        "borrower_id": "borrower",
        "cross_default_threshold_minor": "crossDefaultThresholdMinor",
    }
    ends = fact.fields["ends_on"]
    assert isinstance(ends, date), "the schema says so"
    return Draft(
        fact=Subject("agreement", fact_id),
        subject={
            **_renamed(fact, names),
            "agreement": fact_id,
            "covenants": [_renamed(each, _COVENANT) for each in parts if each.type == "covenant"],
            "clauses": [_renamed(each, _CLAUSE) for each in parts if each.type == "clause"],
            "termsDigest": _content_digest(versions),
        },
        holder=Subject("party", borrower),
        versions=tuple(versions),
        until=ends,
    )


_COVENANT: Final = {
    "measure": "measure",
    "at": "at",
    "tested_on": "testedOn",
    "limit_bps": "limitBps",
    "limit_minor": "limitMinor",
}
_CLAUSE: Final = {
    "kind": "kind",
    "notice_days": "noticeDays",
    "cure_days": "cureDays",
    "effective_from": "effectiveFrom",
    "effective_to": "effectiveTo",
    "cap_minor": "capMinor",
    "period_days": "periodDays",
}


def _terms(connection: Connection, agreement_id: str) -> list[Fact]:
    """Return the covenants and clauses of an agreement, and what the clauses cover and exclude."""
    own = [
        fact
        for fact in current_facts(connection, ["covenant", "clause"])
        if fact.fields["agreement_id"] == agreement_id
    ]
    clauses = {fact.id for fact in own if fact.type == "clause"}
    details = current_facts(connection, ["clause_scope", "clause_exclusion"])
    return [*own, *(fact for fact in details if fact.fields["clause_id"] in clauses)]


def _deposit_adjustment(workspace: Workspace, fact_id: str) -> Draft:
    with reading(workspace.engine) as connection:
        version = _find(connection, "deposit_account", fact_id)
        earlier = [
            each
            for each in history(connection, "deposit_account", fact_id)
            if each.version < version.version
        ]
    fact = version.fact()
    seller = str(fact.fields["seller_id"])
    names = {
        "changed_on": "changedOn",
        "base_bps": "baseBps",
        "current_bps": "currentBps",
        "seller_id": "seller",
        "platform_id": "platform",
        "category": "category",
        "balance_minor": "balanceMinor",
        "currency": "currency",
    }
    before = max(earlier, key=lambda each: each.version).fact() if earlier else None
    previous = {} if before is None else {"previousBps": before.fields["current_bps"]}
    return Draft(
        fact=Subject("deposit_account", fact_id),
        subject={**_renamed(fact, names), "account": fact_id, **previous},
        holder=Subject("party", seller),
        versions=(version,),
    )


_DRAFTS: Final[Mapping[str, tuple[RecordKind, Callable[[Workspace, str], Draft]]]] = {
    CERTIFICATE.name: (CERTIFICATE, _certificate),
    TRACE_EVIDENCE.name: (TRACE_EVIDENCE, _trace_evidence),
    AGREEMENT.name: (AGREEMENT, _agreement),
    DEPOSIT_ADJUSTMENT.name: (DEPOSIT_ADJUSTMENT, _deposit_adjustment),
}
RECORDABLE: Final = tuple(_DRAFTS)
"""The kinds of record that are made of imported facts."""


def record_fact(workspace: Workspace, kind_name: str, fact_id: str, clock: Clock) -> Issued:
    """Sign a record of what is imported, and stage it for the log.

    Args:
        workspace: The workspace.
        kind_name: One of `RECORDABLE`.
        fact_id: The certificate, batch, unit, lot, agreement or deposit account.
        clock: Gives the time of signing.

    Raises:
        InputError: There is no such kind.
        NotFoundError: There is no such fact.
        ConflictError: Whose it is was erased, or the issuer's key has ended.
    """
    if kind_name not in _DRAFTS:
        listed = ", ".join(RECORDABLE)
        raise InputError(
            "CRN-L-043",
            Text(
                f"{kind_name!r} is not recorded from facts, expected one of {listed}.",
                f"{kind_name!r} 不是由事实生成的记录种类，应为以下之一：{listed}。",
            ),
        )
    kind, draft_of = _DRAFTS[kind_name]
    draft = draft_of(workspace, fact_id)
    issuer, vault = open_issuer(workspace, clock), open_vault(workspace)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        urn = kind.urn
        assert urn is not None, "what is recorded from facts has a pseudonym"
        name = urn + pseudonym_of(connection, draft.fact, clock).hex()
        statement = _statement(kind, draft, name, clock.now())
        issued = stage_statement(connection, issuer, statement, clock)
        digest = issued.record.digest
        vault.seal(connection, draft.holder, digest, issued.disclosures, clock)
    return issued


def _statement(kind: RecordKind, draft: Draft, name: str, now: datetime) -> Statement:
    dated = {"asOf": now.date().isoformat()} if "asOf" in kind.required else {}
    until = None
    if draft.until is not None and draft.until >= now.date():
        until = datetime.combine(draft.until, time(), UTC) + timedelta(days=1, seconds=-1)
    return Statement(
        kind=kind,
        subject={"id": name, **draft.subject, **dated},
        source=draft.source(),
        validity=Validity(now, until),
        is_successor=True,
    )


def publish_file(workspace: Workspace, name: str, content: bytes, clock: Clock) -> Issued:
    """Sign a record of a published file's name and digest, and stage it for the log.

    Raises:
        VerificationError: The name cannot stand in a record.
    """
    digest, issuer = sha256(content).hex(), open_issuer(workspace, clock)
    subject = {"name": name, "sha256": digest, "size": len(content)}
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        named = PUBLICATION.subject_hash({"id": PUBLICATION.id_of(subject)})
        standing = standing_record(connection, PUBLICATION, named)
        if standing is not None and standing.subject["sha256"] == digest:
            return Issued(standing, (), is_new=False)
        statement = Statement(
            kind=PUBLICATION,
            subject=subject,
            # The content may be an earlier one again: the record before tells the two apart.
            source=f"{name}@{digest} after {standing.digest.hex() if standing else 'none'}",
            validity=Validity(clock.now()),
            supersedes=standing.digest if standing else None,
        )
        return stage_statement(connection, issuer, statement, clock)

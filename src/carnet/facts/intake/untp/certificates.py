"""From a checked credential to facts: certificates, their acts and standards, where they are from.

The dates of a credential are not those of the certificate: both are kept, each in a fact of its
own, and only the map makes one of the other. Ids follow from what is attested, so that the same
credential gives the same facts, and a renewed one new versions of them.

Source: docs/adr/0021-credentials-and-evidence.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.core.text import Text
from carnet.facts.intake.untp.faults import CredentialRefusedError, at
from carnet.facts.intake.untp.mapping import CredentialMap, IssuerRow, StandardRow
from carnet.facts.intake.untp.meaning import (
    DECLARATIONS,
    ProductsOfGtin,
    act_of,
    kind_of,
    product_of,
)
from carnet.facts.intake.untp.models import Assessment, Credential, SecureLink
from carnet.facts.intake.untp.verdict import SignatureVerdict
from carnet.facts.issue import Problem, shown
from carnet.facts.types.base import TEXT_SIZE_MAX
from carnet.facts.types.conformity import Act, CertificateKind

PROFILE: Final = "untp_dcc_0_6"
_ID_DIGITS: Final = 40
_SHA256_DIGITS: Final = 64
_SUBJECT: Final = "$.credentialSubject"

Row = tuple[str, dict[str, Any]]
"""The type of a fact and its values."""


@dataclass(slots=True)
class _Document:
    """One certificate in the making: a product, a kind, and the acts that it covers."""

    product_id: str
    kind: CertificateKind
    acts: dict[Act, None] = field(default_factory=dict)
    standards: dict[str, StandardRow] = field(default_factory=dict)
    assessed_on: list[date] = field(default_factory=list)
    is_identified: bool = True


def fact_id(prefix: str, *parts: str) -> str:
    """Return an id that follows from some parts."""
    return f"{prefix}-{sha256(canonical(list(parts))).hex()[:_ID_DIGITS]}"


def rows_of(
    credential: Credential,
    found: CredentialMap,
    products_of: ProductsOfGtin,
    verdict: SignatureVerdict,
    digest: str,
) -> list[Row]:
    """Return the facts of a credential.

    Args:
        credential: The credential, whose issuer the map names.
        found: The map.
        products_of: Finds products by their GTIN.
        verdict: What the check of its signature gave.
        digest: The SHA-256 of the file, in hex.

    Raises:
        CredentialRefusedError: Something in it has no meaning; all of it is named.
    """
    row = found.issuers[credential.issuer.id]
    documents = _documents(credential, found, row, products_of)
    common = _common(credential, row)
    rows: list[Row] = []
    for document in documents:
        rows += _certificate(document, credential, row, verdict, common)
        rows.append(_origin(_certificate_id(document, credential), credential, verdict, digest))
    return rows


def _documents(
    credential: Credential, found: CredentialMap, row: IssuerRow, products_of: ProductsOfGtin
) -> list[_Document]:
    documents: dict[tuple[str, ...], _Document] = {}
    problems: list[Problem] = []
    for number, assessment in enumerate(credential.credential_subject.assessment):
        path = f"{_SUBJECT}.assessment[{number}]"
        try:
            act, standard = _covered(assessment, path, found)
            kind = kind_of(credential.credential_subject, act, row)
            _check_date(assessment, path, kind, row)
        except CredentialRefusedError as refusal:
            problems += refusal.problems
            continue
        for place, each in enumerate(assessment.assessed_product):
            spot = f"{path}.assessedProduct[{place}].product"
            try:
                product_id = product_of(each.product, spot, found, products_of)
            except CredentialRefusedError as refusal:
                problems += refusal.problems
                continue
            key = (product_id, kind, "" if kind in DECLARATIONS else act)
            document = documents.setdefault(key, _Document(product_id, kind))
            document.acts[act] = None
            document.is_identified &= each.is_id_verified is True
            if standard is not None:
                document.standards[standard.reference] = standard
            if assessment.assessment_date is not None:
                document.assessed_on.append(assessment.assessment_date)
    if problems:
        raise CredentialRefusedError(problems)
    return list(documents.values())


def _covered(
    assessment: Assessment, path: str, found: CredentialMap
) -> tuple[Act, StandardRow | None]:
    if not assessment.conformance:
        raise at(
            f"{path}.conformance",
            "false",
            Text("an assessment that was passed", "通过的评定"),
            Text(
                "It attests that the product does not conform: it is no certificate.",
                "该评定表明产品不合格，不能作为证书。",
            ),
        )
    return act_of(assessment, path, found)


def _check_date(assessment: Assessment, path: str, kind: CertificateKind, row: IssuerRow) -> None:
    is_needed = row.issued_on == "assessment_date" or kind == "test_report"
    if is_needed and assessment.assessment_date is None:
        raise at(f"{path}.assessmentDate", "", Text("the day of the assessment", "评定日期"))


def _common(credential: Credential, row: IssuerRow) -> dict[str, Any]:
    """Return the values that all certificates of a credential have."""
    if row.issued_on == "credential_valid_from" and credential.valid_from is None:
        raise _no_date("$.validFrom")
    if row.valid_until is not None and credential.valid_until is None:
        raise _no_date("$.validUntil")
    return {
        "number": _number(credential, row),
        "issuer_id": row.party_id,
        "body_number": row.body_number,
        "module": row.module,
        "printed_valid_until": credential.valid_until.last_day
        if row.valid_until is not None and credential.valid_until is not None
        else None,
        "evidence_sha256": _evidence(credential.credential_subject.conformity_certificate),
    }


def _no_date(path: str) -> CredentialRefusedError:
    return at(
        path,
        "",
        Text("the date that the credential map takes over", "凭证映射所取用的日期"),
        Text(
            "Ask the issuer for it, or correct the credential map.",
            "请向签发方索取，或更正凭证映射。",
        ),
    )


def _number(credential: Credential, row: IssuerRow) -> str | None:
    subject = credential.credential_subject
    match row.number:
        case "attestation_id":
            return subject.id
        case "attestation_id_end":
            found = subject.id.rstrip("/").rpartition("/")[2].rpartition(":")[2]
        case "attestation_name":
            found = subject.name or ""
        case None:
            return None
    if not found or len(found.encode()) > TEXT_SIZE_MAX:
        raise at(_SUBJECT, shown(subject.id), Text("the certificate's number", "证书编号"))
    return found


def _evidence(link: SecureLink | None) -> str | None:
    """Return the digest of the certificate's own document, where it is a SHA-256."""
    if link is None or link.hash_method != "SHA-256" or link.hash_digest is None:
        return None
    digest = link.hash_digest.lower()
    if len(digest) != _SHA256_DIGITS or not set(digest) <= set("0123456789abcdef"):
        raise at(
            f"{_SUBJECT}.conformityCertificate.hashDigest",
            shown(link.hash_digest),
            Text("a SHA-256 of 64 hexadecimal digits", "64 位十六进制 SHA-256 摘要"),
        )
    return digest


def _certificate_id(document: _Document, credential: Credential) -> str:
    act = "" if document.kind in DECLARATIONS else next(iter(document.acts))
    named = (credential.issuer.id, credential.credential_subject.id)
    return fact_id("DCC", *named, document.product_id, document.kind, act)


def _certificate(
    document: _Document,
    credential: Credential,
    row: IssuerRow,
    verdict: SignatureVerdict,
    common: dict[str, Any],
) -> Iterator[Row]:
    certificate_id = _certificate_id(document, credential)
    is_report = document.kind == "test_report"
    assessed_on = max(document.assessed_on, default=None)
    from_credential = credential.valid_from.ceiling.date() if credential.valid_from else None
    yield (
        "certificate",
        {
            **common,
            "id": certificate_id,
            "product_id": document.product_id,
            "kind": document.kind,
            "act": next(iter(document.acts)),
            "issued_on": assessed_on if row.issued_on == "assessment_date" else from_credential,
            "last_tested_on": assessed_on if is_report else None,
            "test_lab_id": row.test_lab_id if is_report else None,
            "status": "active",
            "is_verified": row.counts_as_verified and verdict.is_valid and document.is_identified,
        },
    )
    if document.kind in DECLARATIONS:
        for act in document.acts:
            values = {"id": f"{certificate_id}-{act}", "certificate_id": certificate_id}
            yield "certificate_act", {**values, "act": act}
    for standard in document.standards.values():
        named = (standard.standard, standard.edition)
        yield (
            "certificate_standard",
            {
                "id": fact_id("DCS", certificate_id, *named),
                "certificate_id": certificate_id,
                "standard": standard.standard,
                "edition": standard.edition,
            },
        )


def _origin(
    certificate_id: str, credential: Credential, verdict: SignatureVerdict, digest: str
) -> Row:
    start, end = credential.valid_from, credential.valid_until
    has_list = credential.credential_status is not None
    return (
        "certificate_credential",
        {
            "id": fact_id("VC", certificate_id, credential.id),
            "certificate_id": certificate_id,
            "profile": PROFILE,
            "credential": credential.id,
            "issuer": credential.issuer.id,
            "valid_from": start and start.ceiling,
            "valid_until": end and end.floor,
            "signature": "valid" if verdict.is_valid else "not_checked",
            "signature_cause": verdict.cause,
            "revocation": "not_checked" if has_list else "none_stated",
            "credential_sha256": digest,
        },
    )

"""UNTP conformity credentials that are wrong or hostile: each fault at its JSON path."""

import json
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from tests.credentials import PRODUCT, assessment, credential, token
from tests.untp_reading import Reader, only


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return credential(deep=value)


def without(name: str) -> dict[str, Any]:
    document = credential()
    del document[name]
    return document


def changed(*path: str | int, value: Any) -> dict[str, Any]:
    document = credential()
    *parents, last = path
    here: Any = document
    for step in parents:
        here = here[step]
    here[last] = value
    return document


SUBJECT = "credentialSubject"
ONE = (SUBJECT, "assessment", 0)
FIRST = "$.credentialSubject.assessment[0]"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (nested(40), "$.deep" + "[0]" * 32),
        (nested(1_500), None),
        ('{"@context": [], "type": "Credential", "a": {"b": 1, "b": 2}}', "$.a"),
        ('{"@context": [], "type": "Credential", "type": 2}', "$"),
        ('{"issuer": "Credential", "a": NaN}', None),
        (without("issuer"), "$.issuer"),
        (without("id"), "$.id"),
        (changed("issuer", value="did:web:lab.example"), "$.issuer"),
        (changed("issuer", "id", value=7), "$.issuer.id"),
        (changed("id", value="no uri"), "$.id"),
        (changed("id", value="https://x.example/" + "a" * 2_000), "$.id"),
        (changed("type", value="DigitalProductPassport"), "$.type"),
        (changed("@context", value=["https://x.example"]), "$['@context']"),
        (
            changed("@context", 1, value="https://test.uncefact.org/vocabulary/untp/dcc/0.7.0/"),
            "$['@context']",
        ),
        (changed("validFrom", value="2026-10-20"), "$.validFrom"),
        (changed("validFrom", value="2026-02-30T00:00:00Z"), "$.validFrom"),
        (changed("validUntil", value="9999-12-31T23:59:59+14:00"), "$.validUntil"),
        (changed(SUBJECT, value=[]), "$.credentialSubject"),
        (changed(SUBJECT, "assessorLevel", value="3rdparty"), "$.credentialSubject.assessorLevel"),
        (changed(SUBJECT, "assessment", value=[]), "$.credentialSubject.assessment"),
        (
            changed(SUBJECT, "assessment", value=[assessment()] * 201),
            "$.credentialSubject.assessment",
        ),
        (changed(*ONE, "conformance", value="true"), f"{FIRST}.conformance"),
        (changed(*ONE, "conformance", value=False), f"{FIRST}.conformance"),
        (
            changed(*ONE, "assessmentDate", value="2026-13-01"),
            f"{FIRST}.assessmentDate",
        ),
        (
            changed(*ONE, "assessmentDate", value=None),
            f"{FIRST}.assessmentDate",
        ),
        (
            changed(*ONE, "assessedProduct", value=[]),
            f"{FIRST}.assessedProduct",
        ),
        (
            changed(SUBJECT, "name", value="a\u202eb"),
            "$.credentialSubject.name",
        ),
        (
            changed(
                SUBJECT,
                "conformityCertificate",
                value={"hashDigest": "12", "hashMethod": "SHA-256"},
            ),
            "$.credentialSubject.conformityCertificate.hashDigest",
        ),
        (
            credential(assessment(regulation="https://law.example/1")),
            f"{FIRST}.referenceRegulation",
        ),
        (
            credential(assessment(regulation=None)),
            f"{FIRST}.referenceRegulation",
        ),
        (credential(issuer="did:web:unknown.example"), "$.issuer.id"),
    ],
)
def test_fault__is_named_at_its_path(read: Reader, document: object, path: str | None) -> None:
    issues = read.refused(document)
    assert [issue.column for issue in issues] == [path]
    told = issues[0].message()
    assert path is None or (f", at {path}" in told.en and f"，位于 {path}" in told.zh)


def test_faults__are_told_all_at_once(read: Reader) -> None:
    document = changed(SUBJECT, "attestationType", value=1)
    document["validFrom"] = True
    document["credentialSubject"]["assessment"][0]["id"] = None
    assert {issue.column for issue in read.refused(document)} == {
        "$.validFrom",
        "$.credentialSubject.attestationType",
        f"{FIRST}.id",
    }


def product(identifier: str, **members: str) -> dict[str, Any]:
    part = assessment(identifier)
    part["assessedProduct"][0]["product"] |= members
    return credential(part)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (product("https://id.gs1.org/01/09521357000020"), "09521357000020"),
        (product("https://id.gs1.org/01/09521357000014"), "09521357000014"),
        (product("https://id.gs1.org/01/00012345678905"), "(P-8, P-9)"),
        (product("https://seller.example/models/2"), "models/2"),
        (product(f"{PRODUCT}/21/SER-1"), "/21/SER-1"),
        (product(PRODUCT, batchNumber="LOT-7"), "LOT-7"),
        (product(PRODUCT, serialNumber="S-7"), "S-7"),
    ],
)
def test_product__not_one_known_model_is_refused(
    read: Reader, document: dict[str, Any], found: str
) -> None:
    (issue,) = read.refused(document)
    assert str(issue.column).startswith(f"{FIRST}.assessedProduct[0].product")
    assert found in issue.found


def test_product__named_by_the_map_may_stand_for_a_batch(read: Reader) -> None:
    batch = read(product("https://seller.example/models/1", batchNumber="LOT-7"))
    assert only(batch, "certificate")["product_id"] == "P-2"


@pytest.mark.parametrize(
    "text",
    ["a.b", "not a token", "eyJ.eyJ.x", token(credential()).replace(".", ".=", 1), "e30.e30.AA"],
)
def test_token__that_is_none_is_refused(read: Reader, text: str) -> None:
    (issue,) = read.refused(text, "dcc.jwt")
    assert str(issue.column).startswith("$")


@pytest.mark.parametrize("address", [None, 7, "https://x.example", "data:text/plain,a.b.c"])
def test_envelope__without_a_token_is_refused(read: Reader, address: object) -> None:
    document = {"@context": [], "type": "EnvelopedVerifiableCredential", "id": address}
    assert [issue.column for issue in read.refused(document)] == ["$.id"]


def test_size__is_bounded(read: Reader) -> None:
    limits = IntakeLimits(credential_size_max=1_000)
    (issue,) = read.refused(credential(), limits=limits)
    assert issue.column == "$"
    assert "at most 1000 bytes" in issue.expected.en


def test_credential__without_a_map_says_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "dcc.json"
    path.write_text(json.dumps(credential()), encoding="utf-8")
    with pytest.raises(IntakeError) as caught:
        read_files([path])
    assert "--credential-map" in caught.value.issues[0].remedy.en


def test_facts__that_speak_of_credentials_are_still_facts(tmp_path: Path) -> None:
    fact = {"type": "party", "id": "P", "name": "Credential Bureau", "country": "DE"}
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": [fact]}), encoding="utf-8")
    assert [fact.id for fact in read_files([path]).facts] == ["P"]

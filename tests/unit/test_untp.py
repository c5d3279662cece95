"""UNTP conformity credentials: declared meanings, judged signatures, faults at their JSON path."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import InputError
from carnet.facts.fact import Fact, FactBatch
from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.intake.untp import CredentialNote, Credentials, read_credential_map
from carnet.facts.issue import Issue
from carnet.services.credentials import check_signature
from tests.credentials import (
    ISSUER,
    PRODUCT,
    RED,
    assessment,
    credential,
    enveloped,
    multikey,
    p256_multikey,
    proved,
    signer,
    token,
)

NOW = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
LMD = "http://data.europa.eu/eli/dir/2014/35/oj"
BODY = ("certification", "3rdParty", "GovtApproval")
DECLARED = ("declaration", "Self", "Unspecified")
GTIN = "09521357000013"
MAP = """version = 1
[[issuers]]
id = "{issuer}"
issued_on = "{issued_on}"
keys = {keys}
{more}
[[products]]
id = "https://seller.example/models/1"
product_id = "P-2"
[[regulations]]
reference = "47 CFR 15 subpart C"
act = "fcc_15c"
[[standards]]
reference = "https://standards.example/en-18031-1"
standard = "EN 18031-1"
edition = "2024"
act = "red_cyber"
"""


class Reader:
    """Reads one credential by a map, and keeps what the report says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[CredentialNote] = []
        self.map = folder / "map.toml"
        self.mapped()

    def mapped(
        self,
        more: str = "",
        keys: tuple[str, ...] = (),
        issuer: str = ISSUER,
        issued_on: str = "assessment_date",
    ) -> "Reader":
        """Write the map."""
        text = MAP.format(issuer=issuer, issued_on=issued_on, keys=list(keys), more=more)
        self.map.write_text(text.replace("'", '"'), encoding="utf-8")
        return self

    def __call__(
        self, document: object, name: str = "dcc.json", limits: IntakeLimits | None = None
    ) -> FactBatch:
        """Return the facts of a document, or of a text as it is."""
        text = document if isinstance(document, str) else json.dumps(document)
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        products = {GTIN: ("P-1",), "00012345678905": ("P-8", "P-9")}
        credentials = Credentials(
            read_credential_map(self.map),
            lambda secured, issuer, keys: check_signature(secured, issuer, keys, NOW),
            lambda gtin: products.get(gtin, ()),
            self.notes.append,
        )
        return read_files([path], limits or IntakeLimits(), credentials=credentials)

    def refused(self, document: object, name: str = "dcc.json", **more: Any) -> list[Issue]:
        """Return why a document is refused."""
        with pytest.raises(IntakeError) as caught:
            self(document, name, **more)
        assert all(ord(c) < 128 for issue in caught.value.issues for c in issue.expected.en)
        return list(caught.value.issues)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def of_type(batch: FactBatch, name: str) -> list[Fact]:
    return [fact for fact in batch.facts if fact.type == name]


def only(batch: FactBatch, name: str) -> dict[str, Any]:
    (fact,) = of_type(batch, name)
    return dict(fact.fields)


# --- meaning ----------------------------------------------------------------------------------


def test_test_report__becomes_a_certificate_with_its_origin(read: Reader) -> None:
    document = credential(assessment(), assessment())
    document["credentialSubject"]["conformityCertificate"] = {
        "linkURL": "https://lab.example/report.pdf",
        "hashDigest": "AB" * 32,
        "hashMethod": "SHA-256",
    }
    batch = read.mapped('number = "attestation_id_end"\ntest_lab_id = "LAB-1"')(document)
    fields = only(batch, "certificate")
    assert {key: str(value) for key, value in fields.items()} == {
        "product_id": "P-1",
        "kind": "test_report",
        "act": "red",
        "number": "TR-2026-0815",
        "issued_on": "2026-10-12",
        "last_tested_on": "2026-10-12",
        "test_lab_id": "LAB-1",
        "status": "active",
        "evidence_sha256": "ab" * 32,
        "is_verified": "False",
        "source": "dcc.json",
    }
    origin = only(batch, "certificate_credential")
    assert origin["certificate_id"] == of_type(batch, "certificate")[0].id
    assert (origin["signature"], origin["signature_cause"]) == ("not_checked", "unsigned")
    assert origin["valid_until"] == datetime(2031, 10, 19, 23, 59, 59, tzinfo=UTC)
    assert "printed_valid_until" not in fields


@pytest.mark.parametrize(
    ("levels", "regulation", "more", "kind"),
    [
        (DECLARED, RED, "", "eu_doc"),
        (DECLARED, "47 CFR 15 subpart C", "", "fcc_sdoc"),
        (BODY, "47 CFR 15 subpart C", "", "fcc_grant"),
        (BODY, RED, 'module = "B"', "eu_type_exam_cert"),
        (BODY, RED, 'module = "H"', "qa_cert"),
        (("certification", "3rdParty", "Accredited"), RED, "", "voluntary_cert"),
        (("inspection", "Buyer", "Verified"), RED, 'kind = "tech_file"', "tech_file"),
    ],
)
def test_kind__follows_from_the_levels_and_the_act(
    read: Reader, levels: tuple[str, str, str], regulation: str, more: str, kind: str
) -> None:
    part = assessment(regulation=None, referenceRegulation={"name": regulation})
    if regulation == RED:
        part = assessment()
    batch = read.mapped(more)(credential(part, levels=levels))
    assert only(batch, "certificate")["kind"] == kind


@pytest.mark.parametrize(
    "levels", [BODY, ("testing", "Self", "Accredited"), ("inspection", "3rdParty", "Accredited")]
)
def test_kind__left_open_is_refused(read: Reader, levels: tuple[str, str, str]) -> None:
    (issue,) = read.refused(credential(levels=levels))
    assert issue.column == "$.credentialSubject"
    assert levels[0] in issue.found


def test_declaration__covers_all_acts_of_a_product(read: Reader) -> None:
    parts = [assessment(), assessment(regulation=LMD), assessment(regulation=LMD)]
    batch = read(credential(*parts, levels=DECLARED))
    assert [fact.fields["act"] for fact in of_type(batch, "certificate_act")] == ["red", "lvd"]
    assert only(batch, "certificate")["act"] == "red"
    reports = read(credential(*parts))
    assert [fact.fields["act"] for fact in of_type(reports, "certificate")] == ["red", "lvd"]


def test_standard__named_by_the_map_tells_the_act(read: Reader) -> None:
    named = {"id": "https://standards.example/en-18031-1", "issuingParty": {}}
    batch = read(credential(assessment(regulation=None, referenceStandard=named)))
    assert only(batch, "certificate")["act"] == "red_cyber"
    standard = only(batch, "certificate_standard")
    assert (standard["standard"], standard["edition"]) == ("EN 18031-1", "2024")


def test_dates__of_the_credential_are_the_certificate_s_only_by_the_map(read: Reader) -> None:
    more = 'valid_until = "credential_valid_until"'
    document = credential(
        validFrom="2026-10-20T23:30:00.5-02:00", validUntil="2031-10-20T00:00:00Z"
    )
    batch = read.mapped(more, issued_on="credential_valid_from")(document)
    fields = only(batch, "certificate")
    assert str(fields["issued_on"]) == "2026-10-21"
    # The last day that the credential covers whole.
    assert str(fields["printed_valid_until"]) == "2031-10-19"
    origin = only(batch, "certificate_credential")
    assert origin["valid_from"] == datetime(2026, 10, 21, 1, 30, 1, tzinfo=UTC)


def test_dates__the_latest_assessment_is_the_day_of_issue(read: Reader) -> None:
    days = ("2026-10-01", "2026-10-12", "2026-09-30")
    batch = read(credential(*(assessment(assessmentDate=day) for day in days)))
    assert str(only(batch, "certificate")["issued_on"]) == "2026-10-12"


def test_ids__follow_from_what_is_attested(read: Reader) -> None:
    first = read(credential())
    renewed = read(credential(id="https://lab.example/credentials/2"))
    assert [f.id for f in of_type(first, "certificate")] == [
        f.id for f in of_type(renewed, "certificate")
    ]
    assert of_type(first, "certificate_credential")[0].id not in {f.id for f in renewed.facts}
    other = read.mapped(issuer="did:web:other.example")(credential(issuer="did:web:other.example"))
    assert of_type(other, "certificate")[0].id != of_type(first, "certificate")[0].id


def test_note__lists_what_version_0_6_does_not_know(read: Reader) -> None:
    document = credential(renderTemplate="x", credentialStatus={"id": "https://lab.example/1"})
    document["credentialSubject"]["assessment"][0]["assessedProduct"][0]["@odd name"] = 1
    batch = read(document)
    (note,) = read.notes
    path = "$.credentialSubject.assessment[0].assessedProduct[0]['@odd name']"
    assert note.unknown == ("$.renderTemplate", path)
    assert note.to_json()["revocation"] == "not_checked"
    assert only(batch, "certificate_credential")["revocation"] == "not_checked"


def test_note__lists_so_many_unknown_members_and_counts_the_others(read: Reader) -> None:
    read(credential(**{f"x{number}": number for number in range(130)}))
    (note,) = read.notes
    assert (len(note.unknown), note.unknown_count) == (100, 130)


# --- signatures -------------------------------------------------------------------------------


def verdict(batch: FactBatch) -> tuple[str, str | None]:
    origin = only(batch, "certificate_credential")
    return origin["signature"], origin.get("signature_cause")


COUNTS = "counts_as_verified = true"


@pytest.mark.parametrize("form", ["proof", "jwt", "envelope"])
def test_signature__valid_under_a_pinned_key(read: Reader, form: str) -> None:
    read.mapped(COUNTS, keys=(multikey("other"), multikey(), p256_multikey()))
    text = token(credential())
    forms: dict[str, tuple[object, str]] = {
        "proof": (proved(credential()), "dcc.json"),
        "jwt": (text + "\n", "dcc.jwt"),
        "envelope": (enveloped(text), "dcc.json"),
    }
    batch = read(*forms[form])
    assert verdict(batch) == ("valid", None)
    assert only(batch, "certificate")["is_verified"] is True


def test_signature__ed25519_token(read: Reader) -> None:
    batch = read.mapped(keys=(multikey(),))(token(credential(), "EdDSA"), "dcc.jwt")
    assert verdict(batch) == ("valid", None)
    # Valid is not verified: only the map's word makes it so.
    assert only(batch, "certificate")["is_verified"] is False


def test_signature__of_a_did_key_counts_without_a_pinned_one(read: Reader) -> None:
    issuer = f"did:key:{multikey()}"
    batch = read.mapped(issuer=issuer)(proved(credential(issuer=issuer)))
    assert verdict(batch) == ("valid", None)
    forged = proved(credential(issuer=issuer), "other")
    assert read.refused(forged)[0].column == "$.proof"


def test_verified__never_without_a_signature_or_an_identified_product(read: Reader) -> None:
    read.mapped(COUNTS, keys=(multikey(),))
    assert only(read(credential()), "certificate")["is_verified"] is False
    part = assessment()
    part["assessedProduct"][0]["IDverifiedByCAB"] = False
    assert only(read(proved(credential(part))), "certificate")["is_verified"] is False


FRACTION = assessment(declaredValue=[{"metricName": "m", "metricValue": {"value": 0.5}}])


@pytest.mark.parametrize(
    ("document", "keys", "cause"),
    [
        (credential(), (multikey(),), "unsigned"),
        (credential(proof=[]), (multikey(),), "unsigned"),
        (proved(credential()), (), "issuer_not_pinned"),
        (proved(credential()), (p256_multikey(),), "issuer_not_pinned"),
        (enveloped(token(credential())), (multikey(),), "issuer_not_pinned"),
        (enveloped(token(credential(), "PS256")), (multikey(),), "suite_not_supported"),
        (
            credential(proof={"type": "DataIntegrityProof", "cryptosuite": "bbs-2023"}),
            (multikey(),),
            "suite_not_supported",
        ),
    ],
)
def test_signature__not_checked_for_a_named_cause(
    read: Reader, document: dict[str, Any], keys: tuple[str, ...], cause: str
) -> None:
    assert verdict(read.mapped(keys=keys)(document)) == ("not_checked", cause)


def test_signature__numbers_with_fractions_are_not_spelled_here(read: Reader) -> None:
    document = {**credential(FRACTION), "proof": proved(credential())["proof"]}
    read.mapped(COUNTS, keys=(multikey(),))
    batch = read(document)
    assert verdict(batch) == ("not_checked", "outside_canonical_profile")
    assert only(batch, "certificate")["is_verified"] is False


def altered(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**document, "proof": {**document["proof"], **members}}


def swapped(text: str, place: int, piece: str) -> str:
    parts = text.split(".")
    parts[place] = piece
    return ".".join(parts)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**proved(credential()), "validUntil": "2099-01-01T00:00:00Z"}, "$.proof"),
        (proved(credential(), "somebody else"), "$.proof"),
        (altered(proved(credential()), created="2026-11-02T08:00:00Z"), "$.proof"),
        (altered(proved(credential()), proofValue="z" + "1" * 400), "$.proof"),
        (altered(proved(credential()), proofValue=7), "$.proof"),
        (altered(proved(credential()), proofPurpose="authentication"), "$.proof.proofPurpose"),
        (altered(proved(credential()), expires="2026-11-22T00:00:00Z"), "$.proof.expires"),
        (altered(proved(credential()), expires="soon"), "$.proof.expires"),
        (altered(proved(credential()), expires="2027-11-22T00:00:00"), "$.proof.expires"),
        (
            altered(proved(credential()), verificationMethod="did:web:evil.example#1"),
            "$.proof.verificationMethod",
        ),
        (credential(proof="none"), "$.proof"),
        (enveloped(swapped(token(credential()), 2, "A" * 86)), "$"),
        (enveloped(swapped(token(credential()), 2, "")), "$"),
        (enveloped(token(credential(), kid="did:web:evil.example#1")), "$ (header).kid"),
        (enveloped(token(credential(), typ="at+jwt")), "$ (header).typ"),
        (enveloped(token(credential(), crit=["b64"])), "$.id (header).crit"),
        (enveloped(token(credential(), "none")), "$.id (header).alg"),
        (enveloped(token(credential(iss="did:web:evil.example"))), "$.iss"),
        (
            enveloped(
                swapped(
                    token(credential()), 1, token(credential(id="https://x.example")).split(".")[1]
                )
            ),
            "$",
        ),
    ],
)
def test_signature__forged_refuses_the_credential(
    read: Reader, document: dict[str, Any], path: str
) -> None:
    issues = read.mapped(keys=(multikey(), p256_multikey())).refused(document)
    assert [issue.column for issue in issues] == [path]
    assert not read.notes


def test_signature__one_that_is_not_valid_outweighs_one_that_is(read: Reader) -> None:
    good, bad = proved(credential())["proof"], proved(credential(), "other")["proof"]
    read.mapped(keys=(multikey(),))
    assert verdict(read(credential(proof=[good]))) == ("valid", None)
    assert verdict(read(credential(proof=[{"type": "Other"}, good]))) == ("valid", None)
    read.refused(credential(proof=[good, bad]))


def test_signature__of_an_ed25519_key_over_es256_is_not_taken(read: Reader) -> None:
    """The algorithm of the header never chooses another curve than the key's."""
    made = token(credential(), "ES256")
    head, payload, _ = made.split(".")
    signature = signer().sign(f"{head}.{payload}".encode())
    assert len(signature) == 64
    batch = read.mapped(keys=(multikey(),))(made, "dcc.jwt")
    assert verdict(batch) == ("not_checked", "issuer_not_pinned")


# --- hostile and wrong input ------------------------------------------------------------------


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


# --- the map ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("version = 1", "version = 2"), "version"),
        (lambda text: text + "\nsurprise = 1", "surprise"),
        (lambda text: text.replace("assessment_date", "today"), "issued_on"),
        (lambda text: text.replace("keys = []", 'keys = ["abc"]'), "keys"),
        (lambda text: text.replace("keys = []", COUNTS), "counts_as_verified"),
        (lambda text: text + text.partition("[[products]]")[2].join(["[[products]]", ""]), "twice"),
        (lambda _: "= 1", "not TOML"),
        (lambda text: text + "#" * 1_100_000, "bytes"),
    ],
)
def test_map__that_is_not_of_the_closed_form(
    read: Reader, change: Callable[[str], str], told: str
) -> None:
    read.map.write_text(change(read.map.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        read_credential_map(read.map)
    assert caught.value.code == "CRN-F-061"


def test_map__that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_credential_map(tmp_path / "none.toml")


# --- published samples ------------------------------------------------------------------------

SAMPLE_ISSUER = "did:web:identifiers.example-company.com:12345"


def test_published_samples__are_read_or_refused_at_their_type(read: Reader) -> None:
    read.mapped(issuer=SAMPLE_ISSUER)
    law = "https://www.legislation.gov.au/F2008L02309/latest/versions"
    text = read.map.read_text("utf-8").replace("47 CFR 15 subpart C", law)
    text = text.replace(
        "https://seller.example/models/1", "https://id.gs1.org/01/09520123456788/21/12345"
    )
    read.map.write_text(text, encoding="utf-8")
    folder = os.environ.get("CARNET_DATA")
    paths = sorted(Path(folder, "untp").rglob("untp-*-instance.json")) if folder else []
    print(f"{len(paths)} published samples")
    for path in paths:
        document = path.read_text("utf-8")
        if path.name == "untp-dcc-instance.json":
            batch = read(document)
            assert only(batch, "certificate")["kind"] == "voluntary_cert"
            assert read.notes[-1].unknown == ()
        else:
            assert [issue.column for issue in read.refused(document)] == ["$.type"]

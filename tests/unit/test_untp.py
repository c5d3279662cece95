"""UNTP conformity credentials: declared meanings, judged signatures, faults at their JSON path."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import InputError
from carnet.facts.fact import FactBatch
from carnet.facts.intake.untp import read_credential_map
from tests.credentials import (
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
from tests.untp_reading import Reader, of_type, only

LMD = "http://data.europa.eu/eli/dir/2014/35/oj"
BODY = ("certification", "3rdParty", "GovtApproval")
DECLARED = ("declaration", "Self", "Unspecified")


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


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
    read(credential() | {f"x{number}": number for number in range(130)})
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

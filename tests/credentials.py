"""Making conformity credentials for tests: plain, with a proof, or as a token."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from carnet.core.digests import sha256
from carnet.ledger.did import key_multibase
from carnet.ledger.encoding import multibase_encode
from carnet.ledger.proof import add_proof
from carnet.ledger.signer import Ed25519Signer

ISSUER = "did:web:lab.example"
PRODUCT = "https://id.gs1.org/01/09521357000013"
RED = "http://data.europa.eu/eli/dir/2014/53/oj"
CONTEXT = [
    "https://www.w3.org/ns/credentials/v2",
    "https://test.uncefact.org/vocabulary/untp/dcc/0.6.1/",
]
SIGNED_AT = datetime(2026, 11, 1, 8, tzinfo=UTC)


def assessment(*products: str, regulation: str | None = RED, **members: Any) -> dict[str, Any]:
    """Return an assessment of some products that was passed."""
    law = {} if regulation is None else {"referenceRegulation": {"id": regulation, "name": "Law"}}
    assessed = [
        {"product": {"id": name, "name": "A product"}, "IDverifiedByCAB": True}
        for name in products or (PRODUCT,)
    ]
    return {
        "type": ["ConformityAssessment", "Declaration"],
        "id": "https://lab.example/assessments/1",
        "assessmentDate": "2026-10-12",
        "conformityTopic": "governance.compliance",
        "conformance": True,
        **law,
        "assessedProduct": assessed,
        **members,
    }


def credential(
    *assessments: dict[str, Any],
    issuer: str = ISSUER,
    levels: tuple[str, str, str] = ("testing", "3rdParty", "Accredited"),
    **members: Any,
) -> dict[str, Any]:
    """Return a conformity credential without a proof."""
    subject = {
        "type": ["ConformityAttestation", "Attestation"],
        "id": "https://lab.example/attestations/TR-2026-0815",
        "name": "Test report TR-2026-0815",
        "attestationType": levels[0],
        "assessorLevel": levels[1],
        "assessmentLevel": levels[2],
        "issuedToParty": {"id": "https://seller.example", "name": "Seller"},
        "assessment": list(assessments) or [assessment()],
    }
    return {
        "type": ["DigitalConformityCredential", "VerifiableCredential"],
        "@context": list(CONTEXT),
        "id": "https://lab.example/credentials/1",
        "issuer": {"type": ["CredentialIssuer"], "id": issuer, "name": "A laboratory"},
        "validFrom": "2026-10-20T00:00:00Z",
        "validUntil": "2031-10-19T23:59:59Z",
        "credentialSubject": subject,
        **members,
    }


def signer(name: str = "laboratory") -> Ed25519Signer:
    """Return a signer whose key follows from a name."""
    return Ed25519Signer(sha256(name.encode()))


def multikey(name: str = "laboratory") -> str:
    """Return the public key of `signer` as a multikey."""
    return key_multibase(signer(name).public_key)


def proved(document: dict[str, Any], name: str = "laboratory") -> dict[str, Any]:
    """Return a credential with an eddsa-jcs-2022 proof of its issuer."""
    method = f"{document['issuer']['id']}#{multikey(name)}"
    return add_proof(document, method, signer(name), SIGNED_AT)


def p256(name: str = "body") -> ec.EllipticCurvePrivateKey:
    """Return a key of P-256 that follows from a name."""
    number = int.from_bytes(sha256(name.encode()), "big") % (2**255)
    return ec.derive_private_key(number, ec.SECP256R1())


def p256_multikey(name: str = "body") -> str:
    """Return the public key of `p256` as a multikey."""
    point = p256(name).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return multibase_encode(b"\x80\x24" + point)


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(document: dict[str, Any], algorithm: str = "ES256", **header: Any) -> str:
    """Return a credential as a JSON Web Token of its issuer."""
    head = {"alg": algorithm, "typ": "vc+jwt", "kid": f"{document['issuer']['id']}#1", **header}
    parts = [encoded(json.dumps(part).encode()) for part in (head, document)]
    message = ".".join(parts).encode()
    if algorithm == "ES256":
        made = p256().sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        signature = b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(made))
    else:
        signature = signer().sign(message)
    return f"{message.decode()}.{encoded(signature)}"


def enveloped(text: str, media: str = "vc+jwt") -> dict[str, Any]:
    """Return the JSON document that carries a token."""
    return {
        "@context": CONTEXT[0],
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/{media},{text}",
    }

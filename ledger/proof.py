"""Data Integrity proofs of the cryptosuite eddsa-jcs-2022, over any JSON document of the profile.

Source: W3C Data Integrity EdDSA Cryptosuites v1.0, section 3.3; RFC 8785.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from carnet.core.canonical import canonical, canonical_within
from carnet.core.clock import format_instant
from carnet.core.errors import SignatureError
from carnet.core.text import Text
from carnet.ledger.encoding import multibase_decode, multibase_encode
from carnet.ledger.signer import Signer, sign_checked, verify_signature

CRYPTOSUITE = "eddsa-jcs-2022"
PROOF_TYPE = "DataIntegrityProof"
PROOF_PURPOSE = "assertionMethod"


def hash_data(
    document: Mapping[str, Any], options: Mapping[str, Any], *, is_within: bool = False
) -> bytes:
    """Return the 64 bytes that are signed: the hash of the options, then of the document.

    Args:
        document: Without its proof.
        options: The proof without its value.
        is_within: Whether both are known to lie inside the canonical profile.

    Source: section 3.3.4.
    """
    spelled = canonical_within if is_within else canonical
    configuration = hashlib.sha256(spelled(options)).digest()
    return configuration + hashlib.sha256(spelled(document)).digest()


def proof_options(
    document: Mapping[str, Any], verification_method: str, created: datetime
) -> dict[str, Any]:
    """Return a proof without its value. The context is copied, as section 3.3.1 requires."""
    options: dict[str, Any] = {
        "type": PROOF_TYPE,
        "cryptosuite": CRYPTOSUITE,
        "created": format_instant(created),
        "verificationMethod": verification_method,
        "proofPurpose": PROOF_PURPOSE,
    }
    if "@context" in document:
        options["@context"] = document["@context"]
    return options


def add_proof(
    document: Mapping[str, Any], verification_method: str, signer: Signer, created: datetime
) -> dict[str, Any]:
    """Return a document with its proof. Source: section 3.3.1."""
    return sign_under(document, proof_options(document, verification_method, created), signer)


def sign_under(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    signer: Signer,
    *,
    is_within: bool = False,
) -> dict[str, Any]:
    """Return a document with the proof that some options are of.

    Args:
        document: Without its proof.
        options: From `proof_options`.
        signer: Holds the key that the options name.
        is_within: Whether both are known to lie inside the canonical profile.
    """
    assert "proof" not in document, "a document is signed once"
    data = hash_data(document, options, is_within=is_within)
    value = multibase_encode(sign_checked(signer, data))
    return {**document, "proof": {**options, "proofValue": value}}


def _proof_error(en: str, zh: str) -> SignatureError:
    return SignatureError("CRN-V-008", Text(f"The proof is not valid: {en}.", f"证明无效：{zh}。"))


def verify_proof(
    document: Mapping[str, Any], public_key: bytes, *, is_within: bool = False
) -> None:
    """Check the proof of a signed document under a key.

    Args:
        document: With its proof.
        public_key: The key.
        is_within: Whether the document is known to lie inside the canonical profile.

    Raises:
        SignatureError: It is of another suite, was not made under the same context, or does not
            verify.

    Source: section 3.3.2.
    """
    proof = document.get("proof")
    if not isinstance(proof, dict) or not isinstance(proof.get("proofValue"), str):
        raise _proof_error("there is none", "没有证明")
    if proof.get("type") != PROOF_TYPE or proof.get("cryptosuite") != CRYPTOSUITE:
        raise _proof_error("it is of another cryptosuite", "密码套件不同")
    if "@context" in proof and proof["@context"] != document.get("@context"):
        raise _proof_error("it was made under another context", "上下文不同")
    try:
        signature = multibase_decode(proof["proofValue"])
    except ValueError as error:
        raise _proof_error("its value is not base58", "其值不是 base58") from error
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    data = hash_data(unsecured, options, is_within=is_within)
    verify_signature(public_key, data, signature)

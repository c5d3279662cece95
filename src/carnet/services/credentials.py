"""What reading a UNTP conformity credential needs beyond the file: its signature, its products.

Nothing is fetched: a did:web is never resolved and no status list is asked for. A signature counts
under the keys that an officer pinned in the credential map, or under the key that a did:key is.

Source: W3C Verifiable Credential Data Integrity v1.0, section 4.5; W3C Securing Verifiable
Credentials using JOSE and COSE, section 4; docs/adr/0021-credentials-and-evidence.md.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from carnet.core.clock import Clock
from carnet.core.errors import InputError, RecordFormatError, VerificationError
from carnet.core.text import Text
from carnet.facts.intake.untp import (
    CredentialMap,
    CredentialNote,
    Credentials,
    Secured,
    SignatureVerdict,
    Token,
    read_credential_map,
)
from carnet.facts.issue import shown
from carnet.ledger.did import DID_KEY, key_of_did
from carnet.ledger.jws import ALGORITHMS, Multikey, read_multikey, verify_jws
from carnet.ledger.proof import CRYPTOSUITE, PROOF_PURPOSE, PROOF_TYPE, verify_proof
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts

_GTIN_DIGITS: Final = 14
_PROOFS_MAX: Final = 10
_DID: Final = "did:"
_TOKEN_TYPES: Final = frozenset({"vc+jwt", "vc-ld+jwt", "vc+ld+json+jwt", "jwt"})
_PROOF: Final = "$.proof"
_HEADER: Final = "$ (header)"
_FORGED: Final = Text(
    "a signature that does not verify under the pinned keys",
    "在已固定的密钥下核验失败的签名",
)

UNSIGNED: Final = SignatureVerdict("unsigned")
NOT_PINNED: Final = SignatureVerdict("issuer_not_pinned")
NOT_SUPPORTED: Final = SignatureVerdict("suite_not_supported")
NOT_CANONICAL: Final = SignatureVerdict("outside_canonical_profile")


def credentials_of(
    workspace: Workspace, path: Path, clock: Clock, report: Callable[[CredentialNote], None]
) -> Credentials:
    """Return what reading credentials by the map of a file needs.

    Raises:
        InputError: The map cannot be used, or a key in it is not sound.
    """
    found = read_credential_map(path)
    _check_keys(found)

    def check(secured: Secured, issuer: str, keys: Sequence[str]) -> SignatureVerdict:
        return check_signature(secured, issuer, keys, clock)

    @cache
    def by_gtin() -> Mapping[str, tuple[str, ...]]:
        return _products_by_gtin(workspace)

    return Credentials(found, check, lambda gtin: by_gtin().get(gtin, ()), report)


def _check_keys(found: CredentialMap) -> None:
    for issuer, row in found.issuers.items():
        for key in row.keys:
            try:
                read_multikey(key)
            except VerificationError as error:
                raise InputError(
                    "CRN-F-062",
                    Text(
                        f"The key {shown(key)} of {shown(issuer)} in the credential map cannot be "
                        "used.",
                        f"凭证映射中 {shown(issuer)} 的密钥 {shown(key)} 无法使用。",
                    ),
                    Text(
                        "Write it as a multikey: z6Mk... for Ed25519, zDn... for P-256.",
                        "请写作多重编码密钥：Ed25519 为 z6Mk…，P-256 为 zDn…。",
                    ),
                ) from error


def _products_by_gtin(workspace: Workspace) -> Mapping[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    with reading(workspace.engine) as connection:
        for product in current_facts(connection, ["product"]):
            gtin = product.fields.get("gtin")
            if gtin is not None:
                found[str(gtin).zfill(_GTIN_DIGITS)].append(product.id)
    return {gtin: tuple(ids) for gtin, ids in found.items()}


def check_signature(
    secured: Secured, issuer: str, keys: Sequence[str], clock: Clock
) -> SignatureVerdict:
    """Return what the signature of a credential is worth.

    Args:
        secured: The credential as it came.
        issuer: The DID of its issuer.
        keys: The multikeys that are pinned for the issuer.
        clock: Tells whether a proof has expired.
    """
    pinned = [read_multikey(key) for key in keys]
    if issuer.startswith(DID_KEY):
        # A did:key of another curve is no key that we read: what is pinned for it counts.
        with suppress(VerificationError):
            pinned.append(Multikey("Ed25519", key_of_did(issuer)))
    if secured.token is not None:
        return _token(secured.token, issuer, pinned)
    proofs = secured.document.get("proof")
    proofs = proofs if isinstance(proofs, list) else [proofs]
    proofs = [proof for proof in proofs[:_PROOFS_MAX] if proof is not None]
    if not proofs:
        return UNSIGNED
    verdicts = [_proof(secured.document, proof, issuer, pinned, clock) for proof in proofs]
    # One that is not valid decides, then one that is; only then those that nobody checked.
    ranked = sorted(verdicts, key=lambda each: (each.fault is None, not each.is_valid))
    return ranked[0]


def _fault(path: str, en: str, zh: str) -> SignatureVerdict:
    return SignatureVerdict(fault=(path, Text(en, zh)))


def _proof(
    document: Mapping[str, Any], proof: Any, issuer: str, keys: Sequence[Multikey], clock: Clock
) -> SignatureVerdict:
    if not isinstance(proof, dict):
        return _fault(_PROOF, "no object", "不是对象")
    is_ours = proof.get("type") == PROOF_TYPE and proof.get("cryptosuite") == CRYPTOSUITE
    # The standard lets a proof name fewer contexts than the document, and lets proofs build on one
    # another; both would have to be signed over in another way.
    is_plain = "previousProof" not in proof and (
        "@context" not in proof or proof["@context"] == document.get("@context")
    )
    if not is_ours or not is_plain:
        return NOT_SUPPORTED
    wrong = _wrong_options(proof, issuer, clock)
    if wrong is not None:
        return wrong
    keys = [key for key in keys if key.curve == "Ed25519"]
    if not keys:
        return NOT_PINNED
    for key in keys:
        try:
            verify_proof({**document, "proof": proof}, key.data)
        except RecordFormatError:
            return NOT_CANONICAL
        except VerificationError:
            continue
        return SignatureVerdict()
    return SignatureVerdict(fault=(_PROOF, _FORGED))


def _wrong_options(proof: Mapping[str, Any], issuer: str, clock: Clock) -> SignatureVerdict | None:
    method, purpose = str(proof.get("verificationMethod")), proof.get("proofPurpose")
    if method.partition("#")[0] != issuer:
        return _fault(
            f"{_PROOF}.verificationMethod",
            f"{shown(method)}, not a key of the issuer",
            f"{shown(method)}，并非签发方的密钥",
        )
    if purpose != PROOF_PURPOSE:
        return _fault(
            f"{_PROOF}.proofPurpose",
            f"{shown(str(purpose))}, not {PROOF_PURPOSE}",
            f"{shown(str(purpose))}，而非 {PROOF_PURPOSE}",
        )
    return _expired(proof.get("expires"), clock)


def _expired(expires: Any, clock: Clock) -> SignatureVerdict | None:
    if expires is None:
        return None
    told = shown(str(expires))
    try:
        if datetime.fromisoformat(str(expires)) >= clock.now():
            return None
    except (ValueError, TypeError):
        # Comparing with an instant without a zone is a TypeError.
        return _fault(f"{_PROOF}.expires", f"{told}, no instant", f"{told}，并非时刻")
    return _fault(f"{_PROOF}.expires", f"expired at {told}", f"已于 {told} 到期")


def _token(token: Token, issuer: str, keys: Sequence[Multikey]) -> SignatureVerdict:
    algorithm = str(token.header["alg"])
    wrong = _wrong_header(token.header, issuer)
    if wrong is not None:
        return wrong
    curve = ALGORITHMS.get(algorithm)
    if curve is None:
        return NOT_SUPPORTED
    keys = [key for key in keys if key.curve == curve]
    if not keys:
        return NOT_PINNED
    for key in keys:
        try:
            verify_jws(algorithm, key, token.signing_input, token.signature)
        except VerificationError:
            continue
        return SignatureVerdict()
    return SignatureVerdict(fault=("$", _FORGED))


def _wrong_header(header: Mapping[str, Any], issuer: str) -> SignatureVerdict | None:
    kind = str(header.get("typ", "jwt")).lower().removeprefix("application/")
    if kind not in _TOKEN_TYPES:
        return _fault(f"{_HEADER}.typ", f"{shown(kind)}, no credential", f"{shown(kind)}，并非凭证")
    for name in ("kid", "iss"):
        value = header.get(name)
        if not isinstance(value, str) or not value.startswith(_DID):
            continue
        if value.partition("#")[0] != issuer:
            return _fault(
                f"{_HEADER}.{name}",
                f"{shown(value)}, not a key of the issuer",
                f"{shown(value)}，并非签发方的密钥",
            )
    return None

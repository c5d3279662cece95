"""JSON Web Signatures by Ed25519 and ES256, and the multikeys that they are checked with.

Source: RFC 7515; RFC 7518, section 3.4; RFC 8037, section 3.1; RFC 9864, section 2.2; W3C
Controlled Identifiers v1.0, section 2.2.2 (Multikey).
"""

from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from carnet.core.errors import SignatureError, VerificationError
from carnet.core.text import Text
from carnet.ledger.did import key_of_multibase
from carnet.ledger.encoding import multibase_decode
from carnet.ledger.signer import verify_signature

Curve = Literal["Ed25519", "P-256"]
ALGORITHMS: Final[dict[str, Curve]] = {"EdDSA": "Ed25519", "Ed25519": "Ed25519", "ES256": "P-256"}
"""The names of algorithms that can be checked, with the curve that each needs."""

_P256_PREFIX: Final = b"\x80\x24"
_P256_SIZE: Final = 33
_COORDINATE: Final = 32


@dataclass(frozen=True, slots=True)
class Multikey:
    """A public key and the curve that it is of.

    Args:
        curve: The curve.
        data: The key: 32 bytes of Ed25519, or a compressed point of P-256.
    """

    curve: Curve
    data: bytes


def read_multikey(text: str) -> Multikey:
    """Return the key of a multikey.

    Raises:
        VerificationError: It is of no known curve, or not a sound key of it.
    """
    try:
        data = multibase_decode(text)
    except ValueError:
        data = b""
    if not data.startswith(_P256_PREFIX):
        return Multikey("Ed25519", key_of_multibase(text))
    point = data.removeprefix(_P256_PREFIX)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        raise _no_key(text) from None
    # An uncompressed point would be a second spelling of the same key.
    if len(point) != _P256_SIZE:
        raise _no_key(text)
    return Multikey("P-256", point)


def _no_key(text: str) -> VerificationError:
    return VerificationError(
        "CRN-V-006",
        Text(f"{text[:120]!r} is not a sound key.", f"{text[:120]!r} 不是合格的公钥。"),
    )


def verify_jws(algorithm: str, key: Multikey, message: bytes, signature: bytes) -> None:
    """Check the signature of a message under a key.

    Args:
        algorithm: One of `ALGORITHMS`, as the protected header names it.
        key: The key.
        message: The signing input.
        signature: The signature.

    Raises:
        SignatureError: It does not verify, or the key is of another curve than the algorithm.
    """
    if ALGORITHMS.get(algorithm) != key.curve:
        raise _refuse()
    if key.curve == "Ed25519":
        verify_signature(key.data, message, signature)
        return
    if len(signature) != 2 * _COORDINATE:
        raise _refuse()
    r, s = (
        int.from_bytes(part, "big") for part in (signature[:_COORDINATE], signature[_COORDINATE:])
    )
    try:
        public_key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.data)
        public_key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise _refuse() from None


def _refuse() -> SignatureError:
    return SignatureError(
        "CRN-V-001",
        Text("The signature does not verify under the key.", "签名在该密钥下核验失败。"),
    )

"""Signing behind one small interface, and the one way signatures and keys are checked.

All signing goes through `Signer`, whose two members a PKCS#11 token or a cloud key service can
give: the public key, read once, and a pure Ed25519 signature of a whole message (CKM_EDDSA, not
Ed25519ph). Messages are at most 64 KiB, so none has to be hashed before it is sent. Such a signer
raises CarnetError where the token or the service does not answer; nothing is committed then.

Signatures are made by `cryptography` (OpenSSL) and checked by PyNaCl (libsodium). The two libraries
differ on 165 of 914 published edge cases, so that a proof could hold for one lender and fail for
another: verification is therefore libsodium's alone, and a key of low order, of mixed order or in a
second spelling is refused where it is registered.
"""

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from carnet.core.errors import SignatureError
from carnet.core.text import Text

PUBLIC_KEY_SIZE = 32
SEED_SIZE = 32


class Signer(Protocol):
    """Something that holds an Ed25519 key and signs with it."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032, section 5.1.5)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature of a message (RFC 8032, section 5.1.6)."""
        ...


class Ed25519Signer:
    """A signer whose key is in this process's memory.

    Args:
        seed: The 32 secret bytes (RFC 8032, section 5.1.5).
    """

    __slots__ = ("_key", "_public_key")

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == SEED_SIZE, "a seed has 32 bytes"
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public_key = self._key.public_key().public_bytes_raw()

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)


def check_public_key(public_key: bytes) -> None:
    """Check that some bytes are a public key fit to be trusted.

    Raises:
        SignatureError: They are not a canonical point of the prime-order subgroup.
    """
    if len(public_key) != PUBLIC_KEY_SIZE or not crypto_core_ed25519_is_valid_point(public_key):
        raise SignatureError(
            "CRN-V-002",
            Text(
                f"The key {public_key[:40].hex()} is not a sound Ed25519 public key.",
                f"密钥 {public_key[:40].hex()} 不是合格的 Ed25519 公钥。",
            ),
            Text(
                "Use a key of 32 bytes in the prime-order subgroup, made by a common tool.",
                "请使用常用工具生成的、位于素数阶子群中的 32 字节公钥。",
            ),
        )


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature.

    Raises:
        SignatureError: It is not a signature of the message under the key.

    Source: RFC 8032, section 5.1.7, in the strict reading of libsodium.
    """
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError) as error:
        raise SignatureError(
            "CRN-V-001",
            Text(
                f"The signature does not verify under the key {public_key[:40].hex()}.",
                f"签名在密钥 {public_key[:40].hex()} 下核验失败。",
            ),
        ) from error


def sign_checked(signer: Signer, message: bytes) -> bytes:
    """Return the signature of a message, shown to verify if it was made outside this process.

    A token that is faulty, or that signs with another key than it says, would otherwise leave a
    record, a checkpoint or an act that nobody can verify, in a place where nothing is taken back.

    Raises:
        SignatureError: The signer gave something else.
    """
    signature = signer.sign(message)
    if not isinstance(signer, Ed25519Signer):
        verify_signature(signer.public_key, message, signature)
    return signature

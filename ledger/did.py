"""Decentralised identifiers of issuers: did:key holds the key itself, did:web names a host.

Source: W3C did:key v0.9, section 3.1 (Ed25519: multicodec 0xed, base58btc); did:web method.
"""

import re
from functools import lru_cache

from carnet.core.errors import VerificationError
from carnet.core.text import Text
from carnet.ledger.encoding import multibase_decode, multibase_encode
from carnet.ledger.signer import PUBLIC_KEY_SIZE, check_public_key

DID_KEY = "did:key:"
DID_WEB = "did:web:"
DID_LENGTH_MAX = 200
KEYS_CACHED = 1024
"""Keys whose soundness is remembered; checking one costs as much as checking a signature."""

_ED25519_PREFIX = b"\xed\x01"
_DID_WEB = re.compile(r"did:web:[a-z0-9](?:[a-z0-9.-]|%3A[0-9])*(?::[A-Za-z0-9._-]+)*")


def _did_error(text: str, en: str, zh: str) -> VerificationError:
    return VerificationError(
        "CRN-V-006",
        Text(f"The identifier {text[:120]!r} {en}.", f"标识符 {text[:120]!r} {zh}。"),
    )


@lru_cache(maxsize=KEYS_CACHED)
def key_multibase(public_key: bytes) -> str:
    """Return an Ed25519 public key as a multikey, which starts with ``z6Mk``."""
    return multibase_encode(_ED25519_PREFIX + public_key)


@lru_cache(maxsize=KEYS_CACHED)
def key_of_multibase(text: str) -> bytes:
    """Return the Ed25519 public key of a multikey.

    Raises:
        VerificationError: It is not one, or the key is not sound.
    """
    try:
        data = multibase_decode(text)
    except ValueError as error:
        raise _did_error(text, "is not a base58 multikey", "不是 base58 多重编码密钥") from error
    if not data.startswith(_ED25519_PREFIX) or len(data) != len(_ED25519_PREFIX) + PUBLIC_KEY_SIZE:
        raise _did_error(text, "is not an Ed25519 key", "不是 Ed25519 密钥")
    public_key = data.removeprefix(_ED25519_PREFIX)
    check_public_key(public_key)
    return public_key


def did_of_key(public_key: bytes) -> str:
    """Return the did:key of a public key."""
    return DID_KEY + key_multibase(public_key)


def key_of_did(did: str) -> bytes:
    """Return the public key of a did:key.

    Raises:
        VerificationError: It is not one.
    """
    if not did.startswith(DID_KEY):
        raise _did_error(did, "is not a did:key", "不是 did:key")
    return key_of_multibase(did.removeprefix(DID_KEY))


def is_issuer_id(text: str) -> bool:
    """Return whether a text can name an issuer: a sound did:key, or a did:web."""
    if len(text) > DID_LENGTH_MAX:
        return False
    if text.startswith(DID_WEB):
        return _DID_WEB.fullmatch(text) is not None
    try:
        key_of_did(text)
    except VerificationError:
        return False
    return True


def verification_method(issuer: str, public_key: bytes) -> str:
    """Return the address of an issuer's key: the issuer, ``#`` and the multikey."""
    return f"{issuer}#{key_multibase(public_key)}"


@lru_cache(maxsize=KEYS_CACHED)
def split_verification_method(text: str) -> tuple[str, bytes]:
    """Return the issuer and the public key that an address names.

    Raises:
        VerificationError: It is not an issuer, ``#`` and a multikey; or a did:key names another.
    """
    issuer, separator, multikey = text.partition("#")
    if not separator or not is_issuer_id(issuer):
        raise _did_error(text, "names no key of an issuer", "没有指明签发方的密钥")
    public_key = key_of_multibase(multikey)
    if issuer.startswith(DID_KEY) and issuer != did_of_key(public_key):
        raise _did_error(text, "names another key than its did:key", "所指密钥与 did:key 不符")
    return issuer, public_key

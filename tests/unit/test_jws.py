"""JSON Web Signatures: the examples of the standards, and nothing of another curve or length."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from carnet.core.base64url import base64url_decode
from carnet.core.errors import SignatureError, VerificationError
from carnet.ledger.did import key_multibase
from carnet.ledger.encoding import multibase_encode
from carnet.ledger.jws import Multikey, read_multikey, verify_jws
from tests.credentials import multikey, p256, p256_multikey

X, Y = (
    base64url_decode(text)
    for text in (
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    )
)
ES256_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
ES256_SIGNATURE = base64url_decode(
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
EDDSA_KEY = base64url_decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
EDDSA_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
EDDSA_SIGNATURE = base64url_decode(
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
P256 = b"\x80\x24"


def test_es256__example_of_rfc_7515_appendix_a_3() -> None:
    key = read_multikey(multibase_encode(P256 + bytes([2 + Y[-1] % 2]) + X))
    verify_jws("ES256", key, ES256_INPUT, ES256_SIGNATURE)
    for message, signature in (
        (ES256_INPUT + b"A", ES256_SIGNATURE),
        (ES256_INPUT, ES256_SIGNATURE[:-1]),
        (ES256_INPUT, ES256_SIGNATURE + b"\0"),
        (ES256_INPUT, bytes(64)),
        (ES256_INPUT, b""),
    ):
        with pytest.raises(SignatureError):
            verify_jws("ES256", key, message, signature)


def test_eddsa__example_of_rfc_8037_appendix_a_4() -> None:
    key = read_multikey(key_multibase(EDDSA_KEY))
    for name in ("EdDSA", "Ed25519"):
        verify_jws(name, key, EDDSA_INPUT, EDDSA_SIGNATURE)
    with pytest.raises(SignatureError):
        verify_jws("EdDSA", key, EDDSA_INPUT + b"A", EDDSA_SIGNATURE)


@pytest.mark.parametrize("algorithm", ["ES256", "HS256", "none", ""])
def test_algorithm__never_chooses_what_a_key_is_for(algorithm: str) -> None:
    with pytest.raises(SignatureError):
        verify_jws(algorithm, Multikey("Ed25519", EDDSA_KEY), EDDSA_INPUT, EDDSA_SIGNATURE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "z0OIl",
        multibase_encode(P256 + b"\x04" + X + Y),
        multibase_encode(P256 + b"\x02" + bytes(31) + b"\x01"),
        multibase_encode(P256 + b"\x02" + b"\xff" * 32),
        multibase_encode(P256 + X),
        multibase_encode(b"\xed\x01" + bytes(32)),
        multibase_encode(b"\x12\x00" + b"\x02" + X),
    ],
)
def test_multikey__that_is_none(text: str) -> None:
    with pytest.raises(VerificationError):
        read_multikey(text)


def test_multikey__of_each_curve() -> None:
    assert read_multikey(multikey()).curve == "Ed25519"
    assert read_multikey(p256_multikey()).curve == "P-256"


@pytest.mark.parametrize("text", ["A", "A=", "AB", "+A", "A A", "é"])
def test_base64url__has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url_decode(text)


def test_es256__signature_without_its_leading_zero_is_another_spelling() -> None:
    key, algorithm = p256(), ec.ECDSA(SHA256(), deterministic_signing=True)
    made = ((n, decode_dss_signature(key.sign(b"%d" % n, algorithm))) for n in range(5_000))
    number, r, s = next((n, r, s) for n, (r, s) in made if s < 2**248)
    whole = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    verify_jws("ES256", read_multikey(p256_multikey()), b"%d" % number, whole)
    with pytest.raises(SignatureError):
        verify_jws("ES256", read_multikey(p256_multikey()), b"%d" % number, whole[:32] + whole[33:])

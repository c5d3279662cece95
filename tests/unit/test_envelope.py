"""Envelopes: no byte can change, no role can be swapped, no wrong secret opens one."""

import json
from pathlib import Path

import pytest

from carnet.core.canonical import canonical
from carnet.core.envelope import (
    SCRYPT_N,
    Secret,
    decrypt,
    encrypt,
    open_file,
    seal_file,
)
from carnet.core.errors import InputError
from carnet.core.files import write_private

KEY = Secret("key_file", bytes(range(32)))
PASSPHRASE = Secret.from_passphrase("correct horse battery staple")
FAST_N = 2**14
PLAIN = b"thirty-two bytes of a secret key"


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return encrypt(KEY, PLAIN, role="log-signer")


@pytest.fixture(scope="module")
def sealed_by_passphrase() -> bytes:
    return encrypt(PASSPHRASE, PLAIN, role="log-signer", scrypt_n=FAST_N)


def test_envelope__opens(sealed: bytes, sealed_by_passphrase: bytes) -> None:
    assert decrypt(KEY, sealed, role="log-signer") == PLAIN
    assert decrypt(PASSPHRASE, sealed_by_passphrase, role="log-signer") == PLAIN


def test_envelope__hides_the_secret_and_never_repeats(sealed: bytes) -> None:
    assert PLAIN not in sealed
    assert PLAIN.hex().encode() not in sealed
    assert encrypt(KEY, PLAIN, role="log-signer") != sealed


def test_envelope__every_changed_byte_is_refused(sealed: bytes) -> None:
    for position in range(len(sealed)):
        for change in (0x01, 0x20, 0x80):
            changed = bytearray(sealed)
            changed[position] ^= change
            with pytest.raises(InputError):
                decrypt(KEY, bytes(changed), role="log-signer")


def test_envelope__every_truncation_and_an_added_byte_are_refused(sealed: bytes) -> None:
    for size in range(len(sealed)):
        with pytest.raises(InputError):
            decrypt(KEY, sealed[:size], role="log-signer")
    for extra in (b"\n", b" ", b"\0"):
        with pytest.raises(InputError):
            decrypt(KEY, sealed + extra, role="log-signer")


def test_envelope__of_another_role_is_refused(sealed: bytes) -> None:
    with pytest.raises(InputError, match="its role is 'log-signer', expected 'issuer'"):
        decrypt(KEY, sealed, role="issuer")
    renamed = json.loads(sealed) | {"role": "issuer"}
    with pytest.raises(InputError) as caught:
        decrypt(KEY, canonical(renamed), role="issuer")
    assert caught.value.code == "CRN-C-046"


def test_envelope__wrong_secret(sealed: bytes, sealed_by_passphrase: bytes) -> None:
    wrong = Secret.from_passphrase("correct horse battery stapl")
    for secret, data in ((Secret("key_file", bytes(32)), sealed), (wrong, sealed_by_passphrase)):
        with pytest.raises(InputError) as caught:
            decrypt(secret, data, role="log-signer")
        assert caught.value.code == "CRN-C-046"


def test_envelope__wrong_kind_of_secret(sealed: bytes, sealed_by_passphrase: bytes) -> None:
    with pytest.raises(InputError, match="locked with a key file, not with a passphrase"):
        decrypt(PASSPHRASE, sealed, role="log-signer")
    with pytest.raises(InputError, match="locked with a passphrase, not with a key file"):
        decrypt(KEY, sealed_by_passphrase, role="log-signer")


@pytest.mark.parametrize(
    "kdf",
    [
        {"n": 2**13},
        {"n": 2**21},
        {"n": 2**15 + 1},
        {"n": True},
        {"r": 16},
        {"p": 2},
        {"p": True},
        {"name": "pbkdf2"},
        {"name": "hkdf-sha256"},
        {"salt": "00"},
        {"salt": 7},
        {"more": 1},
    ],
)
def test_envelope__costly_or_weak_parameters_are_refused_before_use(
    sealed_by_passphrase: bytes, kdf: dict[str, object]
) -> None:
    document = json.loads(sealed_by_passphrase)
    document["kdf"] |= kdf
    with pytest.raises(InputError) as caught:
        decrypt(PASSPHRASE, canonical(document), role="log-signer")
    assert caught.value.code == "CRN-C-044"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"cipher": "aes-256-cbc"},
        {"nonce": "00"},
        {"nonce": None},
        {"ciphertext": "zz"},
        {"ciphertext": "00" * 15},
        {"ciphertext": "0" * 33},
        {"kdf": []},
        {"extra": 1},
    ],
)
def test_envelope__of_another_form_is_refused(sealed: bytes, change: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        decrypt(KEY, canonical(json.loads(sealed) | change), role="log-signer")
    assert caught.value.code == "CRN-C-044"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", b"{" * 100, b" " * 70_000])
def test_envelope__of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        decrypt(KEY, data, role="log-signer")
    assert caught.value.code == "CRN-C-044"


def test_secret__never_shows() -> None:
    assert "horse" not in repr(PASSPHRASE) + str(PASSPHRASE)


def test_secret__empty_passphrase_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Secret.from_passphrase("")


def test_secret__key_file(tmp_path: Path) -> None:
    write_private(tmp_path / "good", bytes(range(32)))
    assert Secret.from_key_file(tmp_path / "good") == KEY
    write_private(tmp_path / "short", bytes(31))
    with pytest.raises(InputError, match="31 bytes, expected 32"):
        Secret.from_key_file(tmp_path / "short")
    (tmp_path / "good").chmod(0o640)
    with pytest.raises(InputError, match="permissions 0640"):
        Secret.from_key_file(tmp_path / "good")


def test_file__sealed_and_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    seal_file(path, KEY, PLAIN, role="log-signer")
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_file(path, KEY, role="log-signer") == PLAIN
    with pytest.raises(InputError):
        seal_file(path, KEY, PLAIN, role="log-signer")
    path.chmod(0o604)
    with pytest.raises(InputError):
        open_file(path, KEY, role="log-signer")


def test_default_cost__is_the_one_written(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encrypt(PASSPHRASE, PLAIN, role="log-signer")
    kdf = json.loads(data)["kdf"]
    assert (kdf["n"], kdf["r"], kdf["p"]) == (SCRYPT_N, 8, 1) == (2**17, 8, 1)

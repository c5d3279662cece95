"""Envelopes: secrets encrypted under a passphrase or a key file.

An envelope is one canonical JSON document of a closed form. AES-256-GCM authenticates the
ciphertext and, as associated data, everything else in the document: version, role, cipher and the
parameters of the key derivation. So no byte can change and no envelope can stand in for one of
another role.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.errors import InputError, RecordFormatError
from carnet.core.files import read_private, write_private
from carnet.core.text import Text

VERSION: Final = 1
CIPHER: Final = "aes-256-gcm"
KEY_SIZE: Final = 32
SCRYPT_N: Final = 2**17
SCRYPT_N_RANGE: Final = (2**14, 2**20)
"""What is accepted from a file: weaker is not safe, stronger needs over a gigabyte of memory."""

SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
ENVELOPE_SIZE_MAX: Final = 64 * 1024

_SALT_SIZE: Final = 16
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens the envelopes of a workspace; its value never shows in a repr or a log."""

    kind: Literal["passphrase", "key_file"]
    value: bytes = field(repr=False)

    @classmethod
    def from_passphrase(cls, passphrase: str) -> "Secret":
        """Return the secret of a passphrase, which may not be empty.

        Raises:
            InputError: It is empty.
        """
        if not passphrase:
            raise InputError(
                "CRN-C-042",
                Text("The passphrase is empty.", "口令为空。"),
                Text(
                    "Set CARNET_PASSPHRASE or type it when asked.",
                    "请设置 CARNET_PASSPHRASE，或在提示时输入。",
                ),
            )
        return cls("passphrase", passphrase.encode("utf-8"))

    @classmethod
    def from_key_file(cls, path: Path) -> "Secret":
        """Return the secret of a key file of exactly 32 bytes that only its owner can read.

        Raises:
            InputError: It is absent, open to others, or of another size.
        """
        value = read_private(path)
        if len(value) != KEY_SIZE:
            raise InputError(
                "CRN-C-043",
                Text(
                    f"The key file {path} has {len(value)} bytes, expected {KEY_SIZE}.",
                    f"密钥文件 {path} 有 {len(value)} 字节，应为 {KEY_SIZE} 字节。",
                ),
                Text(
                    "Restore the file that `carnet init` wrote.",
                    "请恢复由 `carnet init` 写入的文件。",
                ),
            )
        return cls("key_file", value)


def _new_kdf(secret: Secret, scrypt_n: int) -> dict[str, Any]:
    salt = os.urandom(_SALT_SIZE).hex()
    if secret.kind == "key_file":
        return {"name": "hkdf-sha256", "salt": salt}
    return {"n": scrypt_n, "name": "scrypt", "p": SCRYPT_P, "r": SCRYPT_R, "salt": salt}


def _derive_key(secret: Secret, kdf: dict[str, Any], role: str) -> bytes:
    salt = bytes.fromhex(kdf["salt"])
    if kdf["name"] == "scrypt":
        return Scrypt(salt=salt, length=KEY_SIZE, n=kdf["n"], r=kdf["r"], p=kdf["p"]).derive(
            secret.value
        )
    info = f"carnet envelope v{VERSION} {role}".encode()
    return HKDF(SHA256(), KEY_SIZE, salt, info).derive(secret.value)


def _associated_data(role: str, kdf: dict[str, Any]) -> bytes:
    return canonical({"cipher": CIPHER, "kdf": kdf, "role": role, "v": VERSION})


def encrypt(secret: Secret, plaintext: bytes, *, role: str, scrypt_n: int = SCRYPT_N) -> bytes:
    """Return an envelope around a plaintext, bound to a role such as ``log-signer``.

    Source: NIST SP 800-38D (GCM), RFC 7914 (scrypt), RFC 5869 (HKDF).
    """
    assert _ROLE.fullmatch(role), "a role is a short lower-case name"
    kdf = _new_kdf(secret, scrypt_n)
    nonce = os.urandom(_NONCE_SIZE)
    key = _derive_key(secret, kdf, role)
    ciphertext = AESGCM(key).encrypt(nonce, plaintext, _associated_data(role, kdf))
    return canonical(
        {
            "cipher": CIPHER,
            "ciphertext": ciphertext.hex(),
            "kdf": kdf,
            "nonce": nonce.hex(),
            "role": role,
            "v": VERSION,
        }
    )


def _refuse_form(en: str, zh: str) -> InputError:
    return InputError(
        "CRN-C-044",
        Text(f"This is not an encrypted key of Carnet: {en}.", f"不是 Carnet 的加密密钥：{zh}。"),
        Text("Restore the file from a backup.", "请从备份恢复该文件。"),
    )


def _is_hex(value: object, size: int | None = None) -> bool:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        return False
    return size is None or len(value) == 2 * size


def _check_kdf(kdf: object) -> None:
    if not isinstance(kdf, dict) or not _is_hex(kdf.get("salt"), _SALT_SIZE):
        raise _refuse_form("its key derivation is malformed", "其密钥派生参数格式错误")
    if kdf.get("name") == "hkdf-sha256" and set(kdf) == {"name", "salt"}:
        return
    low, high = SCRYPT_N_RANGE
    n = kdf.get("n")
    is_sound = (
        kdf.get("name") == "scrypt"
        and set(kdf) == {"n", "name", "p", "r", "salt"}
        and (type(n) is int and low <= n <= high and n & (n - 1) == 0)
        and (type(kdf["r"]) is int and kdf["r"] == SCRYPT_R)
        and (type(kdf["p"]) is int and kdf["p"] == SCRYPT_P)
    )
    if not is_sound:
        raise _refuse_form("its key derivation is not a known one", "其密钥派生方式未知")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        envelope = parse_canonical(data, size_max=ENVELOPE_SIZE_MAX)
    except RecordFormatError as error:
        raise _refuse_form(error.message.en.rstrip("."), error.message.zh.rstrip("。")) from None
    names = {"cipher", "ciphertext", "kdf", "nonce", "role", "v"}
    if not isinstance(envelope, dict) or set(envelope) != names:
        raise _refuse_form(f"expected the fields {sorted(names)}", f"应有字段 {sorted(names)}")
    if type(envelope["v"]) is not int or envelope["v"] != VERSION:
        raise _refuse_form(f"version {envelope['v']!r} is unknown", f"版本 {envelope['v']!r} 未知")
    if envelope["cipher"] != CIPHER:
        raise _refuse_form("its cipher is unknown", "其加密算法未知")
    _check_kdf(envelope["kdf"])
    ciphertext = envelope["ciphertext"]
    if not _is_hex(envelope["nonce"], _NONCE_SIZE) or not _is_hex(ciphertext):
        raise _refuse_form("its nonce or ciphertext is malformed", "其随机数或密文格式错误")
    if len(ciphertext) < 2 * _TAG_SIZE:
        raise _refuse_form("its ciphertext is too short", "其密文过短")
    return envelope


def _check_kind(secret: Secret, kdf_name: str) -> None:
    wanted = "passphrase" if kdf_name == "scrypt" else "key_file"
    if secret.kind != wanted:
        names = {
            "passphrase": Text("a passphrase", "口令"),
            "key_file": Text("a key file", "密钥文件"),
        }
        raise InputError(
            "CRN-C-045",
            Text(
                f"The key is locked with {names[wanted].en}, not with {names[secret.kind].en}.",
                f"该密钥由{names[wanted].zh}保护，而不是{names[secret.kind].zh}。",
            ),
            Text("Check key_file in carnet.toml.", "请检查 carnet.toml 中的 key_file。"),
        )


def decrypt(secret: Secret, data: bytes, *, role: str) -> bytes:
    """Return the plaintext of an envelope of a role.

    Raises:
        InputError: It is not an envelope, of another role, was changed, or the secret is wrong.
    """
    envelope = _parse(data)
    if envelope["role"] != role:
        raise _refuse_form(
            f"its role is {envelope['role']!r}, expected {role!r}",
            f"其用途为 {envelope['role']!r}，应为 {role!r}",
        )
    kdf = envelope["kdf"]
    _check_kind(secret, kdf["name"])
    key = _derive_key(secret, kdf, role)
    try:
        return AESGCM(key).decrypt(
            bytes.fromhex(envelope["nonce"]),
            bytes.fromhex(envelope["ciphertext"]),
            _associated_data(role, kdf),
        )
    except InvalidTag:
        raise InputError(
            "CRN-C-046",
            Text(
                f"The key {role!r} cannot be unlocked: the passphrase or key file is wrong, "
                "or the file was changed.",
                f"无法解锁密钥 {role!r}：口令或密钥文件错误，或文件已被改动。",
            ),
            Text(
                "Use the passphrase or the key file of this workspace.",
                "请使用本工作区的口令或密钥文件。",
            ),
        ) from None


def seal_file(path: Path, secret: Secret, plaintext: bytes, *, role: str) -> None:
    """Write a new envelope to a file of mode 0600.

    Raises:
        InputError: The file exists.
    """
    write_private(path, encrypt(secret, plaintext, role=role))


def open_file(path: Path, secret: Secret, *, role: str) -> bytes:
    """Return the plaintext of an envelope in a file.

    Raises:
        InputError: The file cannot be used or its envelope cannot be opened.
    """
    return decrypt(secret, read_private(path), role=role)

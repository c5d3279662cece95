"""How a credential comes: plain JSON with or without a proof, or enveloped in a JSON Web Token.

Source: W3C Verifiable Credentials Data Model v2.0, sections 4.12 and 5.13; W3C Securing Verifiable
Credentials using JOSE and COSE, section 3.1; RFC 7515, sections 3.1, 4.1.11 and 5.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from carnet.core.base64url import base64url_decode
from carnet.core.text import Text
from carnet.facts.intake.untp.document import read_object
from carnet.facts.intake.untp.faults import ROOT, at
from carnet.facts.issue import shown

JWT_SUFFIX: Final = ".jwt"
ENVELOPED: Final = "EnvelopedVerifiableCredential"
_MARK: Final = b"Credential"
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
_DATA_URL: Final = re.compile(r"data:application/(?:vc|vc-ld|vc\+ld\+json)\+jwt,(.+)", re.DOTALL)
_TOKEN: Final = Text(
    "a JSON Web Token in compact form: header.payload.signature",
    "紧凑格式的 JSON Web Token：头部.载荷.签名",
)
_UNSIGNED: Final = "none"


@dataclass(frozen=True, slots=True)
class Token:
    """A JSON Web Signature in compact form, decoded and not checked.

    Args:
        header: The protected header.
        signing_input: What was signed.
        signature: The signature.
    """

    header: Mapping[str, Any]
    signing_input: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Secured:
    """A credential as it came.

    Args:
        document: The credential itself, with its proof where it has one.
        token: What envelops it, None for plain JSON.
    """

    document: Mapping[str, Any]
    token: Token | None = None


def is_credential(data: bytes) -> bool:
    """Return whether a JSON file is a verifiable credential and no list of facts."""
    if _MARK not in data:
        return False
    try:
        document = orjson.loads(data)
    except ValueError:
        return False
    return isinstance(document, dict) and ("@context" in document or "issuer" in document)


def read_secured(data: bytes) -> Secured:
    """Return the credential of a JSON document, taken out of its envelope where it has one.

    Raises:
        CredentialRefusedError: It cannot be read.
    """
    document = read_object(data)
    types = document.get("type")
    names = types if isinstance(types, list) else [types]
    if ENVELOPED not in names:
        return Secured(document)
    address = document.get("id")
    match = _DATA_URL.fullmatch(address) if isinstance(address, str) else None
    if match is None:
        raise at(
            "$.id",
            shown("" if address is None else address),
            Text("data:application/vc+jwt,TOKEN", "data:application/vc+jwt,TOKEN 形式的地址"),
        )
    return read_token(match[1], "$.id")


def read_token(text: str, path: str = ROOT) -> Secured:
    """Return the credential of a JSON Web Token.

    Raises:
        CredentialRefusedError: It is none, states that it is unsigned, or asks for an extension.
    """
    if not _COMPACT.fullmatch(text):
        raise at(path, shown(text), _TOKEN)
    head, payload, signature = text.split(".")
    try:
        parts = [base64url_decode(part) for part in (head, payload, signature)]
    except ValueError as error:
        raise at(path, shown(str(error)), _TOKEN) from None
    header = read_object(parts[0], f"{path} (header)")
    _check_header(header, path)
    token = Token(header, f"{head}.{payload}".encode("ascii"), parts[2])
    return Secured(read_object(parts[1]), token)


def _check_header(header: Mapping[str, Any], path: str) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == _UNSIGNED:
        raise at(
            f"{path} (header).alg",
            shown("" if algorithm is None else algorithm),
            Text("the algorithm of a signature", "签名算法"),
        )
    # An extension that a reader does not know must not be passed over.
    if "crit" in header:
        raise at(
            f"{path} (header).crit",
            shown(header["crit"]),
            Text("a token without critical extensions", "不含关键扩展的令牌"),
        )

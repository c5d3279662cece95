"""The credential map: whose credentials are read, what they mean, and which keys are pinned.

A closed TOML file that an officer writes and signs off. An issuer, a product or a law that it does
not name refuses the credential.

Source: docs/adr/0021-credentials-and-evidence.md; docs/howto/import-credentials.md.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.issue import shown
from carnet.facts.types.base import BodyNumber, FactId, Line
from carnet.facts.types.conformity import Act, CertificateKind, Module

MAP_SIZE_MAX: Final = 1024 * 1024
ROWS_MAX: Final = 10_000
KEYS_MAX: Final = 20
_MULTIKEY: Final = r"^z[1-9A-HJ-NP-Za-km-z]{40,100}$"
T = TypeVar("T")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class IssuerRow(_Closed):
    """What an officer says of one issuer.

    `issued_on` says which date of its credentials is the day on which its certificates are issued,
    `valid_until` whether they end with the credential, `number` which member holds their number.
    """

    id: Line
    issued_on: Literal["assessment_date", "credential_valid_from"]
    valid_until: Literal["credential_valid_until"] | None = None
    number: Literal["attestation_id", "attestation_id_end", "attestation_name"] | None = None
    keys: Annotated[list[Annotated[str, Field(pattern=_MULTIKEY)]], Field(max_length=KEYS_MAX)] = []
    counts_as_verified: bool = False
    kind: CertificateKind | None = None
    module: Module | None = None
    body_number: BodyNumber | None = None
    party_id: FactId | None = None
    test_lab_id: FactId | None = None


class _ProductRow(_Closed):
    id: Line
    product_id: FactId


class _RegulationRow(_Closed):
    reference: Line
    act: Act


class StandardRow(_Closed):
    """The standard that a reference stands for, and the act where the standard alone tells it."""

    reference: Line
    standard: Line
    edition: Line
    act: Act | None = None


class _Map(_Closed):
    version: Literal[1]
    issuers: Annotated[list[IssuerRow], Field(min_length=1, max_length=ROWS_MAX)]
    products: Annotated[list[_ProductRow], Field(max_length=ROWS_MAX)] = []
    regulations: Annotated[list[_RegulationRow], Field(max_length=ROWS_MAX)] = []
    standards: Annotated[list[StandardRow], Field(max_length=ROWS_MAX)] = []


@dataclass(frozen=True, slots=True)
class CredentialMap:
    """How the credentials of some issuers are read.

    Args:
        issuers: By DID.
        products: The product of each identifier that a credential names.
        regulations: The act of each regulation, by its identifier or name.
        standards: What each standard is, by its identifier or name.
    """

    issuers: Mapping[str, IssuerRow]
    products: Mapping[str, str] = field(default_factory=dict)
    regulations: Mapping[str, Act] = field(default_factory=dict)
    standards: Mapping[str, StandardRow] = field(default_factory=dict)


def _refuse(path: Path, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-F-061",
        Text(f"The credential map {path} cannot be used: {en}", f"凭证映射 {path} 无法使用：{zh}"),
        Text(
            "Correct it; docs/howto/import-credentials.md shows one.",
            "请更正；示例见 docs/howto/import-credentials.md。",
        ),
    )


def read_credential_map(path: Path) -> CredentialMap:
    """Return the credential map of a file.

    Raises:
        InputError: It cannot be read, is not of the closed form, or names something twice.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAP_SIZE_MAX + 1)
    except OSError as error:
        raise _refuse(path, f"{error.strerror}.", f"{error.strerror}。") from error
    if len(data) > MAP_SIZE_MAX:
        raise _refuse(path, f"it has over {MAP_SIZE_MAX} bytes.", f"超过 {MAP_SIZE_MAX} 字节。")
    try:
        return _converted(path, _Map.model_validate(tomllib.loads(data.decode())))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        found = shown(first.get("input"))
        raise _refuse(
            path,
            f"{place}: {first['msg']} ({found}).",
            f"{place} 的取值 {found} 不符合要求（{first['msg']}）。",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refuse(path, f"it is not TOML: {error}.", f"不是 TOML：{error}。") from None


def _converted(path: Path, found: _Map) -> CredentialMap:
    for row in found.issuers:
        if row.counts_as_verified and not row.keys:
            raise _refuse(
                path,
                f"{shown(row.id)} counts_as_verified without keys: only a signature can count.",
                f"{shown(row.id)} 未列出 keys 却设置了 counts_as_verified：只有签名可视同核实。",
            )
    return CredentialMap(
        _unique(path, ((row.id, row) for row in found.issuers)),
        _unique(path, ((row.id, row.product_id) for row in found.products)),
        _unique(path, ((row.reference, row.act) for row in found.regulations)),
        _unique(path, ((row.reference, row) for row in found.standards)),
    )


def _unique(path: Path, pairs: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    result: dict[str, T] = {}
    for name, value in pairs:
        if name in result:
            raise _refuse(path, f"{shown(name)} stands twice.", f"{shown(name)} 出现两次。")
        result[name] = value
    return MappingProxyType(result)

"""Reading one credential: out of its envelope, checked, its signature judged, then as facts."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from carnet.core.digests import sha256
from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.opening import check_utf8
from carnet.facts.intake.untp.certificates import rows_of
from carnet.facts.intake.untp.checking import check_credential
from carnet.facts.intake.untp.envelope import Secured, read_secured, read_token
from carnet.facts.intake.untp.faults import CredentialRefusedError, at
from carnet.facts.intake.untp.mapping import CredentialMap
from carnet.facts.intake.untp.meaning import ProductsOfGtin
from carnet.facts.intake.untp.models import UNKNOWN_MAX, Credential, unknown_members
from carnet.facts.intake.untp.verdict import CheckSignature, SignatureVerdict
from carnet.facts.issue import Problem, Source, shown
from carnet.facts.schema import FACT_TYPES
from carnet.facts.types.conformity import SignatureCause

_MAP_NEEDED: Final = Text(
    "Name the credential map with --credential-map; docs/howto/import-credentials.md shows one.",
    "请用 --credential-map 指定凭证映射；示例见 docs/howto/import-credentials.md。",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What reading credentials needs.

    Args:
        map: What they mean.
        check: Checks their signatures.
        products_of: Finds products by their GTIN.
        report: Takes what is to be said about each credential that was read.
    """

    map: CredentialMap
    check: CheckSignature
    products_of: ProductsOfGtin
    report: Callable[["CredentialNote"], None]


@dataclass(frozen=True, slots=True)
class CredentialNote:
    """What the report of an import says about a credential.

    Args:
        file: The file.
        credential: The id of the credential.
        issuer: The DID of its issuer.
        cause: Why its signature was not checked; None where it is valid.
        has_status_list: Whether it names a status list, which was not fetched.
        unknown: The paths of members that version 0.6 does not know, up to a bound.
        unknown_count: How many there are.
    """

    file: str
    credential: str
    issuer: str
    cause: SignatureCause | None
    has_status_list: bool
    unknown: tuple[str, ...]
    unknown_count: int

    def to_json(self) -> dict[str, Any]:
        """Return the note as JSON."""
        return {
            "file": self.file,
            "credential": self.credential,
            "issuer": self.issuer,
            "signature": "valid" if self.cause is None else "not_checked",
            "signature_cause": self.cause,
            "revocation": "not_checked" if self.has_status_list else "none_stated",
            "unknown_members": list(self.unknown),
            "unknown_member_count": self.unknown_count,
        }


def read_credential(
    data: bytes,
    credentials: Credentials | None,
    file: str,
    collector: Collector,
    *,
    is_token: bool = False,
) -> None:
    """Read a credential: its facts and problems go to the collector.

    Args:
        data: The content of the file.
        credentials: How to read it; without that, the file is refused.
        file: How messages name the file.
        collector: Takes the facts and the problems.
        is_token: Whether the file holds a bare JSON Web Token.

    Raises:
        FileRefusedError: It is not text in UTF-8.
    """
    source = Source(file)
    try:
        if len(data) > collector.limits.credential_size_max:
            raise _too_large(len(data), collector.limits.credential_size_max)
        text = check_utf8(data)
        secured = read_token(text.decode().strip()) if is_token else read_secured(text)
        _read(secured, data, credentials, source, collector)
    except CredentialRefusedError as refusal:
        collector.log.extend(source, refusal.problems)


def _too_large(size: int, limit: int) -> CredentialRefusedError:
    return at(
        "$",
        Text(f"{size} bytes", f"{size} 字节"),
        Text(f"a credential of at most {limit} bytes", f"不超过 {limit} 字节的凭证"),
        Text("Ask the issuer for one without pictures.", "请向签发方索取不含图片的凭证。"),
    )


def _read(
    secured: Secured,
    data: bytes,
    credentials: Credentials | None,
    source: Source,
    collector: Collector,
) -> None:
    credential = check_credential(secured.document)
    known = credentials.map.issuers if credentials is not None else {}
    if credentials is None or credential.issuer.id not in known:
        raise _unknown_issuer(credential, has_map=credentials is not None)
    verdict = _verdict(credential, secured, credentials)
    digest = sha256(data).hex()
    rows = rows_of(credential, credentials.map, credentials.products_of, verdict, digest)
    for name, values in rows:
        present = {key: value for key, value in values.items() if value is not None}
        collector.add_values(FACT_TYPES[name], present, source)
    credentials.report(_note(credential, verdict, source.file))


def _note(credential: Credential, verdict: SignatureVerdict, file: str) -> CredentialNote:
    unknown = unknown_members(credential)
    listed = tuple(islice(unknown, UNKNOWN_MAX))
    return CredentialNote(
        file=file,
        credential=credential.id,
        issuer=credential.issuer.id,
        cause=verdict.cause,
        has_status_list=credential.credential_status is not None,
        unknown=listed,
        unknown_count=len(listed) + sum(1 for _ in unknown),
    )


def _unknown_issuer(credential: Credential, *, has_map: bool) -> CredentialRefusedError:
    remedy = Text(
        "If an officer accepts its credentials, add it to [[issuers]] of the credential map.",
        "若合规专员接受其凭证，请将其加入凭证映射的 [[issuers]]。",
    )
    return at(
        "$.issuer.id",
        shown(credential.issuer.id),
        Text("an issuer that a credential map names", "凭证映射中列出的签发方"),
        remedy if has_map else _MAP_NEEDED,
    )


def _verdict(
    credential: Credential, secured: Secured, credentials: Credentials
) -> SignatureVerdict:
    """Return what the check of the signature gave, also that of a token's own issuer."""
    issuer = credential.issuer.id
    if secured.token is not None and credential.iss not in {None, issuer}:
        raise at(
            "$.iss", shown(credential.iss or ""), Text(f"the issuer {issuer}", f"签发方 {issuer}")
        )
    verdict = credentials.check(secured, issuer, credentials.map.issuers[issuer].keys)
    if verdict.fault is not None:
        path, found = verdict.fault
        raise CredentialRefusedError(
            [
                Problem(
                    path,
                    found,
                    Text("a valid signature of the issuer", "签发方的有效签名"),
                    Text(
                        "Do not use it. Ask the issuer, by another way, for the credential.",
                        "请勿使用。请通过其他渠道向签发方索取凭证。",
                    ),
                )
            ]
        )
    return verdict

"""The members of a Digital Conformity Credential that are read, typed strictly.

Members of version 0.6 that are not read are declared as opaque, so that what is left over are the
members that the version does not know: those are listed for the reader of the import's report.

Source: UNTP DCC schema v0.6.1; W3C Verifiable Credentials Data Model v2.0, section 4.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from carnet.facts.intake.untp.faults import ROOT, member
from carnet.facts.parse import text_to_date
from carnet.facts.types.base import DATE_MAX, DATE_MIN, Day, Line

ASSESSMENTS_MAX: Final = 200
PRODUCTS_MAX: Final = 1_000
TYPES_MAX: Final = 20
UNKNOWN_MAX: Final = 100
"""Members that a report lists by path; the others are counted."""

BAD_INSTANT: Final = "instant"
BAD_URI: Final = "uri"
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-Z\[\]_a-z~]+", re.ASCII)
_URI_LENGTH_MAX: Final = 1_024

Opaque: TypeAlias = Any
"""A member of version 0.6 that nothing is read from."""


def _instant(value: Any) -> "Moment":
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is not None:
            whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
            found = whole.astimezone(UTC)
            if DATE_MIN < found.date() < DATE_MAX:
                return Moment(found, has_fraction=bool((match[2] or "").strip("0")))
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError(BAD_INSTANT, "no instant")


def _uri(value: Any) -> str:
    is_uri = isinstance(value, str) and len(value) <= _URI_LENGTH_MAX and _URI.fullmatch(value)
    if not is_uri:
        raise PydanticCustomError(BAD_URI, "no URI")
    return str(value)


class Moment:
    """An instant of a credential: whole seconds in UTC, and whether a fraction follows."""

    __slots__ = ("floor", "has_fraction")

    def __init__(self, floor: datetime, *, has_fraction: bool) -> None:
        self.floor = floor
        self.has_fraction = has_fraction

    @property
    def ceiling(self) -> datetime:
        """The first whole second that is not before it."""
        return self.floor + timedelta(seconds=1) if self.has_fraction else self.floor

    @property
    def last_day(self) -> date:
        """The last day, in UTC, that it leaves whole but for a second."""
        return (self.floor + timedelta(seconds=1)).date() - timedelta(days=1)


Instant = Annotated[Moment, BeforeValidator(_instant)]
Uri = Annotated[str, BeforeValidator(_uri)]
CalendarDay = Annotated[
    Day, BeforeValidator(lambda value: text_to_date(value) if isinstance(value, str) else value)
]
Types = Annotated[list[Line], Field(min_length=1, max_length=TYPES_MAX)]


class Member(BaseModel):
    """An object of a credential: what is read is checked, what is unknown is kept to be listed."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        frozen=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


class Issuer(Member):
    """Who issued the credential."""

    id: Uri
    name: Line
    type: Opaque = None
    issuer_also_known_as: Opaque = None


class SecureLink(Member):
    """A link to a document, with the digest of its content."""

    type: Opaque = None
    link_url: Annotated[Uri | None, Field(alias="linkURL")] = None
    link_name: Opaque = None
    link_type: Opaque = None
    hash_digest: Line | None = None
    hash_method: Literal["SHA-256", "SHA-1"] | None = None


class Standard(Member):
    """The standard that something was assessed against."""

    id: Uri | None = None
    name: Line | None = None
    type: Opaque = None
    issuing_party: Opaque = None
    issue_date: Opaque = None


class Regulation(Member):
    """The regulation that something was assessed against."""

    id: Uri | None = None
    name: Line | None = None
    type: Opaque = None
    jurisdiction_country: Opaque = None
    administered_by: Opaque = None
    effective_date: Opaque = None


class Product(Member):
    """A product, a batch or one item."""

    id: Uri
    name: Line
    type: Opaque = None
    registered_id: Opaque = None
    id_scheme: Opaque = None
    batch_number: Line | None = None
    serial_number: Line | None = None


class ProductVerification(Member):
    """A product that was assessed."""

    type: Opaque = None
    product: Product
    is_id_verified: Annotated[bool | None, Field(alias="IDverifiedByCAB")] = None


class Assessment(Member):
    """One assessment of an attestation."""

    type: Opaque = None
    id: Uri
    name: Opaque = None
    description: Opaque = None
    assessment_date: CalendarDay | None = None
    reference_standard: Standard | None = None
    reference_regulation: Regulation | None = None
    assessment_criteria: Opaque = None
    declared_value: Opaque = None
    conformity_topic: Opaque = None
    conformance: bool
    assessed_product: Annotated[
        list[ProductVerification], Field(min_length=1, max_length=PRODUCTS_MAX)
    ]
    assessed_facility: Opaque = None
    assessed_organisation: Opaque = None
    auditor: Opaque = None


class Attestation(Member):
    """What the credential is about."""

    type: Types
    id: Uri
    name: Line | None = None
    description: Opaque = None
    assessor_level: Literal["Self", "Commercial", "Buyer", "Membership", "Unspecified", "3rdParty"]
    assessment_level: Literal[
        "GovtApproval", "GlobalMRA", "Accredited", "Verified", "Validated", "Unspecified"
    ]
    attestation_type: Literal[
        "certification",
        "declaration",
        "inspection",
        "testing",
        "verification",
        "validation",
        "calibration",
    ]
    issued_to_party: Opaque = None
    authorisation: Opaque = None
    conformity_certificate: SecureLink | None = None
    auditable_evidence: Opaque = None
    scope: Opaque = None
    assessment: Annotated[list[Assessment], Field(min_length=1, max_length=ASSESSMENTS_MAX)]


class Credential(Member):
    """The credential itself."""

    context: Annotated[list[Any], Field(alias="@context", min_length=2, max_length=TYPES_MAX)]
    type: Types
    id: Uri
    issuer: Issuer
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    credential_subject: Attestation
    credential_status: Opaque = None
    credential_schema: Opaque = None
    name: Opaque = None
    description: Opaque = None
    proof: Opaque = None
    render_method: Opaque = None
    refresh_service: Opaque = None
    related_resource: Opaque = None
    terms_of_use: Opaque = None
    evidence: Opaque = None
    # Claims that an issuer may repeat beside the credential in a token (RFC 7519, section 4.1).
    iss: Uri | None = None
    sub: Opaque = None
    aud: Opaque = None
    exp: Opaque = None
    nbf: Opaque = None
    iat: Opaque = None
    jti: Opaque = None
    cnf: Opaque = None


def unknown_members(found: Member, path: str = ROOT) -> Iterator[str]:
    """Yield the paths of members that version 0.6 does not know, in the order of the document."""
    for name in found.model_extra or {}:
        yield member(path, name)
    for name, field in type(found).model_fields.items():
        value = getattr(found, name)
        place = member(path, field.alias or name)
        if isinstance(value, Member):
            yield from unknown_members(value, place)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                if isinstance(each, Member):
                    yield from unknown_members(each, member(place, number))

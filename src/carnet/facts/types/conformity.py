"""What proves conformity: certificates and their parts, labs, bodies, responsible persons."""

from typing import Annotated, ClassVar, Literal

from carnet.core.text import Text
from carnet.facts.types.base import (
    BodyNumber,
    Boolean,
    CertificateRef,
    Country,
    Day,
    Days,
    FactModel,
    Instant,
    LanguageTag,
    Line,
    Note,
    PartyRef,
    ProductRef,
    Sha256,
    TestLabRef,
)
from carnet.facts.types.checks import CrossCheck, NotBefore, PresentWith
from carnet.facts.types.trading import Market

Act = Literal[
    "red",
    "red_cyber",
    "cra",
    "lvd",
    "emc",
    "rohs",
    "toys_dir",
    "toys_reg",
    "machinery_dir",
    "machinery_reg",
    "ppe",
    "batteries",
    "gpsr",
    "fcc_15b",
    "fcc_15c",
    "cpsc_toy",
    "cpsc_other",
    "common_charger",
    "ecodesign",
    "energy_label",
    "espr",
    "ppwr",
    "reach",
    "noise",
    "uas",
    "textile_label",
    "cosmetics",
    "food_contact",
    "dangerous_goods",
    "fcc_15e",
    "fcc_18",
    "uk_radio",
    "uk_electrical",
    "uk_emc",
    "uk_rohs",
    "uk_toys",
    "uk_machinery",
    "uk_ppe",
    "kr_kc",
    "kr_radio",
    "jp_pse",
    "jp_radio",
    "au_rcm",
    "other",
]
"""Laws and sets of rules under which documents are issued."""

Module = Literal["A", "B", "C", "C2", "D", "D1", "G", "H"]
"""Modules of conformity assessment. Source: Decision 768/2008/EC, annex II."""

CertificateKind = Literal[
    "eu_doc",
    "simplified_doc",
    "eu_type_exam_cert",
    "qa_cert",
    "test_report",
    "voluntary_cert",
    "tech_file",
    "rohs_exemption_use",
    "un38_3_summary",
    "instructions",
    "fcc_grant",
    "fcc_sdoc",
    "cpc",
    "gcc",
    "ukca_doc",
    "labels",
    "product_passport",
]


class Certificate(FactModel):
    """A conformity document of a product."""

    TYPE = "certificate"
    TITLE = Text("Certificate", "合规证书")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("issued_on", "printed_valid_until"),
        NotBefore("valid_from", "printed_valid_until"),
        NotBefore("issued_on", "last_reviewed_on"),
        NotBefore("issued_on", "status_on"),
    )

    product_id: ProductRef
    kind: CertificateKind
    act: Act
    number: Line | None = None
    issuer_id: PartyRef | None = None
    body_number: Annotated[
        BodyNumber | None, Note("matched to `notified_body.number`, no reference to a fact's id")
    ] = None
    module: Module | None = None
    issued_on: Day
    valid_from: Day | None = None
    printed_valid_until: Annotated[Day | None, Note("absent where no end is printed")] = None
    last_reviewed_on: Day | None = None
    last_tested_on: Day | None = None
    test_lab_id: TestLabRef | None = None
    status: Literal["active", "suspended", "withdrawn", "revoked", "surrendered", "terminated"]
    status_on: Day | None = None
    language: LanguageTag | None = None
    evidence_sha256: Annotated[Sha256 | None, Note("digest of the evidence file")] = None
    is_verified: Annotated[
        Boolean, Note("a person compared the data with the document at its issuer")
    ]


SignatureCause = Literal[
    "unsigned", "issuer_not_pinned", "suite_not_supported", "outside_canonical_profile"
]
"""Why the signature of a credential was not checked."""


class CertificateCredential(FactModel):
    """The verifiable credential from which a certificate was imported."""

    TYPE = "certificate_credential"
    TITLE = Text("Credential of a certificate", "证书的可验证凭证")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("valid_from", "valid_until"),
        PresentWith("signature", "not_checked", "signature_cause"),
    )

    certificate_id: CertificateRef
    profile: Literal["untp_dcc_0_6"]
    credential: Annotated[Line, Note("the credential's own id, a URI")]
    issuer: Annotated[Line, Note("the issuer's DID")]
    valid_from: Annotated[
        Instant | None, Note("of the credential, not of the certificate; rounded up to the second")
    ] = None
    valid_until: Annotated[
        Instant | None,
        Note("of the credential, not of the certificate; rounded down to the second"),
    ] = None
    signature: Annotated[
        Literal["valid", "not_checked"], Note("one that is not valid refuses the import")
    ]
    signature_cause: Annotated[SignatureCause | None, Note("why the signature was not checked")] = (
        None
    )
    revocation: Annotated[
        Literal["none_stated", "not_checked"],
        Note("whether the credential names a status list; none is ever fetched"),
    ]
    credential_sha256: Annotated[Sha256, Note("digest of the file that was imported")]


class CertificateAct(FactModel):
    """One of the acts that a declaration lists."""

    TYPE = "certificate_act"
    TITLE = Text("Act of a certificate", "证书所列法规")

    certificate_id: CertificateRef
    act: Act


class CertificateStandard(FactModel):
    """One of the standards that a certificate rests on."""

    TYPE = "certificate_standard"
    TITLE = Text("Standard of a certificate", "证书所依标准")

    certificate_id: CertificateRef
    standard: Line
    edition: Line
    presumption_until: Day | None = None


class RenewalPlan(FactModel):
    """When the seller means to apply for a certificate's renewal."""

    TYPE = "renewal_plan"
    TITLE = Text("Renewal plan", "续期计划")

    certificate_id: CertificateRef
    planned_application_on: Day
    lab_lead_days: Days
    applied_on: Day | None = None


class TestLab(FactModel):
    """A testing laboratory."""

    TYPE = "test_lab"
    TITLE = Text("Test laboratory", "检测实验室")

    name: Line
    country: Country


class LabRecognition(FactModel):
    """A laboratory's recognition by one scheme for one scope and time."""

    TYPE = "lab_recognition"
    TITLE = Text("Recognition of a laboratory", "实验室认可")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (
        NotBefore("valid_from", "valid_until"),
        NotBefore("valid_from", "withdrawn_on"),
    )

    lab_id: TestLabRef
    scheme: Literal["fcc", "cpsc", "iso17025"]
    scope: Line
    valid_from: Day
    valid_until: Day | None = None
    withdrawn_on: Day | None = None


class NotifiedBody(FactModel):
    """A notified body's designation for one act and time."""

    TYPE = "notified_body"
    TITLE = Text("Notified body", "公告机构")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("valid_from", "valid_until"),)

    number: BodyNumber
    act: Act
    module: Module | None = None
    valid_from: Day
    valid_until: Day | None = None


class ResponsiblePerson(FactModel):
    """The operator in the market who answers for a product."""

    TYPE = "responsible_person"
    TITLE = Text("Responsible person", "责任人")
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = (NotBefore("valid_from", "valid_until"),)

    product_id: ProductRef
    market: Market
    name: Line
    postal_address: Line
    email: Line
    valid_from: Day
    valid_until: Day | None = None


class IpSearch(FactModel):
    """A search for patents or trademarks in the way of a product."""

    TYPE = "ip_search"
    TITLE = Text("IP search", "知识产权检索")

    product_id: ProductRef
    market: Market
    kind: Literal["patent", "trademark"]
    searched_on: Day
    result: Literal["clear", "conflict", "open"]


MODELS: tuple[type[FactModel], ...] = (
    Certificate,
    CertificateCredential,
    CertificateAct,
    CertificateStandard,
    RenewalPlan,
    TestLab,
    LabRecognition,
    NotifiedBody,
    ResponsiblePerson,
    IpSearch,
)
"""The types of this topic, in the order of the documentation."""

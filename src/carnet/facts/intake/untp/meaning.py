"""What an attestation is in the vocabulary of facts: its kind of certificate, its act, its product.

Source: UNTP DCC v0.6, codes of assessor level, assessment level and attestation type; European
Legislation Identifier (Council conclusions 2012/C 325/02); GS1 Digital Link 1.2, section 4.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from carnet.core.text import Text
from carnet.facts.intake.untp.faults import CredentialRefusedError, at
from carnet.facts.intake.untp.mapping import CredentialMap, IssuerRow, StandardRow
from carnet.facts.intake.untp.models import Assessment, Attestation, Product
from carnet.facts.issue import shown
from carnet.facts.types.conformity import Act, CertificateKind

ProductsOfGtin: TypeAlias = Callable[[str], tuple[str, ...]]
"""Returns the ids of the products that have a GTIN, given with 14 digits."""

DECLARATIONS: Final[frozenset[CertificateKind]] = frozenset(
    {"eu_doc", "simplified_doc", "ukca_doc", "fcc_sdoc"}
)
"""The kinds of which one document covers all acts of a product."""

_ELI: Final = re.compile(
    r"https?://data\.europa\.eu/eli/(dir|reg)/([0-9]{4}/[0-9]{1,4})(?:/[A-Za-z0-9/:-]*)?", re.ASCII
)
_ACTS: Final[Mapping[str, Act]] = {
    "dir/2014/53": "red",
    "dir/2014/35": "lvd",
    "dir/2014/30": "emc",
    "dir/2011/65": "rohs",
    "dir/2009/48": "toys_dir",
    "reg/2025/2509": "toys_reg",
    "dir/2006/42": "machinery_dir",
    "reg/2023/1230": "machinery_reg",
    "reg/2016/425": "ppe",
    "reg/2023/1542": "batteries",
    "reg/2023/988": "gpsr",
    "reg/2024/2847": "cra",
    "reg/2024/1781": "espr",
    "reg/2025/40": "ppwr",
    "reg/2006/1907": "reach",
    "reg/2017/1369": "energy_label",
    "reg/2009/1223": "cosmetics",
    "reg/2011/1007": "textile_label",
    "reg/2004/1935": "food_contact",
    "dir/2000/14": "noise",
}
_DECLARED: Final[frozenset[Act]] = frozenset(
    {
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
        "common_charger",
        "ecodesign",
        "ppwr",
        "noise",
        "uas",
    }
)
"""The acts of the Union that ask for an EU declaration of conformity."""

_LINK: Final = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/01/([0-9]{14})(/[^?#]*)?(?:[?#].*)?")
_MAP_IT: Final = Text("Add it to the credential map.", "请将其加入凭证映射。")


def act_of(
    assessment: Assessment, path: str, found: CredentialMap
) -> tuple[Act, StandardRow | None]:
    """Return the act of an assessment, and its standard where the map names it.

    Raises:
        CredentialRefusedError: Neither the regulation nor the standard is known.
    """
    regulation, standard = assessment.reference_regulation, assessment.reference_standard
    row = None
    if standard is not None:
        row = found.standards.get(standard.id or "") or found.standards.get(standard.name or "")
    if regulation is None:
        if row is not None and row.act is not None:
            return row.act, row
        named = standard and (standard.id or standard.name)
        raise at(
            f"{path}.referenceStandard" if standard else f"{path}.referenceRegulation",
            shown(named or ""),
            Text("a regulation, or a standard with its act", "法规，或已注明所属法规的标准"),
            _MAP_IT,
        )
    act = _regulation(regulation.id, regulation.name, found)
    if act is None:
        raise at(
            f"{path}.referenceRegulation",
            shown(regulation.id or regulation.name or ""),
            Text(
                "a regulation that the credential map names, or an act of the Union by its ELI",
                "凭证映射中列出的法规，或以 ELI 标识的欧盟法规",
            ),
            _MAP_IT,
        )
    return act, row


def _regulation(identifier: str | None, name: str | None, found: CredentialMap) -> Act | None:
    for reference in (identifier, name):
        if reference is not None and reference in found.regulations:
            return found.regulations[reference]
    match = _ELI.fullmatch(identifier or "")
    return _ACTS.get(f"{match[1]}/{match[2]}") if match else None


def kind_of(attestation: Attestation, act: Act, row: IssuerRow) -> CertificateKind:
    """Return the kind of certificate that an attestation under an act is.

    Raises:
        CredentialRefusedError: Its levels leave it open and the map does not say it.
    """
    if row.kind is not None:
        return row.kind
    levels = (attestation.assessor_level, attestation.assessment_level)
    match attestation.attestation_type:
        case "declaration" if levels[0] == "Self":
            kind = _declaration(act)
        case "certification" if levels == ("3rdParty", "GovtApproval"):
            kind = _approval(act, row)
        case "certification" if levels[0] == "3rdParty":
            kind = "voluntary_cert"
        case "testing" if levels == ("3rdParty", "Accredited"):
            kind = "test_report"
        case _:
            kind = None
    if kind is None:
        raise _open_kind(attestation, act)
    return kind


def _declaration(act: Act) -> CertificateKind | None:
    if act.startswith("uk_"):
        return "ukca_doc"
    if act.startswith("fcc_"):
        return "fcc_sdoc"
    return "eu_doc" if act in _DECLARED else None


def _approval(act: Act, row: IssuerRow) -> CertificateKind | None:
    if act.startswith("fcc_"):
        return "fcc_grant"
    if act not in _DECLARED or row.module is None:
        return None
    return "eu_type_exam_cert" if row.module == "B" else "qa_cert"


def _open_kind(attestation: Attestation, act: Act) -> CredentialRefusedError:
    words = (attestation.attestation_type, attestation.assessor_level, attestation.assessment_level)
    told = ", ".join(words)
    return at(
        "$.credentialSubject",
        Text(f"{told} under {act}", f"{act} 项下的 {told}"),
        Text("levels that tell the kind of certificate", "足以确定证书种类的级别"),
        Text(
            "Say `kind` of this issuer in the credential map; of a notified body, `module`.",
            "请在凭证映射中为该签发方注明 kind；若为公告机构，注明 module。",
        ),
    )


def product_of(
    product: Product, path: str, found: CredentialMap, products_of: ProductsOfGtin
) -> str:
    """Return the id of the product that a credential names.

    Raises:
        CredentialRefusedError: It is not known, several have its GTIN, or only a batch or an item
            of it was assessed and the map does not say that this stands for the product.
    """
    mapped = found.products.get(product.id)
    if mapped is not None:
        return mapped
    match = _LINK.fullmatch(product.id)
    if match is None:
        raise _unknown_product(path, product.id)
    gtin = match[1]
    batch = match[2] or product.batch_number or product.serial_number
    if batch:
        raise at(
            path,
            Text(f"only {shown(batch)} of {gtin}", f"仅为 {gtin} 的 {shown(batch)}"),
            Text("a whole product", "整个产品型号"),
            Text(
                "If the document covers the model, name this id under [[products]] of the map.",
                "若文件覆盖整个型号，请在映射的 [[products]] 中列出该标识。",
            ),
        )
    ids = products_of(gtin)
    if len(ids) != 1:
        raise _unknown_product(path, product.id, ids)
    return ids[0]


def _unknown_product(path: str, name: str, ids: tuple[str, ...] = ()) -> CredentialRefusedError:
    several = f" ({', '.join(ids)})" if ids else ""
    return at(
        f"{path}.id",
        shown(name) + several,
        Text(
            "an id that the credential map names, or a GS1 Digital Link with the GTIN of one"
            " product that is imported already",
            "凭证映射中列出的标识，或含某一已导入产品 GTIN 的 GS1 Digital Link",
        ),
        Text(
            "Import the product first, or name the id under [[products]] of the map.",
            "请先导入该产品，或在映射的 [[products]] 中列出该标识。",
        ),
    )

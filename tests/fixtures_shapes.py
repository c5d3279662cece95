"""Random packs of many shapes: paths, derived fields and measures of every form, lines of cases."""

from typing import Any

from hypothesis import strategies as st

from tests.fixtures_rules import (
    DERIVED,
    MEASURES,
    PARAMETERS,
    PATHS,
    TEXT,
    random_packs,
    rule,
)

_UNION = {
    **PATHS,
    "notified_body": ["notified_body.number == certificate.body_number",
                      "notified_body.number == certificate.number"],
    "renewal_plan": ["renewal_plan.certificate_id -> certificate <- certificate_act.certificate_id",
                     "renewal_plan.certificate_id -> certificate"],
}  # fmt: skip
_EVERY = {**PATHS, "notified_body": "*"}
_BY_PRODUCT = {**PATHS, "certificate": "certificate.product_id -> product <- listing.product_id"}
_MORE_DERIVED = [
    {
        "fact": "renewal_plan", "name": "latest", "kind": "date", "title": TEXT, "choose": "max",
        "candidates": [
            {"value": "renewal_plan.certificate.ends", "when": [],
             "reason": {"id": "ends", "en": "its end", "zh": "终止日"}},
            {"value": "listing.placed_on", "when": ["has(listing.placed_on)"],
             "reason": {"id": "placed", "en": "placing", "zh": "投放日"}},
        ],
    },
    {
        "fact": "certificate", "name": "first", "kind": "date", "title": TEXT, "choose": "first",
        "candidates": [
            {"value": "certificate.last_tested_on", "when": ["certificate.act != product.brand"],
             "reason": {"id": "tested", "en": "test", "zh": "检测"}},
            {"value": "add_months(certificate.issued_on, measure.verified)", "when": [],
             "reason": {"id": "issued", "en": "issue", "zh": "签发"}},
        ],
    },
    {
        "fact": "certificate", "name": "least", "kind": "date", "title": TEXT, "function": "min",
        "over": {"p": "renewal_plan"}, "of": "p.applied_on",
        "when": ["p.certificate_id == certificate.id"],
    },
]  # fmt: skip
_MORE_MEASURES = [
    {"name": "ages", "title": TEXT, "function": "sum", "over": {"c": "certificate"},
     "of": "days_between(c.issued_on, c.ends)", "when": ["c.is_verified"]},
    {"name": "bound", "title": TEXT,
     "value": "wilson_lower_bps(measure.verified, measure.count_all)"},
    {"name": "kinds", "title": TEXT, "function": "count_distinct", "over": {"c": "certificate"},
     "of": "c.number"},
    {"name": "longest", "title": TEXT, "choose": "max", "candidates": [
        {"value": "measure.ages", "when": ["measure.count_all > 1"]},
        {"value": "product.min_age_months * 1000", "when": ["product.is_ppe"]}]},
]  # fmt: skip
_TOLD = (
    "{as_of} {product.min_age_months} {product.is_radio} {listing.placed_on} {param.words}"
    " {measure.ratio} {measure.bound} {measure.ages}"
)
_EXTRA = [
    rule("reasons", severity="info", match=[{"r": "renewal_plan"}],
         when=["has(r.latest)", "r.latest > r.planned_application_on || r.lab_lead_days > 0"],
         finding={"message": {"en": "{r.latest} {r.latest_reason}", "zh": "{r.latest_reason}"},
                  "remedy": {"en": "{r.certificate.first_reason}", "zh": "{r.certificate.ends}"}}),
    rule("measured", when=["measure.longest >= measure.kinds"],
         finding={"message": {"en": _TOLD, "zh": _TOLD}, "remedy": TEXT}),
    rule("least", match=[{"c": "certificate"}], when=["c.least < c.first"],
         without=[{"d": "certificate", "when": ["d.least > c.least", "d.first == c.first"]}]),
    rule("brand", scope=[{"when": "product.brand == param.word", "reason": TEXT}],
         without=[{"b": "notified_body", "when": []}], when=[]),
]  # fmt: skip


@st.composite
def random_shapes(draw: st.DrawFn) -> dict[str, Any]:
    """What `pack_texts` takes, of many shapes."""
    content: dict[str, Any] = draw(random_packs())
    rules = content["rules"] + draw(
        st.lists(st.sampled_from(_EXTRA), unique_by=lambda one: one["id"], max_size=3)
    )
    case: dict[str, Any] = {"type": "listing", "alias": "listing"}
    case["with"] = {"product": "listing.product_id"}
    if draw(st.booleans()):
        lines = ['listing.market == "EU"', "listing.has_picture", "product.min_age_months < 40",
                 'listing.language in param.words || product.brand == "de"']  # fmt: skip
        case["when"] = draw(st.lists(st.sampled_from(lines), min_size=1, max_size=2, unique=True))
    return {
        "rules": rules,
        "paths": draw(st.sampled_from([PATHS, _UNION, _EVERY, _BY_PRODUCT])),
        "case": case,
        "derived": DERIVED + _MORE_DERIVED,
        "measures": MEASURES + _MORE_MEASURES,
        "parameters": PARAMETERS,
    }

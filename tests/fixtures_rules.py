"""Packs and facts of the rules tests: small ones by hand, random ones of the right types."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.pack import load_pack

AS_OF = date(2026, 11, 23)
TEXT = {"en": "text", "zh": "文本"}
LINK = "https://eur-lex.europa.eu/eli/dir/2014/53/oj"
LAW = {"law": [{"id": "LAW-1", "title": "Directive", "article": "1", "link": LINK, "status": "V"}]}
PATHS = {
    "product": "product <- listing.product_id",
    "certificate": "certificate.product_id -> product",
    "certificate_act": "certificate_act.certificate_id -> certificate",
    "renewal_plan": "renewal_plan.certificate_id -> certificate",
    "notified_body": "notified_body.number == certificate.body_number",
}


def header(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "schema": 1,
        "id": "sample",
        "version": "1",
        "title": TEXT,
        "jurisdiction": "EU",
        "authority": TEXT,
        "status": "draft",
        "effective": {"from": date(2020, 1, 1)},
        "stage": 10,
        "case": {
            "type": "listing",
            "alias": "listing",
            "with": {"product": "listing.product_id"},
        },
        "paths": PATHS,
    }
    return result | changes


def parameter(name: str, kind: str, value: Any, status: str = "V") -> dict[str, Any]:
    return {
        "id": name,
        "title": TEXT,
        "kind": kind,
        "unit": "text",
        "status": status,
        "citation": {"fact": "LAW-2", "title": "Regulation", "article": "2", "link": LINK},
        "values": [
            {"value": value, "valid_from": date(2000, 1, 1), "known_from": date(2000, 1, 1)}
        ],
        "last_checked": AS_OF,
    }


def rule(name: str = "rule-1", **changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": name,
        "title": TEXT,
        "citation": ["LAW-1"],
        "severity": "blocking",
        "finding": {"message": TEXT, "remedy": TEXT},
    }
    return result | changes


def output(name: str, combination: str = "unique") -> dict[str, Any]:
    return {"name": name, "title": TEXT, "combination": combination}


def outcome_rule(name: str = "rule-1", **changes: Any) -> dict[str, Any]:
    """A rule that raises no finding: what follows from it is given."""
    return {"id": name, "title": TEXT, "citation": ["LAW-1"]} | changes


def spell(value: Any) -> str:
    """Return YAML in flow style: JSON, but for dates, which stand plain."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {spell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spell(item) for item in value) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def pack_texts(
    *rules: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    derived: list[dict[str, Any]] | None = None,
    measures: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    closures: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[str, str]:
    """The files of a pack by their names; what else is given changes its header."""
    files = {
        "pack.yaml": header(**changes),
        "parameters.yaml": {"parameters": parameters or []},
        "law.yaml": LAW,
        "rules/all.yaml": {
            "derived": derived or [],
            "measures": measures or [],
            "outputs": outputs or [],
            "closures": closures or [],
            "rules": list(rules),
        },
    }
    return {name: spell(content) for name, content in files.items()}


def write_pack(folder: Path, *rules: dict[str, Any], **content: Any) -> Path:
    """Write what `pack_texts` returns into a folder."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    for name, text in pack_texts(*rules, **content).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def make_pack(folder: Path, *rules: dict[str, Any], **changes: Any) -> Pack:
    return load_pack(write_pack(folder, *rules, **changes))


# --- facts by hand ----------------------------------------------------------------------------

_FLAGS = (
    "is_radio",
    "is_mains_powered",
    "has_battery",
    "is_internet_connected",
    "processes_personal_data",
    "transfers_value",
    "is_toy",
    "is_childrens_product",
    "is_ppe",
    "is_machinery",
)


def listing(name: str = "L1", **fields: Any) -> Fact:
    base = {"product_id": "P1", "market": "EU", "channel_id": "C1", "status": "live"}
    return fact_from_json({"type": "listing", "id": name, **base, **fields})


def product(name: str = "P1", **fields: Any) -> Fact:
    base = {"seller_id": "S1", "model": "M1", "category": "earphones"}
    flags = dict.fromkeys(_FLAGS, False)
    return fact_from_json({"type": "product", "id": name, **base, **flags, **fields})


def certificate(name: str = "K1", **fields: Any) -> Fact:
    base = {
        "product_id": "P1",
        "kind": "eu_doc",
        "act": "red",
        "issued_on": "2024-01-01",
        "status": "active",
        "is_verified": True,
    }
    return fact_from_json({"type": "certificate", "id": name, **base, **fields})


# --- random packs -----------------------------------------------------------------------------

_DAYS = ["2025-12-31", "2026-11-22", "2026-11-23", "2026-11-24", "2027-05-31"]
_FIELDS: dict[str, list[tuple[str, str, list[Any]]]] = {
    "listing": [
        ("market", "string", ["EU", "US"]),
        ("status", "string", ["live", "draft"]),
        ("placed_on", "date", _DAYS),
        ("has_picture", "boolean", [True, False]),
        ("language", "string", ["de", "zh"]),
    ],
    "product": [
        ("category", "string", ["helmet", "toy"]),
        ("is_radio", "boolean", [True, False]),
        ("is_ppe", "boolean", [True, False]),
        ("min_age_months", "integer", [0, 36, 168]),
        ("brand", "string", ["de", "x"]),
        ("is_foreign_produced", "boolean", [True, False]),
    ],
    "certificate": [
        ("kind", "string", ["eu_doc", "test_report"]),
        ("act", "string", ["red", "ppe"]),
        ("status", "string", ["active", "withdrawn"]),
        ("issued_on", "date", _DAYS[:4]),
        ("printed_valid_until", "date", _DAYS),
        ("last_tested_on", "date", _DAYS),
        ("body_number", "string", ["0598", "2849"]),
        ("number", "string", ["de", "0598", "x"]),
        ("is_verified", "boolean", [True, False]),
    ],
    "certificate_act": [("act", "string", ["red", "ppe", "rohs"])],
    "renewal_plan": [
        ("planned_application_on", "date", _DAYS),
        ("lab_lead_days", "integer", [0, 36, 168]),
        ("applied_on", "date", _DAYS),
    ],
    "notified_body": [
        ("number", "string", ["0598", "2849"]),
        ("act", "string", ["red", "ppe"]),
        ("valid_from", "date", _DAYS[:3]),
        ("valid_until", "date", _DAYS[2:]),
    ],
}
_OPTIONAL = {
    "placed_on", "has_picture", "language", "min_age_months", "brand", "is_foreign_produced",
    "printed_valid_until", "last_tested_on", "body_number", "number", "applied_on", "valid_until",
}  # fmt: skip
_DERIVED = {"certificate": [("ends", "date", _DAYS), ("acts", "integer", [0, 1, 2])]}
_NAVIGATED = {
    "certificate_act": ("certificate", "certificate"),
    "renewal_plan": ("certificate", "certificate"),
    "certificate": ("product", "product"),
}
_TYPES = ("certificate", "certificate_act", "renewal_plan", "notified_body")
CONFIRMABLE = "confirmed_days"


def _literal(kind: str, value: Any) -> str:
    if kind == "date":
        return f'date("{value}")'
    return json.dumps(value)


def _fields(fact_type: str) -> list[tuple[str, str, list[Any]]]:
    return _FIELDS[fact_type] + _DERIVED.get(fact_type, [])


@st.composite
def _field(draw: st.DrawFn, alias: str, fact_type: str) -> tuple[str, str, list[Any]]:
    prefix = alias
    if fact_type in _NAVIGATED and draw(st.integers(0, 4)) == 0:
        step, fact_type = _NAVIGATED[fact_type]
        prefix = f"{alias}.{step}"
    name, kind, values = draw(st.sampled_from(_fields(fact_type)))
    return f"{prefix}.{name}", kind, values


def _others(aliases: dict[str, str], kind: str) -> list[str]:
    listed = [
        f"{alias}.{name}"
        for alias, fact_type in aliases.items()
        for name, of, _ in _fields(fact_type)
        if of == kind
    ]
    extra = {
        "date": ["as_of", "param.day", "add_months(as_of, 1)"],
        "integer": ["measure.count_all", "measure.ratio", "param.number", f"param.{CONFIRMABLE}"],
        "string": ["param.word"],
    }
    return listed + extra.get(kind, [])


@st.composite
def _condition(draw: st.DrawFn, aliases: dict[str, str], pairs: dict[str, str]) -> str:
    alias = draw(st.sampled_from(sorted(aliases)))
    name, kind, values = draw(_field(alias, aliases[alias]))
    form = draw(st.sampled_from(["literal", "literal", "other", "other", "has", "in", "special"]))
    if form == "has":
        return draw(st.sampled_from(["", "!"])) + f"has({name})"
    if kind == "boolean" and form in {"in", "special"}:
        return draw(st.sampled_from(["", "!"])) + name
    if form == "in" and kind != "boolean":
        items = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
        inner = f"{name} in [{', '.join(_literal(kind, item) for item in items)}]"
        return draw(st.sampled_from([inner, f"!({inner})"]))
    if form == "special" and kind == "string" and "language" in name:
        return f"{name} in param.words"
    if form == "special" and kind == "date":
        return f"days_between({name}, as_of) * 2 - 1 > param.number"
    operators = ["==", "!="] + ([] if kind in {"string", "boolean"} else ["<", "<=", ">", ">="])
    operator = draw(st.sampled_from(operators))
    choices = _others(pairs, kind)
    if form == "other" and choices:
        other = draw(st.sampled_from(choices))
        choice_of = name.rpartition(".")[2]
        if other.rpartition(".")[2] != choice_of or other != name:
            return f"{name} {operator} {other}"
    return f"{name} {operator} {_literal(kind, draw(st.sampled_from(values)))}"


@st.composite
def _line(draw: st.DrawFn, aliases: dict[str, str], pairs: dict[str, str] | None = None) -> str:
    count = draw(st.sampled_from([1, 1, 1, 2, 3]))
    parts = [draw(_condition(aliases, pairs or aliases)) for _ in range(count)]
    return " || ".join(parts)


_CASE = {"listing": "listing", "product": "product"}


@st.composite
def _rule(draw: st.DrawFn, name: str) -> dict[str, Any]:
    matched = {f"a{n}": draw(st.sampled_from(_TYPES)) for n in range(draw(st.integers(0, 2)))}
    aliases = _CASE | matched
    result = rule(name, severity=draw(st.sampled_from(["blocking", "major", "minor", "info"])))
    if draw(st.booleans()):
        result["scope"] = [{"when": draw(_line(_CASE)), "reason": TEXT}]
    result["match"] = [{alias: fact_type} for alias, fact_type in matched.items()]
    result["when"] = draw(st.lists(_line(aliases), min_size=1, max_size=3))
    blocks = []
    for n in range(draw(st.integers(0, 2))):
        inner = {f"w{n}": draw(st.sampled_from(_TYPES))}
        # Both sides about other facts is the one thing a block may not compare.
        reach = aliases | inner
        lines = draw(st.lists(_line(inner, reach), max_size=3))
        blocks.append({**inner, "when": lines})
    result["without"] = blocks
    fields = [f"{{{alias}.id}}" for alias in aliases]
    result["finding"] = {
        "message": {"en": " ".join(fields) + " {as_of}", "zh": " ".join(fields)},
        "remedy": TEXT,
    }
    return result


DERIVED = [
    {
        "fact": "certificate", "name": "ends", "kind": "date", "title": TEXT, "choose": "min",
        "candidates": [
            {
                "value": "certificate.printed_valid_until",
                "when": ["has(certificate.printed_valid_until)"],
            },
            {
                "value": "add_days(certificate.issued_on, param.confirmed_days)",
                "when": ['certificate.act == "ppe"', 'certificate.number == "x"'],
            },
        ],
    },
    {
        "fact": "certificate", "name": "acts", "kind": "integer", "title": TEXT,
        "function": "count", "over": {"t": "certificate_act"},
        "when": ["t.certificate_id == certificate.id"],
    },
]  # fmt: skip
MEASURES = [
    {"name": "count_all", "title": TEXT, "function": "count", "over": {"c": "certificate"}},
    {
        "name": "verified", "title": TEXT, "function": "count", "over": {"c": "certificate"},
        "when": ["c.is_verified"],
    },
    {
        "name": "ratio", "title": TEXT,
        "value": "ratio_bps_down(measure.verified, measure.count_all)",
    },
]  # fmt: skip
PARAMETERS = [
    parameter("day", "date", date(2026, 11, 24)),
    parameter("number", "integer", 1),
    parameter("word", "string", "de"),
    parameter("words", "strings", ["de", "en"]),
    parameter(CONFIRMABLE, "integer", 365, status="U"),
]


@st.composite
def random_packs(draw: st.DrawFn) -> dict[str, Any]:
    """Return the keyword arguments of `write_pack` beside its rules."""
    count = draw(st.integers(1, 4))
    return {"rules": [draw(_rule(f"rule-{n}")) for n in range(count)]}


@st.composite
def _fact(draw: st.DrawFn, fact_type: str, name: str, **fixed: Any) -> Fact:
    fields: dict[str, Any] = {}
    for field, _, values in _FIELDS[fact_type]:
        if field not in _OPTIONAL or draw(st.booleans()):
            fields[field] = draw(st.sampled_from(values))
    flags = dict.fromkeys(_FLAGS, False) if fact_type == "product" else {}
    return fact_from_json({"type": fact_type, "id": name, **flags, **fields, **fixed})


@st.composite
def random_facts(draw: st.DrawFn) -> list[Fact]:
    facts: list[Fact] = []
    products = draw(st.integers(1, 2))
    for n in range(products):
        facts.append(draw(_fact("product", f"P{n}", seller_id="S1", model="M")))
        facts.append(draw(_fact("listing", f"L{n}", product_id=f"P{n}", channel_id="C1")))
    certificates = draw(st.integers(0, 4))
    for n in range(certificates):
        owner = f"P{draw(st.integers(0, products - 1))}"
        tested = {"printed_valid_until": "2027-05-31"} if draw(st.booleans()) else {}
        facts.append(draw(_certificate(f"K{n}", owner, tested)))
    for n in range(draw(st.integers(0, 3)) if certificates else 0):
        owner = f"K{draw(st.integers(0, certificates - 1))}"
        facts.append(draw(_fact("certificate_act", f"T{n}", certificate_id=owner)))
        facts.append(draw(_fact("renewal_plan", f"R{n}", certificate_id=owner)))
    facts += [draw(_body(f"B{n}")) for n in range(draw(st.integers(0, 2)))]
    return draw(st.permutations(facts))


@st.composite
def _certificate(draw: st.DrawFn, name: str, owner: str, fixed: dict[str, Any]) -> Fact:
    fields: dict[str, Any] = {"product_id": owner}
    for field, _, values in _FIELDS["certificate"]:
        if field not in _OPTIONAL or draw(st.booleans()):
            fields[field] = draw(st.sampled_from(values))
    fields |= fixed
    for later in ("printed_valid_until", "last_tested_on"):
        if later in fields and fields[later] < fields["issued_on"]:
            del fields[later]
    return fact_from_json({"type": "certificate", "id": name, **fields})


@st.composite
def _body(draw: st.DrawFn, name: str) -> Fact:
    fields = {field: draw(st.sampled_from(values)) for field, _, values in _FIELDS["notified_body"]}
    if draw(st.booleans()):
        del fields["valid_until"]
    return fact_from_json({"type": "notified_body", "id": name, **fields})

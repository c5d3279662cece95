"""The schema holds the whole vocabulary, and each *_id is a reference or known to be none."""

from pathlib import Path

import pytest

from carnet.core.errors import InputError
from carnet.facts.fact import fact_from_json
from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES, RULE_TYPES

VOCABULARY = Path(__file__).parents[1] / "vectors" / "fact_vocabulary_v1.txt"
PLAIN_IDS = {
    "product.fcc_id",
    "batch.site_id",
    "batch.inspector_id",
    "inspection.inspector_id",
}
REFERENCES = {
    "certificate.issuer_id": ("party",),
    "certificate.test_lab_id": ("test_lab",),
    "channel.platform_id": ("party",),
    "deposit_account.platform_id": ("party",),
    "lab_recognition.lab_id": ("test_lab",),
    "legal_retainer.firm_id": ("party",),
    "receivable.debtor_id": ("party",),
    "sales.channel_id": ("channel",),
    "trace_link.from_id": ("material_lot", "batch", "unit"),
    "trace_link.to_id": ("material_lot", "batch", "unit"),
}


def entries(mark: str) -> list[tuple[str, list[str]]]:
    found = []
    for line in VOCABULARY.read_text(encoding="utf-8").splitlines():
        name, separator, rest = line.partition(mark)
        if separator and not line.startswith("#"):
            found.append((name, rest.split()))
    return found


@pytest.mark.parametrize(("name", "fields"), entries(": "))
def test_vocabulary__every_type_has_its_fields(name: str, fields: list[str]) -> None:
    declared = [
        field.name + ("" if field.is_required else "?")
        for field in FACT_TYPES[name].fields.values()
    ]
    assert declared == [*fields, "source?", "recorded_on?"]


def test_vocabulary__no_type_is_missing_or_more() -> None:
    assert {name for name, _ in entries(": ")} == set(FACT_TYPES)


@pytest.mark.parametrize(("name", "choices"), entries(" = "))
def test_vocabulary__choices_exist(name: str, choices: list[str]) -> None:
    type_name, field = name.split(".")
    declared = FACT_TYPES[type_name].fields[field].choices
    assert declared[: len(choices)] == tuple(choices)
    assert field == "act" or len(declared) == len(choices)


def test_references__every_id_is_one_or_known_to_be_none() -> None:
    ids = {
        f"{fact_type.name}.{field.name}": field
        for fact_type in FACT_TYPES.values()
        for field in fact_type.fields.values()
        if field.name.endswith("_id")
    }
    assert {name for name, field in ids.items() if not field.refers_to} == PLAIN_IDS
    for name, types in REFERENCES.items():
        assert ids[name].refers_to == types
    for name, field in ids.items():
        assert set(field.refers_to) <= set(FACT_TYPES), name


def test_references__a_field_named_after_a_type_refers_to_it() -> None:
    for fact_type in FACT_TYPES.values():
        for field in fact_type.fields.values():
            target = field.name.removesuffix("_id")
            if field.name.endswith("_id") and target in FACT_TYPES:
                assert field.refers_to == (target,), f"{fact_type.name}.{field.name}"


def test_fields__amounts_have_a_currency_of_their_own_or_of_their_agreement() -> None:
    for fact_type in FACT_TYPES.values():
        if any(name.endswith("_minor") for name in fact_type.fields):
            assert {"currency", "agreement_id"} & set(fact_type.fields), fact_type.name


def test_fields__kinds_follow_their_names() -> None:
    kinds = {"_minor": "integer", "_bps": "integer", "_on": "date", "_at": "instant"}
    for fact_type in FACT_TYPES.values():
        for field in fact_type.fields.values():
            for suffix, kind in kinds.items():
                if field.name.endswith(suffix):
                    assert field.kind == kind, f"{fact_type.name}.{field.name}"
            is_flag = field.name.startswith(("is_", "has_", "processes_", "transfers_"))
            assert (field.kind == "boolean") == is_flag, f"{fact_type.name}.{field.name}"


def test_fields__every_form_is_told_in_both_languages() -> None:
    for fact_type in FACT_TYPES.values():
        assert fact_type.title.zh
        assert fact_type.summary.endswith(".")
        for field in fact_type.fields.values():
            assert all((field.expected.en, field.expected.zh, field.remedy.en, field.remedy.zh))


# --- computed types ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("decision", "pack version digest case_type case_id conformity is_complete"),
        ("finding", "decision_id pack rule severity case_type case_id"),
        ("finding_fact", "finding_id fact_type fact_id"),
        ("decision_value", "decision_id kind name value"),
    ],
)
def test_computed_types__have_their_fields_and_are_no_fact_types(name: str, fields: str) -> None:
    assert " ".join(COMPUTED_TYPES[name].fields) == fields
    assert all(field.is_required for field in COMPUTED_TYPES[name].fields.values())
    assert name not in FACT_TYPES
    assert set(RULE_TYPES) == set(FACT_TYPES) | set(COMPUTED_TYPES)


@pytest.mark.parametrize("name", COMPUTED_TYPES)
def test_computed_types__are_refused_by_the_import_with_the_way_to_get_them(name: str) -> None:
    with pytest.raises(InputError, match=name) as refusal:
        fact_from_json({"type": name, "id": "X"})
    assert "after" in str(refusal.value) + refusal.value.hint.en

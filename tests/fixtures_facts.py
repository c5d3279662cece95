"""Facts for tests: valid examples of every type, strategies that follow the schema, writers."""

import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
from hypothesis import strategies as st

from carnet.core.canonical import INTEGER_MAX
from carnet.core.ids import gs1_check_digit
from carnet.facts.codes import COUNTRIES, CURRENCIES
from carnet.facts.fact import Fact, fact_from_json
from carnet.facts.parse import Scalar
from carnet.facts.schema import FACT_TYPES, FactType, Field
from carnet.facts.types.checks import (
    CrossCheck,
    Different,
    ExactlyOne,
    Follows,
    NotAbove,
    NotBefore,
    PresentWith,
)

ID_ALPHABET = "ABCXYZabc019._:/-"
CERTIFICATE: dict[str, Any] = {
    "type": "certificate",
    "id": "C-1",
    "product_id": "P-1",
    "kind": "test_report",
    "act": "red",
    "number": "TR-1",
    "body_number": "0598",
    "issued_on": "2026-01-02",
    "printed_valid_until": "2030-01-02",
    "status": "active",
    "is_verified": True,
}


def certificate(**changes: Any) -> dict[str, Any]:
    """Return a valid certificate as JSON with some fields changed; None leaves a field out."""
    merged = CERTIFICATE | changes
    return {name: value for name, value in merged.items() if value is not None}


def lei_with_check_digits(base: str) -> str:
    """Return an LEI of 18 characters and its check digits (ISO 7064 MOD 97-10)."""
    digits = "".join(str(int(character, 36)) for character in base + "00")
    return f"{base}{98 - int(digits) % 97:02d}"


def lines() -> st.SearchStrategy[str]:
    """Return texts of one line as facts hold them."""
    characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))
    texts = st.text(characters, min_size=1, max_size=12)
    return texts.map(lambda text: unicodedata.normalize("NFC", text.strip())).filter(
        lambda text: bool(text) and text == text.strip() and "_x" not in text
    )


_STRINGS: dict[str, st.SearchStrategy[str]] = {
    "text": lines(),
    "id": st.text(ID_ALPHABET, min_size=1, max_size=64),
    "country": st.sampled_from(sorted(COUNTRIES)),
    "currency": st.sampled_from(sorted(CURRENCIES)),
    "LEI": st.text("AZ09", min_size=18, max_size=18).map(lei_with_check_digits),
    "GTIN": st.sampled_from((7, 11, 12, 13))
    .flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size))
    .map(lambda digits: f"{digits}{gs1_check_digit(digits)}"),
    "FCC ID": st.from_regex(r"\A(2[A-Z0-9]{4}|[A-Z][A-Z0-9]{2})[A-Z0-9-]{1,14}\Z"),
    "SHA-256": st.from_regex(r"\A[0-9a-f]{64}\Z"),
    "body number": st.from_regex(r"\A[0-9]{4}\Z", alphabet="0123456789"),
    "language": st.sampled_from(("en", "de", "zh-Hans")),
    "event hash": st.from_regex(r"\Ani:///sha-256;[0-9a-f]{64}\?ver=CBV2\.0\Z"),
}


def values_of(field: Field) -> st.SearchStrategy[Scalar]:
    """Return valid values of a field."""
    if field.choices:
        return st.sampled_from(field.choices)
    if field.kind == "boolean":
        return st.booleans()
    if field.kind == "date":
        return st.dates(date(1900, 1, 1), date(2199, 12, 31))
    if field.kind == "instant":
        instants = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31))  # noqa: DTZ001
        return instants.map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
    if field.kind == "integer":
        assert field.minimum is not None
        return st.integers(field.minimum, min(field.maximum or INTEGER_MAX, INTEGER_MAX))
    return _STRINGS[field.form]


def _repair(check: CrossCheck, values: dict[str, Any], fields: Mapping[str, Field]) -> None:
    """Make generated values pass a check between fields."""
    if isinstance(check, NotBefore) and check.earlier in values and check.later in values:
        pair = sorted((values[check.earlier], values[check.later]))
        values[check.earlier], values[check.later] = pair
    elif isinstance(check, NotAbove):
        values[check.part] = min(values[check.part], values[check.whole])
    elif isinstance(check, ExactlyOne):
        values.pop(check.first if check.second in values else check.second, None)
        if check.first not in values and check.second not in values:
            values[check.first] = 10_000
    elif isinstance(check, Follows):
        values[check.second] = dict(check.pairs)[values[check.first]]
    elif isinstance(check, PresentWith):
        if values[check.first] != check.value:
            values.pop(check.second, None)
        else:
            choices = fields[check.second].choices
            values.setdefault(check.second, choices[0] if choices else "CNY")
    elif isinstance(check, Different) and values[check.first] == values[check.second]:
        values[check.second] = "OTHER" if values[check.first] != "OTHER" else "ANOTHER"


@st.composite
def json_facts(draw: st.DrawFn, fact_type: FactType | None = None) -> dict[str, Any]:
    """Draw a valid fact of a type, or of any type, as JSON."""
    chosen = fact_type or FACT_TYPES[draw(st.sampled_from(sorted(FACT_TYPES)))]
    values: dict[str, Any] = {"id": draw(values_of(chosen.id_field))}
    for field in chosen.fields.values():
        if field.is_required or draw(st.booleans()):
            values[field.name] = draw(values_of(field))
    for _ in chosen.checks:
        # A repair may break another check that shares a field: as many rounds as checks settle it.
        for check in chosen.checks:
            _repair(check, values, chosen.fields)
    return Fact(chosen.name, values.pop("id"), values).to_json()


def facts(fact_type: FactType | None = None) -> st.SearchStrategy[Fact]:
    """Return valid facts of a type, or of any type."""
    return json_facts(fact_type).map(fact_from_json)


def columns_of(items: Sequence[Fact]) -> list[str]:
    """Return the columns that some facts of one type need."""
    fact_type = FACT_TYPES[items[0].type]
    used = {name for fact in items for name in fact.fields}
    return ["id", *(f.name for f in fact_type.fields.values() if f.is_required or f.name in used)]


def as_text(value: Any) -> str:
    """Return a JSON value as a text cell."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_text(items: Sequence[Fact]) -> str:
    """Return facts of one type as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns_of(items), restval="")
    writer.writeheader()
    for fact in items:
        row = fact.to_json()
        row.pop("type")
        writer.writerow({name: as_text(value) for name, value in row.items()})
    return buffer.getvalue()


def write_xlsx(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    """Write rows of cells as a workbook; texts stay texts even where they begin with '='."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row, cells in enumerate(rows, start=1):
            for column, value in enumerate(cells, start=1):
                cell = sheet.cell(row, column)
                cell.value = value
                if isinstance(value, str):
                    cell.data_type = "s"
    workbook.save(path)
    return path


def xlsx_rows(items: Sequence[Fact]) -> list[list[Any]]:
    """Return facts of one type as typed cells; instants are text, as Excel knows no zone."""
    columns = columns_of(items)
    rows: list[list[Any]] = [list(columns)]
    for fact in items:
        typed = {"id": fact.id, **fact.fields}
        json_of = fact.to_json()
        rows.append(
            [
                json_of.get(name) if isinstance(typed.get(name), datetime) else typed.get(name)
                for name in columns
            ]
        )
    return rows


def write_json(path: Path, items: Sequence[dict[str, Any]]) -> Path:
    """Write facts as a document or, by the suffix, as NDJSON."""
    if path.suffix == ".json":
        path.write_text(json.dumps({"facts": list(items)}), encoding="utf-8")
    else:
        text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
        path.write_text(text, encoding="utf-8")
    return path

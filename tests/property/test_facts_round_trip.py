"""A fact survives every format; arbitrary input is refused with the one expected error."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from carnet.facts.fact import Fact, fact_from_json
from carnet.facts.intake import IntakeError, IntakeLimits, read_facts_json, read_files
from carnet.facts.schema import FACT_TYPES
from tests.fixtures_facts import (
    csv_text,
    facts,
    json_facts,
    values_of,
    write_json,
    write_xlsx,
    xlsx_rows,
)

FEW = hypothesis_settings(max_examples=30, deadline=None)
MORE = hypothesis_settings(max_examples=200, deadline=None)
LIMITS = IntakeLimits(issues_max=5)


def taken_or_told(read: Callable[[], object]) -> bool:
    """Return whether an input was taken, or refused with something to tell."""
    try:
        read()
    except IntakeError as error:
        texts = (error.message.en.encode(), error.message.zh.encode(), error.hint.zh.encode())
        return bool(error.issues) and all(texts)
    return True


def write_csv(folder: Path, items: list[Fact]) -> Path:
    path = folder / f"{items[0].type}.csv"
    path.write_text(csv_text(items), encoding="utf-8", newline="")
    return path


def write_workbook(folder: Path, items: list[Fact]) -> Path:
    return write_xlsx(folder / "book.xlsx", {items[0].type: xlsx_rows(items)})


def write_document(folder: Path, items: list[Fact]) -> Path:
    return write_json(folder / "facts.json", [fact.to_json() for fact in items])


def write_lines(folder: Path, items: list[Fact]) -> Path:
    return write_json(folder / "facts.ndjson", [fact.to_json() for fact in items])


def without_source(fact: Fact, original: Fact) -> dict[str, Any]:
    """Return a fact's JSON without the source that the import filled in."""
    content = fact.to_json()
    if "source" not in original.fields:
        content.pop("source")
    return content


@pytest.mark.parametrize("name", sorted(FACT_TYPES))
def test_fact__json_and_back(name: str) -> None:
    @given(facts(FACT_TYPES[name]))
    @hypothesis_settings(max_examples=15, deadline=None)
    def check(fact: Fact) -> None:
        assert fact_from_json(fact.to_json()) == fact
        assert set(fact.fields) <= set(FACT_TYPES[name].fields)

    check()


@pytest.mark.parametrize("write", [write_csv, write_document, write_lines, write_workbook])
def test_file__gives_the_same_facts_back(write: Callable[[Path, list[Fact]], Path]) -> None:
    groups = st.sampled_from(sorted(FACT_TYPES)).flatmap(
        lambda name: st.lists(
            facts(FACT_TYPES[name]), min_size=1, max_size=4, unique_by=lambda fact: fact.id
        )
    )

    @given(groups)
    @(hypothesis_settings(max_examples=12, deadline=None) if write is write_workbook else FEW)
    def check(items: list[Fact]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            batch = read_files([write(Path(folder), items)])
        assert [without_source(f, o) for f, o in zip(batch.facts, items, strict=True)] == [
            fact.to_json() for fact in items
        ]
        assert all(type(f.fields[n]) is type(v) for f in batch.facts for n, v in f.fields.items())

    check()


@given(st.binary(max_size=400), st.sampled_from([".json", ".ndjson", ".csv"]))
@example(b"PK\x03\x04", ".json")
@example(b'{"facts":[[[[', ".json")
@example(b"[" * 200_000, ".json")
@example(b'{"facts":[NaN, 1e999, -0, "\\ud800"]}', ".json")
@example(b'"\xed\xa0\x80"\n', ".ndjson")
@example(b'id,id\n"', ".csv")
@example(b"\xff\xfei\x00", ".csv")
@MORE
def test_arbitrary_bytes__raise_nothing_else(data: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"certificate{suffix}"
        path.write_bytes(data)
        assert taken_or_told(lambda: read_files([path], LIMITS))
    assert taken_or_told(lambda: read_facts_json(stdin=io.BytesIO(data)))


LAB = fact_from_json({"type": "test_lab", "id": "L-1", "name": "示例 Lab", "country": "DE"})


@pytest.mark.parametrize("write", [write_csv, write_document, write_lines, write_workbook])
def test_damaged_file__raises_nothing_else(write: Callable[[Path, list[Fact]], Path]) -> None:
    @given(st.binary(max_size=30), st.integers(0, 10_000), st.integers(0, 200))
    @(hypothesis_settings(max_examples=25, deadline=None) if write is write_workbook else MORE)
    def check(noise: bytes, at: int, removed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = write(Path(folder), [LAB])
            data = path.read_bytes()
            place = at % len(data)
            path.write_bytes(data[:place] + noise + data[place + removed :])
            assert taken_or_told(lambda: read_files([path], LIMITS))

    check()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(sorted(FACT_TYPES)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def named_columns(raw: dict[str, Any]) -> set[str | None]:
    """Return the columns of the issues of a fact; none, and the same fact, where it is taken."""
    try:
        fact = fact_from_json(raw)
    except IntakeError as error:
        return {issue.column for issue in error.issues}
    return set() if fact.to_json() == raw else {"another fact than was written"}


@given(json_facts(), st.data())
@MORE
def test_one_field_replaced__is_taken_or_named(raw: dict[str, Any], data: st.DataObject) -> None:
    fact_type = FACT_TYPES[raw["type"]]
    name = data.draw(st.sampled_from(sorted(fact_type.columns)))
    raw[name] = data.draw(JSON_VALUES | values_of(fact_type.column(name)).map(str))
    crossing = {check.fields[-1] for check in fact_type.checks if name in check.fields}
    assert named_columns(raw) <= {name} | crossing


@given(JSON_VALUES)
@MORE
def test_arbitrary_json__is_refused_as_a_fact(value: Any) -> None:
    raw = value if isinstance(value, dict) else {"type": value}
    with pytest.raises(IntakeError):
        fact_from_json(raw)

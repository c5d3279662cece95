"""A statement that was altered anywhere is refused, or comes to the same sum."""

import hashlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.facts.fact import FactBatch
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.opening import FileRefusedError
from carnet.facts.intake.statements import read_statement, read_statement_map
from carnet.facts.intake.statements.amounts import read_minor

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
MAP = read_statement_map(CREDIT / "meridian-map.toml")
CAMT = (CREDIT / "camt053-2026-09.xml").read_bytes()
EXPORT = (CREDIT / "statement__meridian-2026-08.csv").read_bytes()
SUM = {"xml": 32261165, "csv": 32176758}


def read(data: bytes, suffix: str) -> FactBatch | None:
    """Return the facts of a statement, None where it is refused in the words of the reader."""
    collector = Collector(IntakeLimits())
    path = Path(f"statement.{suffix}")
    try:
        read_statement(data, path, MAP, path.name, collector)
    except FileRefusedError:
        return None
    return None if collector.log.issues else collector.batch()


def settled(batch: FactBatch) -> int:
    """Return what the lines come to, counted from the lines alone."""
    favourable = {"income", "after_sales_release"}
    total = 0
    for fact in batch.facts:
        if fact.type == "statement_line" and fact.fields["kind"] != "withdrawal":
            amount = fact.fields["amount_minor"]
            assert isinstance(amount, int)
            total += amount if fact.fields["kind"] in favourable else -amount
    return total


def check(data: bytes, suffix: str) -> None:
    batch = read(data, suffix)
    if batch is None or not batch.facts:
        return
    assert settled(batch) == SUM[suffix]
    points = [fact.fields["value"] for fact in batch.facts if fact.type == "data_point"]
    assert points == [SUM[suffix]]
    evidence = {fact.fields.get("evidence_sha256") for fact in batch.facts}
    assert hashlib.sha256(data).hexdigest() in evidence


def test_samples__come_to_their_sums() -> None:
    for data, suffix in ((CAMT, "xml"), (EXPORT, "csv")):
        assert read(data, suffix) is not None
        check(data, suffix)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_camt__one_byte_altered(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(CAMT) - 1))
    new = data.draw(st.sampled_from(b"0123456789.-<>/ CRDTBIabc") | st.integers(0, 255))
    check(CAMT[:place] + bytes([new]) + CAMT[place + 1 :], "xml")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_camt__a_stretch_removed_doubled_or_moved(data: st.DataObject) -> None:
    lines = CAMT.splitlines(keepends=True)
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first, min(len(lines), first + 12)))
    cut, rest = lines[first:last], lines[:first] + lines[last:]
    place = data.draw(st.integers(0, len(rest)))
    for altered in (rest, lines[:last] + cut + lines[last:], rest[:place] + cut + rest[place:]):
        check(b"".join(altered), "xml")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_export__one_byte_altered(data: st.DataObject) -> None:
    # The header line says what columns mean and the ids of rows are free: only figures are altered.
    begin = EXPORT.index(b"\n") + 1
    place = data.draw(st.integers(begin, len(EXPORT) - 1))
    new = data.draw(st.sampled_from(b"0123456789.-,\n ") | st.integers(0, 255))
    altered = EXPORT[:place] + bytes([new]) + EXPORT[place + 1 :]
    batch = read(altered, "csv")
    if batch is not None and altered[place : place + 1] != b"\n":
        check(altered, "csv")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes__end_in_facts_or_in_a_refusal(data: bytes) -> None:
    read(data, "xml")
    read(data, "csv")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**53 - 1), st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3)]))
def test_amounts__are_read_back_exactly(minor: int, currency: tuple[str, int]) -> None:
    code, digits = currency
    text = str(minor).rjust(digits + 1, "0")
    spelled = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    assert read_minor(spelled, code) == minor

"""A large seller made of the sample one: its product families copied, those with faults rarely.

A family is a product with everything that names it, directly or through others. Families of which
`expected-findings.json` expects a finding are copied once for every `RARE` copies of the others, so
that most listings are in order, as a seller's are. Test reports fill up to four documents a
listing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.facts.schema import FACT_TYPES

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
RARE = 20
DOCUMENTS_OF_A_LISTING = 4
ROWS_OF_A_FILE = 50_000
"""Rows of a CSV file, which the importer bounds."""

OF_FAMILIES = (
    *("product", "listing", "responsible_person", "ip_search", "certificate", "certificate_act"),
    *("certificate_standard", "renewal_plan", "incident", "batch"),
)
SHARED = ("party", "channel", "notified_body", "test_lab", "lab_recognition")
_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Seller:
    """How many facts of each type were made."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def _families(facts: Sequence[Fact]) -> dict[tuple[str, str], str]:
    """Return the product that each fact belongs to, by its type and id."""
    found = {(one.type, one.id): one.id for one in facts if one.type == "product"}
    for name in OF_FAMILIES[1:]:
        references = [one for one in FACT_TYPES[name].references if one.refers_to[0] in OF_FAMILIES]
        for fact in (one for one in facts if one.type == name):
            for field in references:
                target = (field.refers_to[0], fact.fields.get(field.name))
                if target in found:
                    found[name, fact.id] = found[target]
    return found


def _faulty(families: Mapping[tuple[str, str], str]) -> set[str]:
    expected = json.loads((EXAMPLES / "expected-findings.json").read_text(encoding="utf-8"))
    return {families["listing", name] for name in expected}


def _missing_documents(families: Mapping[tuple[str, str], str]) -> dict[str, int]:
    """Return how many documents each family lacks of four a listing."""
    counts: dict[str, int] = {}
    for (name, _), family in families.items():
        change = {"listing": DOCUMENTS_OF_A_LISTING, "certificate": -1}.get(name, 0)
        counts[family] = counts.get(family, 0) + change
    return counts


def _reports(families: Mapping[tuple[str, str], str], facts: Sequence[Fact]) -> Iterator[Fact]:
    """Yield the test reports that fill up."""
    models = {families[one.type, one.id]: one for one in facts if one.type == "certificate"}
    for family, count in sorted(_missing_documents(families).items()):
        for number in range(count):
            fields = {
                "product_id": family,
                "kind": "test_report",
                "act": models[family].fields["act"],
                "number": f"TR-{family}-{number}",
                "issued_on": models[family].fields["issued_on"],
                "status": "active",
                "is_verified": True,
            }
            yield Fact("certificate", f"TR-{family}-{number}", fields)


def _table(name: str, facts: Sequence[Fact], columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    fields = FACT_TYPES[name].fields
    arrays = {"id": pa.array([fact.id for fact in facts], pa.string())}
    for field, one in fields.items():
        arrays[field] = pa.array([fact.fields.get(field) for fact in facts], _ARROW[one.kind])
    arrays |= {label: pa.array(values) for label, values in columns.items()}
    return pa.table(arrays)


def _copied(name: str) -> str:
    """Return the query of the copies of the facts of a type."""
    own = {one.name for one in FACT_TYPES[name].references if one.refers_to[0] in OF_FAMILIES}
    listed = [
        f"{column} || '-' || n AS {column}" if column in {"id", *own} else column
        for column in FACT_TYPES[name].columns
    ]
    return (
        f"SELECT {', '.join(listed)} FROM given JOIN copies"
        f" ON NOT given.is_faulty OR copies.n % {RARE} = 0"
    )


def make_seller(folder: Path, listings: int, form: str) -> Seller:
    """Write a seller with at least some listings into a folder, one file or more a type.

    Args:
        folder: An empty folder.
        listings: How many listings there are at least.
        form: `parquet` or `csv`.
    """
    names = sorted(one for one in (EXAMPLES / "seller").iterdir() if one.suffix == ".csv")
    facts = list(read_files(names).facts)
    families = _families(facts)
    faulty = _faulty(families)
    reports = list(_reports(families, facts))
    families |= {(one.type, one.id): str(one.fields["product_id"]) for one in reports}
    facts += reports
    of_copy = [families[one.type, one.id] not in faulty for one in facts if one.type == "listing"]
    each = sum(of_copy) + (len(of_copy) - sum(of_copy)) / RARE
    counts: dict[str, int] = {}
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE copies AS SELECT range AS n FROM range({int(listings / each) + 1})"
        )
        for name in (*SHARED, *OF_FAMILIES):
            own = [one for one in facts if one.type == name]
            known = [families.get((name, one.id)) for one in own]
            connection.register(
                "given", _table(name, own, {"is_faulty": [one in faulty for one in known]})
            )
            query = _copied(name) if name in OF_FAMILIES else _plain(name)
            ((counts[name],),) = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()
            if counts[name]:
                _write(connection, query, folder, name, form)
            connection.unregister("given")
    return Seller(counts)


def _plain(name: str) -> str:
    return f"SELECT {', '.join(FACT_TYPES[name].columns)} FROM given"


def _write(
    connection: duckdb.DuckDBPyConnection, query: str, folder: Path, name: str, form: str
) -> None:
    if form == "parquet":
        connection.execute(f"COPY ({query}) TO '{folder / name}.parquet'")
        return
    instants = [one.name for one in FACT_TYPES[name].fields.values() if one.kind == "instant"]
    told = ", ".join(f"strftime({one}, '%Y-%m-%dT%H:%M:%SZ') AS {one}" for one in instants)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rows AS SELECT *{f' REPLACE ({told})' if told else ''}"
        f" FROM ({query}) ORDER BY id"
    )
    ((count,),) = connection.execute("SELECT count(*) FROM rows").fetchall()
    for part, start in enumerate(range(0, count, ROWS_OF_A_FILE)):
        rows = f"SELECT * FROM rows ORDER BY id LIMIT {ROWS_OF_A_FILE} OFFSET {start}"
        connection.execute(f"COPY ({rows}) TO '{folder}/{name}__{part:03}.csv' (HEADER)")

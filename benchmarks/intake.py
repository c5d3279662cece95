"""How many facts a second are read from each format, beside the plain library for that format.

The peer parses the same file and checks nothing: csv, json, or openpyxl in its read-only mode.
`ratio_to_peer` is how much longer the checked import takes. Prints one JSON object.

Example: python3 dev.py bench intake --rows 100000
"""

import argparse
import csv
import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import openpyxl

from carnet.facts.intake import check_references, read_files

KIBIBYTE = 1024


def certificates(count: int) -> list[dict[str, str]]:
    """Return the rows of certificates that fill most columns."""
    return [
        {
            "id": f"CERT-{index:07d}",
            "product_id": f"P-{index % 3000}",
            "kind": "test_report",
            "act": "red",
            "number": f"TR/2026/{index}",
            "issuer_id": "EXAMPLE-LAB",
            "body_number": "9901",
            "issued_on": f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}",
            "valid_from": f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}",
            "printed_valid_until": "2030-01-01",
            "last_tested_on": "2025-12-31",
            "test_lab_id": "LAB-1",
            "status": "active",
            "language": "en",
            "evidence_sha256": hashlib.sha256(str(index).encode()).hexdigest(),
            "is_verified": "true",
        }
        for index in range(count)
    ]


def write_files(folder: Path, rows: list[dict[str, str]]) -> list[Path]:
    """Write the same certificates in each format."""
    facts: list[dict[str, Any]] = [
        row | {"type": "certificate", "is_verified": True} for row in rows
    ]
    with (folder / "certificate.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(json.dumps(fact) + "\n" for fact in facts)
    (folder / "facts.ndjson").write_text(lines, encoding="utf-8")
    (folder / "facts.json").write_text(json.dumps({"facts": facts}), encoding="utf-8")
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("certificate")
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    workbook.save(folder / "facts.xlsx")
    return [
        folder / name for name in ("certificate.csv", "facts.ndjson", "facts.json", "facts.xlsx")
    ]


def read_plainly(path: Path) -> int:
    """Parse a file with the plain library for its format, and return how many facts it holds."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as stream:
            return sum(1 for _ in csv.DictReader(stream))
    if path.suffix == ".ndjson":
        with path.open(encoding="utf-8") as stream:
            return sum(1 for line in stream if json.loads(line))
    if path.suffix == ".json":
        return len(json.loads(path.read_text(encoding="utf-8"))["facts"])
    sheet = openpyxl.load_workbook(path, read_only=True).worksheets[0]
    return sum(1 for _ in sheet.iter_rows(min_row=2, values_only=True))


def measure(path: Path) -> dict[str, int | float]:
    """Return the time and the rate of reading one file; a workbook is read by a second process."""
    start, start_cpu = time.perf_counter(), time.process_time()
    batch = read_files([path])
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    start = time.perf_counter()
    check_references(batch, lambda _, ids: ids)
    references_seconds = time.perf_counter() - start
    start = time.perf_counter()
    count = read_plainly(path)
    peer_seconds = time.perf_counter() - start
    assert count == len(batch), "the peer read the same facts"
    return {
        "facts": len(batch),
        "bytes": path.stat().st_size,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "facts_per_s": round(len(batch) / seconds),
        "references_seconds": round(references_seconds, 3),
        "peer_seconds": round(peer_seconds, 3),
        "ratio_to_peer": round(seconds / peer_seconds, 2),
    }


def main() -> None:
    """Measure every format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), certificates(count))
        result: dict[str, Any] = {path.name: measure(path) for path in paths}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIBIBYTE
    json.dump(result | {"memory_max_mib": memory}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

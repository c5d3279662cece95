"""Ten million facts in bulk within 2 GiB, explanations included: messages, remedies, values.

    python3 dev.py bench bulk_memory [--facts N] [--pack PACK] [--format parquet|json]

The facts are made by SQL as Parquet, one file a type, and `carnet eval --engine bulk` decides them
in a process of its own. Printed are its time, the greatest memory it held (ru_maxrss) and what it
found; the exit code is 1 if it held more than 2 GiB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from pyarrow import parquet

MEMORY_MAX = 2 * 1024**3
KIBIBYTE = 1024
FACTS_OF_A_PRODUCT = 10
AS_OF = "2026-11-23"
PROGRAM = "from carnet.cli.main import main; main()"

# A product, its listing, a responsible person, four documents and three further acts of them.
QUERIES = {
    "party": "SELECT 'S' || n AS id, 'Seller ' || n AS name, 'CN' AS country"
    " FROM range(1000) AS made(n)",
    "channel": "SELECT 'C' || n AS id, 'Channel ' || n AS name, 'marketplace' AS kind"
    " FROM range(7) AS made(n)",
    "product": """
        SELECT 'P' || n AS id, 'S' || n % 1000 AS seller_id, 'model ' || n AS model,
            ['earphones', 'wifi_camera', 'helmet', 'toy', 'power_tool', 'led_lamp'][1 + n % 6]
                AS category,
            n % 6 < 2 AS is_radio, n % 6 >= 4 AS is_mains_powered, n % 2 = 0 AS has_battery,
            n % 6 = 1 AS is_internet_connected, n % 6 = 1 AS processes_personal_data,
            false AS transfers_value, n % 6 = 3 AS is_toy, n % 6 = 3 AS is_childrens_product,
            n % 6 = 2 AS is_ppe, CASE WHEN n % 6 = 2 THEN 'II' END AS ppe_category,
            n % 6 = 4 AS is_machinery, CASE WHEN n % 6 = 3 THEN 36 END AS min_age_months
        FROM range({products}) AS made(n)""",
    "listing": """
        SELECT 'L' || n AS id, 'P' || n AS product_id, ['EU', 'US'][1 + n % 2] AS market,
            'C' || n % 7 AS channel_id, ['live', 'proposed'][1 + n % 3 // 2] AS status,
            DATE '2025-01-01' + CAST(n % 600 AS INTEGER) AS placed_on,
            n % 5 <> 0 AS has_manufacturer_address, n % 7 <> 0 AS has_manufacturer_email,
            true AS has_responsible_person, n % 11 <> 0 AS has_picture,
            CASE WHEN n % 13 <> 0 THEN true END AS has_warnings, 'de' AS language
        FROM range({products}) AS made(n)""",
    "responsible_person": """
        SELECT 'R' || n AS id, 'P' || n AS product_id, 'EU' AS market, 'Person ' || n AS name,
            'Street ' || n || ', Köln' AS postal_address, 'p' || n || '@example.com' AS email,
            DATE '2024-01-01' AS valid_from,
            CASE WHEN n % 4 = 0 THEN DATE '2026-01-01' + CAST(n % 500 AS INTEGER) END AS valid_until
        FROM range({products}) AS made(n)""",
    "certificate": """
        SELECT 'K' || n AS id, 'P' || n // 4 AS product_id,
            ['eu_doc', 'test_report', 'fcc_grant', 'eu_type_exam_cert'][1 + n % 4] AS kind,
            CASE n % 4 WHEN 2 THEN 'fcc_15c' ELSE
                ['red', 'red', 'ppe', 'toys_dir', 'machinery_dir', 'lvd'][1 + n // 4 % 6]
                END AS act,
            'NO-' || n AS number, '0598' AS body_number,
            DATE '2021-01-01' + CAST(n % 1500 AS INTEGER) AS issued_on,
            CASE WHEN n % 3 = 0 THEN DATE '2026-06-01' + CAST(n % 400 AS INTEGER) END
                AS printed_valid_until,
            ['active', 'active', 'active', 'suspended'][1 + n % 4 * n % 4] AS status,
            n % 10 <> 0 AS is_verified
        FROM range(4 * {products}) AS made(n)""",
    "certificate_act": """
        SELECT 'A' || n AS id, 'K' || 4 * (n // 3) AS certificate_id,
            ['rohs', 'emc', 'red_cyber'][1 + n % 3] AS act
        FROM range(3 * {products}) AS made(n)""",
}


def make_facts(folder: Path, count: int) -> None:
    """Write the facts as Parquet, within little memory of this process."""
    products = count // FACTS_OF_A_PRODUCT
    with duckdb.connect(config={"memory_limit": "500MiB"}) as connection:
        for name, query in QUERIES.items():
            target = str(folder / f"{name}.parquet")
            connection.execute(f"COPY ({query.format(products=products)}) TO '{target}'")


def evaluate(pack: str, facts: Path, output: Path, form: str) -> tuple[int, float, int]:
    """Run `carnet eval`; return its exit code, its seconds and the bytes it held at most."""
    words = ["eval", pack, "--facts", str(facts), "--engine", "bulk", "--as-of", AS_OF]
    words += ["--format", form, "-o", str(output)]
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    return os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * KIBIBYTE


def main() -> int:
    """Make the facts, decide them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=10_000_000)
    parser.add_argument("--pack", default="eu-ce")
    parser.add_argument("--format", choices=("parquet", "json"), default="parquet")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        facts, output = folder / "facts", folder / "result"
        facts.mkdir()
        make_facts(facts, options.facts)
        code, seconds, held = evaluate(options.pack, facts, output, options.format)
        if code not in {0, 1, 3} or not output.exists():
            print(f"carnet eval ended with {code}", file=sys.stderr)
            return 2
        print(f"facts          {options.facts:>14,}")
        print(f"seconds        {seconds:>14.1f}")
        print(f"facts/second   {options.facts / seconds:>14,.0f}")
        if options.format == "parquet":
            for name in ("decisions", "findings", "errors", "not_applicable"):
                rows = parquet.read_metadata(output / f"{name}.parquet").num_rows
                print(f"{name:<15}{rows:>14,}")
        print(f"peak memory    {held / 1024**2:>10,.0f} MiB of {MEMORY_MAX / 1024**2:,.0f}")
        return int(held > MEMORY_MAX)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())

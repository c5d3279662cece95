"""`carnet eval` while a worker of the live engine is killed: the same decisions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fixtures_rules import certificate, listing, product, rule, write_pack

CASES = 1500
MAIN = "from carnet.cli.main import main; main()"
RULES = (
    rule("ended", match=[{"c": "certificate"}], when=["c.printed_valid_until < as_of"]),
    rule("pair", match=[{"a": "certificate"}, {"b": "certificate"}], when=["a.kind == b.kind"]),
)


def _write_facts(path: Path) -> None:
    with path.open("w") as stream:
        for n in range(CASES):
            owner = {"product_id": f"P{n}"}
            until = {"printed_valid_until": "2026-01-01"} if n % 2 else {}
            for fact in (
                listing(f"L{n:05d}", **owner),
                product(f"P{n}"),
                certificate(f"K{n}", **owner, **until),
                certificate(f"J{n}", **owner, **until),
            ):
                stream.write(json.dumps(fact.to_json()) + "\n")


def _workers_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(word) for word in listed.read_text().split()] if listed.is_file() else []
    lines = {child: Path(f"/proc/{child}/cmdline") for child in children}
    return [child for child, line in lines.items() if b"rules.live.worker" in line.read_bytes()]


def _eval(folder: Path, engine: str, *, is_killed: bool = False) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-c", MAIN, "eval", str(folder / "pack")]
    command += ["--facts", str(folder / "facts.ndjson"), "--as-of", "2026-11-23"]
    command += ["--engine", engine, "--format", "json", "--output", str(folder / f"{engine}.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while is_killed:
            workers = _workers_of(process.pid)
            if workers:
                # Stopped before it can answer: it dies with one batch begun and one waiting.
                os.kill(workers[0], signal.SIGSTOP)
                time.sleep(0.5)
                os.kill(workers[0], signal.SIGKILL)
                break
            assert process.poll() is None, "the run ended before a worker was seen"
            time.sleep(0.01)
        _, noise = process.communicate(timeout=120)
    assert process.returncode in {0, 1, 3}, noise.decode()
    return process.returncode, json.loads((folder / f"{engine}.json").read_text())


def test_eval__decides_the_same_while_a_worker_is_killed(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack", *RULES)
    _write_facts(tmp_path / "facts.ndjson")
    expected_code, expected = _eval(tmp_path, "reference")
    code, document = _eval(tmp_path, "live", is_killed=True)
    assert (code, document.pop("engine")) == (expected_code, "live")
    assert expected.pop("engine") == "reference"
    assert document == expected
    assert len(document["decisions"]) == CASES

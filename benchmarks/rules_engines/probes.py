"""Measurements that need a process of their own.

Usage: probes.py memory|loading
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from ours import PACK, facts_of
from workload import AS_OF, records

from carnet.rules.engine import evaluate
from carnet.rules.live.pool import shared_pool
from carnet.rules.pack import load_pack

CASES_FIRST, CASES_ALL, CASES_AT_ONCE = 10_000, 100_000, 1_000
RULES = 1_000


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory() -> dict[str, float]:
    """Return the memory of this process and of the largest worker, early and late.

    Cases arrive a thousand at a time, as they do where a service lives; the facts are not kept.
    """
    pack = load_pack(PACK)
    facts = facts_of(records(CASES_AT_ONCE))
    result: dict[str, float] = {}
    for done in range(CASES_AT_ONCE, CASES_ALL + 1, CASES_AT_ONCE):
        assert len(evaluate(pack, facts, AS_OF, "live").decisions) == CASES_AT_ONCE
        if done in {CASES_FIRST, CASES_ALL}:
            when = "first" if done == CASES_FIRST else "last"
            workers = [_resident_mb(worker.pid) for worker in shared_pool().workers]
            result[f"parent_{when}"] = _resident_mb(os.getpid())
            result[f"worker_{when}"] = max(workers)
    return result


def _many_rules(folder: Path) -> Path:
    """Write the pack of the workload with a thousand variants of its rules."""
    target = folder / "1.0.0"
    (target / "rules").mkdir(parents=True)
    for name in ("pack.yaml", "parameters.yaml", "law.yaml"):
        (target / name).write_bytes((PACK / name).read_bytes())
    text = (PACK / "rules" / "10-certificates.yaml").read_text(encoding="utf-8")
    head, *rules = text.split("  - id: ")
    written = [head]
    for number in range(RULES):
        name, body = rules[number % len(rules)].split("\n", 1)
        written.append(f"  - id: {name}-{number}\n{body.rstrip()}\n\n")
    (target / "rules" / "all.yaml").write_text("".join(written), encoding="utf-8")
    return target


def loading() -> dict[str, float]:
    """Return the seconds that loading a thousand rules takes, all checks included."""
    with tempfile.TemporaryDirectory() as folder:
        path = _many_rules(Path(folder))
        start = time.perf_counter()
        pack = load_pack(path)
        seconds = time.perf_counter() - start
    assert len(pack.rules) == RULES
    return {"seconds": seconds}


if __name__ == "__main__":
    print(json.dumps({"memory": memory, "loading": loading}[sys.argv[1]]()))

"""How many products a second each rule engine decides: Carnet's own and its peers, in one run.

The workload is one product with three certificates, and three rules: a certificate has expired,
one expires soon, a declaration of conformity in date is missing. Carnet reads the rules from
benchmarks/packs/certificates; each peer has them in its own language (rules_engines/peers.py).

All end with the same list of (product, rule, certificate), compared by digest. They start from the
same facts as Python objects; `polars`, `duckdb-sql` and `bulk-files` from Parquet files of them;
`bulk` and `duckdb-sql-findings`, which make whole findings with texts, and `bulk-matches`, which
builds no text, from tables. Of all these `bulk-files` alone checks every value that it reads.
Engines run in turns, round after round, and the median counts, so that whatever else the machine
does slows all of them.

Prints the table and the targets, and exits 1 if a target is missed or two engines differ.

Example: python3 dev.py bench rules --quick
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENGINES = HERE / "rules_engines"
PEERS_PYTHON = Path(os.environ.get("CARNET_BENCH_PEERS", "")) / "bin" / "python"
MISSING_NOTE = Path(os.environ.get("CARNET_BENCH_PEERS", "")) / "missing.json"

OURS = (
    "live-single", "live-pool", "live-decisions", "reference", "reference-decisions",
    "bare-loop", "pool-loop-single", "pool-loop", "bulk", "bulk-matches", "bulk-files",
)  # fmt: skip
REQUIRED_BY = {
    "clips": "clipspy",
    "drools": "drools-jpy",
    "zen": "zen-engine",
    "datalogic": "datalogic-py",
    "duckdb-sql": "duckdb",
    "duckdb-sql-findings": "duckdb",
}
"""The packages of peers that have another name."""
PEERS = (
    "plain-python", "clips", "drools", "zen", "cel-expr-python", "common-expression-language",
    "datalogic", "polars", "duckdb-sql", "duckdb-sql-findings",
)  # fmt: skip
FOR_MILLIONS = {
    "plain-python", "polars", "duckdb-sql", "duckdb-sql-findings", "bulk", "bulk-matches",
    "bulk-files", "live-pool",
}  # fmt: skip
MILLION = 1_000_000
ROUNDS = {1_000: 7, 10_000: 5, 100_000: 3, MILLION: 1}
SLOW = {"zen", "drools", "reference-decisions", "live-decisions", "common-expression-language"}
"""Engines that run once at the largest sizes, so that a run ends."""

# Giving memory back after each case costs durable-rules half of its speed: the workers have these.
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}


@dataclass(slots=True)
class Engine:
    """One engine in its process.

    Args:
        name: Its name.
        process: The process; None where it is not there.
        reason: Why it is not there.
        seconds: Measured times by size.
        processor: Processor time of all its processes, by size.
        digests: Of its matches, by size.
        resident_mb: The most memory seen, by size.
    """

    name: str
    process: subprocess.Popen[str] | None = None
    reason: str = ""
    seconds: dict[int, list[float]] = field(default_factory=dict)
    processor: dict[int, list[float]] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    resident_mb: dict[int, int] = field(default_factory=dict)

    def start(self, scratch: Path) -> None:
        """Start the process."""
        is_ours = self.name in OURS
        python = Path(sys.executable) if is_ours else PEERS_PYTHON
        if not python.is_file():
            self.reason = "the peers' environment is missing: run python3 dev.py bench rules"
            return
        script = ENGINES / ("ours.py" if is_ours else "peers.py")
        environment = dict(os.environ) | {"TMPDIR": str(scratch)}
        if self.name == "bare-loop":
            environment |= MALLOC
        with (scratch / f"{self.name}.log").open("w") as log:
            self.process = subprocess.Popen(
                [python, script, self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )

    def ask(self, command: str, scratch: Path) -> dict[str, Any] | None:
        """Return the answer to a command; None where the engine is or goes away."""
        if self.process is None:
            return None
        assert self.process.stdin is not None, "it was started with a pipe"
        assert self.process.stdout is not None, "it was started with a pipe"
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        log = (scratch / f"{self.name}.log").read_text().strip().splitlines()
        self.reason = log[-1] if log else "it ended without a word"
        self.stop()
        return None

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self.process = None

    def rate(self, size: int) -> float | None:
        """Return products a second at a size, the median of its rounds."""
        times = self.seconds.get(size)
        return size / statistics.median(times) if times else None


# --- running ----------------------------------------------------------------------------------


def measure(engines: Sequence[Engine], size: int, scratch: Path, rounds: int | None) -> None:
    """Measure engines at one size, in turns, for some rounds or as many as suit the size."""
    rounds = rounds or ROUNDS.get(size, 3)
    taking = [one for one in engines if size < MILLION or one.name in FOR_MILLIONS]
    if size >= MILLION:
        # So many facts are held by one process at a time.
        for engine in taking:
            _measure_one(engine, size, scratch, rounds + 1)
            engine.stop()
            engine.start(scratch)
        return
    for engine in taking:
        engine.ask(f"load {size}", scratch)
    # The first round warms up and is not counted.
    for number in range(rounds + 1):
        for engine in taking:
            is_warm_up = number == 0
            if size >= 100_000 and number > 1 and engine.name in SLOW:  # noqa: PLR2004  # the size in ROUNDS
                continue
            _record(engine, engine.ask("run", scratch), size, is_counted=not is_warm_up)
        print(f"  {size} products: round {number} of {rounds}", file=sys.stderr, flush=True)


def _measure_one(engine: Engine, size: int, scratch: Path, rounds: int) -> None:
    engine.ask(f"load {size}", scratch)
    for number in range(rounds):
        _record(engine, engine.ask("run", scratch), size, is_counted=number > 0)
    print(f"  {size} products: {engine.name}", file=sys.stderr, flush=True)


def _record(engine: Engine, answer: dict[str, Any] | None, size: int, *, is_counted: bool) -> None:
    if answer is None:
        return
    if is_counted:
        engine.seconds.setdefault(size, []).append(answer["seconds"])
        engine.processor.setdefault(size, []).append(answer["processor"])
    engine.digests[size] = answer["digest"]
    engine.resident_mb[size] = max(engine.resident_mb.get(size, 0), answer["resident_mb"])


def probe(what: str, scratch: Path) -> dict[str, float]:
    """Return what a process of its own measures: `memory` or `loading`."""
    command = [sys.executable, str(ENGINES / "probes.py"), what]
    environment = dict(os.environ) | {"TMPDIR": str(scratch)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


# --- reporting --------------------------------------------------------------------------------


def _shown(rate: float | None) -> str:
    return "-" if rate is None else f"{rate / 1000:,.1f}"


def print_table(engines: Sequence[Engine], sizes: Sequence[int]) -> None:
    """Print thousands of products a second, then the processor time that a product takes."""
    print("Thousand products a second (median of the rounds), identical findings checked")
    heads = "".join(f"{size:>12,}" for size in sizes)
    print(f"{'engine':<28}{heads}{'MB':>8}")
    for engine in engines:
        if not engine.seconds:
            print(f"{engine.name:<28}  not there: {engine.reason}")
            continue
        cells = "".join(f"{_shown(engine.rate(size)):>12}" for size in sizes)
        print(f"{engine.name:<28}{cells}{max(engine.resident_mb.values()):>8}")
    print("Microseconds of processor time a product, of all processes and threads of an engine")
    print(f"{'engine':<28}{heads}")
    for engine in (one for one in engines if one.seconds):
        cells = "".join(f"{_spent(engine, size):>12}" for size in sizes)
        print(f"{engine.name:<28}{cells}")


def _spent(engine: Engine, size: int) -> str:
    times = engine.processor.get(size)
    return f"{statistics.median(times) / size * 1e6:,.1f}" if times else "-"


def differences(engines: Sequence[Engine], sizes: Sequence[int]) -> list[str]:
    """Return which engines found something else than the reference, size by size."""
    expected = next(one for one in engines if one.name == "reference").digests
    return [
        f"{engine.name} at {size}"
        for engine in engines
        for size in sizes
        if size in engine.digests
        and engine.digests[size] != expected.get(size, engine.digests[size])
    ]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: a factor by which one thing is to be ahead of another."""

    text: str
    ratio: float | None
    least: float

    @property
    def is_met(self) -> bool:
        """Whether it is reached; one that could not be measured is not missed."""
        return self.ratio is None or self.ratio >= self.least

    def line(self) -> str:
        """Return it as a line of the report."""
        if self.ratio is None:
            return f"  ----  {self.text}: not measured"
        mark = " met  " if self.is_met else "MISSED"
        return f"  {mark}  {self.text}: {self.ratio:.2f} (at least {self.least:g})"


def speed_targets(engines: Sequence[Engine], sizes: Sequence[int]) -> Iterable[Target]:
    """Yield the targets of speed."""
    named = {one.name: one for one in engines}

    def ratio(first: str, second: str, size: int) -> float | None:
        rates = [named[name].rate(size) if name in named else None for name in (first, second)]
        return rates[0] / rates[1] if rates[0] and rates[1] else None

    for size in (size for size in sizes if size < MILLION):
        for live in ("live-single", "live-pool"):
            for peer in ("drools", "zen", "clips"):
                yield Target(f"{live} against {peer} at {size:,}", ratio(live, peer, size), 1.0)
        text = f"the worker pool against the bare loop, same messages, at {size:,}"
        yield Target(text, ratio("pool-loop", "bare-loop", size), 0.75)
    for size in (size for size in sizes if size >= 100_000):  # noqa: PLR2004  # what bulk is for
        peer = "duckdb-sql-findings"
        text = f"bulk against {peer} at {size:,}, both with whole findings"
        yield Target(text, ratio("bulk", peer, size), 1 / 1.5)
        for peer in ("drools", "zen"):
            # These say which rule holds for which facts; whole findings are more than they give.
            text = f"bulk-matches against {peer} at {size:,}, both with matches alone"
            whole = ratio("bulk", peer, size)
            text += f" (bulk with whole findings: {whole:.2f})" if whole else ""
            yield Target(text, ratio("bulk-matches", peer, size), 20)


def other_targets(scratch: Path) -> Iterable[Target]:
    """Yield the targets of memory and of loading, measured here."""
    memory = probe("memory", scratch)
    for who in ("parent", "worker"):
        text = (
            f"memory of the {who}, {memory[f'{who}_first']:.0f} MB after 10,000 live cases and"
            f" {memory[f'{who}_last']:.0f} MB after 100,000, first over last"
        )
        yield Target(text, memory[f"{who}_first"] / memory[f"{who}_last"], 0.9)
    seconds = probe("loading", scratch)["seconds"]
    yield Target(f"2 s over the {seconds:.2f} s that loading 1,000 rules takes", 2 / seconds, 1.0)


# --- the command ------------------------------------------------------------------------------


def _chosen(arguments: argparse.Namespace) -> tuple[list[int], list[str]]:
    sizes = [1_000, 10_000] if arguments.quick else [1_000, 10_000, 100_000]
    if arguments.full:
        sizes.append(MILLION)
    names = [*OURS, *PEERS]
    if arguments.engines:
        chosen = set(arguments.engines.split(",")) | {"reference"}
        names = [name for name in names if name in chosen]
    return [int(one) for one in arguments.sizes.split(",")] if arguments.sizes else sizes, names


def _run(arguments: argparse.Namespace, scratch: Path) -> int:
    sizes, names = _chosen(arguments)
    reasons: dict[str, str] = {}
    if MISSING_NOTE.is_file():
        reasons = json.loads(MISSING_NOTE.read_text())
    engines = [Engine(name) for name in names]
    try:
        for engine in engines:
            engine.start(scratch)
        for size in sizes:
            measure(engines, size, scratch, arguments.rounds)
    finally:
        for engine in engines:
            engine.stop()
    for engine in engines:
        if not engine.seconds:
            package = REQUIRED_BY.get(engine.name, engine.name)
            engine.reason = reasons.get(package, engine.reason)
    print_table(engines, sizes)
    different = differences(engines, sizes)
    print("Findings: " + (f"DIFFER: {', '.join(different)}" if different else "identical"))
    targets = [*speed_targets(engines, sizes), *(() if arguments.speed else other_targets(scratch))]
    print("Targets")
    for target in targets:
        print(target.line())
    return int(bool(different) or not all(target.is_met for target in targets))


def main() -> int:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    option: Callable[..., Any] = parser.add_argument
    option("--quick", action="store_true", help="1,000 and 10,000 products alone")
    option("--full", action="store_true", help="a million products too, where an engine can")
    option("--sizes", default="", help="these sizes, separated by commas")
    option("--engines", default="", help="these engines, separated by commas")
    option("--rounds", type=int, help="how often each engine runs at each size")
    option("--speed", action="store_true", help="leave out memory and loading")
    scratch = Path(tempfile.mkdtemp(prefix="carnet-bench-"))
    try:
        return _run(parser.parse_args(), scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

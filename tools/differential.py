"""Compare all engines on as many generated packs and facts as asked for; say what was compared.

Every generator runs through the reference, live and bulk. What two engines decide differently is
made as small as possible, written to tests/differential/vectors, where a test replays it for ever,
and ends the run with exit code 1.

    python3 dev.py differential --packs 10000 [--seed N] [--engines live,bulk] [--jobs 2] [--only G]
"""

import argparse
import multiprocessing
import os
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402  # found by the line above

from tests.fixtures_generators import GENERATORS  # noqa: E402  # the same
from tests.fixtures_vectors import (  # noqa: E402  # the same
    VECTORS,
    DisagreementError,
    Tally,
    Vector,
    compare,
)

BATCH = 50
"""Packs of one seed; a disagreement costs the rest of its batch."""
SEED_MAX = 1_000_000
REPORT_EVERY_S = 60


@dataclass(frozen=True)
class Batch:
    """Some packs of one generator."""

    generator: str
    seed: int
    count: int
    engines: tuple[str, ...]


@dataclass
class Found:
    """What one batch came to."""

    generator: str
    tally: Tally = field(default_factory=Tally)
    failure: tuple[Vector, str] | None = None


def run_batch(batch: Batch) -> Found:
    """Compare the engines on the packs of a batch."""
    found = Found(batch.generator)
    last: list[tuple[Vector, str]] = []

    @seed(batch.seed)
    @settings(
        max_examples=batch.count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(vector=GENERATORS[batch.generator])
    def test(vector: Vector) -> None:
        # What is tried while a failure is made smaller is no further pack.
        tally = Tally() if last else found.tally
        try:
            compare(vector, tally, batch.engines)
        except (DisagreementError, AssertionError) as error:
            last.append((vector, str(error)))
            raise

    try:
        test()
    except AssertionError:
        found.failure = last[-1]
    except Exception as error:  # a generator or engine that raises is a failure as well
        if not last:
            raise
        found.failure = (last[-1][0], f"{last[-1][1]}; {error!r}")
    return found


def batches(packs: int, first: int, names: list[str], engines: tuple[str, ...]) -> Iterator[Batch]:
    """Yield batches, the generators taking turns, until there are packs enough."""
    number = 0
    while packs > 0:
        count = min(BATCH, packs)
        yield Batch(names[number % len(names)], first + number, count, engines)
        packs -= count
        number += 1


def write_failure(found: Found) -> Path:
    """Write what two engines decided differently, to be replayed by a test."""
    assert found.failure is not None, "only a failure is written"
    vector, message = found.failure
    text = replace(vector, note=message).to_json()
    name = f"engines-{found.generator}-{sha256(text.encode()).hexdigest()[:12]}.json"
    (VECTORS / name).write_text(text, encoding="utf-8")
    return VECTORS / name


def report(tallies: dict[str, Tally], failures: int) -> None:
    """Print what has been compared so far."""
    total = Tally()
    for name, tally in sorted(tallies.items()):
        print(f"{name}: {line_of(tally)}")
        total.merge(tally)
    print(f"all: {line_of(total)}; disagreements: {failures}", flush=True)


def line_of(tally: Tally) -> str:
    """Return a tally in one line."""
    counts = ", ".join(f"{count} {name}" for name, count in tally.counts.items())
    beyond = f"{tally.beyond_live} beyond the live engine, {tally.refused} refused"
    return f"{len(tally.packs)} distinct packs, {counts}, {beyond}"


def run(arguments: argparse.Namespace) -> int:
    """Run all batches; return the exit code."""
    names = arguments.only.split(",") if arguments.only else list(GENERATORS)
    engines = tuple(arguments.engines.split(","))
    print(
        f"seed {arguments.seed}; packs {arguments.packs}; reference against {engines}", flush=True
    )
    tallies: dict[str, Tally] = {}
    failures = 0
    reported = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
        waiting: list[Future[Found]] = [
            pool.submit(run_batch, one)
            for one in batches(arguments.packs, arguments.seed, names, engines)
        ]
        for done in as_completed(waiting):
            found = done.result()
            tallies.setdefault(found.generator, Tally()).merge(found.tally)
            if found.failure is not None:
                failures += 1
                print(f"{write_failure(found)}: {found.failure[1]}", flush=True)
            if time.monotonic() - reported > REPORT_EVERY_S:
                reported = time.monotonic()
                report(tallies, failures)
    report(tallies, failures)
    return 1 if failures else 0


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=int, default=1_000, help="how many packs to generate")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(SEED_MAX))
    parser.add_argument(
        "--engines", default="live,bulk", help="what the reference is compared with"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="some of: " + ", ".join(GENERATORS))
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())

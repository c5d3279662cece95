"""Compare all engines on as many generated packs and facts as asked for; say what was compared.

Every generator runs through the reference, live and bulk. What two engines decide differently is
made as small as possible, written to tests/differential/vectors, where a test replays it for ever,
and ends the run with exit code 1.

    python3 dev.py differential --packs 10000 [--seed N] [--engines live,bulk] [--jobs 2] [--only G]
                                [--time-limit SECONDS]

It ends with what was compared, engine by engine, and with the seeds that give the same packs again.
Its processes end with it, however it ends.
"""

import argparse
import ctypes
import multiprocessing
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
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
    until: float | None = None


@dataclass
class Found:
    """What one batch came to."""

    generator: str
    tally: Tally = field(default_factory=Tally)
    failure: tuple[Vector, str] | None = None
    is_late: bool = False


# --- processes --------------------------------------------------------------------------------

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that a process gets when its parent ends."""


def follow_parent(parent: int) -> None:
    """Let this process end when its parent does, even when that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    # Elsewhere than on Linux, or where the parent ended before the signal was asked for.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


# --- comparing --------------------------------------------------------------------------------


def run_batch(batch: Batch) -> Found:
    """Compare the engines on the packs of a batch, unless it is late."""
    found = Found(batch.generator)
    if batch.until is not None and time.time() > batch.until:
        found.is_late = True
        return found
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


def batches(
    packs: int, first: int, names: list[str], engines: tuple[str, ...], until: float | None
) -> Iterator[Batch]:
    """Yield batches, the generators taking turns, until there are packs enough."""
    number = 0
    while packs > 0:
        count = min(BATCH, packs)
        yield Batch(names[number % len(names)], first + number, count, engines, until)
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


# --- reporting --------------------------------------------------------------------------------


def progress(tallies: dict[str, Tally], failures: int) -> None:
    """Print how far it is."""
    packs = sum(len(tally.packs) for tally in tallies.values())
    print(f"{packs} packs compared; disagreements: {failures}", file=sys.stderr, flush=True)


def report(tallies: dict[str, Tally], engines: tuple[str, ...]) -> None:
    """Print what has been compared, as a table."""
    total = Tally()
    for tally in tallies.values():
        total.merge(tally)
    names = [*total.counts]
    heads = ["generator", "packs", *names, "refused", *engines]
    rows = [
        [name, *_cells(tally, names, engines)]
        for name, tally in [*sorted(tallies.items()), ("all", total)]
    ]
    print(f"| {' | '.join(heads)} |")
    print(f"|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def _cells(tally: Tally, names: list[str], engines: tuple[str, ...]) -> Iterator[str]:
    evaluations = tally.counts.get("evaluations", 0)
    for count in (len(tally.packs), *(tally.counts.get(name, 0) for name in names), tally.refused):
        yield f"{count:,}"
    for engine in engines:
        # A pack beyond the live engine is compared by the others alone.
        yield f"{evaluations - (tally.beyond_live if engine == 'live' else 0):,}"


# --- the command ------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """Run all batches; return the exit code."""
    names = arguments.only.split(",") if arguments.only else list(GENERATORS)
    engines = tuple(arguments.engines.split(","))
    started = time.time()
    until = started + arguments.time_limit if arguments.time_limit else None
    listed = [*batches(arguments.packs, arguments.seed, names, engines, until)]
    tallies: dict[str, Tally] = {}
    failures = late = 0
    reported = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        arguments.jobs, mp_context=context, initializer=follow_parent, initargs=(os.getpid(),)
    ) as pool:
        for done in as_completed([pool.submit(run_batch, one) for one in listed]):
            found = done.result()
            late += found.is_late
            tallies.setdefault(found.generator, Tally()).merge(found.tally)
            if found.failure is not None:
                failures += 1
                print(f"{write_failure(found)}: {found.failure[1]}", flush=True)
            if time.monotonic() - reported > REPORT_EVERY_S:
                reported = time.monotonic()
                progress(tallies, failures)
    report(tallies, engines)
    print(f"Disagreements: {failures}")
    print(f"Seeds: {arguments.seed} to {arguments.seed + len(listed) - 1}, {BATCH} packs of each")
    print(f"Time: {time.time() - started:.0f} s, {arguments.jobs} processes")
    if late:
        print(f"Left out for the time limit: {late} of {len(listed)} seeds")
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
    parser.add_argument("--time-limit", type=float, help="seconds after which no seed is begun")
    parser.add_argument("--only", default="", help="some of: " + ", ".join(GENERATORS))
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())

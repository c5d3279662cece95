"""An engine as a process: it holds the facts, runs when told to, and answers with time and digest.

Each line of standard input is a command; each answer is one line of JSON. What is measured is from
facts to matches; reading the answer out of an engine's own form is part of it, digests are not.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from workload import Match, Record, digest_of, records


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _processor_seconds() -> float:
    """Return the processor time of this process, its threads and the workers it started."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii").split()
    total = sum(os.times()[:2])
    for child in children:
        fields = Path(f"/proc/{child}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        # The 14th and 15th field of the file: time in user and in system mode, in ticks.
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def serve(
    evaluate: Callable[[Any], Iterable[Any]],
    load: Callable[[Sequence[Record]], Any] = lambda facts: facts,
    read: Callable[[Any, list[Any]], Iterable[Match]] = lambda _held, found: found,
) -> None:
    """Answer `load N`, `run` and `quit` until the input ends.

    Args:
        evaluate: From what `load` returned to matches; this is measured.
        load: Brings the facts into the form that the engine is given.
        read: From what `evaluate` yields to matches, where that is not to be measured.
    """
    # What engines print of themselves must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    held: Any = None
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "quit":
            return
        answer: dict[str, Any] = {}
        if word == "load":
            held = None
            held = load(records(int(rest[0])))
            gc.collect()
            # The facts are not the engine's: they must not cost it time.
            gc.freeze()
        else:
            start, start_processor = time.perf_counter(), _processor_seconds()
            found = list(evaluate(held))
            answer["seconds"] = time.perf_counter() - start
            answer["processor"] = _processor_seconds() - start_processor
            found = list(read(held, found))
            answer["count"] = len(found)
            answer["digest"] = digest_of(found)
        answer["resident_mb"] = _resident_mb()
        print(json.dumps(answer), file=answers, flush=True)

"""The live engine: durable-rules in worker processes, with a deadline, a fuel and a replacement.

Cases travel in batches. A worker that dies, overruns its deadline or answers anything unexpected
is killed and replaced, and the cases of its batch are tried once more, each alone; a case that
fails again comes back as undetermined with the cause. Nothing is ever silently clean.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

import atexit
import itertools
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from carnet.core.errors import CarnetError
from carnet.core.text import Text
from carnet.rules.budget import COMBINATIONS_MAX
from carnet.rules.decision import Decision, RuleError
from carnet.rules.finding import CASE_RULE, Prepared, conclude, decision_of
from carnet.rules.live.compile import Plan, compile_plan
from carnet.rules.live.encoding import Encoder
from carnet.rules.live.protocol import PLANS_MAX

BATCH_SIZE = 50
DEADLINE_S = 20.0
FUEL = 2 * COMBINATIONS_MAX
"""Matches of one ruleset in one case, after which the case is given up.

One rule within its budget can match all its combinations in both of its forms.
"""
WORKERS_MAX = 4
FACTS_MAX = 900_000
"""Numbers of facts have six digits in the engine."""
_READ_SIZE = 1 << 20
_HEAD_SIZE = 4

# Giving memory back after each case, by trimming or unmapping, costs the engine half of its speed.
_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}

Rows = list[list[Any]]


@dataclass(slots=True)
class Task:
    """Some cases for one worker.

    Args:
        indexes: Their positions in the run.
        payloads: Their messages.
        deaths: How often a worker died over them.
    """

    indexes: list[int]
    payloads: list[bytes]
    deaths: int = 0


@dataclass(slots=True)
class Worker:
    """One worker process and the bytes on their way to and from it."""

    process: subprocess.Popen[bytes]
    plans: OrderedDict[str, None] = field(default_factory=OrderedDict)
    outgoing: memoryview = field(default_factory=lambda: memoryview(b""))
    incoming: bytearray = field(default_factory=bytearray)
    task: Task | None = None
    deadline: float = 0.0

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    @property
    def source(self) -> int:
        """The descriptor that answers are read from."""
        assert self.process.stdout is not None, "the worker was started with a pipe"
        return self.process.stdout.fileno()

    @property
    def sink(self) -> int:
        """The descriptor that requests are written to."""
        assert self.process.stdin is not None, "the worker was started with a pipe"
        return self.process.stdin.fileno()

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                # Closing flushes nothing: all writing goes past the stream's buffer.
                stream.close()
        self.process.wait()


def start_worker() -> Worker:
    """Start a worker.

    Raises:
        CarnetError: The process could not be started.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "carnet.rules.live.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **_ENVIRONMENT},
        )
    except OSError as error:
        raise CarnetError(
            "CRN-R-040",
            Text(f"No worker could be started: {error}.", f"无法启动工作进程：{error}。"),
            Text("Use --engine reference meanwhile.", "可暂用 --engine reference。"),
        ) from error
    worker = Worker(process)
    os.set_blocking(worker.sink, False)
    os.set_blocking(worker.source, False)
    return worker


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(_HEAD_SIZE, "big") + data


class Pool:
    """Workers that keep their compiled packs between runs; used by one thread at a time."""

    def __init__(self, size: int, deadline_s: float = DEADLINE_S, fuel: int = FUEL) -> None:
        self.size = size
        self.deadline_s = deadline_s
        self.fuel = fuel
        self.workers: list[Worker] = []
        self.replaced = 0
        self.lock = threading.Lock()

    def close(self) -> None:
        """Stop all workers."""
        while self.workers:
            self.workers.pop().stop()

    def _idle(self) -> Worker | None:
        for worker in self.workers:
            if worker.task is None:
                return worker
        if len(self.workers) < self.size:
            self.workers.append(start_worker())
            return self.workers[-1]
        return None

    def _assign(self, worker: Worker, task: Task, plan: Plan) -> None:
        header: dict[str, Any] = {"plan": plan.name, "fuel": self.fuel, "cases": len(task.payloads)}
        if plan.name in worker.plans:
            worker.plans.move_to_end(plan.name)
        else:
            header["rulesets"] = plan.rulesets
            worker.plans[plan.name] = None
            if len(worker.plans) > PLANS_MAX:
                worker.plans.popitem(last=False)
        frames = [_frame(json.dumps(header).encode()), *map(_frame, task.payloads)]
        worker.task = task
        worker.outgoing = memoryview(b"".join(frames))
        worker.incoming.clear()
        worker.deadline = time.monotonic() + self.deadline_s

    def _replace(self, worker: Worker) -> None:
        worker.stop()
        self.workers.remove(worker)
        self.replaced += 1

    def run(self, plan: Plan, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[Rows] | str]]:
        """Yield each task with its matches, or with the cause for which its cases were given up.

        A batch whose worker fails comes back as one task for each of its cases.
        """
        waiting: deque[Task] = deque()
        source = iter(tasks)
        while True:
            # Retries first; new batches are only encoded when a worker is free to take them.
            while (worker := self._idle()) is not None:
                task = waiting.popleft() if waiting else next(source, None)
                if task is None:
                    break
                self._assign(worker, task, plan)
            busy = [worker for worker in self.workers if worker.task is not None]
            if not busy:
                return
            for worker in self._ready(busy):
                yield from self._serve(worker, waiting)

    def _ready(self, busy: Sequence[Worker]) -> list[Worker]:
        """Return the workers that can go on, or whose deadline has passed."""
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                selector.register(worker.source, selectors.EVENT_READ, worker)
                if worker.outgoing:
                    selector.register(worker.sink, selectors.EVENT_WRITE, worker)
            left = min(worker.deadline for worker in busy) - time.monotonic()
            found = {id(key.data): key.data for key, _ in selector.select(max(0.0, left))}
        now = time.monotonic()
        late = {id(worker): worker for worker in busy if worker.deadline <= now}
        return list((found | late).values())

    def _serve(
        self, worker: Worker, waiting: deque[Task]
    ) -> Iterator[tuple[Task, list[Rows] | str]]:
        task = worker.task
        assert task is not None, "only busy workers are served"
        try:
            answer = self._exchange(worker)
        except OSError as error:
            answer = {"cause": str(error)}
        if answer is None and time.monotonic() < worker.deadline:
            return
        if answer is not None and "rows" in answer:
            worker.task = None
            yield task, answer["rows"]
            return
        seconds = f"{self.deadline_s:g}"
        cause = answer["cause"] if answer else f"no answer within {seconds} s"
        self._replace(worker)
        yield from self._retry(task, cause, waiting)

    def _exchange(self, worker: Worker) -> dict[str, Any] | None:
        """Write and read what is possible; return the answer once it is complete.

        Raises:
            OSError: The worker is gone.
        """
        if worker.outgoing:
            try:
                written = os.write(worker.sink, worker.outgoing)
                worker.outgoing = worker.outgoing[written:]
            except BlockingIOError:
                pass
        try:
            data = os.read(worker.source, _READ_SIZE)
        except BlockingIOError:
            return None
        if not data:
            message = "the worker process ended"
            raise OSError(message)
        worker.incoming += data
        head = worker.incoming[:_HEAD_SIZE]
        size = int.from_bytes(head, "big")
        if len(head) < _HEAD_SIZE or len(worker.incoming) < _HEAD_SIZE + size:
            return None
        answer: dict[str, Any] = json.loads(worker.incoming[_HEAD_SIZE:])
        return answer

    @staticmethod
    def _retry(
        task: Task, cause: str, waiting: deque[Task]
    ) -> Iterator[tuple[Task, list[Rows] | str]]:
        if task.deaths:
            yield task, cause
            return
        for index, payload in zip(task.indexes, task.payloads, strict=True):
            waiting.append(Task([index], [payload], deaths=1))


_pool: Pool | None = None
_pool_lock = threading.Lock()


def shared_pool() -> Pool:
    """Return the pool of this process, started when first needed and stopped at exit."""
    global _pool  # noqa: PLW0603  # one pool for each process is the point
    with _pool_lock:
        if _pool is None:
            _pool = Pool(size=min(WORKERS_MAX, os.cpu_count() or 1))
            atexit.register(_pool.close)
        return _pool


def _after_fork() -> None:
    """Forget the parent's workers: a child must not speak over its pipes."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _tasks(ready: Sequence[Prepared], encoder: Encoder) -> Iterator[Task]:
    numbered = ((index, one) for index, one in enumerate(ready) if one.rules)
    while batch := list(itertools.islice(numbered, BATCH_SIZE)):
        yield Task([index for index, _ in batch], [encoder.encode(one) for _, one in batch])


def _given_up(prepared: Prepared, cause: str) -> Decision:
    """Return the decision on a case that the engine could not evaluate."""
    text = Text(
        f"The live engine could not evaluate this case: {cause}.",
        f"实时引擎无法评估该案件：{cause}。",
    )
    return decision_of(prepared, (), [*prepared.errors, RuleError(CASE_RULE, text)])


def decide_live(ready: Sequence[Prepared], pool: Pool | None = None) -> Iterator[Decision]:
    """Yield the decision on each prepared case, in their order."""
    if not ready:
        return
    pool = pool or shared_pool()
    plan = compile_plan(ready[0].case.run)
    encoder = Encoder(plan)
    done: dict[int, Decision] = {
        index: conclude(one, {}) for index, one in enumerate(ready) if not one.rules
    }
    position = 0
    with pool.lock:
        for task, answer in pool.run(plan, _tasks(ready, encoder)):
            for offset, index in enumerate(task.indexes):
                one = ready[index]
                done[index] = (
                    _given_up(one, answer)
                    if isinstance(answer, str)
                    else conclude(one, encoder.decode(one, answer[offset]))
                )
            while position in done:
                yield done.pop(position)
                position += 1
    while position in done:
        yield done.pop(position)
        position += 1

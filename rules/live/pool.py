"""The live engine: durable-rules in worker processes, with a deadline, a fuel and a replacement.

Cases travel in batches, and each worker has up to two batches waiting while it works on one. A
worker that dies, overruns its deadline or answers anything unexpected is killed and replaced. The
batches that waited are given out again; the cases of the one it worked on are tried once more, each
alone in a worker with nothing else to do. A case that fails again comes back as undetermined with
the cause. Nothing is ever silently clean.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

import atexit
import fcntl
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
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from carnet.core.collection import collection_paused
from carnet.core.errors import CarnetError
from carnet.core.text import Text
from carnet.rules.budget import COMBINATIONS_MAX
from carnet.rules.case import Run
from carnet.rules.decision import Decision, RuleError
from carnet.rules.finding import CASE_RULE, Matches, Prepared, conclude, decision_of
from carnet.rules.live.compile import Plan, compile_plan
from carnet.rules.live.encoding import Encoder
from carnet.rules.live.protocol import PLANS_MAX

BATCH_CASES_FIRST, BATCH_CASES_MAX = 25, 200
"""Cases of the first batch and of the largest one: few cases are shared by all workers."""
BATCH_CHARACTERS_MAX = 1_000_000
"""What the messages of a batch may come to before it is closed."""
WAITING_MAX = 3
"""Batches that one worker may have, the one it works on among them."""
DEADLINE_S = 20.0
FUEL = 2 * COMBINATIONS_MAX
"""Matches of one ruleset in one case, after which the case is given up.

One rule within its budget can match all its combinations in both of its forms.
"""
WORKERS_MAX = 4
ENCODERS_MAX = 8
"""Compiled packs that this process keeps."""
_READ_SIZE = _PIPE_SIZE = 1 << 20
_HEAD_SIZE = 4

# Giving memory back after each case, by trimming or unmapping, costs the engine half of its speed.
_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}

Rows = list[list[Any]]
Answer = list[Rows] | Text
"""What a batch matched, case by case; or why it was given up."""
TRIES_MAX = 2
"""How often a case is given to a worker before it is given up."""
_ENDED = Text("the worker process ended", "工作进程已终止")


@dataclass(slots=True)
class Task:
    """Some cases for one worker.

    Args:
        indexes: Their positions in the run.
        payloads: Their messages.
        deaths: How often a worker died over them.
    """

    indexes: list[int]
    payloads: list[str]
    deaths: int = 0


@dataclass(slots=True)
class Worker:
    """One worker process and the bytes on their way to and from it."""

    process: subprocess.Popen[bytes]
    plans: OrderedDict[str, None] = field(default_factory=OrderedDict)
    outgoing: memoryview = field(default_factory=lambda: memoryview(b""))
    incoming: bytearray = field(default_factory=bytearray)
    tasks: deque[Task] = field(default_factory=deque)
    deadline: float = 0.0

    def has_room(self, task: Task) -> bool:
        """Return whether it may take a task; one that was there at a death is given it alone."""
        if not self.tasks:
            return True
        alone = task.deaths or self.tasks[0].deaths
        return not alone and len(self.tasks) < WAITING_MAX

    def turn(self) -> tuple[int, int]:
        """Return when it is its turn among those with room: with one batch, with none, with two."""
        return abs(len(self.tasks) - 1), len(self.tasks)

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
    for pipe in (worker.sink, worker.source):
        os.set_blocking(pipe, False)
        _widen(pipe)
    return worker


def _widen(pipe: int) -> None:
    """Let a pipe hold several batches, where the system can: each is then written in one go."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)


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

    def _worker_for(self, task: Task) -> Worker | None:
        """Return the worker that is to take a task, a new one if need be; None if none may.

        One that works gets a second batch before another one is asked: where cases are prepared no
        faster than one worker decides them, the others must not take the processor from whoever
        prepares them.
        """
        free = [worker for worker in self.workers if worker.has_room(task)]
        chosen = min(free, key=Worker.turn, default=None)
        if len(self.workers) < self.size and (chosen is None or len(chosen.tasks) > 1):
            chosen = start_worker()
            self.workers.append(chosen)
        return chosen

    def _assign(self, worker: Worker, task: Task, plan: Plan) -> None:
        header: dict[str, Any] = {"plan": plan.name, "fuel": self.fuel}
        if plan.name in worker.plans:
            worker.plans.move_to_end(plan.name)
        else:
            header["rulesets"] = plan.rulesets
            worker.plans[plan.name] = None
            if len(worker.plans) > PLANS_MAX:
                worker.plans.popitem(last=False)
        cases = "\n".join(task.payloads).encode("ascii")
        frames = _frame(json.dumps(header).encode()) + _frame(cases)
        if not worker.tasks:
            worker.deadline = time.monotonic() + self.deadline_s
        worker.tasks.append(task)
        worker.outgoing = memoryview(bytes(worker.outgoing) + frames)

    def _replace(self, worker: Worker) -> None:
        worker.stop()
        self.workers.remove(worker)
        self.replaced += 1

    def run(self, plan: Plan, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Yield each task with its matches, or with the cause for which its cases were given up.

        A batch whose worker fails comes back as one task for each of its cases.
        """
        waiting: deque[Task] = deque()
        source = iter(tasks)
        try:
            while True:
                self._give_out(plan, source, waiting)
                busy = [worker for worker in self.workers if worker.tasks]
                if not busy:
                    return
                for worker in self._ready(busy):
                    yield from self._serve(worker, waiting)
        finally:
            # Answers to a run that nobody reads to its end must not reach the next one.
            for worker in [one for one in self.workers if one.tasks]:
                self._replace(worker)

    def _give_out(self, plan: Plan, source: Iterator[Task], waiting: deque[Task]) -> None:
        """Assign tasks while a worker may take one; new ones are only then encoded."""
        while True:
            if not waiting and self.workers and not self._has_room_for_new():
                return
            task = waiting.popleft() if waiting else next(source, None)
            if task is None:
                return
            worker = self._worker_for(task)
            if worker is None:
                waiting.appendleft(task)
                return
            self._assign(worker, task, plan)

    def _has_room_for_new(self) -> bool:
        task = Task([], [])
        return len(self.workers) < self.size or any(one.has_room(task) for one in self.workers)

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

    def _serve(self, worker: Worker, waiting: deque[Task]) -> Iterator[tuple[Task, Answer]]:
        """Write and read what is possible; yield the tasks that are thereby done."""
        cause = None if self._transfer(worker) else _ENDED
        # Two answers may arrive at once: nothing more would come to wake us for the second.
        while worker.tasks and (answer := self._take(worker)) is not None:
            if "rows" not in answer:
                cause = Text(answer["cause"], answer["cause"])
                break
            worker.deadline = time.monotonic() + self.deadline_s
            yield worker.tasks.popleft(), answer["rows"]
        if cause is None and worker.tasks and worker.deadline <= time.monotonic():
            seconds = f"{self.deadline_s:g}"
            cause = Text(f"no answer within {seconds} s", f"{seconds} 秒内没有应答")
        if cause is not None and worker in self.workers:
            failed, rest = list(worker.tasks)[:1], list(worker.tasks)[1:]
            worker.tasks.clear()
            self._replace(worker)
            waiting.extendleft(reversed(rest))
            for task in failed:
                yield from self._retry(task, cause, waiting)

    @staticmethod
    def _transfer(worker: Worker) -> bool:
        """Write what is to be written and read what is there; return whether the worker lives."""
        if worker.outgoing:
            try:
                written = os.write(worker.sink, worker.outgoing)
                worker.outgoing = worker.outgoing[written:]
            except BlockingIOError:
                pass
            except OSError:
                # It reads no more, but its last word may still be there to be read.
                worker.outgoing = memoryview(b"")
        try:
            data = os.read(worker.source, _READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        worker.incoming += data
        return bool(data)

    @staticmethod
    def _take(worker: Worker) -> dict[str, Any] | None:
        """Return the next answer if it is complete."""
        head = worker.incoming[:_HEAD_SIZE]
        end = _HEAD_SIZE + int.from_bytes(head, "big")
        if len(head) < _HEAD_SIZE or len(worker.incoming) < end:
            return None
        answer: dict[str, Any] = orjson.loads(worker.incoming[_HEAD_SIZE:end])
        del worker.incoming[:end]
        return answer

    @staticmethod
    def _retry(task: Task, cause: Text, waiting: deque[Task]) -> Iterator[tuple[Task, Answer]]:
        deaths = task.deaths + 1
        if deaths >= TRIES_MAX:
            yield task, cause
            return
        for index, payload in zip(task.indexes, task.payloads, strict=True):
            waiting.append(Task([index], [payload], deaths))


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


def batches(ready: Iterable[tuple[int, Prepared]], encoder: Encoder) -> Iterator[Task]:
    """Yield the cases that an engine has to see, numbered, in batches that grow."""
    task, size, most = Task([], []), 0, BATCH_CASES_FIRST
    for index, one in ready:
        if not one.rules:
            continue
        payload = encoder.encode(one)
        task.indexes.append(index)
        task.payloads.append(payload)
        size += len(payload)
        if len(task.indexes) >= most or size >= BATCH_CHARACTERS_MAX:
            yield task
            task, size, most = Task([], []), 0, min(2 * most, BATCH_CASES_MAX)
    if task.indexes:
        yield task


_encoders: OrderedDict[tuple[int, object, object], tuple[Run, Plan, Encoder]] = OrderedDict()


def _compiled(run: Run) -> tuple[Plan, Encoder]:
    """Return what a pack compiles to on a date, kept for the next run of the same pack object."""
    key = (id(run.pack), run.as_of, run.confirmed)
    found = _encoders.get(key)
    # The run is kept with its pack, so that the identity of the pack stays its own.
    if found is None or found[0].pack is not run.pack:
        plan = compile_plan(run)
        found = _encoders[key] = (run, plan, Encoder(plan, tuple(run.computing)))
    _encoders.move_to_end(key)
    while len(_encoders) > ENCODERS_MAX:
        _encoders.popitem(last=False)
    return found[1], found[2]


def _given_up(prepared: Prepared, cause: Text) -> Decision:
    """Return the decision on a case that the engine could not evaluate."""
    text = Text(
        f"The live engine could not evaluate this case in {TRIES_MAX} attempts: {cause.en}.",
        f"实时引擎尝试 {TRIES_MAX} 次仍无法评估该案件：{cause.zh}。",
    )
    return decision_of(prepared, (), [*prepared.errors, RuleError(CASE_RULE, text)])


class _InOrder:
    """Cases on their way through the workers, given back in the order in which they came."""

    def __init__(self, ready: Iterable[Prepared]) -> None:
        self._ready = ready
        self._waiting: dict[int, Prepared] = {}
        self._done: dict[int, dict[int, Matches] | Text] = {}
        self._position = 0

    def numbered(self) -> Iterator[tuple[int, Prepared]]:
        """Yield the cases with their numbers; they are taken when a worker has room for them."""
        for index, one in enumerate(self._ready):
            self._waiting[index] = one
            if not one.rules:
                self._done[index] = {}
            yield index, one

    def note(self, task: Task, answer: Answer, encoder: Encoder) -> None:
        """Take in what a batch matched."""
        waiting, done, decode = self._waiting, self._done, encoder.decode
        if isinstance(answer, Text):
            done.update(dict.fromkeys(task.indexes, answer))
            return
        for index, rows in zip(task.indexes, answer, strict=True):
            done[index] = decode(waiting[index], rows)

    def take(self) -> Iterator[tuple[Prepared, dict[int, Matches] | Text]]:
        """Yield the cases that are next and done."""
        waiting, done = self._waiting, self._done
        while (found := done.pop(self._position, None)) is not None:
            one = waiting.pop(self._position)
            self._position += 1
            yield one, found


def match_live(
    ready: Iterable[Prepared], pool: Pool | None = None
) -> Iterator[tuple[Prepared, dict[int, Matches] | Text]]:
    """Yield each prepared case, in their order, with what it matched or why it was given up.

    The cases are taken one by one as workers have room, so that a long run holds few of them.
    """
    with collection_paused():
        yield from _match(iter(ready), pool or shared_pool())


def _match(
    source: Iterator[Prepared], pool: Pool
) -> Iterator[tuple[Prepared, dict[int, Matches] | Text]]:
    first = next(source, None)
    if first is None:
        return
    cases = _InOrder(itertools.chain([first], source))
    with pool.lock:
        plan, encoder = _compiled(first.case.run)
        for task, answer in pool.run(plan, batches(cases.numbered(), encoder)):
            cases.note(task, answer, encoder)
            yield from cases.take()
    yield from cases.take()


def decide_live(ready: Iterable[Prepared], pool: Pool | None = None) -> Iterator[Decision]:
    """Yield the decision on each prepared case, in their order."""
    for one, found in match_live(ready, pool):
        yield _given_up(one, found) if isinstance(found, Text) else conclude(one, found)

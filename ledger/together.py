"""Doing what several threads ask for together: one of them leads and works for all that wait.

A commit costs the same for one record and for a thousand. Whoever comes while nobody works leads
at once; whoever comes meanwhile waits, and the first of them leads next. Nobody waits for others to
come, so one thread alone is as quick as without this.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True, eq=False)
class Request(Generic[Q, A]):
    """One thing asked for, and in the end its answer or its error."""

    asked: Q
    answer: A | None = None
    error: Exception | None = None
    is_done: bool = False
    turn: threading.Event | None = None


class Together(Generic[Q, A]):
    """Answers requests of several threads, those that came meanwhile together.

    Args:
        work: Sets `answer` or `error` of each request; what it raises is the error of all.
        weigh: How much one request adds to a round.
        weight_max: What a round of several requests weighs at most.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request[Q, A]]], None],
        weigh: Callable[[Q], int],
        weight_max: int,
    ) -> None:
        self._work = work
        self._weigh = weigh
        self._weight_max = weight_max
        self._guard = threading.Lock()
        self._queue: deque[Request[Q, A]] = deque()
        self._is_led = False

    def ask(self, asked: Q) -> A:
        """Return the answer to a request, or raise its error."""
        request: Request[Q, A] = Request(asked)
        with self._guard:
            self._queue.append(request)
            if self._is_led:
                request.turn = threading.Event()
            self._is_led = True
        if request.turn is not None:
            request.turn.wait()
        if not request.is_done:
            self._lead()
        if request.error is not None:
            raise request.error
        assert request.answer is not None, "every request is answered"
        return request.answer

    def _lead(self) -> None:
        batch = self._take()
        try:
            self._work(batch)
        except Exception as error:  # noqa: BLE001 - every thread that asked raises it
            for request in batch:
                request.error = request.error or error
        except BaseException:
            # This thread is told to stop; the others are not.
            with self._guard:
                self._queue.extendleft(reversed(batch[1:]))
            batch = batch[:1]
            raise
        finally:
            self._release(batch)

    def _take(self) -> list[Request[Q, A]]:
        batch: list[Request[Q, A]] = []
        weight = 0
        with self._guard:
            while self._queue:
                weight += self._weigh(self._queue[0].asked)
                if batch and weight > self._weight_max:
                    break
                batch.append(self._queue.popleft())
        return batch

    def _release(self, batch: Sequence[Request[Q, A]]) -> None:
        for request in batch:
            request.is_done = True
        with self._guard:
            following = self._queue[0] if self._queue else None
            self._is_led = following is not None
        for request in (*batch, *([following] if following is not None else [])):
            if request.turn is not None:
                request.turn.set()

"""The loop of the keeper: one bounded tick after another, until it is told to stop.

A tick is idempotent and may be killed at any point: what is due is read from the chain each time,
and the contract checks every item again. Two keepers at once cost gas and change nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from carnet.core.clock import Clock
from carnet.core.errors import ChainError
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.upkeep import UpkeepReport, keep_up
from carnet.services.workspace import Workspace

PAUSE_MAX_S = 300.0
"""The longest pause after failures that follow each other."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick of the keeper.

    Args:
        at: When it began, by the clock of this machine.
        report: What it found and did, None where it failed.
        error: Why it failed.
    """

    at: datetime
    report: UpkeepReport | None
    error: ChainError | None = None


Wait = Callable[[float], bool]
"""Waits for some seconds; returns True as soon as the loop must stop."""


class Keeper:
    """Does what is due on the chain of one workspace.

    Args:
        workspace: Whose chain it is.
        clock: Stamps the ticks.
    """

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._stopping = Event()

    def stop(self) -> None:
        """Let the loop end after the present tick; safe to call from a signal handler."""
        self._stopping.set()

    def tick(self, session: ChainSession, *, is_dry_run: bool = False) -> UpkeepReport:
        """Do what is due, once.

        Raises:
            ChainError: The node does not answer or refuses.
        """
        return keep_up(session, is_dry_run=is_dry_run)

    def run(
        self,
        *,
        interval_s: float,
        is_once: bool = False,
        is_dry_run: bool = False,
        wait: Wait | None = None,
    ) -> Iterator[Tick]:
        """Yield one tick after another until stopped; a failure is a tick, too, not an end.

        Args:
            interval_s: Seconds between two ticks; doubled after each failure, up to a limit.
            is_once: End after the first tick.
            is_dry_run: Only look.
            wait: Replaces the waiting, for tests.
        """
        pause_of = wait or self._stopping.wait
        pause_s = interval_s
        with ExitStack() as stack:
            session: ChainSession | None = None
            while True:
                begun = self._clock.now()
                try:
                    if session is None:
                        session = stack.enter_context(
                            open_chain(self._workspace, clock=self._clock)
                        )
                    tick = Tick(begun, self.tick(session, is_dry_run=is_dry_run))
                    pause_s = interval_s
                except ChainError as error:
                    # The connection may be of a node that is gone: begin with a new one.
                    stack.close()
                    session = None
                    tick = Tick(begun, None, error)
                    pause_s = min(max(pause_s, 1.0) * 2, PAUSE_MAX_S)
                yield tick
                if is_once or pause_of(pause_s):
                    return

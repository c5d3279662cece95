"""The loop of the keeper: one bounded tick after another, until it is told to stop.

A tick is idempotent and may be killed at any point. What is due on the chain is read from it each
time, and the contract checks every item again: two keepers at once cost gas and change nothing.
Which status lists are due follows from the database, and is asked again under its lock.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from carnet.core.clock import Clock
from carnet.core.errors import ChainError, ConflictError
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.status_listing import due_lists, publish_lists
from carnet.services.upkeep import UpkeepReport, keep_up
from carnet.services.workspace import Workspace

PAUSE_MAX_S = 300.0
"""The longest pause after failures that follow each other."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick of the keeper.

    Args:
        at: When it began, by the clock of this machine.
        report: What it found and did on the chain, None where it failed.
        error: Why it failed.
        lists: The status lists that it published; those that are due where it only looked.
    """

    at: datetime
    report: UpkeepReport | None
    error: ChainError | ConflictError | None = None
    lists: tuple[str, ...] = ()


Wait = Callable[[float], bool]
"""Waits for some seconds; returns True as soon as the loop must stop."""


class Keeper:
    """Does what is due on the chain of one workspace, and publishes its status lists when due.

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

    def keep_lists(self, *, is_dry_run: bool = False) -> tuple[str, ...]:
        """Publish the status lists that are due, and return what they are called.

        A list that ends leaves every bundle of its records unproved, whether or not there is a
        chain.

        Raises:
            ConflictError: The issuer's key was changed at this moment or has ended.
        """
        if is_dry_run:
            return tuple(state.urn for state in due_lists(self._workspace, self._clock))
        return tuple(record.subject["id"] for record in publish_lists(self._workspace, self._clock))

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
                lists: tuple[str, ...] = ()
                try:
                    lists = self.keep_lists(is_dry_run=is_dry_run)
                    if session is None:
                        session = stack.enter_context(
                            open_chain(self._workspace, clock=self._clock)
                        )
                    report = self.tick(session, is_dry_run=is_dry_run)
                    tick = Tick(begun, report, lists=lists)
                    pause_s = interval_s
                except (ChainError, ConflictError) as error:
                    # The connection may be of a node that is gone: begin with a new one.
                    stack.close()
                    session = None
                    tick = Tick(begun, None, error, lists)
                    pause_s = min(max(pause_s, 1.0) * 2, PAUSE_MAX_S)
                yield tick
                if is_once or pause_of(pause_s):
                    return

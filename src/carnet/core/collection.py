"""Pausing the cyclic garbage collector while much is made that stays and nothing makes cycles."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector, which would walk all that stays over and over.

    What is no longer used is still freed at once; only cycles wait. Pauses may nest, and overlap in
    several threads: the last one that ends brings back what the first one found.
    """
    global _pauses, _was_enabled  # noqa: PLW0603  # the collector is one for the process as well
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                gc.enable()

"""Pausing the cyclic collector: nested, over threads, and as it was before."""

import gc
import threading
from collections.abc import Iterator

import pytest

from carnet.core.collection import collection_paused


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_collection__is_paused_until_the_outermost_pause_ends() -> None:
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection__goes_on_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), collection_paused():
        assert 1 // 0
    assert gc.isenabled()


def test_collection__that_was_off_stays_off() -> None:
    gc.disable()
    with collection_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_collection__is_paused_while_any_thread_asks_for_it() -> None:
    inside, leave = threading.Event(), threading.Event()

    def pause() -> None:
        with collection_paused():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=pause)
    other.start()
    inside.wait(10)
    with collection_paused():
        pass
    assert not gc.isenabled()
    leave.set()
    other.join(10)
    assert gc.isenabled()

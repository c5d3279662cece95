"""The long comparison of engines: its processes end with it, and it stops at its time limit."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "differential.py"

SLEEP_S = 30
PARENT = f"""
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("tool", {str(TOOL)!r})
tool = importlib.util.module_from_spec(spec)
sys.modules["tool"] = tool
spec.loader.exec_module(tool)
parent = os.getpid()
if os.fork() == 0:
    tool.follow_parent(parent)
    print("ready", flush=True)
time.sleep({SLEEP_S})
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("differential_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_differential__processes_end_with_the_one_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        os.kill(parent.pid, signal.SIGKILL)
        killed = time.monotonic()
        # The child holds the pipe as well, so that nothing more comes only when it has ended.
        assert parent.stdout.read() == b""
    assert time.monotonic() - killed < SLEEP_S / 2


def test_differential__begins_no_seed_after_its_time_limit(tool: ModuleType) -> None:
    names = list(tool.GENERATORS)
    late, timely = time.time() - 1, time.time() + 600
    (first, *_) = tool.batches(3, 7, names, ("live",), late)
    assert (first.seed, first.count, first.until) == (7, 3, late)
    found = tool.run_batch(first)
    assert found.is_late
    assert not found.tally.packs
    (first,) = tool.batches(2, 7, names, ("live",), timely)
    found = tool.run_batch(first)
    assert not found.is_late
    assert len(found.tally.packs) == 2
    assert found.failure is None

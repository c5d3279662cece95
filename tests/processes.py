"""Child processes for tests: a real process each, without the second that an interpreter starts in.

Each test process has one server (`tests.fork_server`) that has imported what Carnet needs, and
forks a child for each program. What the child does is what any process does: memory, locks and
files of its own, an exit code, death by SIGKILL. Only tests of the start itself need an
interpreter.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.fork_server import LENGTH

Completed = subprocess.CompletedProcess[str]
"""A process that ended: its exit code and the text that it printed."""

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 120
CARNET = "import sys; sys.argv[0] = 'carnet'; from carnet.cli.main import main; main()"
"""The program that is the `carnet` command."""

COMMAND = """#!{python} -IS
import json, os, signal, socket, sys
request = {{"program": {program!r}, "arguments": sys.argv[1:], "cwd": os.getcwd()}}
data = json.dumps(request | {{"env": dict(os.environ)}}).encode()
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect({server!r})
socket.send_fds(connection, [len(data).to_bytes(4, "big")], [0, 1, 2])
connection.sendall(data)
number = int.from_bytes(connection.recv(4), "big")
signal.signal(signal.SIGTERM, lambda *_: os.kill(number, signal.SIGTERM))
sys.exit(int.from_bytes(connection.recv(4), "big", signed=True) & 0xFF)
"""
"""A program that runs `carnet` in a child of the server and ends as it does."""


@cache
def server_address() -> str:
    """Return the socket of this process's server, started when it is first asked for."""
    folder = tempfile.TemporaryDirectory(prefix="carnet-fork-")
    address = str(Path(folder.name) / "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", address],
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    _KEPT.append((folder, process))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not Path(address).exists():
        assert process.poll() is None, "the fork server ended"
        assert time.monotonic() < deadline, "the fork server did not start"
        time.sleep(0.02)
    return address


_KEPT: list[object] = []
"""What lives as long as this process: the server ends with it."""


def run_python(
    program: str,
    *arguments: str | Path,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 240,
) -> Completed:
    """Run a program as `python -c` does, and return its exit code and what it printed."""
    words = [str(argument) for argument in arguments]
    outputs = [os.pipe(), os.pipe()]
    with (
        tempfile.TemporaryFile() as entered,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
    ):
        entered.write(stdin)
        entered.seek(0)
        ends = [entered.fileno(), *(end for _, end in outputs)]
        _ask(connection, program, words, cwd=cwd, env=env, streams=ends)
        for _, end in outputs:
            os.close(end)
        number = int.from_bytes(connection.recv(LENGTH), "big")
        try:
            out, err = _read([start for start, _ in outputs], timeout)
            connection.settimeout(timeout)
            code = int.from_bytes(connection.recv(LENGTH), "big", signed=True)
        except TimeoutError:
            os.kill(number, signal.SIGKILL)
            raise
        finally:
            for start, _ in outputs:
                os.close(start)
    return Completed([sys.executable, "-c", program, *words], code, out, err)


def run_carnet(
    *arguments: str | Path,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run the `carnet` command."""
    return run_python(CARNET, *arguments, cwd=cwd, env=env, stdin=stdin)


@cache
def command_folder() -> Path:
    """Return a folder with a `carnet` that asks the server of this process: for a shell's path."""
    server = server_address()
    path = Path(server).parent / "bin" / "carnet"
    path.parent.mkdir()
    path.write_text(COMMAND.format(python=sys.executable, program=CARNET, server=server), "utf-8")
    path.chmod(0o755)
    return path.parent


def _ask(
    connection: socket.socket,
    program: str,
    arguments: Sequence[str],
    *,
    cwd: str | Path | None,
    env: Mapping[str, str] | None,
    streams: Sequence[int],
) -> None:
    request = {
        "program": program,
        "arguments": arguments,
        "cwd": str(cwd or Path.cwd()),
        "env": dict(os.environ if env is None else env),
    }
    data = json.dumps(request).encode()
    connection.connect(server_address())
    socket.send_fds(connection, [len(data).to_bytes(LENGTH, "big")], streams)
    connection.sendall(data)


def _read(streams: Sequence[int], timeout: float) -> list[str]:
    """Return what comes out of some pipes until the last writer has closed them."""
    deadline = time.monotonic() + timeout
    found = dict.fromkeys(streams, b"")
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                data = os.read(key.fd, 65_536)
                found[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
    return [data.decode() for data in found.values()]

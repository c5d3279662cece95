"""A process that has loaded what Carnet needs and forks children that run a program at once.

Run as ``python -m tests.fork_server SOCKET``; `tests.processes` starts one and talks to it. A
request is one connection: a length, a JSON document and the three standard streams; the answers are
the child's number and, when it ended, its exit code.

The command line is not loaded before the fork, because it takes its language when it is imported.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any

from carnet.core.errors import CarnetError

LENGTH = 4
EXIT_FAILED = 1
EXIT_UNFLUSHED = 120
NOT_LOADED = (
    *("carnet.cli", "carnet.store.migrations", "carnet.examples", "carnet.rules.live.worker"),
    "carnet.api",  # few children serve
)
ALSO_LOADED = (
    *("typer", "rich.console", "rich.table", "typer.rich_utils", "alembic.command"),
    *("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg", "python_calamine"),
    *("tests.faults_of_append", "tests.fixtures_erasing"),
)


def load() -> None:
    """Import what takes long, once for all children."""
    # It starts a thread when it is imported: what imports it is loaded in the child that needs it.
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # makes its import fail
    package = importlib.import_module("carnet")
    for module in pkgutil.walk_packages(package.__path__, "carnet.", lambda _: None):
        if not module.name.startswith(NOT_LOADED) and not module.name.endswith("__main__"):
            # What does not import fails in the child that needs it.
            with contextlib.suppress(ImportError, SyntaxError):
                importlib.import_module(module.name)
    for name in ALSO_LOADED:
        importlib.import_module(name)
    del sys.modules["pyarrow"]
    from carnet.rules.pack import load_shipped
    from carnet.rules.shelf import shelved_packs

    for name in sorted({shelved.id for shelved in shelved_packs()}):
        # What is being edited is said by whoever uses it.
        with contextlib.suppress(CarnetError):
            load_shipped(name)
    threads = os.listdir("/proc/self/task")  # noqa: PTH208 - numbers, not paths
    assert len(threads) == 1, "a process with threads must not fork"
    # What is never freed need not be copied by children that count references.
    gc.collect()
    gc.freeze()


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request, and the streams that came with it."""
    head, streams, _, _ = socket.recv_fds(connection, LENGTH, 3)
    length = int.from_bytes(head, "big")
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return json.loads(data), streams


def serve(path: str) -> tuple[dict[str, Any], list[int]]:
    """Fork a child for each request; return in the child, with its request."""
    selector = selectors.DefaultSelector()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{path}-new")
    listener.listen(64)
    # Under this name it is seen by who waits, and answers.
    Path(f"{path}-new").rename(path)
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                tell_end(selector, key)
                continue
            connection, _ = listener.accept()
            request, streams = receive(connection)
            number = os.fork()
            if number == 0:
                leave(selector, connection)
                return request, streams
            for stream in streams:
                os.close(stream)
            connection.sendall(number.to_bytes(LENGTH, "big"))
            selector.register(os.pidfd_open(number), selectors.EVENT_READ, (number, connection))


def tell_end(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Tell who asked for a child how it ended."""
    number, connection = key.data
    _, status = os.waitpid(number, 0)
    code = os.waitstatus_to_exitcode(status)
    selector.unregister(key.fileobj)
    os.close(key.fd)
    # Whoever asked need not wait for the end.
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(code.to_bytes(LENGTH, "big", signed=True))
    connection.close()


def leave(selector: selectors.BaseSelector, connection: socket.socket) -> None:
    """Close in a child what belongs to the server."""
    for key in list(selector.get_map().values()):
        if key.data is None:
            key.fileobj.close()  # type: ignore[union-attr]  # the listener
        else:
            key.data[1].close()
            os.close(key.fd)
    selector.close()
    connection.close()


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Run a program as an interpreter runs ``python -c PROGRAM ARGUMENT...``."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["-c", *request["arguments"]]
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in paths if path and path not in sys.path]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    code = EXIT_FAILED
    try:
        exec(compile(request["program"], "<string>", "exec"), main.__dict__)
        code = 0
    except SystemExit as end:
        code = exit_code_of(end)
    except BaseException:  # noqa: BLE001 - an interpreter prints whatever ends it
        traceback.print_exc()
    finish(code)


def exit_code_of(end: SystemExit) -> int:
    """Return the exit code of an interpreter that this ends."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return EXIT_FAILED


def finish(code: int) -> None:
    """End as an interpreter does, without clearing away what its memory holds, piece by piece."""
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter calls
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = EXIT_UNFLUSHED
    os._exit(code)


if __name__ == "__main__":
    # Whoever started it may be killed; the kernel then ends it (PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    place = sys.argv[1]
    sys.path[0] = ""
    load()
    become(*serve(place))

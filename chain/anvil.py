"""The development node: anvil as a managed child with its state kept in the workspace.

Guarantees:

* Never two nodes on one state: the child inherits an exclusive lock on ``node.lock``, so the kernel
  itself releases it when the child dies, however it dies.
* What a command has acknowledged survives a kill of the node. anvil rewrites its state file in
  place, so a kill in the middle leaves half a file, which it then refuses to read. `save` keeps a
  second copy that is replaced atomically; `start` takes the newer readable one of the two.
* Chain time never goes back over a restart.

Files of the folder: ``state.json`` (anvil's), ``saved.json`` (ours), ``genesis.json`` (the instant
a chain was told to begin at), ``node.json`` and ``node.pid`` (of the running child), ``node.lock``,
``users.lock``, ``anvil.log``.
"""

import fcntl
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from carnet.chain.rpc import DEV_CHAIN_ID, RpcClient
from carnet.core.clock import format_instant, parse_instant
from carnet.core.errors import ChainError
from carnet.core.files import PRIVATE_MODE, write_atomic
from carnet.core.text import Text

ANVIL_VARIABLE = "CARNET_ANVIL"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
STATE_BYTES_MAX = 512 * 1024 * 1024

_PORT_ATTEMPTS_MAX = 3
_PAUSE_S = 0.01
_LOG_TAIL_MAX = 400
# The shell ends at once, so the child is nobody's zombie; it leaves the pid behind even where the
# command that asked for the node is killed in this very moment.
_LAUNCH = 'pid_file=$1; log=$2; shift 2; "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid_file"'


def find_anvil() -> Path:
    """Return the anvil program: ``CARNET_ANVIL``, else next to this Python, else on PATH.

    Raises:
        ChainError: There is none; the hint says what to install.
    """
    named = os.environ.get(ANVIL_VARIABLE)
    beside = Path(sys.executable).parent / "anvil"
    on_path = shutil.which("anvil")
    candidates = [Path(named)] if named else [beside, *([Path(on_path)] if on_path else [])]
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    looked = ", ".join(str(path) for path in candidates)
    raise ChainError(
        "CRN-H-010",
        Text(
            f"The development node anvil was not found (looked at {looked} and on PATH).",
            f"找不到开发节点 anvil（已查找 {looked} 及 PATH）。",
        ),
        Text(
            "`python3 dev.py demo` installs it in a checkout. Elsewhere install the npm package "
            "@foundry-rs/anvil-linux-amd64 1.7.1 with --ignore-scripts and set "
            f"{ANVIL_VARIABLE} to its bin/anvil; or set rpc_url to a running node.",
            "在源码目录中运行 `python3 dev.py demo` 会自动安装。其他情况请用 --ignore-scripts 安装 "
            f"npm 包 @foundry-rs/anvil-linux-amd64 1.7.1 并将 {ANVIL_VARIABLE} 指向其 bin/anvil；"
            "也可将 rpc_url 设为已运行的节点。",
        ),
    )


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node that is running.

    Args:
        pid: Its process.
        port: Its port on 127.0.0.1.
        is_detached: Whether it outlives the commands that use it.
    """

    pid: int
    port: int
    is_detached: bool

    @property
    def url(self) -> str:
        """Return the address of the node."""
        return f"http://127.0.0.1:{self.port}"


class AnvilNode:
    """The node of one chain folder; any number of processes may hold such a handle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._users: int | None = None

    # -- questions ---------------------------------------------------------------------------

    def status(self) -> NodeStatus | None:
        """Return the running node, or None where none runs."""
        if not self.folder.is_dir() or not self._is_locked():
            return None
        return self._described()

    def has_state(self) -> bool:
        """Return whether a chain was begun in this folder."""
        return bool(self._readable_states())

    # -- life --------------------------------------------------------------------------------

    def start(
        self, *, start_at: datetime | None = None, is_detached: bool = False
    ) -> tuple[NodeStatus, bool]:
        """Return the running node, started if there was none, and whether it was started.

        Args:
            start_at: The instant a new chain begins at; without effect on a chain that exists.
            is_detached: Keep it running after this process; a node that runs is marked so, too.

        Raises:
            ChainError: anvil is missing or does not start.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with self._try_lock(fcntl.LOCK_EX) as lock:
                if lock is not None:
                    status = self._start_locked(lock, start_at=start_at, is_detached=is_detached)
                    return status, True
            found = self._described()
            if found is not None and _answers(found.url):
                return self._mark(found, is_detached=is_detached), False
            if time.monotonic() > deadline:
                raise self._failed("it holds its lock but does not answer")
            time.sleep(_PAUSE_S * 5)

    def stop(self) -> bool:
        """Stop the node with its state kept; return whether one was running.

        Raises:
            ChainError: It could not be stopped.
        """
        if self.status() is None and not (self.folder.is_dir() and self._is_locked()):
            return False
        with suppress(ChainError):
            self.save()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            if self._wait_unlocked():
                for name in ("node.json", "node.pid"):
                    (self.folder / name).unlink(missing_ok=True)
                return True
        raise self._failed("it did not stop")

    def save(self) -> None:
        """Write the node's present state to the copy that a kill cannot damage.

        Raises:
            ChainUnavailableError: No node answers.
        """
        found = self._described()
        if found is None:
            return
        with RpcClient(found.url) as rpc:
            dump = rpc.call("anvil_dumpState")
        state = gzip.decompress(bytes.fromhex(dump.removeprefix("0x")))
        write_atomic(self.folder / "saved.json", state, mode=PRIVATE_MODE)

    # -- sharing -----------------------------------------------------------------------------

    def join(self) -> None:
        """Register this handle as a user of the node; call it before `start`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._users = os.open(self.folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def leave(self) -> None:
        """End the use: keep the state, and stop the node if nobody else uses it.

        A detached node is left running. Where another user is found, it is the one to stop the
        node when it leaves, so a node never vanishes under a running command.
        """
        if self._users is None:
            return
        descriptor, self._users = self._users, None
        try:
            with suppress(ChainError):
                self.save()
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = self.status()
            if found is not None and not found.is_detached:
                self.stop()
        except BlockingIOError:
            return
        finally:
            os.close(descriptor)

    # -- inner parts -------------------------------------------------------------------------

    def _start_locked(
        self, lock: int, *, start_at: datetime | None, is_detached: bool
    ) -> NodeStatus:
        anvil = find_anvil()
        has_state = self._restore_state()
        if not has_state and start_at is not None:
            text = json.dumps({"start_at": format_instant(start_at)})
            write_atomic(self.folder / "genesis.json", text.encode(), mode=PRIVATE_MODE)
        for _ in range(_PORT_ATTEMPTS_MAX):
            port = _free_port()
            self._launch(anvil, lock, port, is_detached=is_detached, has_state=has_state)
            status = self._wait_ready()
            if status is not None:
                if has_state:
                    self._continue_time(status)
                return status
        raise self._failed("it ended at once")

    def _launch(
        self, anvil: Path, lock: int, port: int, *, is_detached: bool, has_state: bool
    ) -> None:
        (self.folder / "node.pid").unlink(missing_ok=True)
        self._describe(port, is_detached=is_detached)
        genesis = None if has_state else self._genesis()
        command = [
            str(anvil),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--chain-id", str(DEV_CHAIN_ID), "--hardfork", "prague"),
            *("--state", str(self.folder / "state.json"), "--state-interval", "1"),
            # Its accounts are unlocked: no page of a browser may reach them.
            *("--allow-origin", f"http://127.0.0.1:{port}"),
            *("--accounts", "1", "--quiet"),
            *(("--timestamp", str(int(genesis.timestamp()))) if genesis is not None else ()),
        ]
        subprocess.run(  # noqa: S603 - the program was found by us and no shell reads its arguments
            [
                "/bin/sh",
                "-c",
                _LAUNCH,
                "carnet-node",
                str(self.folder / "node.pid"),
                str(self.folder / "anvil.log"),
                *command,
            ],
            check=True,
            pass_fds=(lock,),
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)},
        )

    def _wait_ready(self) -> NodeStatus | None:
        """Return the node once it answers, or None once it has ended."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            status = self._described()
            if status is not None and _answers(status.url):
                return status
            if status is not None and not _is_alive(status.pid):
                return None
            time.sleep(_PAUSE_S)
        raise self._failed(f"it did not answer within {START_TIMEOUT_S:.0f} s")

    def _continue_time(self, status: NodeStatus) -> None:
        """Let chain time go on where it stood.

        anvil forgets its time over a restart and would stamp new blocks before old ones.
        """
        with RpcClient(status.url) as rpc:
            latest = rpc.block_timestamp_s()
            if self._genesis() is not None or latest >= int(time.time()):
                rpc.call("evm_setTime", latest + 1)

    def keeps_own_time(self) -> bool:
        """Return whether the chain was told when to begin: its time is not the machine's then."""
        return self._genesis() is not None

    def _genesis(self) -> datetime | None:
        try:
            fields = json.loads((self.folder / "genesis.json").read_text(encoding="utf-8"))
            return parse_instant(fields["start_at"])
        except (OSError, ValueError, KeyError):
            return None

    def _readable_states(self) -> list[tuple[int, Path]]:
        """Return the whole state files with their block numbers, the newest last."""
        found: list[tuple[int, Path]] = []
        for name in ("saved.json", "state.json"):
            path = self.folder / name
            with suppress(OSError, ValueError, KeyError, TypeError):
                if path.stat().st_size <= STATE_BYTES_MAX:
                    found.append((int(json.loads(path.read_bytes())["best_block_number"]), path))
        return sorted(found, key=lambda pair: pair[0])

    def _restore_state(self) -> bool:
        state = self.folder / "state.json"
        readable = self._readable_states()
        if not readable:
            if state.exists() and state.stat().st_size > 0:
                # Kept for a look at it: anvil refuses to start on a file it cannot read.
                state.replace(self.folder / "state.unreadable.json")
            state.unlink(missing_ok=True)
            return False
        newest = readable[-1][1]
        if newest != state:
            write_atomic(state, newest.read_bytes(), mode=PRIVATE_MODE)
        return True

    def _describe(self, port: int, *, is_detached: bool) -> None:
        text = json.dumps({"port": port, "is_detached": is_detached})
        write_atomic(self.folder / "node.json", text.encode(), mode=PRIVATE_MODE)

    def _described(self) -> NodeStatus | None:
        try:
            fields: dict[str, Any] = json.loads((self.folder / "node.json").read_bytes())
            pid = int((self.folder / "node.pid").read_text(encoding="ascii"))
            return NodeStatus(pid, int(fields["port"]), bool(fields["is_detached"]))
        except (OSError, ValueError, KeyError):
            return None

    def _mark(self, found: NodeStatus, *, is_detached: bool) -> NodeStatus:
        if not is_detached or found.is_detached:
            return found
        self._describe(found.port, is_detached=True)
        return NodeStatus(found.pid, found.port, is_detached=True)

    def _signal(self, number: signal.Signals) -> None:
        # The lock shows that a node runs; its own command line, that this pid is the one.
        found = self._described()
        if found is not None and self._is_locked() and _is_node(found.pid, self.folder):
            with suppress(ProcessLookupError):
                os.kill(found.pid, number)

    def _wait_unlocked(self) -> bool:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self._is_locked():
                return True
            time.sleep(_PAUSE_S)
        return False

    def _is_locked(self) -> bool:
        # A shared probe: two that look at the same time do not take each other for the node.
        with self._try_lock(fcntl.LOCK_SH) as lock:
            return lock is None

    @contextmanager
    def _try_lock(self, mode: int) -> Iterator[int | None]:
        descriptor = os.open(self.folder / "node.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _failed(self, reason: str) -> ChainError:
        log = self.folder / "anvil.log"
        tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_MAX:].strip()
        return ChainError(
            "CRN-H-011",
            Text(
                f"The development node in {self.folder} failed: {reason}. {tail}",
                f"{self.folder} 中的开发节点出错：{reason}。{tail}",
            ),
            Text(
                "Run `carnet chain down`, look at anvil.log in that folder, and try again.",
                "请运行 `carnet chain down`，查看该文件夹中的 anvil.log，然后重试。",
            ),
        )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    with RpcClient(url, timeout_s=2.0) as rpc:
        try:
            return rpc.chain_id() == DEV_CHAIN_ID
        except ChainError:
            return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_node(pid: int, folder: Path) -> bool:
    """Return whether a process is the node of a folder; a pid is soon given to another."""
    if not Path("/proc/self/cmdline").exists():
        return _is_alive(pid)
    try:
        return os.fsencode(folder / "state.json") in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False

"""The file that the newest checkpoint is published to, and the lock of those who append.

The file lies outside the database: a database that was restored from a backup is behind it. It is
replaced as a whole and synced. Doing so takes longer than the append itself, so a log that appends
many times a second publishes once in a pause; what waits is published when the pause is over, by a
thread that ends before the process does. A crash meanwhile leaves an older published checkpoint, as
a crash between commit and publishing does, and opening the log replaces it.

Source: docs/spec/record-and-log.md, clauses RL-5.1 and RL-5.5.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from carnet.core.errors import LedgerFatalError, VerificationError
from carnet.core.files import held_file, read_small, write_atomic
from carnet.core.text import Text
from carnet.ledger.checkpoint import SignedCheckpoint, parse_checkpoint
from carnet.ledger.note import NOTE_SIZE_MAX
from carnet.ledger.reader import state_unknown

LOCK_NAME: Final = ".append-lock"
PUBLISH_LOCK_NAME: Final = ".publish-lock"


class Published:
    """The published checkpoint of a log.

    Args:
        path: The file.
        verify: Checks that the log signed a checkpoint; raises VerificationError.
        pause_s: How long publishing may wait after the last time; 0 for never.
    """

    def __init__(
        self, path: Path, verify: Callable[[SignedCheckpoint], None], pause_s: float = 0.0
    ) -> None:
        self.path = path
        self._verify = verify
        self._pause_s = pause_s
        self._own: tuple[SignedCheckpoint | None, SignedCheckpoint | None] = (None, None)
        self._known: dict[bytes, SignedCheckpoint] = {}
        self._append_lock = path.parent / LOCK_NAME
        self._publish_lock = path.parent / PUBLISH_LOCK_NAME
        self._has_folder = False
        self._has_failed = False
        self._written_at = -pause_s
        self._guard = threading.Lock()
        self._waiting: SignedCheckpoint | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one who appends, of all threads and processes.

        Waiting for the database alone would do, but SQLite lets those who wait sleep and ask again:
        with many of them the lock would be idle most of the time.
        """
        self._make_folder()
        with held_file(self._append_lock):
            yield

    def _make_folder(self) -> None:
        if not self._has_folder:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._has_folder = True

    def read(self) -> SignedCheckpoint | None:
        """Return the published checkpoint, None where the file is missing.

        Raises:
            LedgerFatalError: It is not one of this log.
        """
        try:
            data = read_small(self.path, NOTE_SIZE_MAX)
            found = self._known.get(data)
            if found is None:
                found = parse_checkpoint(data.decode("utf-8"))
                self._verify(found)
                self._known = {data: found}
        except FileNotFoundError:
            return None
        except (VerificationError, UnicodeError) as error:
            raise state_unknown(
                "CRN-L-004",
                f"The published checkpoint {self.path} is not one of this log.",
                f"已发布的检查点 {self.path} 不属于本日志。",
            ) from error
        return found

    def is_own(self, signed: SignedCheckpoint) -> bool:
        """Return whether this object wrote what it read, last or the time before."""
        return any(signed is own for own in self._own)

    def write(self, signed: SignedCheckpoint) -> None:
        """Publish a checkpoint that is committed, now, unless a newer one is published.

        Under a lock of its own, so that of two processes the one with the older checkpoint never
        writes last, and that nobody who appends waits for the disk of a thread that publishes.
        """
        self._make_folder()
        with held_file(self._publish_lock):
            found = self.read()
            if found is None or found.checkpoint.size < signed.checkpoint.size:
                self._replace(signed)
        self._written_at, self._has_failed = time.monotonic(), False

    def _replace(self, signed: SignedCheckpoint) -> None:
        data = signed.text.encode()
        # Who reads meanwhile finds the one or the other.
        self._own = (self._own[-1], signed)
        self._known = {**dict(list(self._known.items())[-1:]), data: signed}
        write_atomic(self.path, data)

    def offer(self, signed: SignedCheckpoint) -> None:
        """Publish a checkpoint that is committed: now, or before the pause is over."""
        with self._guard:
            if self._is_pause():
                self._waiting = signed
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_waiting)
                    self._thread.start()
                return
            self._waiting = None
        self.write(signed)

    def _is_pause(self) -> bool:
        """Return whether this process or another has published a moment ago.

        The first time is always at once: who opens a log to append once finds it published.
        """
        if self._pause_s <= 0 or self._has_failed or self._own[-1] is None:
            return False
        if time.monotonic() - self._written_at < self._pause_s:
            return True
        try:
            return abs(time.time() - self.path.stat().st_mtime) < self._pause_s
        except FileNotFoundError:
            return False

    def _write_waiting(self) -> None:
        time.sleep(self._pause_s)
        with self._guard:
            signed, self._waiting, self._thread = self._waiting, None, None
        try:
            if signed is not None:
                self.write(signed)
        except (OSError, LedgerFatalError):
            # The next append publishes at once and says what is wrong.
            self._has_failed = True


def unpublished(path: Path) -> LedgerFatalError:
    """Return the error of a log whose published checkpoint is gone."""
    return LedgerFatalError(
        "CRN-L-018",
        Text(
            f"The published checkpoint {path} is missing, so nothing shows that the database is "
            "not an older copy.",
            f"缺少已发布的检查点 {path}，因此无法表明数据库不是较旧的副本。",
        ),
        Text(
            "Restore the newest copy of the file, kept apart from the database. If there is none, "
            "compare the output of "
            "`carnet log checkpoint` with the newest checkpoint that lenders, witnesses or the "
            "chain hold; only if it is no older, write that output to the file.",
            "请恢复该文件（与数据库分开保存）的最新副本。若没有，"
            "请将 `carnet log checkpoint` 的输出与资金方、"
            "见证者或链上持有的最新检查点比对；仅当其不更旧时，才将该输出写入该文件。",
        ),
    )


def rolled_back(published: int, stored: int) -> LedgerFatalError:
    """Return the error of a database that does not hold what was published."""
    return LedgerFatalError(
        "CRN-L-003",
        Text(
            f"A checkpoint of size {published} was published, but the database does not hold it "
            f"(its log has {stored} entries).",
            f"已发布大小为 {published} 的检查点，但数据库中没有（其日志有 {stored} 个条目）。",
        ),
        Text(
            "The database was restored from an older backup or replaced. Restore a newer one; "
            "never sign on from here, since a second history could then be shown.",
            "数据库来自较旧的备份或已被替换。请恢复更新的备份；"
            "切勿在此基础上继续签名，否则会出现第二份历史。",
        ),
    )

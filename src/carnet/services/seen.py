"""What a verifier has seen of each log: its newest checkpoint, one file for each log key.

Files are replaced whole and only by a checkpoint that is proved to continue them, under a lock, so
that two verifications at once cannot move one back. They are named by the key and not by the origin
alone: two logs that happen to use one name are not two histories of one log.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from carnet.core.digests import sha256
from carnet.core.errors import InputError, VerificationError
from carnet.core.files import PRIVATE_MODE, locked_folder, write_atomic
from carnet.core.text import Text
from carnet.ledger.checkpoint import SignedCheckpoint, parse_checkpoint, verify_checkpoint
from carnet.ledger.note import NOTE_SIZE_MAX, VerifierKey

SUFFIX: Final = ".checkpoint"


def default_state_folder() -> Path:
    """Return where a user's programs keep state: by XDG, on macOS by Apple's convention.

    Source: XDG Base Directory Specification 0.8, XDG_STATE_HOME.
    """
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        named = os.environ.get("XDG_STATE_HOME", "")
        # The specification has relative paths ignored.
        base = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
    return base / "carnet" / "seen"


def _unusable(path: Path, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-V-042",
        Text(
            f"What was seen of the log before, {path}, cannot be used: {en.rstrip('.')}.",
            f"此前所见检查点的记录 {path} 无法使用：{zh.rstrip('。')}。",
        ),
        Text(
            "Restore it from a backup, name another folder with --state, or verify without memory "
            "with --no-state; deleting it forgets what the log showed.",
            "请从备份恢复，用 --state 指定其他文件夹，或用 --no-state 不作比较；"
            "删除它将丢失日志此前所示内容。",
        ),
    )


class SeenStore:
    """The newest checkpoints seen of the logs that a policy names.

    Args:
        folder: The state folder; made when there is something to keep.
        keys: The keys of the logs.
    """

    def __init__(self, folder: Path, keys: Sequence[VerifierKey]) -> None:
        self._folder = folder
        self._keys = tuple(keys)

    def _path(self, key: VerifierKey) -> Path:
        return self._folder / (sha256(key.to_text().encode()).hex() + SUFFIX)

    def read(self, origin: str) -> SignedCheckpoint | None:
        """Return the newest checkpoint seen of an origin, None where none was.

        Raises:
            InputError: What is kept is not a checkpoint that the log signed.
        """
        found = [self._read(key) for key in self._keys if key.name == origin]
        return max(
            (item for item in found if item is not None),
            key=lambda item: item.checkpoint.size,
            default=None,
        )

    def _read(self, key: VerifierKey) -> SignedCheckpoint | None:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                text = file.read(4 * NOTE_SIZE_MAX + 1).decode("utf-8")
            signed = parse_checkpoint(text)
            verify_checkpoint(signed, key)
        except FileNotFoundError:
            return None
        except VerificationError as error:
            raise _unusable(path, error.message.en, error.message.zh) from error
        except UnicodeDecodeError as error:
            raise _unusable(path, "it is not text", "不是文本") from error
        except OSError as error:
            raise _unusable(path, str(error.strerror), str(error.strerror)) from error
        return signed

    def advance(self, before: SignedCheckpoint | None, newest: SignedCheckpoint) -> bool:
        """Keep a checkpoint that continues what was read before; return whether that still stands.

        Args:
            before: What `read` gave when the checkpoint was compared.
            newest: Proved to be of one history with it, and no smaller.

        Raises:
            InputError: The folder cannot be used.
        """
        origin = newest.checkpoint.origin
        try:
            with locked_folder(self._folder):
                present = self.read(origin)
                if present != before:
                    return False
                if present is None or present.checkpoint.size < newest.checkpoint.size:
                    self._write(newest)
        except OSError as error:
            raise _unusable(self._folder, str(error.strerror), str(error.strerror)) from error
        return True

    def _write(self, newest: SignedCheckpoint) -> None:
        for key in self._keys:
            if newest.note.signatures_of(key):
                write_atomic(self._path(key), newest.text.encode(), mode=PRIVATE_MODE)

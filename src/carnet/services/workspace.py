"""A workspace: the folder with settings, database, keys and chain state of one organisation.

`create` can be killed at any point and run again: a marker tells an interrupted beginning, which
is continued, from a folder of something else, which is never touched. carnet.toml is written last,
so a folder that has it is complete.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Engine

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.envelope import KEY_SIZE, Secret, open_file, seal_file
from carnet.core.errors import CarnetError, InputError, NotFoundError
from carnet.core.files import make_private_folder, sync_folder, write_atomic, write_private
from carnet.core.settings import (
    PASSPHRASE_VARIABLE,
    SETTINGS_FILE,
    Settings,
    load_settings,
    make_settings,
)
from carnet.core.text import Text
from carnet.store.engine import open_engine, parse_database_url
from carnet.store.schema import check_schema, upgrade_schema

KEYS_FOLDER: Final = "keys"
KEYS_OPTION: Final = "carnet_keys"
"""The execution option of the engine that names the folder of keys. Trust in the first issuer rests
on a file in it: what is in the database alone could have been put there by whoever can write to it.
"""

CHAIN_FOLDER: Final = "chain"
DATABASE_FILE: Final = "carnet.db"
PROOF_FILE: Final = f"{KEYS_FOLDER}/workspace.json"
"""An envelope around random bytes: opening it shows that the passphrase or key file is the right
one before another key is locked with a mistyped one."""

PROOF_ROLE: Final = "workspace"
MARKER: Final = ".carnet-init"

AskPassphrase = Callable[[], str]


@dataclass(slots=True)
class Workspace:
    """An open workspace. Use it as a context manager, or call `close`."""

    path: Path
    settings: Settings
    engine: Engine
    ask_passphrase: AskPassphrase | None = None
    _secret: Secret | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Let whoever reads the database see which keys this workspace made itself."""
        self.engine.update_execution_options(**{KEYS_OPTION: self.keys_path})

    @classmethod
    def open(
        cls, path: Path, *, ask_passphrase: AskPassphrase | None = None, is_upgrading: bool = False
    ) -> "Workspace":
        """Open a workspace whose database has exactly the schema of this code.

        Args:
            path: Its folder.
            ask_passphrase: What to call where a passphrase is needed and not in the environment.
            is_upgrading: Leave the check of the schema to the caller.

        Raises:
            NotFoundError: The folder is not a workspace.
            InputError: Its settings cannot be used.
            StoreError: Its database cannot be used; the hint says what to do.
        """
        folder = path.absolute()
        settings_path = folder / SETTINGS_FILE
        if not settings_path.is_file():
            raise _refuse_absent(folder)
        settings = load_settings(settings_path)
        engine = _open_database(folder, settings)
        workspace = cls(folder, settings, engine, ask_passphrase)
        if not is_upgrading:
            try:
                check_schema(engine)
            except CarnetError:
                workspace.close()
                raise
        return workspace

    @property
    def keys_path(self) -> Path:
        """The folder of encrypted keys, which only its owner can enter."""
        return self.path / KEYS_FOLDER

    @property
    def chain_path(self) -> Path:
        """The folder of the development node's state."""
        return self.path / CHAIN_FOLDER

    @property
    def secret(self) -> Secret:
        """What opens the envelopes of this workspace, shown to be the right one.

        Raises:
            InputError: The key file or the passphrase is missing or wrong.
        """
        if self._secret is None:
            secret = _load_secret(self.path, self.settings, self.ask_passphrase)
            open_file(self.path / PROOF_FILE, secret, role=PROOF_ROLE)
            self._secret = secret
        return self._secret

    def upgrade(self) -> tuple[str, ...]:
        """Apply the migrations that the database lacks, and return their names."""
        return upgrade_schema(self.engine)

    def close(self) -> None:
        """Give back the connections of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _refuse_absent(folder: Path) -> NotFoundError:
    return NotFoundError(
        "CRN-C-060",
        Text(
            f"{folder} is not a workspace: it has no {SETTINGS_FILE}.",
            f"{folder} 不是工作区：其中没有 {SETTINGS_FILE}。",
        ),
        Text(
            "Make one with `carnet init DIR`, or name one with --workspace or CARNET_WORKSPACE.",
            "请用 `carnet init DIR` 新建，或用 --workspace 或 CARNET_WORKSPACE 指定。",
        ),
    )


def full_database_url(folder: Path, settings: Settings) -> str:
    """Return the full address of the database; a relative SQLite file lies in the workspace."""
    if not settings.database_url:
        return f"sqlite:///{folder / DATABASE_FILE}"
    url = parse_database_url(settings.database_url)
    if url.drivername == "sqlite":
        url = url.set(database=str(folder / str(url.database)))
    return url.render_as_string(hide_password=False)


def _open_database(folder: Path, settings: Settings, *, is_new: bool = False) -> Engine:
    return open_engine(
        full_database_url(folder, settings), wait_s=settings.database_wait_s, is_new=is_new
    )


def _load_secret(folder: Path, settings: Settings, ask: AskPassphrase | None) -> Secret:
    if settings.key_file:
        return Secret.from_key_file(folder / settings.key_file)
    passphrase = os.environ.get(PASSPHRASE_VARIABLE) or (ask() if ask is not None else "")
    return Secret.from_passphrase(passphrase)


def _refuse_existing(folder: Path) -> InputError:
    return InputError(
        "CRN-C-061",
        Text(f"{folder} is a workspace already.", f"{folder} 已经是工作区。"),
        Text(
            f"Go on with it: `carnet status --workspace {folder}`.",
            f"可直接使用：`carnet status --workspace {folder}`。",
        ),
    )


def _refuse_occupied(folder: Path, entry: str) -> InputError:
    return InputError(
        "CRN-C-062",
        Text(
            f"{folder} holds something else already, such as {entry}.",
            f"{folder} 中已有其他内容，例如 {entry}。",
        ),
        Text("Name a new or an empty folder.", "请指定新的或空的文件夹。"),
    )


def _refuse_folder(folder: Path, error: OSError) -> InputError:
    return InputError(
        "CRN-C-063",
        Text(
            f"The folder {folder} cannot be made ({error.strerror}).",
            f"无法创建文件夹 {folder}（{error.strerror}）。",
        ),
        Text("Check the path and its permissions.", "请检查路径及其权限。"),
    )


def _claim(folder: Path) -> None:
    """Make the folder ours, or continue what an interrupted `create` began."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        entries = sorted(entry.name for entry in folder.iterdir())
        if SETTINGS_FILE in entries:
            raise _refuse_existing(folder)
        if entries and MARKER not in entries:
            raise _refuse_occupied(folder, entries[0])
        (folder / MARKER).touch()
    except OSError as error:
        raise _refuse_folder(folder, error) from error
    sync_folder(folder)


def _refuse_two_locks() -> InputError:
    return InputError(
        "CRN-C-064",
        Text(
            "A passphrase and a key file were both asked for.",
            "同时要求使用口令和密钥文件。",
        ),
        Text(
            "Unset CARNET_KEY_FILE, or leave out --passphrase.",
            "请取消 CARNET_KEY_FILE，或去掉 --passphrase。",
        ),
    )


def _make_secret(folder: Path, settings: Settings, passphrase: str | None) -> None:
    make_private_folder(folder / KEYS_FOLDER)
    if passphrase is not None:
        if settings.key_file:
            raise _refuse_two_locks()
        secret = Secret.from_passphrase(passphrase)
    else:
        key_path = folder / settings.key_file
        if not key_path.exists():
            write_private(key_path, os.urandom(KEY_SIZE))
        secret = Secret.from_key_file(key_path)
    crash_point("init.after-key")
    # An interrupted beginning may have used another secret; nothing else is locked with it yet.
    (folder / PROOF_FILE).unlink(missing_ok=True)
    seal_file(folder / PROOF_FILE, secret, os.urandom(KEY_SIZE), role=PROOF_ROLE)


def _make_database(folder: Path, settings: Settings) -> None:
    engine = _open_database(folder, settings, is_new=True)
    try:
        upgrade_schema(engine)
    finally:
        engine.dispose()


def _settings_text(values: dict[str, str], made_on: date) -> str:
    head = f"# Settings of a Carnet workspace made on {made_on}; docs/settings.md lists them all.\n"
    # A JSON string is a basic string of TOML.
    return head + "".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()
    )


def create(
    path: Path,
    *,
    clock: Clock,
    passphrase: str | None = None,
    database_url: str = "",
    log_origin: str = "",
) -> None:
    """Make a workspace in a new or empty folder, or finish an interrupted beginning of one.

    Args:
        path: The folder.
        clock: Tells the day that is written into carnet.toml.
        passphrase: Locks the keys; without one, a random key file does.
        database_url: As the setting of that name; empty for SQLite in the workspace.
        log_origin: As the setting of that name; empty for its default.

    Raises:
        InputError: The folder is a workspace, holds something else or cannot be made, or a
            setting cannot be used.
        StoreError: The database cannot be used.
    """
    folder = path.absolute()
    values = {"log_origin": log_origin or str(Settings.model_fields["log_origin"].default)}
    if database_url:
        values["database_url"] = database_url
    if passphrase is not None:
        values["key_file"] = ""
    settings = make_settings(values, folder / SETTINGS_FILE)
    _claim(folder)
    crash_point("init.after-claim")
    _make_secret(folder, settings, passphrase)
    (folder / CHAIN_FOLDER).mkdir(exist_ok=True)
    _make_database(folder, settings)
    crash_point("init.before-settings")
    text = _settings_text(values, clock.now().date())
    write_atomic(folder / SETTINGS_FILE, text.encode("utf-8"))
    (folder / MARKER).unlink()

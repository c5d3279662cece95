"""Databases for tests: SQLite files, and a real PostgreSQL that each test process starts itself."""

import ctypes
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from carnet.core.clock import FixedClock
from carnet.services.workspace import Workspace, create
from carnet.store.engine import open_engine
from carnet.store.schema import upgrade_schema

START_TIMEOUT_S = 60
ROLE = "carnet"
TEMPLATE = "carnet_template"
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
INSTALL = "PostgreSQL 15 is needed for the tests: apt-get install -y postgresql"


def _version(path: Path) -> int:
    name = path.parents[1].name
    return int(name) if name.isdecimal() else 0


def postgresql_programs() -> Path:
    """Return the folder of initdb and postgres of the newest version installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.fail(INSTALL)
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _system_user() -> str | None:
    """Return the user to run the server as; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.fail(INSTALL)


def _die_with_parent() -> None:
    # A test process that is killed cannot stop its server; the kernel then does (PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@dataclass
class PostgresqlServer:
    """A server on a socket in its own folder; no port, so no two ever collide."""

    folder: Path
    user: str | None = None
    process: "subprocess.Popen[Any] | None" = None
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def _identity(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def initialise(self) -> None:
        # Linguistic sorting on purpose: what must be sorted by bytes has to say so.
        locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        command = [
            str(postgresql_programs() / "initdb"),
            *("-D", str(self.folder / "data"), "-U", ROLE, "-A", "trust", "-E", "UTF8"),
            *locale,
        ]
        subprocess.run(
            command, check=True, capture_output=True, cwd=self.folder, **self._identity()
        )

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(postgresql_programs() / "postgres"),
                    *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                    *("-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=50"),
                    *("-c", "shared_buffers=32MB"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs yet
                **self._identity(),
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
            except psycopg.OperationalError:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text()
                    pytest.fail(f"PostgreSQL did not start:\n{log}")
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(timeout=START_TIMEOUT_S)

    def conninfo(self, database: str) -> str:
        return f"host={self.folder} user={ROLE} dbname={database}"

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def new_database(self, template: str = "template0") -> str:
        name = f"carnet_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A running server with a template database that has the schema."""
    folder = Path(tempfile.mkdtemp(prefix="carnet-pg-"))
    server = PostgresqlServer(folder, _system_user())
    try:
        if server.user is not None:
            shutil.chown(folder, server.user)
        server.initialise()
        server.start()
        server.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        _migrate(server.url(TEMPLATE))
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder)


def _migrate(url: str) -> None:
    engine = open_engine(url, is_new=True)
    upgrade_schema(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that has the schema."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    kind: str = request.param
    return kind


@pytest.fixture
def empty_database_url(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of a database without any table, of each kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.new_database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    name = postgresql.new_database()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def database_url(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of a database with the schema, of each kind."""
    if database_kind == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "carnet.db"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.new_database(TEMPLATE)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database with the schema, of each kind."""
    opened = open_engine(database_url, wait_s=1)
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at the day of the sample data."""
    return FixedClock(START)


@pytest.fixture
def workspace_path(
    database_kind: str, tmp_path: Path, clock: FixedClock, request: pytest.FixtureRequest
) -> Path:
    """The folder of a new workspace on each kind of database."""
    url = ""
    if database_kind == "postgresql":
        url = request.getfixturevalue("database_url")
    path = tmp_path / "workspace"
    create(path, clock=clock, database_url=url)
    return path


@pytest.fixture
def workspace(workspace_path: Path) -> Iterator[Workspace]:
    """An open new workspace on each kind of database."""
    with Workspace.open(workspace_path) as opened:
        yield opened


Fill = Callable[[Workspace, Path, FixedClock], None]
"""Brings a new workspace to where tests begin; the folder is for the files that it imports."""


@dataclass
class Snapshots:
    """Workspaces that were filled once in this process, each for one kind of database."""

    folder: Path
    made: dict[tuple[str, str], Path] = field(default_factory=dict)

    def of(self, fill: Fill, server: PostgresqlServer | None, clock: FixedClock) -> Path:
        """Return the folder of a filled workspace, closed; nobody may change it."""
        kind = "sqlite" if server is None else "postgresql"
        key = (f"{fill.__module__}.{fill.__qualname__}", kind)
        if key not in self.made:
            home = self.folder / str(len(self.made))
            home.mkdir()
            url = "" if server is None else server.url(server.new_database(TEMPLATE))
            create(home / "workspace", clock=clock, database_url=url)
            with Workspace.open(home / "workspace") as workspace:
                fill(workspace, home, clock)
            self.made[key] = home / "workspace"
        return self.made[key]


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Snapshots:
    """What was filled so far."""
    return Snapshots(tmp_path_factory.mktemp("snapshots"))


@pytest.fixture
def filled_copy(
    database_kind: str, snapshots: Snapshots, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[Fill], Workspace]]:
    """A function that opens a copy of a filled workspace, on each kind of database."""
    server = request.getfixturevalue("postgresql") if database_kind == "postgresql" else None
    opened: list[Workspace] = []
    databases: list[str] = []

    def copy(fill: Fill) -> Workspace:
        original = snapshots.of(fill, server, FixedClock(START))
        path = tmp_path / "workspace"
        shutil.copytree(original, path)
        if server is not None:
            settings = path / "carnet.toml"
            text = settings.read_text("utf-8")
            (name,) = re.findall(r"/(carnet_\d+)\?", text)
            databases.append(server.new_database(name))
            settings.write_text(text.replace(f"/{name}?", f"/{databases[-1]}?"), "utf-8")
        opened.append(Workspace.open(path))
        return opened[-1]

    yield copy
    for workspace in opened:
        workspace.close()
    if server is not None:
        for name in databases:
            server.drop(name)

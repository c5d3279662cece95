"""Where the facts of a bulk run come from: objects, files, standard input or a database.

All give the same tables for the same facts, checked alike, so that every source can be judged by
every engine: `facts_in` reads the tables back as facts.
"""

import io
import json
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
from sqlalchemy import Engine

from carnet.core.text import Text
from carnet.facts.fact import Fact, fact_from_json
from carnet.facts.intake.json_file import is_ndjson
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.opening import (
    FileRefusedError,
    display_name,
    open_regular,
    refuse,
    unreadable,
)
from carnet.facts.intake.read import STDIN, read_facts_json, read_files
from carnet.facts.intake.tables import type_of_name
from carnet.facts.issue import IntakeError, Problem, Source, TooManyProblemsError, shown
from carnet.facts.schema import RULE_TYPES, FactType
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.loading import BATCH_ROWS, Loader, Row
from carnet.rules.bulk.readers import LINE_SIZE_MAX, load_csv, load_ndjson, load_parquet
from carnet.rules.bulk.sieve import named, quoted
from carnet.store.engine import reading
from carnet.store.facts import current_bodies

DIGESTS = "fact_digest"
_SOURCE = r',"source":"(?:[^"\\]|\\.)*"'
_ANY_SIZE = IntakeLimits(file_size_max=2**62)
_SMALL = {".json", ".xlsx"}
_SMALL_SIZE_MAX = 64 * 1024 * 1024
"""Bytes of files whose facts, unpacked, are kept in memory; what does not fit spills even so."""
_SUFFIXES = (".parquet", ".csv", ".ndjson", ".jsonl", *sorted(_SMALL))


class FactSource(Protocol):
    """Facts that can be loaded into the tables of a run."""

    @property
    def is_small(self) -> bool:
        """Whether they are known to be so few that tables in memory serve them best."""
        ...

    def load(self, loader: Loader) -> None:
        """Load all facts and finish.

        Raises:
            IntakeError: Something is wrong with a fact.
        """


@dataclass(frozen=True, slots=True)
class GivenFacts:
    """Facts that were checked already, each type and id once."""

    facts: Collection[Fact]

    @property
    def is_small(self) -> bool:
        """Always: they are in memory already."""
        return True

    def load(self, loader: Loader) -> None:
        """Load all facts."""
        loader.is_distinct = len({(fact.type, fact.id) for fact in self.facts}) == len(self.facts)
        loader.add_facts(self.facts)
        loader.finish()


@dataclass(frozen=True, slots=True)
class FactFiles:
    """A file, a folder of files named after the types, or standard input.

    Args:
        path: The file or the folder; ``-`` reads standard input.
        stdin: The stream to read instead of the process's own standard input.
    """

    path: Path
    stdin: BinaryIO | None = None

    @property
    def is_small(self) -> bool:
        """Whether the files are small; a stream may go on without end."""
        if str(self.path) == STDIN:
            return False
        files = [path for path in _files_of(self.path) if path.is_file()]
        return sum(path.stat().st_size for path in files) <= _SMALL_SIZE_MAX

    def load(self, loader: Loader) -> None:
        """Load all facts.

        Raises:
            IntakeError: Something is wrong with a file or a fact, or an id stands twice.
        """
        is_complete = True
        for file, read in self._reads():
            is_complete = _guarded(partial(read, loader), file, loader)
            if not is_complete:
                break
        loader.finish(is_complete=is_complete)

    def _reads(self) -> Iterator[tuple[str, Callable[[Loader], None]]]:
        if str(self.path) == STDIN:
            stream = self.stdin or sys.stdin.buffer
            yield STDIN, partial(_read_json, stream, STDIN)
            return
        for path in _files_of(self.path):
            yield display_name(str(path)), partial(_read_path, path, is_one=path == self.path)


def _files_of(path: Path) -> list[Path]:
    """Return the files of a folder in order, those of a folder `<type>.parquet` among them."""
    if not path.is_dir():
        return [path]
    listed: list[Path] = []
    for inner in sorted(path.iterdir()):
        if inner.name.startswith((".", "_")):
            continue
        if inner.is_dir() and inner.suffix == ".parquet":
            listed += sorted(inner.glob("*.parquet"))
        else:
            listed.append(inner)
    return listed or [path]


def _guarded(read: Callable[[], None], file: str, loader: Loader) -> bool:
    """Run one read; return whether reading may go on with the next file."""
    log = loader.collector.log
    try:
        try:
            read()
        except FileRefusedError as refusal:
            log.add(Source(file), refusal.problem)
        except OSError as error:
            log.add(Source(file), unreadable(error).problem)
        except IntakeError as error:
            for issue in error.issues:
                log.add(Source(issue.file, issue.row), issue.problem)
    except TooManyProblemsError:
        return False
    return True


def _type_of(path: Path) -> FactType:
    holder = path.parent if path.parent.suffix == ".parquet" else path
    fact_type = type_of_name(holder.stem)
    if isinstance(fact_type, Problem):
        raise FileRefusedError(fact_type)
    return fact_type


def _read_path(path: Path, loader: Loader, *, is_one: bool) -> None:
    suffix, file = path.suffix.lower(), display_name(str(path))
    if path.is_dir() and is_one:
        raise refuse(
            "a folder without files",
            Text(f"files named {_names()}", f"名为 {_names()} 的文件"),
            Text("Name each file after its fact type.", "请以事实类型命名各文件。"),
        )
    if suffix == ".xlsx" or (suffix == ".json" and not is_one):
        batch = read_files([path])
        loader.add_facts(batch.facts, batch.sources)
        return
    if suffix not in _SUFFIXES and not is_one:
        raise refuse(
            shown(path.suffix),
            Text(f"a file named {_names()}", f"文件名为 {_names()}"),
            Text(
                "Take it out of the folder, or save it as one of these.",
                "请移出，或另存为上述格式。",
            ),
        )
    with open_regular(path, _ANY_SIZE) as stream:
        if suffix == ".parquet":
            load_parquet(path, _type_of(path), file, loader)
        elif suffix == ".csv":
            load_csv(stream, _type_of(path), file, loader)
        elif suffix in {".ndjson", ".jsonl"}:
            load_ndjson(stream, file, loader)
        else:
            _read_json(stream, file, loader)


def _names() -> str:
    return ", ".join("*" + suffix for suffix in _SUFFIXES)


class _Rewound(io.RawIOBase):
    """A stream whose beginning was read already, put before the rest."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head.read(len(buffer)) or self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _read_json(stream: BinaryIO, file: str, loader: Loader) -> None:
    """Read one JSON document or NDJSON, told apart by the first line that is not blank."""
    head = io.BytesIO()
    while line := stream.readline(LINE_SIZE_MAX + 1):
        head.write(line)
        if line.strip():
            break
    whole = io.BufferedReader(_Rewound(head.getvalue(), stream))
    if is_ndjson(head.getvalue()):
        load_ndjson(whole, file, loader)
    else:
        loader.add_facts(read_facts_json(stdin=whole, file=file))


# --- a database -------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredFacts:
    """The current facts of a workspace's database, read in batches through a cursor."""

    engine: Engine

    @property
    def is_small(self) -> bool:
        """Never: how many there are is not asked."""
        return False

    def load(self, loader: Loader) -> None:
        """Load all facts.

        Raises:
            IntakeError: A stored fact is none by the present vocabulary.
        """

        def reread(row: Row) -> None:
            loader.collector.facts.append(fact_from_json(json.loads(row["body"])))

        number = 0
        with reading(self.engine) as connection:
            for bodies in current_bodies(connection, BATCH_ROWS):
                rows = {
                    "_row": pa.array(range(number, number + len(bodies)), pa.int64()),
                    "body": pa.array(bodies, pa.string()),
                }
                loader.add_lines(pa.table(rows), None, reread)
                self.taken(loader)
                number += len(bodies)
        loader.finish()

    def taken(self, loader: Loader) -> None:
        """Do what else is to be done with a batch of bodies, which `lines` holds."""


class DigestedFacts(StoredFacts):
    """The current facts of a workspace with their digests, as the table `fact_digest`.

    The digests are those of what is read, as `carnet.store.facts.fact_digest` makes them.
    """

    def load(self, loader: Loader) -> None:
        """Load all facts.

        Raises:
            IntakeError: A stored fact is none by the present vocabulary.
        """
        loader.database.execute(
            f"CREATE TABLE {DIGESTS} (type VARCHAR, id VARCHAR, digest VARCHAR)"
        )
        super().load(loader)

    def taken(self, loader: Loader) -> None:
        """Keep the digest of each body; what says where it was read is no part of it."""
        # A fact is one flat object of sorted keys, and `id` stands before `source`.
        content = f"regexp_replace(body, {quoted(_SOURCE)}, '')"
        loader.database.execute(
            f"INSERT INTO {DIGESTS} SELECT type, body ->> '$.id', sha256({content}) FROM lines"  # noqa: S608 (our own names)
        )


# --- back to facts ----------------------------------------------------------------------------


def facts_in(database: BulkDatabase, only: str = "true") -> Iterator[Fact]:
    """Yield the facts of a loaded database, sorted by type and id.

    Args:
        database: The database.
        only: A condition over `type` and `id`.
    """
    for relation, held in sorted(database.facts.items()):
        if not held.count:
            continue
        name = relation.removeprefix("f_")
        fact_type = RULE_TYPES[name]
        table = f"(SELECT *, {quoted(name)} AS type FROM {named(relation)})"  # noqa: S608 (names of the schema)
        columns = ", ".join(named(column) for column in fact_type.columns)
        query = f"SELECT {columns} FROM {table} WHERE {only} ORDER BY id"  # noqa: S608 (the same)
        for batch in database.batches(query):
            for row in batch.to_pylist():
                yield _fact(fact_type, row)


def _fact(fact_type: FactType, row: Row) -> Fact:
    fields = {
        name: datetime.fromtimestamp(row[name], UTC) if field.kind == "instant" else row[name]
        for name, field in fact_type.fields.items()
        if row[name] is not None
    }
    return Fact(fact_type.name, row["id"], MappingProxyType(fields))

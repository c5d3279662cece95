"""From files to facts: every file is read, every problem is gathered, and one is enough to refuse.

Nothing is repaired or skipped: either all facts of all files are returned, or `IntakeError` lists
what is wrong. The same code reads what ``carnet import`` and ``carnet eval --facts`` are given.
"""

import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from carnet.core.collection import collection_paused
from carnet.core.text import Text
from carnet.facts.fact import Fact, FactBatch
from carnet.facts.intake.collector import Collector, TooManyRowsError
from carnet.facts.intake.csv_file import read_csv
from carnet.facts.intake.json_file import is_ndjson, read_json, read_ndjson
from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.opening import (
    FileRefusedError,
    display_name,
    open_regular,
    read_bounded,
    refuse,
    unreadable,
)
from carnet.facts.intake.statements import (
    XML_SUFFIX,
    StatementMap,
    is_statement,
    read_statement,
)
from carnet.facts.intake.tables import type_of_name
from carnet.facts.intake.untp import JWT_SUFFIX, Credentials, is_credential, read_credential
from carnet.facts.intake.xlsx_file import read_xlsx
from carnet.facts.issue import FILES, Problem, Source, TooManyProblemsError, shown

STDIN = "-"
_JSON_SUFFIX = ".json"

_Reader = Callable[[BinaryIO, Path, str, Collector], None]


def _csv(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
    fact_type = type_of_name(path.stem)
    if isinstance(fact_type, Problem):
        raise FileRefusedError(fact_type)
    read_csv(read_bounded(stream, collector.limits), fact_type, file, collector)


def _xlsx(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
    del path
    read_xlsx(read_bounded(stream, collector.limits), file, collector)


def _ndjson(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
    del path
    read_ndjson(stream, file, collector)


def _json_or_ndjson(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
    del path
    data = read_bounded(stream, collector.limits)
    if is_ndjson(data):
        read_ndjson(io.BytesIO(data), file, collector)
    else:
        read_json(data, file, collector)


_READERS: dict[str, _Reader] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
}


def read_files(
    paths: Sequence[Path],
    limits: IntakeLimits | None = None,
    statement_map: StatementMap | None = None,
    credentials: Credentials | None = None,
) -> FactBatch:
    """Return the facts of some files, in the order given.

    Args:
        paths: CSV, XLSX, JSON and NDJSON files, told apart by their suffixes; ``-`` is JSON or
            NDJSON from standard input, told apart by the first line. Files named ``*.xml`` and
            ``statement*.csv`` are statements. A JSON document that is a verifiable credential, and
            a file named ``*.jwt``, is read as a UNTP conformity credential.
        limits: What is accepted at most.
        statement_map: What the codes and columns of statements mean.
        credentials: What credentials mean, and how their signatures are checked.

    Raises:
        IntakeError: Something is wrong with a file, a fact, or an id stands twice.
    """

    def statement(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
        data = read_bounded(stream, collector.limits)
        read_statement(data, path, statement_map, file, collector)

    def json(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
        data = read_bounded(stream, collector.limits)
        if is_credential(data):
            read_credential(data, credentials, file, collector)
        elif str(path) == STDIN and is_ndjson(data):
            read_ndjson(io.BytesIO(data), file, collector)
        else:
            read_json(data, file, collector)

    def token(stream: BinaryIO, path: Path, file: str, collector: Collector) -> None:
        del path
        data = read_bounded(stream, collector.limits)
        read_credential(data, credentials, file, collector, is_token=True)

    own: dict[str, _Reader] = {_JSON_SUFFIX: json, JWT_SUFFIX: token}

    def reader_of(path: Path) -> _Reader:
        if is_statement(path):
            return statement
        if str(path) == STDIN:
            return json
        return own.get(path.suffix.lower()) or _reader_of(path)

    return _read(paths, limits or IntakeLimits(), reader_of)


def read_facts_json(
    path: Path | None = None,
    limits: IntakeLimits | None = None,
    stdin: BinaryIO | None = None,
    file: str = STDIN,
) -> list[Fact]:
    """Return the facts of one JSON document or NDJSON, told apart by the first line.

    Args:
        path: The file; None or ``-`` reads standard input.
        limits: What is accepted at most.
        stdin: The stream to read instead of the process's own standard input.
        file: How messages name the stream.

    Raises:
        IntakeError: Something is wrong with the input or with a fact, or an id stands twice.
    """
    limits = limits or IntakeLimits()
    if path is not None and str(path) != STDIN:
        return list(_read([path], limits, lambda _: _json_or_ndjson).facts)
    collector = Collector(limits)
    stream = stdin or sys.stdin.buffer
    read = partial(_json_or_ndjson, stream, Path(STDIN), file, collector)
    is_complete = _guarded(read, file, collector)
    collector.log.raise_if_any(FILES, is_complete=is_complete)
    return list(collector.batch().facts)


def _read(
    paths: Sequence[Path], limits: IntakeLimits, reader_of: Callable[[Path], _Reader]
) -> FactBatch:
    collector = Collector(limits)
    is_complete = True
    with collection_paused():
        for path in paths:
            file = display_name(str(path))
            read = partial(_read_file, path, file, collector, reader_of)
            is_complete = _guarded(read, file, collector)
            if not is_complete:
                break
    collector.log.raise_if_any(FILES, is_complete=is_complete)
    return collector.batch()


def _read_file(
    path: Path, file: str, collector: Collector, reader_of: Callable[[Path], _Reader]
) -> None:
    if str(path) == STDIN:
        reader_of(path)(sys.stdin.buffer, path, file, collector)
        return
    with open_regular(path, collector.limits) as stream:
        reader_of(path)(stream, path, file, collector)


def _guarded(read: Callable[[], None], file: str, collector: Collector) -> bool:
    """Run one read; return whether reading may go on with the next file."""
    try:
        try:
            read()
        except FileRefusedError as refusal:
            collector.log.add(Source(file), refusal.problem)
        except OSError as error:
            collector.log.add(Source(file), unreadable(error).problem)
    except (TooManyProblemsError, TooManyRowsError):
        return False
    return True


def _reader_of(path: Path) -> _Reader:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        named = [".csv", ".xlsx", _JSON_SUFFIX, ".ndjson", ".jsonl", XML_SUFFIX, JWT_SUFFIX]
        raise refuse(
            shown(path.suffix),
            Text(
                f"a file named {', '.join('*' + suffix for suffix in named)}",
                f"文件名为 {'、'.join('*' + suffix for suffix in named)}",
            ),
            Text("Save the data in one of these formats.", "请将数据另存为上述格式之一。"),
        )
    return reader

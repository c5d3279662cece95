"""The steps of a pack on Spark SQL: the same queries, for those who outgrow one machine.

Facts are checked and loaded as ever, go to Spark as Parquet, and the results come back so. Spark
runs in ANSI mode, in UTC, without its pages and inside this process, unless the environment names
another master in SPARK_MASTER; its files lie in the private folder of the run.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import parquet
from sqlglot import exp

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.bulk.dialect import render
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.sieve import named
from carnet.rules.bulk.steps import Rounds, Step, is_kept, last_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MASTER_VARIABLE: Final = "SPARK_MASTER"
_PARTITIONS_LOCAL: Final = "1"


def _require_spark() -> None:
    if find_spec("pyspark") is None:
        raise InputError(
            "CRN-R-161",
            Text("The engine spark needs PySpark.", "引擎 spark 需要 PySpark。"),
            Text(
                "Install Carnet with the extra: pip install -e '.[spark]'.",
                "请安装 Carnet 的附加依赖：pip install -e '.[spark]'。",
            ),
        )
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    if java is None:
        raise _without_java()


def _without_java() -> InputError:
    return InputError(
        "CRN-R-162",
        Text("The engine spark needs Java 17 or newer.", "引擎 spark 需要 Java 17 或更新版本。"),
        Text(
            "Install it (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME.",
            "请安装（Debian：apt-get install openjdk-17-jre-headless），或设置 JAVA_HOME。",
        ),
    )


@contextmanager
def spark_session(folder: Path) -> "Iterator[SparkSession]":
    """Give the session that is there, else one of its own that ends with the ``with``.

    Args:
        folder: Where its files lie.

    Raises:
        InputError: PySpark or Java is missing.
    """
    _require_spark()
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    master = os.environ.get(MASTER_VARIABLE, "")
    builder = SparkSession.builder.appName("carnet").master(master or "local[*]")
    for name, value in {**_SETTINGS, **({} if master else _LOCAL_SETTINGS)}.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    builder = builder.config("spark.local.dir", str(folder / "spark"))
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        # What Java said stands on stderr; too old a one ends before Spark has begun.
        raise _without_java() from error
    try:
        yield session
    finally:
        session.stop()


_SETTINGS: Final = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.parquet.compression.codec": "zstd",
}
_LOCAL_SETTINGS: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Compiling takes longer than the rows that one machine should be given to Spark with.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": _PARTITIONS_LOCAL,
    "spark.default.parallelism": _PARTITIONS_LOCAL,
}


def run_on_spark(steps: Sequence[Step], database: BulkDatabase) -> None:
    """Execute steps on Spark over the facts of a database, and bring its results back to it.

    Raises:
        InputError: PySpark or Java is missing.
    """
    with spark_session(database.folder) as session:
        _send_facts(steps, session, database)
        readers = Counter(name for step in steps for name in step.reads)
        for step in steps:
            frame = session.sql(_for_spark(step.query))
            if step.rounds is not None:
                frame = _repeated(step.name, frame, step.rounds, session, database.folder)
            elif not step.is_view and readers[step.name] > 1:
                frame = _settled(frame, step.name, session, database.folder)
            frame.createOrReplaceTempView(view_name(step.name))
        for step in steps:
            if is_kept(step.name):
                _bring_result(step.name, session, database)
        for name in {step.name for step in steps} | _facts_read(steps):
            session.catalog.dropTempView(view_name(name))


def view_name(name: str) -> str:
    """Return a name as Spark lets a view be called: letters, digits and underscores.

    >>> view_name("d_certificate$ends")
    'd_certificate__ends'
    """
    return name.replace("$", "__")


def _for_spark(query: exp.Expr) -> str:
    spelled = query.copy()
    for identifier in spelled.find_all(exp.Identifier):
        identifier.set("this", view_name(identifier.name))
    return render(spelled, "spark")


def _settled(frame: "DataFrame", name: str, session: "SparkSession", folder: Path) -> "DataFrame":
    """Work out rows once, into a file with which the plans of all their readers begin."""
    path = str(folder / "steps" / view_name(name))
    frame.write.parquet(path)
    return session.read.schema(frame.schema).parquet(path)


def _repeated(
    name: str, first: "DataFrame", rounds: Rounds, session: "SparkSession", folder: Path
) -> "DataFrame":
    """Return the rows of a step with those of further rounds, until a round has none."""
    query, last = _for_spark(rounds.query), view_name(last_of(name))
    added = everything = _settled(first, name, session, folder)
    for number in range(rounds.most):
        everything.createOrReplaceTempView(view_name(name))
        added.createOrReplaceTempView(last)
        added = _settled(session.sql(query), f"{name}_{number}", session, folder)
        if added.isEmpty():
            break
        everything = everything.union(added)
    session.catalog.dropTempView(last)
    return everything


def _facts_read(steps: Sequence[Step]) -> set[str]:
    made = {step.name for step in steps}
    return {name for step in steps for name in step.reads if name not in made}


def _send_facts(steps: Sequence[Step], session: "SparkSession", database: BulkDatabase) -> None:
    folder = database.folder / "facts"
    folder.mkdir()
    for name in sorted(_facts_read(steps)):
        path = folder / f"{name}.parquet"
        reader = database.reader(f"FROM {named(name)}")
        with parquet.ParquetWriter(path, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        session.read.parquet(str(path)).createOrReplaceTempView(name)


def _bring_result(name: str, session: "SparkSession", database: BulkDatabase) -> None:
    path = database.folder / "results" / name
    session.table(view_name(name)).write.parquet(str(path))
    parts = sorted(path.glob("*.parquet"))
    for place, part in enumerate(parts):
        with parquet.ParquetFile(part) as source:
            schema = source.schema_arrow
            database.register(
                "brought", pa.RecordBatchReader.from_batches(schema, source.iter_batches())
            )
            verb = f"INSERT INTO {named(name)}" if place else f"CREATE TABLE {named(name)} AS"
            database.execute(f"{verb} FROM brought")
            database.unregister("brought")
    shutil.rmtree(path)

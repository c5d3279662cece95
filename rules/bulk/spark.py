"""The steps of a pack on Spark SQL: the same queries, for those who outgrow one machine.

Facts are checked and loaded as ever, go to Spark as Parquet, and the results come back so. Spark
runs in ANSI mode, in UTC, without its pages and inside this process, unless the environment names
another master in SPARK_MASTER; its files lie in the private folder of the run.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import parquet

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.bulk.dialect import Dialect, view_name
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.running import Run
from carnet.rules.bulk.sieve import named
from carnet.rules.bulk.steps import Left, Program, Step, is_kept, last_of

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
        with _quietly(folder / "java.log"):
            session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        # Too old a Java ends before Spark has begun.
        raise _without_java() from error
    try:
        yield session
    finally:
        session.stop()


@contextmanager
def _quietly(log: Path) -> Iterator[None]:
    """Let a process that is started now write to a file what it says on standard error."""
    sys.stderr.flush()
    own = os.dup(2)
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


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


def run_on_spark(program: Program, database: BulkDatabase) -> None:
    """Execute steps on Spark over the facts of a database, and bring its results back to it.

    Raises:
        InputError: PySpark or Java is missing.
    """
    with spark_session(database.folder) as session:
        run = SparkRun(database, program, session)
        try:
            run.send_facts()
            run.finish()
        finally:
            run.forget()


class SparkRun(Run):
    """A run on Spark.

    Spark plans a query for longer than it takes to decide a few facts. The rows of a step are
    worked out once, so that the plans of all their readers begin with them: few rows go through
    this process, many through files.

    Args:
        database: The database that holds the facts, and then the results.
        program: The steps.
        session: The session.
    """

    dialect: Dialect = "spark"

    def __init__(self, database: BulkDatabase, program: Program, session: "SparkSession") -> None:
        super().__init__(database, program)
        self._session = session
        self._views: set[str] = set()

    def send_facts(self) -> None:
        """Let Spark read the facts."""
        folder = self.database.folder / "facts"
        folder.mkdir()
        for name in sorted(self.program.facts - self.empty):
            reader = self.database.reader(f"FROM {named(name)}")
            if self.is_few:
                self._show(name, self._session.createDataFrame(reader.read_all()))
                continue
            path = folder / f"{name}.parquet"
            with parquet.ParquetWriter(path, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
            self._show(name, self._session.read.parquet(str(path)))

    def forget(self) -> None:
        """Drop the views of the run: the session may be another's."""
        for name in self._views:
            self._session.catalog.dropTempView(name)

    def make_nothing(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a relation of facts without rows."""
        listed = ", ".join(f"`{one}` {_SPARK_TYPES[kind]}" for one, kind in columns.items())
        self._show(name, self._session.createDataFrame([], listed))

    def make_table(self, step: Step, left: Left) -> int:
        """Work out the rows of a step; return how many they are."""
        frame, count = self._settled(self._session.sql(left.text), step.name)
        if count and step.rounds is not None:
            frame = self._repeated(step.name, frame, left.further, step.rounds.most)
        self._show(step.name, frame)
        if count and is_kept(step.name):
            self._bring(step.name, frame)
        return count

    def make_view(self, step: Step, left: Left) -> None:
        """Make a view."""
        self._show(step.name, self._session.sql(left.text))

    def make_result(self, step: Step, left: Left) -> None:
        """Bring a result back."""
        self._bring(step.name, self._session.sql(left.text))

    def drop(self, name: str) -> None:
        """Keep what was worked out: its files go with the run."""

    def _show(self, name: str, frame: "DataFrame") -> None:
        self._views.add(view_name(name))
        frame.createOrReplaceTempView(view_name(name))

    def _settled(self, frame: "DataFrame", name: str) -> tuple["DataFrame", int]:
        """Work out rows once; return them and their number."""
        if self.is_few:
            rows = frame.toArrow()
            return self._session.createDataFrame(rows, frame.schema), rows.num_rows
        path = self.database.folder / "steps" / view_name(name)
        frame.write.parquet(str(path))
        count = sum(parquet.read_metadata(part).num_rows for part in path.glob("*.parquet"))
        return self._session.read.schema(frame.schema).parquet(str(path)), count

    def _repeated(self, name: str, first: "DataFrame", query: str, most: int) -> "DataFrame":
        """Return the rows of a step with those of further rounds, until a round has none."""
        added = everything = first
        for number in range(most):
            self._show(name, everything)
            self._show(last_of(name), added)
            added, count = self._settled(self._session.sql(query), f"{name}_{number}")
            if not count:
                break
            everything = everything.union(added)
        return everything

    def _bring(self, name: str, frame: "DataFrame") -> None:
        """Take a result into the database."""
        if self.is_few:
            rows = frame.toArrow()
            if rows.num_rows:
                self._insert(name, rows, is_first=True)
            return
        path = self.database.folder / "results" / name
        frame.write.parquet(str(path))
        for place, part in enumerate(sorted(path.glob("*.parquet"))):
            with parquet.ParquetFile(part) as source:
                schema = source.schema_arrow
                batches = pa.RecordBatchReader.from_batches(schema, source.iter_batches())
                self._insert(name, batches, is_first=not place)
        shutil.rmtree(path)

    def _insert(
        self, name: str, rows: "pa.Table | pa.RecordBatchReader", *, is_first: bool
    ) -> None:
        verb = f"CREATE TABLE {named(name)} AS" if is_first else f"INSERT INTO {named(name)}"
        self.database.register("brought", rows)
        self.database.execute(f"{verb} FROM brought")
        self.database.unregister("brought")
        self.database.relations[name] = named(name)


_SPARK_TYPES: Final = {
    "VARCHAR": "STRING",
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
}

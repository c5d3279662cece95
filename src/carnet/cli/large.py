"""Facts and results of any size for ``carnet eval``: read in batches, written case by case."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import STDOUT
from carnet.core.errors import InputError
from carnet.core.settings import SETTINGS_FILE, Settings, make_settings
from carnet.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from carnet.facts.fact import Fact
    from carnet.rules.bulk.duck import BulkLimits
    from carnet.rules.bulk.output import Results
    from carnet.rules.bulk.run import BulkOptions
    from carnet.rules.bulk.sources import FactSource
    from carnet.rules.decision import Engine

LARGE_ENGINES = ("bulk", "spark")
LARGE_FORMATS = ("json", "parquet")
_TABLES = (".csv", ".parquet", ".xlsx")


def check_format(engine: str, output_format: str, output: Path, *, is_explained: bool) -> None:
    """Refuse Parquet where it cannot be written.

    Raises:
        InputError: Another engine than bulk or Spark decides, no folder is named, or explanations
            are asked for.
    """
    if output_format != "parquet":
        return
    if engine not in LARGE_ENGINES or output == STDOUT or is_explained:
        raise InputError(
            "CRN-R-163",
            Text(
                "Parquet is written into a folder by the engines bulk and spark, and explains "
                "nothing.",
                "Parquet 由引擎 bulk 和 spark 写入文件夹，不含逐条解释。",
            ),
            Text(
                "Add --engine bulk --output FOLDER, or choose another --format.",
                "请加上 --engine bulk --output 文件夹，或选择其他 --format。",
            ),
        )


@contextmanager
def open_source(facts: Path | None, workspace: Path | None) -> "Iterator[FactSource]":
    """Give the facts of a file, a folder, stdin, or else of the workspace, for a ``with``."""
    from carnet.rules.bulk.sources import FactFiles, StoredFacts

    if facts is not None:
        yield FactFiles(facts)
        return
    with open_workspace(workspace) as opened:
        yield StoredFacts(opened.engine)


def read_given(facts: Path | None, workspace: Path | None) -> "list[Fact]":
    """Return all facts of a file, a folder, stdin, or else of the workspace.

    Raises:
        IntakeError: Something is wrong with a fact.
    """
    if facts is not None and not facts.is_dir() and facts.suffix.lower() not in _TABLES:
        from carnet.facts.intake import read_facts_json

        return read_facts_json(facts)
    from carnet.rules.bulk.run import BulkOptions, open_facts
    from carnet.rules.bulk.sources import facts_in

    options = BulkOptions(limits=limits_of(workspace))
    with open_source(facts, workspace) as source, open_facts(source, options) as database:
        return list(facts_in(database))


def limits_of(workspace: Path | None) -> "BulkLimits":
    """Return what a bulk run may take by the settings of the workspace, or of the environment."""
    from carnet.rules.bulk.duck import BulkLimits

    settings = _settings_of(workspace)
    return BulkLimits(settings.bulk_memory_max, settings.bulk_threads)


def _settings_of(workspace: Path | None) -> Settings:
    if workspace is None:
        return make_settings({}, Path(SETTINGS_FILE))
    with open_workspace(workspace) as opened:
        return opened.settings


def write_large(results: "Results", output_format: str, output: Path) -> None:
    """Write a result as JSON or Parquet while it is read.

    Raises:
        InputError: It cannot be written there.
    """
    if output == STDOUT:
        results.write_json(sys.stdout.write)
        sys.stdout.flush()
        return
    try:
        if output_format == "parquet":
            results.write_parquet(output)
        else:
            partial = output.with_name(f".{output.name}.partial")
            with partial.open("w", encoding="utf-8") as file:
                results.write_json(file.write)
            partial.replace(output)
    except OSError as error:
        raise unwritable(output, error) from error
    sys.stderr.write(t(f"Wrote {output}.\n", f"已写入 {output}。\n"))


def unwritable(output: Path, error: OSError) -> InputError:
    """Return what is said of a file that cannot be written."""
    reason = error.strerror or os.strerror(error.errno or 0)
    return InputError(
        "CRN-C-041",
        Text(f"The file {output} cannot be used: {reason}.", f"文件 {output} 无法使用：{reason}。"),
        Text("Name a file in an existing folder.", "请指定现有文件夹中的文件。"),
    )


def options_of(engine: "Engine", workspace: Path | None) -> "BulkOptions":
    """Return how a large run is made."""
    from carnet.rules.bulk.run import BulkOptions

    return BulkOptions(engine, limits_of(workspace))

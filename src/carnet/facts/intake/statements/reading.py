"""One statement file: which kind it is, and its facts."""

from pathlib import Path
from typing import Final

from carnet.core.digests import sha256
from carnet.core.text import Text
from carnet.facts.intake.collector import Collector
from carnet.facts.intake.opening import FileRefusedError, refuse
from carnet.facts.intake.statements.camt import read_camt
from carnet.facts.intake.statements.mapping import StatementMap
from carnet.facts.intake.statements.platform_csv import read_platform_csv
from carnet.facts.intake.tables import TYPE_SEPARATOR
from carnet.facts.issue import shown

XML_SUFFIX: Final = ".xml"
CSV_SUFFIX: Final = ".csv"
STATEMENT_NAME: Final = "statement"
"""What a platform's export is named, with two underscores and anything after it or not."""


def is_statement(path: Path) -> bool:
    """Return whether a file is a statement by its name."""
    suffix = path.suffix.lower()
    is_export = path.stem.split(TYPE_SEPARATOR, maxsplit=1)[0] == STATEMENT_NAME
    return suffix == XML_SUFFIX or (suffix == CSV_SUFFIX and is_export)


def read_statement(
    data: bytes, path: Path, found: StatementMap | None, file: str, collector: Collector
) -> None:
    """Read a statement.

    Args:
        data: The content of the file.
        path: Its path, whose suffix tells the kind.
        found: The statement map; without one nothing can be read.
        file: How messages name the file.
        collector: Takes the facts and the problems.

    Raises:
        FileRefusedError: There is no map for it, or it cannot be read at all.
    """
    is_xml = path.suffix.lower() == XML_SUFFIX
    part = None if found is None else found.camt if is_xml else found.csv
    if found is None or part is None:
        raise _no_map(path, "camt" if is_xml else "csv")
    evidence = sha256(data).hex()
    read = read_camt if is_xml else read_platform_csv
    read(data, evidence, found, file, collector)


def _no_map(path: Path, part: str) -> FileRefusedError:
    return refuse(
        shown(path.name),
        Text(
            f"a statement map with a part [{part}] beside it",
            f"同时指定含有 [{part}] 的对账单映射",
        ),
        Text(
            "Name the map: carnet import FILE --statement-map MAP.toml.",
            "请指定映射：carnet import 文件 --statement-map MAP.toml。",
        ),
    )

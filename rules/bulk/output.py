"""Result tables as decisions, in the order and the spelling that all engines share.

Decisions are read case by case, so that memory does not grow with their number.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from pyarrow import parquet

from carnet.core.text import Text
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.sieve import named, quoted
from carnet.rules.decision import (
    Action,
    Decision,
    EvaluationResult,
    FactKey,
    Finding,
    NotApplicable,
    RuleError,
    exit_code_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]

_FACTS = "STRUCT(type VARCHAR, id VARCHAR)[]"
_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "case": {"conformity": "VARCHAR"},
    "confirmed": {"parameter": "VARCHAR"},
    "measure": {"name": "VARCHAR", "value": "BIGINT"},
    "output": {"name": "VARCHAR", "value": "BIGINT"},
    "finding": {
        "rule": "VARCHAR",
        "severity": "VARCHAR",
        "facts": _FACTS,
        "message_en": "VARCHAR",
        "message_zh": "VARCHAR",
        "remedy_en": "VARCHAR",
        "remedy_zh": "VARCHAR",
        "citation": "VARCHAR[]",
        "values_json": "VARCHAR",
        "choice": "VARCHAR[]",
    },
    "match": {"rule": "VARCHAR", "facts": _FACTS},
    "action": {"rule": "VARCHAR", "action": "VARCHAR", "facts": _FACTS, "choice": "VARCHAR[]"},
    "not_applicable": {"rule": "VARCHAR", "reason_en": "VARCHAR", "reason_zh": "VARCHAR"},
    "error": {"rule": "VARCHAR", "cause_en": "VARCHAR", "cause_zh": "VARCHAR"},
}
"""The columns of each result table `r_<name>` after `case_id`."""

_ORDER: Final[Mapping[str, str]] = {
    "case": "case_id",
    "confirmed": "case_id, parameter",
    "measure": "case_id, name",
    "output": "case_id, name",
    "finding": "case_id, rule, facts, choice",
    "action": "case_id, rule, facts, choice",
    "not_applicable": "case_id, rule",
    "error": "case_id, rule, cause_en, cause_zh",
}
_FILES: Final[Mapping[str, str]] = {
    "case": "decisions",
    "confirmed": "officer_confirmed",
    "measure": "measures",
    "output": "outputs",
    "finding": "findings",
    "action": "actions",
    "not_applicable": "not_applicable",
    "error": "errors",
}
CASES_READ = 20_000
"""Cases whose rows are sorted together: texts are computed when they are read."""


def _text(row: Row, name: str) -> Text:
    return Text(row[f"{name}_en"], row[f"{name}_zh"])


def facts_of(row: Row) -> tuple[FactKey, ...]:
    """Return the facts that a row names."""
    return tuple((fact["type"], fact["id"]) for fact in row["facts"])


def finding_of(row: Row) -> Finding:
    """Return a row of `r_finding` as a finding."""
    return Finding(
        rule=row["rule"],
        severity=row["severity"],
        facts=facts_of(row),
        message=_text(row, "message"),
        remedy=_text(row, "remedy"),
        citation=tuple(row["citation"]),
        values=json.loads(row["values_json"]),
    )


def _decision(case_type: str, case: Row, rows: Mapping[str, Sequence[Row]]) -> Decision:
    return Decision(
        case=(case_type, case["case_id"]),
        conformity=case["conformity"],
        officer_confirmed=tuple(row["parameter"] for row in rows["confirmed"]),
        measures={row["name"]: row["value"] for row in rows["measure"]},
        outputs={row["name"]: row["value"] for row in rows["output"]},
        actions=tuple(Action(row["rule"], row["action"], facts_of(row)) for row in rows["action"]),
        findings=tuple(map(finding_of, rows["finding"])),
        not_applicable=tuple(
            NotApplicable(row["rule"], _text(row, "reason")) for row in rows["not_applicable"]
        ),
        errors=tuple(RuleError(row["rule"], _text(row, "cause")) for row in rows["error"]),
    )


def _rows_of(decision: Decision) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a decision as rows of the result tables."""

    def said(name: str, text: Text) -> dict[str, str]:
        return {f"{name}_en": text.en, f"{name}_zh": text.zh}

    def facts(keys: tuple[FactKey, ...]) -> list[dict[str, str]]:
        return [{"type": key[0], "id": key[1]} for key in keys]

    yield "case", {"conformity": decision.conformity}
    yield from (("confirmed", {"parameter": name}) for name in decision.officer_confirmed)
    for table, values in (("measure", decision.measures), ("output", decision.outputs)):
        yield from ((table, {"name": name, "value": value}) for name, value in values.items())
    for place, one in enumerate(decision.findings):
        row = {"rule": one.rule, "severity": one.severity, "facts": facts(one.facts)}
        row |= said("message", one.message) | said("remedy", one.remedy)
        row |= {"citation": list(one.citation), "choice": [f"{place:09}"]}
        yield "match", {name: row[name] for name in _COLUMNS["match"]}
        yield "finding", row | {"values_json": json.dumps(one.values, ensure_ascii=False)}
    for place, act in enumerate(decision.actions):
        row = {"rule": act.rule, "action": act.action, "facts": facts(act.facts)}
        yield "action", row | {"choice": [f"{place:09}"]}
    for skipped in decision.not_applicable:
        yield "not_applicable", {"rule": skipped.rule, **said("reason", skipped.reason)}
    for error in decision.errors:
        yield "error", {"rule": error.rule, **said("cause", error.cause)}


class Grouped:
    """Rows sorted by case, taken case by case in the same order."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(self._rows, None)

    def take(self, case_id: str) -> list[Row]:
        """Return the rows of a case, passing over those of cases before it."""
        taken: list[Row] = []
        while self._next is not None and self._next["case_id"] <= case_id:
            if self._next["case_id"] == case_id:
                taken.append(self._next)
            self._next = next(self._rows, None)
        return taken


@dataclass(frozen=True, slots=True)
class Results:
    """The result tables of a finished run.

    Args:
        database: The database that holds them.
        header: The result without decisions.
        case_type: The fact type of the cases.
        shown: Where its rows are read.
    """

    database: BulkDatabase
    header: EvaluationResult
    case_type: str
    shown: "Shown"

    # --- decisions ----------------------------------------------------------------------------

    def ranges(self) -> Iterator[str]:
        """Yield conditions that part the cases, in order."""
        cases = self.shown["case"]
        low = "true"
        if self._count_of(cases) > CASES_READ:
            query = (
                "SELECT case_id FROM (SELECT case_id, row_number() OVER (ORDER BY case_id) AS place"  # noqa: S608 (a number of our own)
                f" FROM {cases}) WHERE place % {CASES_READ} = 0 ORDER BY case_id"
            )
            for (case_id,) in self.database.rows(query):
                yield f"{low} AND case_id <= {quoted(case_id)}"
                low = f"case_id > {quoted(case_id)}"
        yield low

    def _ordered(self, table: str, part: str) -> str:
        columns = ", ".join(("case_id", *_COLUMNS[table]))
        return (
            f"SELECT {'DISTINCT ' if table == 'error' else ''}{columns}"  # noqa: S608 (our own names)
            f" FROM {self.shown[table]} WHERE {part} ORDER BY {_ORDER[table]}"
        )

    def decisions(self) -> Iterator[Decision]:
        """Yield all decisions in the order of their cases."""
        tables = [table for table in _COLUMNS if table not in {"case", "match"}]
        for part in self.ranges():
            grouped = {table: Grouped(self.rows_of(table, part)) for table in tables}
            for case in self.rows_of("case", part):
                rows = {table: grouped[table].take(case["case_id"]) for table in tables}
                yield _decision(self.case_type, case, rows)

    def rows_of(self, table: str, part: str) -> Iterator[Row]:
        """Return the rows of a table in a range of cases; none are asked for where none are."""
        if table not in self.shown.present:
            return iter(())
        return self.database.dicts(self._ordered(table, part))

    def matches(self) -> "pa.Table":
        """Return what each finding is about, in no order: case, rule and facts, without texts.

        Texts are the greater part of a run's cost; who counts or selects findings needs none.
        """
        columns = ", ".join(("case_id", *_COLUMNS["match"]))
        return self.database.reader(f"SELECT {columns} FROM {self.shown['match']}").read_all()  # noqa: S608 (our own names)

    def unreached(self) -> Iterator[FactKey]:
        """Yield the facts that reach no case, sorted by type and id."""
        rows = self.database.dicts(f"FROM {self.shown['unreached']} ORDER BY type, id")
        yield from ((row["type"], row["id"]) for row in rows)

    @property
    def exit_code(self) -> int:
        """0 all conforming, 1 any nonconforming, 3 some undetermined or nothing decided."""
        found = self.database.rows(f"SELECT DISTINCT conformity FROM {self.shown['case']}")  # noqa: S608 (our own names)
        return exit_code_of(conformity for (conformity,) in found)

    @property
    def is_decided(self) -> bool:
        """Whether any case was decided."""
        return bool(self.database.rows(f"SELECT 1 FROM {self.shown['case']}"))  # noqa: S608 (the same)

    def count_excluded(self) -> int:
        """Return how many facts of the case type are no cases of the pack."""
        of_type = f"type = {quoted(self.case_type)}"
        return self._count_of(f"{self.shown['unreached']} WHERE {of_type}")

    def _count_of(self, source: str) -> int:
        ((count,),) = self.database.rows(f"SELECT count(*) FROM {source}")  # noqa: S608 (our own names)
        return int(count)

    def result(self) -> EvaluationResult:
        """Return everything at once."""
        return replace(
            self.header, decisions=tuple(self.decisions()), unreached=tuple(self.unreached())
        )

    # --- files --------------------------------------------------------------------------------

    def write_json(self, write: Callable[[str], object]) -> None:
        """Write the result as `EvaluationResult.to_json` spells it, one decision at a time.

        Args:
            write: Takes the text piece by piece.
        """
        streams = {
            "decisions": (decision.to_json() for decision in self.decisions()),
            "unreached": ({"type": key[0], "id": key[1]} for key in self.unreached()),
        }
        lead = "{"
        for key, value in self.header.to_json().items():
            write(f"{lead}\n  {json.dumps(key)}: ")
            if key in streams:
                _write_list(streams[key], write)
            else:
                write(_indented(value, "  "))
            lead = ","
        write("\n}\n")

    def write_parquet(self, folder: Path) -> None:
        """Write the result as one Parquet file for each kind of row, and what decided as JSON.

        Args:
            folder: Where to; files of an earlier result are replaced.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for table, name in _FILES.items():
            queries = (self._ordered(table, part) for part in self.ranges())
            self._write_rows(queries, folder / f"{name}.parquet")
        unreached = f"SELECT type, id FROM {self.shown['unreached']} ORDER BY type, id"  # noqa: S608 (our own names)
        self._write_rows(iter([unreached]), folder / "unreached.parquet")
        header = {
            key: value
            for key, value in self.header.to_json().items()
            if key not in {"decisions", "unreached"}
        }
        text = json.dumps(header, ensure_ascii=False, indent=2) + "\n"
        (folder / "result.json").write_text(text, encoding="utf-8")

    def _write_rows(self, queries: Iterator[str], path: Path) -> None:
        partial = path.with_suffix(".partial")
        writer: parquet.ParquetWriter | None = None
        for query in queries:
            reader = self.database.reader(query)
            writer = writer or parquet.ParquetWriter(partial, reader.schema, compression="zstd")
            for batch in reader:
                writer.write_batch(batch)
        assert writer is not None, "there is always one range"
        writer.close()
        partial.replace(path)


def _indented(value: object, indent: str) -> str:
    # A line feed inside a text is written as an escape: each one here begins a line of the layout.
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return text.replace("\n", f"\n{indent}")


def _write_list(values: Iterator[object], write: Callable[[str], object]) -> None:
    lead = "["
    for value in values:
        write(f"{lead}\n    {_indented(value, '    ')}")
        lead = ","
    write("[]" if lead == "[" else "\n  ]")


# --- the tables that are read -----------------------------------------------------------------


def handed_cases(database: BulkDatabase) -> list[str]:
    """Return the cases that the compiled pack leaves to the reference."""
    handed = database.relation("r_handed")
    if handed is None:
        return []
    return [name for (name,) in database.rows(f"SELECT case_id FROM {handed} ORDER BY case_id")]  # noqa: S608 (our own names)


@dataclass(frozen=True, slots=True)
class Shown:
    """Where each kind of row is read: a table, or a query in parentheses.

    Args:
        present: The kinds of which there may be any.
    """

    present: Mapping[str, str]

    def __getitem__(self, table: str) -> str:
        """Return what a query reads a kind of row from."""
        if table in self.present:
            return self.present[table]
        columns = {"type": "VARCHAR", "id": "VARCHAR"}
        if table in _COLUMNS:
            columns = {"case_id": "VARCHAR", **_COLUMNS[table]}
        listed = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items())
        return f"(SELECT {listed} WHERE false)"


def show_results(
    database: BulkDatabase, handed: Sequence[Decision], others: Sequence[str]
) -> Shown:
    """Return where results are read.

    Args:
        database: The database after the last step.
        handed: The decisions on the cases of `r_handed`, which replace what the steps found.
        others: The fact types that the pack does not read; their facts reach no case.
    """
    present: dict[str, str] = {}
    for table, columns in _COLUMNS.items():
        names = ", ".join(("case_id", *columns))
        own = database.relation(f"r_{table}")
        selects = [] if own is None else [f"SELECT {names} FROM {own}"]  # noqa: S608 (our own names)
        if handed:
            rest = " WHERE case_id NOT IN (SELECT case_id FROM r_handed)"
            selects = [one + rest for one in selects]
            selects.append(f"SELECT {names} FROM handed_{table}")  # noqa: S608 (the same)
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            database.execute(f"CREATE OR REPLACE TABLE handed_{table} (case_id VARCHAR, {listed})")
        if selects:
            present[table] = f"({' UNION ALL '.join(selects)})"
    for decision in handed:
        for table, row in _rows_of(decision):
            database.insert(f"handed_{table}", {"case_id": decision.case[1], **row})
    own = database.relation("r_unreached")
    selects = [] if own is None else [f"SELECT type, id FROM {own}"]  # noqa: S608 (our own names)
    facts = {name for name, one in database.facts.items() if one.count}
    selects += [
        f"SELECT {quoted(name)} AS type, id FROM {named('f_' + name)}"  # noqa: S608 (names of the schema)
        for name in others
        if f"f_{name}" in facts
    ]
    if selects:
        present["unreached"] = f"({' UNION ALL '.join(selects)})"
    return Shown(present)

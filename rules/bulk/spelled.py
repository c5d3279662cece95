"""Decisions as canonical JSON, spelled in SQL: what is kept of many of them needs no objects.

Each member is spelled as `carnet.core.canonical` spells it in `Decision.to_json`. Findings and
actions, which few cases have, are spelled here; all else by queries, a range of cases at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from carnet.core.canonical import canonical, canonical_within, parse_strict
from carnet.rules.ast import Pack
from carnet.rules.bulk.duck import BulkDatabase
from carnet.rules.bulk.output import Grouped, Results, Row, facts_of, finding_of
from carnet.rules.bulk.plan import OF_CASE
from carnet.rules.bulk.sieve import named, quoted
from carnet.rules.bulk.sources import DIGESTS
from carnet.rules.decision import Action, Conformity

_SAID: Final = """{{"en":' || to_json({0}_en) || ',"zh":' || to_json({0}_zh) || '}}"""
_OF_RULE: Final = """'{{"{0}":{1},"rule":' || to_json("rule") || '}}'"""
_LISTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "errors": (
        "error",
        _OF_RULE.format("cause", _SAID.format("cause")),
        "rule, cause_en, cause_zh",
    ),
    "not_applicable": (
        "not_applicable",
        _OF_RULE.format("reason", _SAID.format("reason")),
        "rule",
    ),
    "officer_confirmed": ("confirmed", "to_json(parameter)", "parameter"),
}
"""Lists by member: the rows that become their items, an item, and the order."""
_VALUES: Final[Mapping[str, str]] = {"measures": "measure", "outputs": "output"}
"""Objects of integers by member, and their rows."""
_ODD: Final = "\\u00"
"""An escape that JSON may spell in two ways."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """One decision.

    Args:
        case_id: The case.
        conformity: The verdict.
        severities: The severities of its findings.
        facts_digest: The hash over the ids and the contents of the facts of the case.
        members: Canonical JSON of each member of the published decision but `case` and
            `conformity`; `actions` only where there are any.
    """

    case_id: str
    conformity: Conformity
    severities: tuple[str, ...]
    facts_digest: str
    members: Mapping[str, str]


def spell(results: Results, pack: Pack) -> Iterator[Spelled]:
    """Yield all decisions in the order of their cases.

    Args:
        results: What a pack decided about many facts, loaded with their digests.
        pack: The pack.
    """
    for part in results.ranges():
        findings = Grouped(results.rows_of("finding", part))
        actions = Grouped(results.rows_of("action", part))
        columns = [*_LISTS, *_VALUES]
        for batch in results.database.batches(_query(results, pack, part)):
            listed = [batch.column(place).to_pylist() for place in range(batch.num_columns)]
            for case_id, conformity, digest, *texts in zip(*listed, strict=True):
                members = dict(zip(columns, texts, strict=True))
                found = findings.take(case_id)
                members["findings"] = _finding_list(found)
                if acts := actions.take(case_id):
                    members["actions"] = _action_list(acts)
                severities = tuple(row["severity"] for row in found)
                yield Spelled(case_id, conformity, severities, digest, _checked(members))


def _checked(members: dict[str, str]) -> dict[str, str]:
    for name, text in members.items():
        if _ODD in text:
            members[name] = canonical(parse_strict(text.encode())).decode()
    return members


def _finding_list(rows: list[Row]) -> str:
    return canonical_within([finding_of(row).to_json() for row in rows]).decode() if rows else "[]"


def _action_list(rows: list[Row]) -> str:
    acts = [Action(row["rule"], row["action"], facts_of(row)).to_json() for row in rows]
    return canonical(acts).decode()


# --- queries ----------------------------------------------------------------------------------


def _query(results: Results, pack: Pack, part: str) -> str:
    """Return the query of the cases in a range with all that is spelled of them, in order."""
    cases = f"(SELECT case_id, conformity FROM {results.shown['case']} WHERE {part})"  # noqa: S608 (our own names)
    columns = ["c.case_id", "c.conformity", "d.digest"]
    joins = [f"JOIN ({_digests(results.database, pack, part)}) AS d USING (case_id)"]
    for place, (name, item, order) in enumerate(_LISTS.values()):
        rows = f"(SELECT DISTINCT * FROM {results.shown[name]} WHERE {part})"  # noqa: S608 (the same)
        joins.append(
            _grouped(rows, f"'[' || string_agg({item}, ',' ORDER BY {order}) || ']'", place)
        )
        columns.append(f"coalesce(j{place}.text, '[]')")
    for place, name in enumerate(_VALUES.values(), start=len(_LISTS)):
        rows = f"(SELECT * FROM {results.shown[name]} WHERE {part})"  # noqa: S608 (the same)
        item = "to_json(name) || ':' || value"
        joins.append(
            _grouped(rows, f"'{{' || string_agg({item}, ',' ORDER BY name) || '}}'", place)
        )
        columns.append(f"coalesce(j{place}.text, '{{}}')")
    return f"SELECT {', '.join(columns)} FROM {cases} AS c {' '.join(joins)} ORDER BY c.case_id"  # noqa: S608 (the same)


def _grouped(rows: str, text: str, place: int) -> str:
    query = f"SELECT case_id, {text} AS text FROM {rows} GROUP BY case_id"  # noqa: S608 (our own names)
    return f"LEFT JOIN ({query}) AS j{place} USING (case_id)"


def _digests(database: BulkDatabase, pack: Pack, part: str) -> str:
    """Return the query of the hash over the facts of each case."""
    types = sorted({pack.case.fact_type, *(path.fact_type for path in pack.paths)})
    members = [_members(database, name, part) for name in types if database.is_made(f"m_{name}")]
    item = """'["' || type || '",' || to_json(id) || ',"' || digest || '"]'"""
    return (
        f"SELECT case_id, sha256('[' || string_agg({item}, ',' ORDER BY type, id) || ']') AS digest"  # noqa: S608 (our own names)
        f" FROM ({' UNION ALL '.join(members)}) JOIN {DIGESTS} USING (type, id) GROUP BY case_id"
    )


def _members(database: BulkDatabase, name: str, part: str) -> str:
    """Return the query of the facts of a type in each case."""
    table = named(f"m_{name}")
    if OF_CASE in database.columns(f"m_{name}"):
        rows = f"SELECT {named(OF_CASE)} AS case_id, id FROM {table}"  # noqa: S608 (names of the schema)
    else:
        rows = f"SELECT r_case.case_id, m.id FROM r_case, {table} AS m"  # noqa: S608 (the same)
    return f"SELECT case_id, {quoted(name)} AS type, id FROM ({rows}) WHERE {part}"  # noqa: S608 (the same)

"""What an import may not bring back: erased facts, and new facts that lead to an erased one.

A fact that stays by law still names the erased one, so the same facts again pass unchanged.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from carnet.core.clock import format_instant
from carnet.core.text import Text
from carnet.facts.intake import IntakeLimits
from carnet.facts.issue import IssueLog, Problem, Source, Stage, TooManyProblemsError, shown
from carnet.facts.schema import FACT_TYPES
from carnet.store import facts as stored
from carnet.store.erasing import Tombstone, erasure_count, tombstones
from carnet.store.facts import FactVersion

ERASED: Final = Stage(
    "CRN-L-094", Text("Facts are about data that was erased.", "有事实涉及已被删除的数据。")
)
_Graves = Mapping[str, Mapping[str, Tombstone]]


def known_or_erased(connection: Connection, fact_type: str, ids: frozenset[str]) -> frozenset[str]:
    """Return which of some ids of a type are stored, or were and are erased."""
    found = stored.known_ids(connection, fact_type, ids)
    missing = sorted(ids - found)
    return found | tombstones(connection, fact_type, missing).keys() if missing else found


def refuse_erased(
    connection: Connection, versions: Sequence[FactVersion], limits: IntakeLimits
) -> None:
    """Check that nothing about to be stored was erased, or leads to what was.

    Raises:
        IntakeError: Something was; all of it is named.
    """
    if not versions or not erasure_count(connection):
        return
    graves = _graves(connection, versions)
    log = IssueLog(limits.issues_max)
    is_complete = True
    try:
        for version in versions:
            log.extend(Source(version.source_file, version.source_row), _problems(version, graves))
    except TooManyProblemsError:
        is_complete = False
    log.raise_if_any(ERASED, is_complete=is_complete)


def _named(version: FactVersion) -> list[tuple[str, str, str]]:
    """Return the column, type and id of the fact itself and of those that it refers to."""
    fields = version.fact().fields
    return [
        ("id", version.type, version.fact_id),
        *(
            (field.name, target, str(fields[field.name]))
            for field in FACT_TYPES[version.type].references
            if field.name in fields
            for target in field.refers_to
        ),
    ]


def _graves(connection: Connection, versions: Sequence[FactVersion]) -> _Graves:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for version in versions:
        for _, fact_type, fact_id in _named(version):
            wanted[fact_type].add(fact_id)
    return {name: tombstones(connection, name, sorted(ids)) for name, ids in wanted.items()}


def _problems(version: FactVersion, graves: _Graves) -> list[Problem]:
    return [
        _problem(column, fact_type, fact_id, graves[fact_type][fact_id])
        for column, fact_type, fact_id in _named(version)
        if fact_id in graves[fact_type]
    ]


def _problem(column: str, fact_type: str, fact_id: str, grave: Tombstone) -> Problem:
    at, whose = format_instant(grave.at), " ".join(grave.subject)
    return Problem(
        column,
        shown(fact_id),
        Text(
            f"a fact that was not erased; {fact_type} {fact_id} was at {at}, with the data of "
            f"{whose}",
            f"未被删除的事实；{fact_type} {fact_id} 已于 {at} 随 {whose} 的数据一并删除",
        ),
        Text(
            "Leave the row out. What has a new ground to be kept gets a new id.",
            "请去掉该行。若有新的保存依据，请使用新的标识。",
        ),
    )

"""Importing facts: all files of a call, or nothing; the same facts again change nothing.

Files are read and checked first, then one transaction compares with what is stored and inserts.
A process killed at any point leaves the state before or after, never between, and the same call
again completes or finds everything there.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact, FactBatch
from carnet.facts.intake import IntakeLimits, check_references, read_files
from carnet.facts.intake.opening import display_name
from carnet.facts.intake.statements import read_statement_map
from carnet.facts.intake.untp import CredentialNote
from carnet.facts.issue import IssueLog, Problem, Source, Stage, TooManyProblemsError, shown
from carnet.services.credentials import credentials_of
from carnet.services.import_erased import known_or_erased, refuse_erased
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import writing
from carnet.store.facts import FactVersion
from carnet.store.locks import Lock

DIFFERENCES: Final = Stage(
    "CRN-F-004",
    Text("Facts are stored already with another content.", "有事实已以不同内容存入。"),
)


@dataclass(frozen=True, slots=True)
class TypeCount:
    """How many facts of one type an import met."""

    new: int = 0
    replaced: int = 0
    known: int = 0

    def __add__(self, other: "TypeCount") -> "TypeCount":
        return TypeCount(
            self.new + other.new, self.replaced + other.replaced, self.known + other.known
        )


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Args:
        import_id: None where everything was there already.
        total: How many facts it brought.
        by_type: The same for each type.
        without_facts: The files that hold no fact, such as a header alone.
        credentials: What is to be said about each verifiable credential.
    """

    import_id: int | None
    total: TypeCount
    by_type: dict[str, TypeCount]
    without_facts: tuple[str, ...] = ()
    credentials: tuple[CredentialNote, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "import": self.import_id,
            **_count_json(self.total),
            "types": {name: _count_json(count) for name, count in sorted(self.by_type.items())},
            "without_facts": list(self.without_facts),
            "credentials": [note.to_json() for note in self.credentials],
        }


def _count_json(count: TypeCount) -> dict[str, int]:
    return {"new": count.new, "replaced": count.replaced, "known": count.known}


@dataclass(slots=True)
class _Plan:
    """What is to be inserted, and what the report will say."""

    versions: list[FactVersion]
    by_type: dict[str, TypeCount]

    @property
    def total(self) -> TypeCount:
        return sum(self.by_type.values(), start=TypeCount())


def import_files(
    workspace: Workspace,
    paths: Sequence[Path],
    clock: Clock,
    *,
    is_replacing: bool = False,
    statement_map: Path | None = None,
    credential_map: Path | None = None,
) -> ImportReport:
    """Import the facts of some files.

    Args:
        workspace: Where to.
        paths: CSV, XLSX, JSON and NDJSON files, statements, and verifiable credentials.
        clock: Tells when the import was made.
        is_replacing: Whether a fact that is stored with another content gets a new version;
            otherwise the import is refused.
        statement_map: The file that says what the codes and columns of statements mean.
        credential_map: The file that says what the credentials of each issuer mean.

    Raises:
        IntakeError: Something is wrong with the input; all of it is named.
        InputError: No file holds a fact, or a map cannot be used.
        ConflictError: Another import did not finish in time.
    """
    limits = IntakeLimits(file_size_max=workspace.settings.import_file_size_max)
    found = None if statement_map is None else read_statement_map(statement_map)
    notes: list[CredentialNote] = []
    credentials = (
        None
        if credential_map is None
        else credentials_of(workspace, credential_map, clock, notes.append)
    )
    batch = read_files(paths, limits, found, credentials)
    without_facts = _without_facts(paths, batch)
    if not batch.facts:
        raise _no_facts(without_facts)
    with writing(workspace.engine, Lock.IMPORT) as connection:
        check_references(batch, lambda name, ids: known_or_erased(connection, name, ids), limits)
        plan = _plan(connection, batch, limits, is_replacing=is_replacing)
        refuse_erased(connection, plan.versions, limits)
        crash_point("import.before-insert")
        import_id = _insert(connection, batch, plan, clock) if plan.versions else None
        crash_point("import.before-commit")
    crash_point("import.after-commit")
    return ImportReport(import_id, plan.total, plan.by_type, without_facts, tuple(notes))


def _without_facts(paths: Sequence[Path], batch: FactBatch) -> tuple[str, ...]:
    """Return the files that hold no fact, as messages name them."""
    full = {source.file for source in batch.sources}
    full |= {file.rpartition("#")[0] for file in full}
    names = dict.fromkeys(display_name(str(path)) for path in paths)
    return tuple(name for name in names if name not in full)


def _no_facts(files: Sequence[str]) -> InputError:
    named, named_zh = ", ".join(files), "、".join(files)
    return InputError(
        "CRN-F-005",
        Text(f"There are no facts in {named}.", f"{named_zh} 中没有事实。"),
        Text(
            "A table needs rows below its header, a JSON document a list of facts that is not "
            "empty.",
            "表格须在表头下有数据行，JSON 文档的 facts 列表不得为空。",
        ),
    )


def _by_type(batch: FactBatch) -> dict[str, list[tuple[Fact, Source]]]:
    groups: defaultdict[str, list[tuple[Fact, Source]]] = defaultdict(list)
    for fact, source in zip(batch.facts, batch.sources, strict=True):
        groups[fact.type].append((fact, source))
    return groups


def _plan(
    connection: Connection, batch: FactBatch, limits: IntakeLimits, *, is_replacing: bool
) -> _Plan:
    plan = _Plan([], {})
    log = IssueLog(limits.issues_max)
    is_complete = True
    try:
        for name, members in _by_type(batch).items():
            present = stored.existing(connection, name, [fact.id for fact, _ in members])
            count = TypeCount()
            for fact, source in members:
                old = present.get(fact.id)
                version = _next_version(fact, source, old)
                if version is None:
                    count += TypeCount(known=1)
                    continue
                if old is not None and not is_replacing:
                    log.extend(source, list(_differences(fact, old)))
                plan.versions.append(version)
                count += TypeCount(new=1) if old is None else TypeCount(replaced=1)
            plan.by_type[name] = count
    except TooManyProblemsError:
        is_complete = False
    log.raise_if_any(DIFFERENCES, is_complete=is_complete)
    return plan


def _next_version(fact: Fact, source: Source, old: FactVersion | None) -> FactVersion | None:
    """Return the version to store, None where the same content is stored already."""
    if old is None:
        return stored.version_of(fact, source)
    version = stored.version_of(fact, source, version=old.version + 1)
    return None if version.digest == old.digest else version


def _differences(fact: Fact, old: FactVersion) -> Iterator[Problem]:
    before, after = old.fact().to_json(), fact.to_json()
    place = Source(old.source_file, old.source_row)
    for name in sorted((before.keys() | after.keys()) - {"source"}):
        if before.get(name) != after.get(name):
            known = shown(before[name]) if name in before else None
            yield Problem(
                name,
                shown(after[name]) if name in after else "",
                Text(
                    f"{known or 'nothing'}, as {fact.type} {fact.id} was imported from {place}",
                    f"{known or '空'}，即 {fact.type} {fact.id} 此前自 {place} 导入时的值",
                ),
                Text(
                    "Correct it, give the fact an id of its own, or add a new version with "
                    "--replace.",
                    "请更正，或为该事实另取标识，或用 --replace 追加新版本。",
                ),
            )


def _insert(connection: Connection, batch: FactBatch, plan: _Plan, clock: Clock) -> int:
    counts: defaultdict[str, int] = defaultdict(int)
    for source in batch.sources:
        counts[source.file] += 1
    import_id = stored.insert_import(
        connection,
        at=clock.now(),
        facts_new=plan.total.new,
        facts_replaced=plan.total.replaced,
        facts_known=plan.total.known,
        files=[{"facts": count, "file": file} for file, count in counts.items()],
    )
    stored.insert_facts(connection, import_id, plan.versions)
    return import_id

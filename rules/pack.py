"""Loading a rule pack from its folder: bounded reading, checking, digest.

`load_pack` returns a pack that every evaluator may trust; `check_pack` returns every defect of a
folder that can be read. What is hostile (aliases, links, sizes) is raised by both at once.

Source: docs/spec/pack-format.md.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from os.path import lexists
from pathlib import Path
from typing import Any, cast

from carnet.core.canonical import canonical
from carnet.core.digests import PackDigest, sha256
from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.ast import CaseDefinition, Definition, Pack, PackStatus, Rule, Value
from carnet.rules.ast import Path as ReferencePath
from carnet.rules.format.after import (
    after_defects,
    check_case_type,
    check_stage_types,
    read_after,
)
from carnet.rules.format.build import (
    Defects,
    TooManyDefectsError,
    check_fact_type,
    read_case,
    read_law,
    read_parameters,
    read_paths,
)
from carnet.rules.format.closures import declare_closures, read_closures
from carnet.rules.format.definitions import declare, find_circle, read_definition
from carnet.rules.format.grid import Grid, read_grid
from carnet.rules.format.names import Names
from carnet.rules.format.outcome import read_outputs
from carnet.rules.format.raw import collect_raw
from carnet.rules.format.rules import Vocabulary, read_rule
from carnet.rules.format.section import IDENTIFIER, VERSION, Section
from carnet.rules.format.tables import Drafts
from carnet.rules.format.yaml_strict import LocatedDict, parse_counted
from carnet.rules.reads import DefinitionKey, Reads, values_of_types
from carnet.rules.shelf import SHELF, find_earlier

SCHEMA_VERSION = 1
FILES_MAX = 200
PACK_SIZE_MAX = 8 * 1024 * 1024
PACK_NODES_MAX = 600_000
"""Values of all files together; what reading them takes grows with their number."""
WORKBOOKS_MAX = 16
"""Tables in XLSX, each of which a process of its own reads."""
TABLE_ROWS_MAX = 10_000
"""Rows of all tables together, headers included."""
LOADED_MAX = 32
_LOADED: dict[tuple[tuple[str, bytes], ...], Pack] = {}
# A command asks for the same few packs again and again, and to check one takes half a second; it is
# their bytes that are compared, so that no edit is passed over.
_TOP_FILES = frozenset({"pack.yaml", "parameters.yaml", "law.yaml", "README.md", "CHANGELOG.md"})
_FOLDERS = frozenset({"rules", "tables", "tests"})
_DATA = (".yaml", ".csv", ".xlsx")
"""Endings of the files that count; the others are for people."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml")
_TABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(?:csv|xlsx)")


def _refuse(code: str, path: str, en: str, zh: str, hint: Text | None = None) -> RulePackError:
    return RulePackError(code, Text(en, zh), hint or Text("", ""), path=path)


def _files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a pack, refusing links and everything that does not belong there."""
    for path in sorted(folder.iterdir()):
        relative = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise _refuse(
                "CRN-R-002",
                relative,
                f"{relative} is a symbolic link; a pack holds real files.",
                f"{relative} 是符号链接；规则包只能包含真实文件。",
            )
        if path.is_dir() and path.name in _FOLDERS:
            yield from _named_files(path, folder)
        elif path.is_file() and path.name in _TOP_FILES:
            yield path
        else:
            raise _unexpected(relative)


def _unexpected(relative: str) -> RulePackError:
    return _refuse(
        "CRN-R-002",
        relative,
        f"{relative} does not belong in a pack.",
        f"{relative} 不属于规则包。",
        Text(
            "A pack holds pack.yaml, parameters.yaml, law.yaml, rules/*.yaml, tables/*.csv or"
            " *.xlsx, and tests/*.yaml.",
            "规则包包含 pack.yaml、parameters.yaml、law.yaml、rules/*.yaml、"
            "tables/*.csv 或 *.xlsx，以及 tests/*.yaml。",
        ),
    )


def _named_files(inner: Path, folder: Path) -> Iterator[Path]:
    for path in sorted(inner.iterdir()):
        relative = path.relative_to(folder).as_posix()
        form = _TABLE_NAME if inner.name == "tables" else _FILE_NAME
        named_plainly = form.fullmatch(path.name) is not None
        if path.is_symlink() or not path.is_file() or not named_plainly:
            raise _unexpected(relative)
        yield path


def _check_regular(path: Path, name: str) -> None:
    """Refuse what is no file: a pipe or a device never ends."""
    if path.is_symlink() or not path.is_file():
        raise _refuse(
            "CRN-R-002",
            name,
            f"{name} is no regular file but a link, a folder, a pipe or a device.",
            f"{name} 不是普通文件，而是链接、文件夹、管道或设备。",
            Text("A pack holds real files.", "规则包只能包含真实文件。"),
        )


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every YAML file of a pack by its relative name.

    Raises:
        RulePackError: The folder is no pack, holds what does not belong there, or is too large.
    """
    if folder.is_dir() and lexists(folder / "pack.yaml"):
        _check_regular(folder / "pack.yaml", "pack.yaml")
    else:
        raise _refuse(
            "CRN-R-001",
            str(folder),
            f"{folder} is not a rule pack: there is no pack.yaml.",
            f"{folder} 不是规则包：缺少 pack.yaml。",
            Text("Name the folder of one version.", "请指定某一版本的文件夹。"),
        )
    result: dict[str, bytes] = {}
    size = 0
    for path in _files_of(folder):
        relative = path.relative_to(folder).as_posix()
        size += path.stat().st_size
        if len(result) >= FILES_MAX or size > PACK_SIZE_MAX:
            raise _refuse(
                "CRN-R-003",
                relative,
                f"The pack has more than {FILES_MAX} files or {PACK_SIZE_MAX} bytes.",
                f"规则包超过 {FILES_MAX} 个文件或 {PACK_SIZE_MAX} 字节。",
            )
        if path.name.endswith(_DATA):
            result[relative] = path.read_bytes()
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {"$date": value.isoformat()} if isinstance(value, date) else value


def digest_of(documents: Mapping[str, Any]) -> PackDigest:
    """Return the SHA-256 of the canonical content of all files; comments and layout do not count.

    Source: docs/spec/pack-format.md, PF-17.
    """
    listed = [{"file": name, "content": _plain(documents[name])} for name in sorted(documents)]
    return PackDigest(sha256(canonical({"files": listed})))


@dataclass(frozen=True, slots=True)
class _Header:
    """What pack.yaml says, with the sections that are typed later."""

    section: Section
    case: Section
    case_type: str
    paths: tuple[ReferencePath, ...]
    id: str
    after: tuple[str, ...]


def _read_header(document: Any, defects: Defects) -> _Header:
    section = Section(document, "pack.yaml", 1, "pack.yaml")
    section.integer("schema", SCHEMA_VERSION, SCHEMA_VERSION)
    case = section.section("case")
    case_type = check_fact_type(case.string("type"), case, case.line_of("type"))
    check_case_type(case_type, case)
    pack_id = section.matching("id", IDENTIFIER)
    after = read_after(section, pack_id)
    paths: tuple[ReferencePath, ...] = ()
    if section.has("paths"):
        inner = section.section("paths")
        paths = read_paths(inner, case_type, defects)
        check_stage_types(inner, paths, after, defects)
    return _Header(section, case, case_type, paths, pack_id, after)


def _root(documents: Mapping[str, Any], name: str) -> Section:
    return Section(documents.get(name, LocatedDict(1)), name, 1, name)


def _grids(documents: Mapping[str, Any]) -> list[Grid]:
    return [one for _, one in sorted(documents.items()) if isinstance(one, Grid)]


def _read_definitions(
    sections: Mapping[DefinitionKey, Section],
    names: Names,
    types: Mapping[str, Sequence[Value]],
    defects: Defects,
) -> dict[DefinitionKey, Definition]:
    result: dict[DefinitionKey, Definition] = {}
    for key, section in sections.items():
        with defects.collect(section.file, section.line):
            result[key] = read_definition(key, section, names, defects)
    circle = find_circle(result, types)
    if circle is not None:
        section = sections.get(circle, next(iter(sections.values())))
        # Nothing that reads definitions may run on a circle, so the reading stops here.
        raise section.refusal(
            Text(f"{circle[1]} rests on itself.", f"{circle[1]} 循环依赖自身。"),
            Text("Take it out of its own value.", "请从其取值中移除自身。"),
        )
    return result


def _read_rules(
    sections: list[Section], names: Names, vocabulary: Vocabulary, defects: Defects
) -> tuple[Rule, ...]:
    result: dict[str, Rule] = {}
    for section in sections:
        with defects.collect(section.file, section.line):
            rule = read_rule(section, names, vocabulary, defects)
            if rule.id in result or rule.id == "case":
                raise section.fault(
                    Text(f"The rule id {rule.id} is taken.", f"规则标识 {rule.id} 已被占用。"),
                    line=section.line_of("id"),
                )
            result[rule.id] = rule
    return tuple(result.values())


def _build(documents: Mapping[str, Any], defects: Defects) -> Pack:
    """Return the pack of parsed documents; it may be used only if no defect was found."""
    header = _read_header(documents["pack.yaml"], defects)
    parameters = read_parameters(_root(documents, "parameters.yaml"), defects)
    law = read_law(_root(documents, "law.yaml"), defects)
    cited = law | {one.citation.fact: one.citation for one in parameters.values()}
    rule_files = [_root(documents, name) for name in sorted(documents) if name.startswith("rules/")]
    raw = collect_raw(rule_files, defects)
    bare = Names(
        aliases={},
        matched=frozenset(),
        parameters={name: one.kind for name, one in parameters.items()},
        measures=frozenset(),
        derived={},
        reasons=frozenset(),
        types=frozenset(path.fact_type for path in header.paths) | {header.case_type},
    )
    names, sections = declare(raw, bare, defects)
    drafts = Drafts(_grids(documents), frozenset(cited), defects)
    case, aliases = read_case(header.case, header.case_type, names, defects)
    names = Names(
        aliases,
        frozenset(),
        names.parameters,
        names.measures,
        names.derived,
        names.reasons,
        names.types,
    )
    names = declare_closures(raw.closures, drafts.declare(names), defects)
    tables = drafts.tables()
    closures = read_closures(raw.closures, names, defects)
    types = values_of_types(tables, closures)
    definitions = _read_definitions(sections, names, types, defects)
    outputs = read_outputs(raw.outputs, defects)
    vocabulary = Vocabulary(
        Reads(parameters, definitions, tables, closures), frozenset(cited), outputs
    )
    rules = _read_rules(raw.rules, names, vocabulary, defects)
    written = {name: one for name, one in documents.items() if not isinstance(one, Grid)}
    written |= drafts.contents(tables)
    pack = _assemble(header, case, definitions, rules, written)
    return _with(
        pack,
        parameters=parameters,
        law=cited,
        outputs=outputs,
        tables=tables,
        closures=closures,
        tests=_tests(documents),
    )


def _with(pack: Pack, **changes: Any) -> Pack:
    from dataclasses import replace

    return replace(pack, **changes)


def _assemble(
    header: _Header,
    case: CaseDefinition,
    definitions: Mapping[DefinitionKey, Definition],
    rules: tuple[Rule, ...],
    documents: Mapping[str, Any],
) -> Pack:
    section = header.section
    window = section.section("effective")
    first, last = window.day("from"), window.day_or_none("to")
    if last is not None and last < first:
        raise window.fault(Text("'to' is before 'from'.", "'to' 早于 'from'。"))
    pack = Pack(
        id=header.id,
        version=section.matching("version", VERSION),
        title=section.text("title"),
        jurisdiction=section.string("jurisdiction"),
        authority=section.text("authority"),
        status=cast("PackStatus", section.one_of("status", ("draft", "released", "proposal"))),
        effective_from=first,
        effective_to=last,
        stage=section.integer("stage", 0, 99),
        case=case,
        paths=header.paths,
        parameters={},
        law={},
        derived={key: one for key, one in definitions.items() if key[0]},
        measures={key[1]: one for key, one in definitions.items() if not key[0]},
        rules=rules,
        digest=digest_of(documents),
        after=header.after,
    )
    window.close()
    section.close()
    return pack


def _tests(documents: Mapping[str, Any]) -> tuple[Mapping[str, object], ...]:
    return tuple(
        {"file": name, "content": documents[name]}
        for name in sorted(documents)
        if name.startswith("tests/")
    )


def read_documents(folder: Path) -> dict[str, Any]:
    """Return the content of every file of a pack by its relative name.

    Raises:
        RulePackError: The folder cannot be read safely.
    """
    return parse_files(read_files(folder))


def parse_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the content of a pack's files by their relative names; what holds no data is left out.

    Raises:
        RulePackError: One of them cannot be read safely.
    """
    result: dict[str, Any] = {}
    nodes = rows = workbooks = 0
    for name, data in files.items():
        if not name.endswith(_DATA):
            continue
        if name.startswith("tables/"):
            workbooks += name.endswith(".xlsx")
            if workbooks > WORKBOOKS_MAX:
                raise _refuse(
                    "CRN-R-003",
                    name,
                    f"The pack has more than {WORKBOOKS_MAX} workbooks.",
                    f"规则包的工作簿超过 {WORKBOOKS_MAX} 个。",
                    Text("Save some of the tables as CSV.", "请将部分决策表另存为 CSV。"),
                )
            result[name] = grid = read_grid(data, name)
            rows += len(grid.rows)
            if rows > TABLE_ROWS_MAX:
                raise _refuse(
                    "CRN-R-003",
                    name,
                    f"The tables of the pack have more than {TABLE_ROWS_MAX} rows.",
                    f"规则包的决策表合计超过 {TABLE_ROWS_MAX} 行。",
                    Text("Divide it into several packs.", "请将其拆分为多个规则包。"),
                )
            continue
        result[name], count = parse_counted(data, name)
        nodes += count
        if nodes > PACK_NODES_MAX:
            raise _refuse(
                "CRN-R-003",
                name,
                f"The pack holds more than {PACK_NODES_MAX} values.",
                f"规则包中的值超过 {PACK_NODES_MAX} 个。",
                Text("Divide it into several packs.", "请将其拆分为多个规则包。"),
            )
    return result


def check_documents(documents: Mapping[str, Any]) -> tuple[Pack | None, list[RulePackError]]:
    """Return the pack of parsed documents, None where it cannot be built, and every defect found.

    Raises:
        RulePackError: What they hold cannot be read safely at all.
    """
    defects = Defects()
    pack: Pack | None = None
    with suppress(TooManyDefectsError), defects.collect():
        pack = _build(documents, defects)
    if pack is not None:
        # Checked here and not on the way, because it needs the whole pack.
        from carnet.rules.live.compile import check_compiles

        with suppress(TooManyDefectsError), defects.collect():
            check_compiles(pack)
    return pack, sorted(defects.found, key=lambda error: (error.path, error.line))


def check_pack(
    folder: Path, documents: Mapping[str, Any] | None = None
) -> tuple[Pack | None, list[RulePackError]]:
    """Return the pack of a folder, None where it cannot be built, and every defect found.

    Args:
        folder: The folder of one version.
        documents: Its documents, where they were read before.

    Raises:
        RulePackError: The folder cannot be read safely at all.
    """
    documents = read_documents(folder) if documents is None else documents
    pack, found = check_documents(documents)
    among = after_defects(documents["pack.yaml"], lambda name: find_earlier(name, folder))
    return pack, sorted([*found, *among], key=lambda error: (error.path, error.line))


def load_pack(folder: Path) -> Pack:
    """Return the pack of a folder.

    It is not compared with the packs that it comes after: which version of them decides is known
    when they run, and `Stages` compares them then.

    Raises:
        RulePackError: It has a defect; the message names the first and counts the rest.
    """
    files = tuple(read_files(folder).items())
    if files in _LOADED:
        return _LOADED[files]
    pack, found = check_documents(parse_files(dict(files)))
    if not found:
        assert pack is not None, "a pack that could not be built has a defect"
        if len(_LOADED) >= LOADED_MAX:
            _LOADED.pop(next(iter(_LOADED)), None)
        return _LOADED.setdefault(files, pack)
    first = found[0]
    more = len(found) - 1
    if not more:
        raise first
    raise RulePackError(
        first.code,
        Text(
            f"{first.message.en} ({more} more: carnet pack check {folder})",
            f"{first.message.zh}（另有 {more} 处：carnet pack check {folder}）",
        ),
        first.hint,
        path=first.path,
        line=first.line,
    )


Resolve = Callable[[str], Pack]
"""Returns a pack that another one comes after, by its id."""


def load_earlier(folder: Path) -> Resolve:
    """Return what loads the packs that the pack of a folder comes after."""
    return lambda name: load_pack(find_earlier(name, folder))


def load_shipped(name: str) -> Pack:
    """Return the newest shipped version of a pack.

    Raises:
        NotFoundError: There is none.
    """
    return load_pack(find_earlier(name, SHELF))

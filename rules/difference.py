"""What differs between two packs: rule by rule, value by value, row by row.

The difference is taken from the content of the files, so that two digests always have one. Packs of
one digest mean the same however their tables are spelled: compare digests first.

Source: docs/spec/pack-format.md, PF-17.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from carnet.rules.format.grid import Grid, grid_text
from carnet.rules.format.table_header import RESERVED_IDS

Level = Literal[
    "pack",
    "parameter",
    "law",
    "derived",
    "measure",
    "closure",
    "output",
    "rule",
    "table",
    "test",
]
Kind = Literal["added", "removed", "changed"]
EVERYTHING: Final = "*"
"""In place of an id: the order of all that a section holds."""

_SECTIONS: Final[Mapping[str, Level]] = {
    "parameters": "parameter",
    "law": "law",
    "derived": "derived",
    "measures": "measure",
    "closures": "closure",
    "outputs": "output",
    "rules": "rule",
    "tests": "test",
}
_ROW_KEY: Final = ("valid_from", "known_from")
Json = Any


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Args:
        level: What it is in.
        kind: Whether the whole, or the named part of it, was added, removed or changed.
        id: Which one.
        part: Which part of it, such as ``when``; empty where it is the whole.
        before: What stood there.
        after: What stands there.
    """

    level: Level
    kind: Kind
    id: str
    part: str
    before: Json
    after: Json

    def to_json(self) -> dict[str, Json]:
        """Return the difference as JSON."""
        return {
            "level": self.level,
            "kind": self.kind,
            "id": self.id,
            "part": self.part,
            "before": self.before,
            "after": self.after,
        }


def plain(value: Any) -> Json:
    """Return a value of a pack as JSON: a date is its text."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and of one type: 1 is not true, a date not its text."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _kind(before: Any, after: Any) -> Kind:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _whole(level: Level, name: str, before: Any, after: Any) -> Change:
    return Change(level, _kind(before, after), name, "", plain(before), plain(after))


@dataclass(frozen=True, slots=True)
class _Owner:
    """What parts are compared for."""

    level: Level
    id: str

    def change(self, part: str, before: Any, after: Any) -> Change:
        return Change(self.level, _kind(before, after), self.id, part, plain(before), plain(after))


# --- parts ------------------------------------------------------------------------------------


def _parts(owner: _Owner, part: str, before: Any, after: Any) -> Iterator[Change]:
    """Yield what differs inside one part: key by key, item by item."""
    if before is not None and after is not None and _same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{part}.{key}" if part else key
            yield from _parts(owner, inner, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(owner, part, before, after)
    elif before is not None or after is not None:
        yield owner.change(part, before, after)


def _items(owner: _Owner, part: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    gone = _missing_from(before, after)
    new = _missing_from(after, before)
    for item in gone:
        yield owner.change(part, item, None)
    for item in new:
        yield owner.change(part, None, item)
    if not gone and not new:
        yield owner.change(f"{part} (order)", before, after)


def _missing_from(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return the items that others lack, each as often as it is lacking."""
    left = list(others)
    result = []
    for item in items:
        at = next((n for n, other in enumerate(left) if _same(item, other)), None)
        if at is None:
            result.append(item)
        else:
            del left[at]
    return result


def _parameter(
    owner: _Owner, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    """Yield what differs in a parameter: its dated values one by one, by their days."""
    for key in [*before, *(key for key in after if key not in before)]:
        if key != "values":
            yield from _parts(owner, key, before.get(key), after.get(key))
    rows, others = _dated(before), _dated(after)
    for label in [*rows, *(label for label in others if label not in rows)]:
        one, other = rows.get(label), others.get(label)
        if one is None or other is None:
            yield owner.change(label, one, other)
        else:
            yield from _parts(owner, label, one, other)
    if list(rows) != list(others) and set(rows) == set(others):
        yield owner.change("values (order)", list(rows), list(others))


def _dated(parameter: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for row in parameter.get("values", []):
        days = " ".join(f"{key} {row.get(key)}" for key in _ROW_KEY)
        number = sum(label.startswith(days) for label in result)
        result[f"{days} #{number + 1}" if number else days] = row
    return result


# --- what a section holds ---------------------------------------------------------------------

Entries = dict[str, tuple[str, Any]]
"""By id: the file and the content."""


def _name(section: str, entry: Mapping[str, Any]) -> str:
    if section == "derived":
        return f"{entry.get('fact')}.{entry.get('name')}"
    return str(entry.get("id", entry.get("name")))


def _entries(documents: Mapping[str, Any], section: str) -> Entries:
    result: Entries = {}
    for file in sorted(documents):
        listed = documents[file].get(section, []) if isinstance(documents[file], Mapping) else []
        for entry in listed if file != "pack.yaml" and isinstance(listed, list) else []:
            name = _name(section, entry)
            result[name if name not in result else f"{name} ({file})"] = (file, entry)
    return result


def _compare(
    level: Level,
    before: Entries,
    after: Entries,
    inside: Callable[[_Owner, Any, Any], Iterator[Change]],
) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            yield _whole(level, name, one and one[1], other and other[1])
            continue
        owner = _Owner(level, name)
        if one[0] != other[0]:
            yield owner.change("file", one[0], other[0])
        yield from inside(owner, one[1], other[1])
    common = [[name for name in names if name in others] for names, others in
              ((before, after), (after, before))]  # fmt: skip
    if common[0] != common[1]:
        yield _Owner(level, EVERYTHING).change("order", common[0], common[1])


def _inside(owner: _Owner, before: Any, after: Any) -> Iterator[Change]:
    return _parts(owner, "", before, after)


# --- tables -----------------------------------------------------------------------------------


def _rows_of(document: Any) -> list[list[str]]:
    return grid_text(document) if isinstance(document, Grid) else document


def _tables(documents: Mapping[str, Any]) -> Entries:
    files = sorted(name for name in documents if name.startswith("tables/"))
    return {
        name.removeprefix("tables/").rpartition(".")[0]: (name, _rows_of(documents[name]))
        for name in files
    }


def _columns(rows: list[list[str]]) -> list[str]:
    """Return the name of each column: its own, or what it holds, such as ``citation``."""
    by_marker = {row[0]: row for row in rows if row}
    kinds, names = by_marker.get("kind", []), by_marker.get("name", [])
    count = max((len(row) for row in rows), default=0)
    result: list[str] = []
    for index in range(1, count):
        own = names[index] if index < len(names) else ""
        kind = kinds[index] if index < len(kinds) else ""
        name = own or kind or str(index)
        result.append(name if name not in result else f"{name} {index}")
    return result


def _cells(rows: list[list[str]]) -> dict[str, dict[str, str]]:
    """Return the cells by row and column; rows of the header as well."""
    columns = _columns(rows)
    result: dict[str, dict[str, str]] = {}
    for row in rows:
        if row:
            filled = {name: cell for name, cell in zip(columns, row[1:], strict=False) if cell}
            marker = row[0] in RESERVED_IDS
            result[f"{row[0]}:" if marker else row[0]] = filled
    return result


def _table(owner: _Owner, before: Any, after: Any) -> Iterator[Change]:
    rows, others = _cells(before), _cells(after)
    for name in [*rows, *(name for name in others if name not in rows)]:
        one, other = rows.get(name), others.get(name)
        if one is None or other is None:
            yield owner.change(name, one, other)
        else:
            yield from _parts(owner, name, one, other)
    common = [[name for name in names if name in more] for names, more in
              ((rows, others), (others, rows))]  # fmt: skip
    if common[0] != common[1]:
        yield owner.change("order of rows", common[0], common[1])
    if set(_columns(before)) == set(_columns(after)) and _columns(before) != _columns(after):
        yield owner.change("order of columns", _columns(before), _columns(after))


# --- all --------------------------------------------------------------------------------------


def _header(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    owner = _Owner("pack", str(after.get("id")))
    return _parts(owner, "", before, after)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs between the documents of two packs, in the order of the files.

    Args:
        before: From `carnet.rules.pack.read_documents`.
        after: The same, of the other pack.
    """
    found = list(_header(before["pack.yaml"], after["pack.yaml"]))
    for section, level in _SECTIONS.items():
        inside = _parameter if level == "parameter" else _inside
        found += _compare(level, _entries(before, section), _entries(after, section), inside)
    found += _compare("table", _tables(before), _tables(after), _table)
    if not found and not _same(_content(before), _content(after)):
        # Only how entries are spread over files, such as a section that is there and empty.
        files = [sorted(documents) for documents in (before, after)]
        found.append(Change("pack", "changed", EVERYTHING, "files", *files))
    return found


def _content(documents: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _rows_of(document) if name.startswith("tables/") else document
        for name, document in documents.items()
    }

"""Compare the laws that packs cite with a record of law facts: ids, tags, dates, acts, articles.

The record is not part of the repository. Run it where there is one:

    CARNET_DOMAIN_FACTS=facts.json python3 tools/law_record.py [folder of packs]

Of each pack the newest version is compared; released versions before it are not edited any more.
A law that is not in the record must be tagged U. Exit code 1 where anything disagrees.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

PACKS: Final = Path(__file__).parents[1] / "rules" / "packs"
RECORD_VARIABLE: Final = "CARNET_DOMAIN_FACTS"
TAGS: Final = {"verified_primary": "V", "secondary_source": "S", "unverified": "U"}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_ANNEX: Final = re.compile(r"\bAnnex(?:es)? ([IVX]+)\b")
_HEADER: Final = frozenset(
    ("hit_policy", "title_en", "title_zh", "complete", "kind", "name", "type", "value", "order")
)


@dataclass(frozen=True)
class Statement:
    """What one place of a pack says about law.

    Args:
        pack: The pack and its version.
        place: The parameter, the law or the row of a table.
        facts: The ids of the laws that it cites.
        tag: V, S or U.
        dates: The days that it gives for them.
        text: Act and article, where the place spells them.
    """

    pack: str
    place: str
    facts: tuple[str, ...]
    tag: str
    dates: frozenset[date] = frozenset()
    text: str = ""


def load(path: Path) -> Any:
    """Return a file of YAML; nothing where there is none."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def newest_folders(packs: Path) -> list[Path]:
    """Return the folder of the newest version of each pack."""
    newest: dict[str, Path] = {}
    for file in packs.glob("*/*/pack.yaml"):
        folder = file.parent
        known = newest.get(folder.parent.name)
        if known is None or _version(folder) > _version(known):
            newest[folder.parent.name] = folder
    return [newest[name] for name in sorted(newest)]


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


def _name(folder: Path) -> str:
    return f"{folder.parent.name} {folder.name}"


def of_parameters(folder: Path) -> Iterator[Statement]:
    """Yield what the parameters of a pack say: of dated values the one published last."""
    for item in load(folder / "parameters.yaml").get("parameters", []):
        last = max(item["values"], key=lambda value: (value["known_from"], value["valid_from"]))
        day = last["value"] if item["kind"] == "date" else last["valid_from"]
        citation = item["citation"]
        yield Statement(
            _name(folder),
            item["id"],
            (citation["fact"],),
            item["status"],
            frozenset({day}),
            f"{citation['title']} {citation['article']}",
        )


def of_law(folder: Path) -> Iterator[Statement]:
    """Yield the laws of a pack that no parameter states."""
    for item in load(folder / "law.yaml").get("law", []):
        text = f"{item['title']} {item['article']}"
        yield Statement(_name(folder), "law.yaml", (item["id"],), item["status"], text=text)


def of_tables(folder: Path) -> Iterator[Statement]:
    """Yield what the rows of a pack's tables say: citations, tag, and every day in them."""
    for path in sorted((folder / "tables").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        columns = next(row for row in rows if row[0] == "kind")
        for row in rows:
            if row[0] not in _HEADER and "citation" in columns:
                yield _of_row(folder, path.stem, columns, row)


def _of_row(folder: Path, table: str, columns: list[str], row: list[str]) -> Statement:
    cells = dict(zip(columns, row, strict=False))
    facts = tuple(part.strip() for part in cells["citation"].split(",") if part.strip())
    days = {
        date.fromisoformat(cell)
        for column, cell in zip(columns, row, strict=False)
        if column in {"out", "valid_from", "valid_to"} and _DAY.fullmatch(cell)
    }
    tag = cells.get("status") or "S"
    return Statement(_name(folder), f"{table}.{row[0]}", facts, tag, frozenset(days))


def statements(folder: Path) -> Iterator[Statement]:
    """Yield everything that a pack says about law."""
    yield from of_parameters(folder)
    yield from of_law(folder)
    yield from of_tables(folder)


def _days_of(facts: Iterable[Mapping[str, Any]]) -> set[date]:
    return {
        date.fromisoformat(fact[key])
        for fact in facts
        for key in ("effective_from", "effective_to")
        if fact[key]
    }


def _numbers(text: str) -> set[str]:
    """Return the numbers of acts, articles and annexes that a text names.

    >>> sorted(_numbers("Regulation (EU) 2016/425 Annex V, point 6"))
    ['2016', '425', '6', 'Annex V']
    """
    annexes = {f"Annex {numeral}" for numeral in _ANNEX.findall(text)}
    return {str(int(number)) for number in re.findall(r"\d+", text)} | annexes


def _of_one(said: Statement, facts: list[Mapping[str, Any]]) -> Iterator[str]:
    weakest = max((TAGS[fact["status"]] for fact in facts), key="VSU".index)
    if said.tag != weakest:
        yield f"tagged {said.tag}, the record says {weakest}"
    known = _days_of(facts)
    if known and said.dates - known:
        strange = ", ".join(sorted(map(str, said.dates - known)))
        yield f"dated {strange}, the record says {', '.join(sorted(map(str, known)))}"
    recorded = " ".join(f"{fact['citation']} {fact['rule']} {fact['note']}" for fact in facts)
    if missing := _numbers(said.text) - _numbers(recorded):
        yield f"names {', '.join(sorted(missing))}, which the record does not: {recorded}"


def problems(said: Statement, record: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield how a statement differs from the record of law facts."""
    facts = [record[fact] for fact in said.facts if fact in record]
    if len(facts) < len(said.facts):
        if said.tag != "U":
            yield f"not in the record, so it must be tagged U: {', '.join(said.facts)}"
        return
    if facts:
        yield from _of_one(said, facts)


def read_record(path: Path) -> dict[str, dict[str, Any]]:
    """Return the facts of a record by their ids."""
    return {fact["id"]: fact for fact in json.loads(path.read_text(encoding="utf-8"))["facts"]}


def main(arguments: list[str]) -> int:
    """Print what disagrees, and the facts of the record that no pack cites."""
    path = os.environ.get(RECORD_VARIABLE)
    if path is None:
        print(f"Set {RECORD_VARIABLE} to the file of law facts.", file=sys.stderr)
        return 2
    record = read_record(Path(path))
    folders = newest_folders(Path(arguments[0]) if arguments else PACKS)
    said = [each for folder in folders for each in statements(folder)]
    found = [
        f"{each.pack} {each.place}: {what}" for each in said for what in problems(each, record)
    ]
    print("\n".join(found) or f"{len(said)} statements of {len(folders)} packs agree.")
    cited = {fact for each in said for fact in each.facts}
    print("Not cited:", ", ".join(sorted(record.keys() - cited)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

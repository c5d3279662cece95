"""One thing to decide, whatever generated it, and the comparison of the engines on it.

A vector is what a generated test found or a file in tests/differential/vectors: the files of one or
more packs, facts, a date and what officers confirmed.
"""

import json
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.pack import check_pack, load_earlier
from carnet.rules.stages import Stages
from tests.fixtures_rules import AS_OF

VECTORS = Path(__file__).parent / "differential" / "vectors"
BEYOND_LIVE = frozenset({"CRN-R-003", "CRN-R-012"})
"""What lies beyond the live engine is refused by one of these."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Packs by folder, each its files by name; the last one decides."""

    packs: Mapping[str, Mapping[str, str]]
    facts: tuple[Mapping[str, Any], ...]
    confirmed: tuple[str, ...] = ()
    as_of: str = AS_OF.isoformat()
    note: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


@dataclass(slots=True)
class Tally:
    """What the engines decided alike."""

    packs: set[str] = field(default_factory=set)
    refused: int = 0
    beyond_live: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **counts: int) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def merge(self, other: "Tally") -> None:
        self.packs |= other.packs
        self.refused += other.refused
        self.beyond_live += other.beyond_live
        self.add(**other.counts)


class DisagreementError(AssertionError):
    """Two engines decided differently."""


def as_json(facts: Iterable[Fact]) -> tuple[dict[str, Any], ...]:
    return tuple(fact.to_json() for fact in facts)


def read_vector(path: Path) -> Vector:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Vector(**{**content, "facts": tuple(content["facts"])})


def _write(vector: Vector, root: Path) -> list[Path]:
    folders = []
    for name, files in vector.packs.items():
        for file, text in files.items():
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        folders.append(root / name)
    return folders


def _lines(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1)


def _first_difference(expected: str, actual: str) -> str:
    for one, other in zip(expected.split("\n"), actual.split("\n"), strict=False):
        if one != other:
            return f"{one.strip()} | {other.strip()}"
    return "one is longer"


def _count(tally: Tally, vector: Vector, document: Mapping[str, Any]) -> None:
    decisions = document["decisions"]
    open_cases = [one for one in decisions if one["conformity"] == "undetermined"]
    # A pack is told from others with those that it comes after.
    tally.packs.add(sha256(json.dumps(vector.packs).encode()).hexdigest())
    tally.add(
        evaluations=1,
        facts=len(vector.facts),
        cases=len(decisions),
        undetermined=len(open_cases),
        **{
            name: sum(len(one.get(name, ())) for one in decisions)
            for name in ("findings", "errors", "not_applicable", "actions")
        },
        outputs=sum(len(one["outputs"]) for one in decisions),
    )


def _decide(vector: Vector, folders: list[Path], engines: Collection[str], tally: Tally) -> None:
    pack, _ = check_pack(folders[-1])
    assert pack is not None, "a pack that was checked is a pack"
    facts = [fact_from_json(one) for one in vector.facts]
    resolve, as_of = load_earlier(folders[-1]), date.fromisoformat(vector.as_of)

    def decided(engine: str, given: list[Fact]) -> str:
        confirmed = frozenset(vector.confirmed)
        document = Stages(given, as_of, engine, lambda _: confirmed, resolve).result(pack).to_json()
        assert document.pop("engine") == engine
        if engine == "reference":
            _count(tally, vector, document)
        return _lines(document)

    expected = decided("reference", facts)
    for engine in engines:
        # The live engine is asked in both orders: its negations once rested on the order.
        for given in [facts, facts[::-1]] if engine == "live" else [facts[::-1]]:
            actual = decided(engine, given)
            if actual != expected:
                message = f"reference | {engine}: {_first_difference(expected, actual)}"
                raise DisagreementError(message)


def compare(
    vector: Vector, tally: Tally | None = None, engines: Collection[str] = ("live", "bulk")
) -> None:
    """Compare the engines on a vector.

    Raises:
        DisagreementError: One of them decides something else than the reference.
    """
    counted = Tally() if tally is None else tally
    with tempfile.TemporaryDirectory() as name:
        folders = _write(vector, Path(name))
        found: list[RulePackError] = []
        for folder in folders:
            try:
                found += check_pack(folder)[1]
            except RulePackError as error:
                found.append(error)
        for error in found:
            assert error.code in BEYOND_LIVE, error
        if found and len(folders) > 1:
            counted.refused += 1
            return
        try:
            check_pack(folders[-1])
        except RulePackError:
            counted.refused += 1
            return
        counted.beyond_live += bool(found)
        chosen = [one for one in engines if one != "live"] if found else list(engines)
        _decide(vector, folders, chosen, counted)

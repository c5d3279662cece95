"""The published JSON Schemas and the readers of packs agree on every key."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from carnet.rules.format.schema import FILES, SHAPES, file_of, schema_of
from carnet.rules.format.section import Section
from carnet.rules.pack import check_pack, read_documents
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.rules.testing import TestResult, read_tests
from tests.fixtures_rules import AS_OF, header, listing, parameter, product, rule, spell

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2020, 1, 1)
T = {"en": "text", "zh": "文本"}

PACK = header(
    title=T,
    effective={"from": DAY, "to": date(2030, 1, 1)},
    after=["sample-before"],
    case={
        "type": "listing",
        "alias": "listing",
        "when": ['listing.market == "EU"'],
        "with": {"product": "listing.product_id"},
    },
    paths={
        "product": "product <- listing.product_id",
        "certificate": ["certificate.product_id -> product"],
        "agreement": "*",
        "decision": "decision.case_id == listing.id",
    },
)
PARAMETER = parameter("limit", "integer", 5) | {
    "values": [{"value": 5, "valid_from": DAY, "valid_to": DAY, "known_from": DAY}],
    "corrigenda": [T],
}
CANDIDATE = {
    "value": "1",
    "when": ["certificate.is_verified"],
    "reason": {"id": "one", **T},
}
RULES = {
    "derived": [
        {"fact": "certificate", "name": "rank", "kind": "integer", "title": T,
         "choose": "first", "candidates": [CANDIDATE]},
        {"fact": "certificate", "name": "rank_two", "kind": "integer", "title": T, "value": 2},
        {"fact": "certificate", "name": "rank_three", "kind": "integer", "title": T,
         "function": "sum", "over": {"c": "certificate"}, "when": ["c.is_verified"], "of": 1},
    ],
    "measures": [
        {"name": "a", "title": T, "value": "measure.b + measure.c"},
        {"name": "b", "title": T, "function": "max", "over": {"c": "certificate"},
         "when": ["c.is_verified"], "of": "c.rank"},
        {"name": "c", "title": T, "choose": "max", "candidates": [{"value": 1}]},
    ],
    "outputs": [{"name": "step", "title": T, "combination": "unique"}],
    "closures": [
        {"name": "upstream", "title": T, "over": {"l": "agreement"}, "from": "l.lender_id",
         "to": "l.borrower_id", "when": ["has(l.ends_on)"], "depth": 4},
    ],
    "rules": [
        rule(
            scope=[{"when": "product.is_radio", "reason": T}],
            match=[{"c": "certificate"}, {"u": "upstream"}],
            when=["c.rank > 0", "u.depth > 1"],
            without=[{"n": "certificate", "when": ["n.rank > c.rank"]}],
            set={"step": 1},
            action="hold",
        ),
    ],
}  # fmt: skip
LAW = {"law": [{"id": "LAW-1", "title": "T", "article": "1", "link": "https://x.example/",
                "status": "V"}]}  # fmt: skip
EXPECTED = {
    "case": "L1",
    "conformity": "conforming",
    "findings": ["rule-1", {"rule": "rule-1", "facts": ["listing/L1"], "message": T,
                            "values": {"c.rank": 1}}],
    "errors": ["rule-1"],
    "not_applicable": ["rule-1"],
    "officer_confirmed": ["limit"],
    "measures": {"a": 1},
    "outputs": {"step": 1},
    "actions": ["hold", {"rule": "rule-1", "action": "hold"}],
}  # fmt: skip
TESTS = {
    "tests": [
        {"id": "one", "as_of": AS_OF, "confirmed": ["limit"], "expect": [EXPECTED],
         "facts": [listing().to_json(), product().to_json()]},
    ]
}  # fmt: skip
EVERYTHING: dict[str, dict[str, Any]] = {
    "pack.yaml": PACK,
    "parameters.yaml": {"parameters": [PARAMETER]},
    "law.yaml": LAW,
    "rules/all.yaml": RULES,
    "tests/all.yaml": TESTS,
}


def _write(folder: Path, documents: dict[str, Any]) -> Path:
    for name, content in documents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(spell(content), encoding="utf-8")
    return folder


def _before(folder: Path) -> None:
    """Write the pack that the one with every key comes after, where it is looked for."""
    first = header(id="sample-before", stage=1)
    documents = {"pack.yaml": first, "law.yaml": LAW, "rules/all.yaml": {
        "rules": [rule(when=["product.is_radio"])]}}  # fmt: skip
    _write(folder.parent.parent / "sample-before" / "1", documents)


def _faults(folder: Path) -> list[str]:
    """Return every defect of a pack and of the tests that it carries."""
    pack, found = check_pack(folder)
    told = [error.message.en for error in found]
    if pack is not None:
        failed = [one for one in read_tests(pack) if isinstance(one, TestResult)]
        told += [one.error.en for one in failed if one.error]
    return told


def _plain(value: Any) -> Any:
    """Return a value as an editor sees it: dates are texts."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def _violations(name: str, content: Any) -> list[str]:
    validator = Draft202012Validator(schema_of(file_of(name)))
    return [error.message for error in validator.iter_errors(_plain(content))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result = tmp_path / "sample" / "1"
    _before(result)
    return _write(result, EVERYTHING)


def test_everything__is_accepted_by_both(folder: Path) -> None:
    assert _faults(folder) == []
    assert [one for name, content in EVERYTHING.items() for one in _violations(name, content)] == []


@pytest.mark.parametrize("name", FILES)
def test_schema__is_valid_and_published(name: str) -> None:
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    published = ROOT / "docs" / "spec" / f"{name}.schema.json"
    assert json.loads(published.read_text("utf-8")) == schema


def test_schema__shipped_packs_follow_it() -> None:
    for pack in shelved_packs(SHELF):
        for name, content in read_documents(pack.folder).items():
            if name.endswith(".yaml"):
                assert _violations(name, content) == [], (pack.folder, name)


def test_readers__read_exactly_the_keys_that_are_declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, set[str]] = defaultdict(set)
    close = Section.close

    def noting(section: Section) -> None:
        read[section.what] |= section._read
        close(section)

    monkeypatch.setattr(Section, "close", noting)
    assert _faults(folder) == []
    shapes = {**SHAPES, **FILES}
    for name, shape in shapes.items():
        what = {"rules/*.yaml": "rules/all.yaml", "tests/*.yaml": "tests/all.yaml"}.get(
            shape.what, shape.what
        )
        found = read[what]
        if name == "text":
            # Texts are read under the name of their key.
            found = read["'title'"]
        if name == "without":
            found = found & {"when"}
        if name in {"fact", "case"}:
            # Facts are read by their own schema, and `with` names its keys itself.
            continue
        assert found == set(shape.keys), name


def _mappings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from _mappings(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _mappings(inner, (*path, number))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _copied(value: Any) -> Any:
    """Return a copy that shares nothing: one text may stand in many places."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


PLACES = [(name, path) for name, one in EVERYTHING.items() for path in _mappings(one)]


def _is_open(path: tuple[Any, ...]) -> bool:
    """Whether the author names the keys of a mapping, so that any key may stand there."""
    last = next((step for step in reversed(path) if isinstance(step, str)), "")
    return bool(path) and (
        path[-1] in {"paths", "with", "over", "set", "measures", "outputs"}
        or (path[-1] == "values" and "findings" in path)
        or last in {"match", "without", "facts"}
    )


@pytest.mark.parametrize(("name", "path"), [(n, p) for n, p in PLACES if not _is_open(p)], ids=str)
def test_key__that_nobody_knows_is_refused_by_both(
    folder: Path, name: str, path: tuple[Any, ...]
) -> None:
    changed = _copied(EVERYTHING)
    _at(changed[name], path)["surplus"] = "x"
    _write(folder, changed)
    assert any("unknown key 'surplus'" in fault for fault in _faults(folder))
    assert _violations(name, changed[name])


@pytest.mark.parametrize(("name", "path"), [(n, p) for n, p in PLACES if not _is_open(p)], ids=str)
def test_key__that_is_missing_is_refused_by_both_or_by_neither(
    folder: Path, name: str, path: tuple[Any, ...]
) -> None:
    for key in list(_at(EVERYTHING[name], path)):
        changed = _copied(EVERYTHING)
        del _at(changed[name], path)[key]
        _write(folder, changed)
        faults, refused = _faults(folder), bool(_violations(name, changed[name]))
        assert faults or not refused, key
        # One of two forms needs these: a schema cannot say it as plainly as the reader does.
        if key not in {"value", "over", "severity", "of", "candidates"}:
            lacks = any(f"lacks the key {key!r}" in fault for fault in faults)
            assert refused or not lacks, key


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("pack.yaml", ("stage",), 100),
        ("pack.yaml", ("id",), "Sample"),
        ("pack.yaml", ("status",), "done"),
        ("pack.yaml", ("version",), "1.x"),
        ("pack.yaml", ("case", "type"), "listings"),
        ("parameters.yaml", ("parameters", 0, "kind"), "float"),
        ("parameters.yaml", ("parameters", 0, "status"), "X"),
        ("parameters.yaml", ("parameters", 0, "citation", "link"), "http://x.example"),
        ("parameters.yaml", ("parameters", 0, "values"), []),
        ("rules/all.yaml", ("rules", 0, "severity"), "fatal"),
        ("rules/all.yaml", ("rules", 0, "when"), ["product.is_radio"] * 25),
        ("rules/all.yaml", ("rules", 0, "match"), [{"a": "unit"}] * 9),
        ("rules/all.yaml", ("closures", 0, "depth"), 65),
        ("rules/all.yaml", ("outputs", 0, "combination"), "mean"),
        ("tests/all.yaml", ("tests", 0, "expect", 0, "conformity"), "fine"),
    ],
)
def test_value__out_of_bounds_is_refused_by_both(
    folder: Path, name: str, path: tuple[Any, ...], value: Any
) -> None:
    changed = _copied(EVERYTHING)
    _at(changed[name], path[:-1])[path[-1]] = value
    _write(folder, changed)
    try:
        found = _faults(folder)
    except Exception as error:  # noqa: BLE001  # a limit refuses the pack as a whole
        found = [str(error)]
    assert found
    assert _violations(name, changed[name])

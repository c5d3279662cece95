"""JSON and NDJSON are read strictly, and each fault is told with its place."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from carnet.facts.fact import FactBatch
from carnet.facts.intake import IntakeError, IntakeLimits, read_facts_json, read_files
from carnet.facts.issue import Issue
from tests.fixtures_facts import certificate

LAB: dict[str, Any] = {"type": "test_lab", "id": "L-1", "name": "One", "country": "DE"}
LAB_TEXT = json.dumps(LAB)


def read(folder: Path, content: str | bytes, name: str = "facts.json", **limits: int) -> FactBatch:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_files([path], IntakeLimits(**limits))


def refused(
    folder: Path, content: str | bytes, name: str = "facts.json", **limits: int
) -> tuple[Issue, ...]:
    with pytest.raises(IntakeError) as caught:
        read(folder, content, name, **limits)
    return caught.value.issues


def test_json__row_is_the_place_in_the_list_from_1(tmp_path: Path) -> None:
    batch = read(tmp_path, json.dumps({"facts": [LAB, certificate()]}))
    assert [
        (source.row, fact.fields["source"])
        for fact, source in zip(batch.facts, batch.sources, strict=True)
    ] == [(1, "facts.json:1"), (2, "facts.json:2")]


def test_json__no_facts_are_no_fault(tmp_path: Path) -> None:
    assert len(read(tmp_path, '{"facts": []}')) == 0


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[]", "a list"),
        ("5", "5"),
        ('{"fact": []}', "the keys 'fact'"),
        ('{"facts": [], "more": 1}', "the keys 'facts', 'more'"),
        ('{"facts": {}}', "the keys 'facts'"),
        ('{"facts": [], "facts": []}', "the key 'facts' twice"),
        ('{"facts": [}', "unexpected character, expected a JSON value (line 1, column 12)"),
        ('{"facts": []} x', "unexpected content after document (line 1, column 15)"),
        (b'{"facts": ["\xff"]}', "byte 0xff in line 1"),
        (b'{"facts":\n["a\0"]}', "a NUL character in line 2"),
        ('{"facts": ' + "[" * 100_000, "depth limit exceeded (line 1, column 1035)"),
        ('{"facts": [NaN]}', "unexpected character, expected a JSON value (line 1, column 12)"),
        ('{"facts": ["\\ud800"]}', "no low surrogate in string (line 1, column 13)"),
        ('{"facts": [1e999]}', "number is infinity when parsed as double (line 1, column 12)"),
        ("", "an empty file"),
    ],
)
def test_json__another_document(tmp_path: Path, content: str | bytes, found: str) -> None:
    (issue,) = refused(tmp_path, content)
    assert (issue.row, issue.found) == (None, found)


@pytest.mark.parametrize(
    ("fields", "column", "found"),
    [
        ('"name": "One", "country": "DE", "name": "Two"', None, "the key 'name' twice"),
        ('"name": null, "country": "DE"', "name", "null"),
        ('"name": "", "country": "DE"', "name", "''"),
        ('"name": "One", "country": 1.0', "country", "1.0"),
        ('"name": 1e30, "country": "DE"', "name", "1e30"),
        ('"name": "a\\u0000", "country": "DE"', "name", "'a\\x00'"),
        ('"name": ["One"], "country": "DE"', "name", "a list"),
        ('"name": {"a": 1, "a": 2}, "country": "DE"', "name", "the key 'a' twice"),
        ('"name": "One", "country": "DE", "recorded_on": 20260101', "recorded_on", "20260101"),
    ],
)
def test_json__strict(tmp_path: Path, fields: str, column: str | None, found: str) -> None:
    fact = f'{{"type": "test_lab", "id": "L-2", {fields}}}'
    (issue,) = refused(tmp_path, f'{{"facts": [{LAB_TEXT}, {fact}]}}')
    assert (issue.row, issue.column, issue.found) == (2, column, found)
    assert ", fact 2" in issue.message().en
    assert "，第 2 条事实" in issue.message().zh


def test_json__integers_of_any_length_are_refused_not_computed(tmp_path: Path) -> None:
    digits = "9" * 300
    fact = json.dumps(LAB | {"recorded_on": 0}).replace("0}", f"{digits}}}")
    (issue,) = refused(tmp_path, f'{{"facts": [{fact}]}}')
    assert issue.column == "recorded_on"
    assert len(issue.found) < 100


@pytest.mark.parametrize("limit", [1_000, 100_000])
@pytest.mark.parametrize("depth", [100, 900, 1_000])
def test_json__deep_within_the_parsers_own_limit(tmp_path: Path, depth: int, limit: int) -> None:
    value = "[" * depth + "]" * depth
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        refused(tmp_path, f'{{"facts": [{value}]}}')
        refused(tmp_path, LAB_TEXT.replace('"DE"', value), "facts.ndjson")
    finally:
        sys.setrecursionlimit(usual)


@pytest.mark.parametrize("name", ["facts.ndjson", "facts.jsonl"])
def test_ndjson__row_is_the_line(tmp_path: Path, name: str) -> None:
    content = b"\xef\xbb\xbf" + f"{LAB_TEXT}\r\n\n{json.dumps(certificate())}".encode()
    batch = read(tmp_path, content, name)
    assert [source.row for source in batch.sources] == [1, 3]


def test_ndjson__every_line_at_once(tmp_path: Path) -> None:
    lines = [
        b"{",
        b'{"type": "lab"}',
        LAB_TEXT.encode(),
        b"[]",
        b'{"facts": []}',
        b"\xff",
        LAB_TEXT.encode(),
        b"[" * 100_000,
    ]
    issues = refused(tmp_path, b"\n".join(lines), "facts.ndjson")
    assert "facts.ndjson, line 1: " in issues[0].message().en
    assert [(issue.row, issue.column) for issue in issues] == [
        (1, None),
        (2, "type"),
        (4, None),
        (5, "type"),
        (6, None),
        (7, "id"),
        (8, None),
    ]


def test_ndjson__a_line_over_the_limit_ends_the_file(tmp_path: Path) -> None:
    content = LAB_TEXT + "\n" + "x" * 200 + "\n" + "y\n"
    (issue,) = refused(tmp_path, content, "facts.ndjson", line_size_max=100)
    assert (issue.row, issue.found) == (2, "more than 100 bytes")


def test_ndjson__empty(tmp_path: Path) -> None:
    (issue,) = refused(tmp_path, b"", "facts.ndjson")
    assert issue.found == "an empty file"


@pytest.mark.parametrize(
    "content",
    [
        f"{LAB_TEXT}\n",
        f'\n{LAB_TEXT}\n{{"type": "test_lab", "id": "L-2", "name": "Two", "country": "FR"}}\n',
        f'{{"facts": [{LAB_TEXT}]}}',
        f'{{\n"facts":\n[{LAB_TEXT}]\n}}\n',
        f'\ufeff{{"facts": [{LAB_TEXT}]}}',
    ],
)
def test_facts_of_one_evaluation__document_or_lines(tmp_path: Path, content: str) -> None:
    path = tmp_path / "facts.json"
    path.write_text(content, encoding="utf-8")
    assert read_facts_json(path)[0].id == "L-1"
    assert read_facts_json(stdin=io.BytesIO(content.encode()))[0].id == "L-1"
    assert read_facts_json(Path("-"), stdin=io.BytesIO(content.encode()))[0].id == "L-1"


def test_facts_of_one_evaluation__refused(tmp_path: Path) -> None:
    for content in (b"", b"x", b'{"facts": [{}]}', b'{"type": "test_lab"}\n{}\n'):
        path = tmp_path / "facts.json"
        path.write_bytes(content)
        with pytest.raises(IntakeError) as of_file:
            read_facts_json(path)
        with pytest.raises(IntakeError) as of_stdin:
            read_facts_json(stdin=io.BytesIO(content))
        assert {issue.file for issue in of_stdin.value.issues} == {"-"}
        assert [issue.found for issue in of_file.value.issues] == [
            issue.found for issue in of_stdin.value.issues
        ]


def test_facts_of_one_evaluation__limited() -> None:
    with pytest.raises(IntakeError) as caught:
        read_facts_json(limits=IntakeLimits(file_size_max=10), stdin=io.BytesIO(b"x" * 11))
    assert caught.value.issues[0].found == "11 bytes"

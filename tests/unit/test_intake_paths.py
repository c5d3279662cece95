"""Paths that cannot be read as files are told, each with its reason, all at once."""

import errno
import io
import os
import re
import socket
from pathlib import Path

import pytest

from carnet.facts.intake import IntakeError, IntakeLimits, opening, read_files
from carnet.facts.issue import Issue

LAB = "id,name,country\nL-1,One,DE\n"


def refused(*paths: Path, **limits: int) -> tuple[Issue, ...]:
    with pytest.raises(IntakeError) as caught:
        read_files(paths, IntakeLimits(**limits))
    return caught.value.issues


def test_paths__each_is_told(tmp_path: Path) -> None:
    folder, loop, pipe = tmp_path / "test_lab.csv", tmp_path / "party.csv", tmp_path / "unit.csv"
    folder.mkdir()
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    under_file = tmp_path / "batch.csv"
    under_file.write_text(LAB)
    missing = [tmp_path / "sales.csv", under_file / "x.csv", tmp_path / ("x" * 300 + ".csv")]
    issues = refused(folder, loop, pipe, *missing, Path("a\0.csv"))
    assert [issue.found for issue in issues] == [
        "a folder",
        "a loop of symbolic links",
        "a pipe, socket or device",
        "no such file",
        "no such file",
        "the path is too long",
        "a path with a NUL character",
    ]
    assert all(issue.row is None and issue.remedy.zh for issue in issues)
    assert issues[0].file == str(folder)


def test_paths__socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("unit.csv")
        (issue,) = refused(Path("unit.csv"))
    assert issue.expected.en == "a regular file that can be read"


@pytest.mark.parametrize(
    ("number", "found"),
    [(errno.EACCES, "no permission to read"), (errno.EIO, os.strerror(errno.EIO))],
)
def test_paths__the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, found: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(opening.os, "open", refuse)
    (issue,) = refused(tmp_path / "unit.csv")
    assert issue.found == found


def test_paths__a_read_that_fails_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.ndjson"
    path.write_text("{}\n")

    class Broken(io.BytesIO):
        def readline(self, _size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "unreadable")

    monkeypatch.setattr(opening.os, "fdopen", lambda number, _: os.close(number) or Broken())
    (issue,) = refused(path)
    assert issue.found == os.strerror(errno.EIO)


@pytest.mark.parametrize("name", ["facts.txt", "facts", "facts.xls", "facts.ods", ".csv"])
def test_paths__other_formats(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LAB)
    (issue,) = refused(tmp_path / name)
    assert "*.csv, *.xlsx, *.json, *.ndjson, *.jsonl" in issue.expected.en


def test_paths__a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data").write_text(LAB)
    (tmp_path / "test_lab.csv").symlink_to(tmp_path / "data")
    assert len(read_files([tmp_path / "test_lab.csv"])) == 1


@pytest.mark.parametrize("name", ["test_lab.csv", "facts.json", "facts.ndjson", "facts.xlsx"])
def test_paths__size_limit(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x" * 101)
    (issue,) = refused(path, file_size_max=100)
    assert (issue.found, issue.expected.en) == ("101 bytes", "at most 100 bytes a file")


def test_paths__size_limit_holds_for_a_file_that_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "test_lab.csv"
    path.write_bytes(b"x" * 101)
    monkeypatch.setattr(opening, "_check_status", lambda *_: None)
    (issue,) = refused(path, file_size_max=100)
    assert issue.found == "101 bytes"


def test_paths__no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "test_lab.csv").write_text(LAB)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        refused(tmp_path, tmp_path / "test_lab.csv" / "x.csv")
        read_files([tmp_path / "test_lab.csv"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_paths__one_bad_file_refuses_all(tmp_path: Path) -> None:
    good, bad = tmp_path / "test_lab.csv", tmp_path / "party.csv"
    good.write_text(LAB)
    assert [issue.file for issue in refused(good, bad)] == [str(bad)]


def test_paths__none_is_an_empty_batch() -> None:
    assert len(read_files([])) == 0


def test_paths__names_that_hide_something_are_shown_escaped(tmp_path: Path) -> None:
    path = tmp_path / "test_lab__\u202egpj\n.csv"
    path.write_text(LAB)
    (fact,) = read_files([path]).facts
    assert fact.fields["source"] == "test_lab__\\u202egpj\\n.csv:2"
    undecodable = os.fsdecode(os.fsencode(tmp_path) + b"/test_lab__\xff.csv")
    Path(undecodable).write_text(LAB + "L-2,,\n")
    issues = refused(Path(undecodable))
    assert issues[0].file.endswith("test_lab__\\udcff.csv")
    assert str(issues[0].message()).encode()


def test_messages__have_no_english_words_inside_the_chinese(tmp_path: Path) -> None:
    """What is told about a file, not quoted from it, is told in both languages."""
    bad = {
        "party.csv": "id,name\nP-1,One\n",
        "channel.csv": "id,name,kind\nC-1,Shop\n",
        "product.csv": "",
        "list.json": "[]",
        "keys.json": '{"fact": []}',
        "twice.json": '{"facts": [{"type": "party", "id": "P", "id": "P"}]}',
        "syntax.json": '{"facts": [}',
        "latin.ndjson": "\xff",
        "unit.xlsx": "no workbook",
    }
    for name, content in bad.items():
        (tmp_path / name).write_text(content, encoding="latin-1")
    paths = [*(tmp_path / name for name in bad), tmp_path / "absent.csv", tmp_path]
    with pytest.raises(IntakeError) as caught:
        read_files(paths)
    for issue in caught.value.issues:
        assert issue.found_zh or issue.found.startswith("'"), issue
        found = re.search("实际为 (.*?)；应为", issue.message().zh)
        assert found is not None
        assert re.search(r"[\u4e00-\u9fff]|^'", found.group(1)), issue.message().zh

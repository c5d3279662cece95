"""Where a result goes, and on what lines for people are written."""

import subprocess
import sys
from pathlib import Path

import pytest

from carnet.cli.options import STDOUT
from carnet.cli.output import deliver, paper_for
from carnet.cli.render.paper import Paper
from carnet.core.errors import InputError


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


def test_paper__on_a_terminal_is_as_wide_and_coloured(terminal: pytest.MonkeyPatch) -> None:
    assert paper_for(STDOUT) == Paper(72, is_coloured=True)
    terminal.setenv("COLUMNS", "300")
    assert paper_for(STDOUT).width == 120


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_paper__without_colours_where_none_are_wanted(
    terminal: pytest.MonkeyPatch, name: str, value: str
) -> None:
    terminal.setenv(name, value)
    assert paper_for(STDOUT) == Paper(72)


@pytest.mark.usefixtures("terminal")
def test_paper__in_a_file_is_plain(tmp_path: Path) -> None:
    assert paper_for(tmp_path / "out.txt") == Paper()


def test_paper__in_a_pipe_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert paper_for(STDOUT) == Paper()


def test_deliver__a_sheet_in_a_file_has_a_mark_and_a_pipe_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver("a,证\r\n", tmp_path / "out.csv", is_sheet=True)
    assert (tmp_path / "out.csv").read_bytes() == b"\xef\xbb\xbf" + "a,证\r\n".encode()
    assert "out.csv" in capsys.readouterr().err
    deliver("a,证\r\n", STDOUT, is_sheet=True)
    assert capsys.readouterr().out == "a,证\r\n"


def test_deliver__leaves_the_old_file_where_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CRN-C-041"):
        deliver("text", tmp_path / "absent" / "out.txt")
    with pytest.raises(InputError, match="CRN-C-041"):
        deliver("text", tmp_path)


@pytest.mark.parametrize("arguments", [["pack", "list"], ["pack", "list", "--format", "json"]])
def test_full_disk__behind_stdout_is_no_finding(arguments: list[str]) -> None:
    program = "from carnet.cli.main import main; main()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "CRN-C-041" in done.stderr
    assert "Traceback" not in done.stderr

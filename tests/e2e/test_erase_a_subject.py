"""Erasing a subject at the command line: the page as it stands, its words in both languages."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from carnet.cli.main import app
from carnet.core.errors import InputError
from tests.pages import ROOT, run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("erase-a-subject", tmp_path)
    assert {"CRN-L-101", "CRN-L-091", "CRN-L-094"} <= {
        word.rstrip(":") for word in done.stderr.split() if word.startswith("CRN-")
    }
    assert "The data of its seller was erased." in done.stdout
    assert "依法" in done.stdout or "产品合规文件" in done.stdout
    content = b"".join(path.read_bytes() for path in (tmp_path / "company").glob("carnet.db*"))
    assert b"Example Harbour Manufacturing" not in content
    shown = json.loads((tmp_path / "shown.json").read_text("utf-8"))
    assert len(shown["disclosures"]) == 2
    assert not (tmp_path / "never.json").exists()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the facts of the sample seller."""
    folder = tmp_path_factory.mktemp("erase") / "company"
    files = sorted(str(path) for path in (ROOT / "examples" / "seller").iterdir())
    assert run(folder, "init", str(folder)).exit_code == 0
    assert run(folder, "import", *files).exit_code == 0
    return folder


def run(folder: Path, *words: str, language: str = "en") -> Result:
    environment = {"CARNET_WORKSPACE": str(folder), "CARNET_LANG": language}
    return CliRunner().invoke(app, list(words), env=environment)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--by", "officer-1"), "CRN-L-102"),
        (("--approve",), "CRN-L-102"),
        (("--reason", "legal_order"), "CRN-L-102"),
        (("--reason", "legal_order", "--approve", "--by", "officer-1"), "CRN-L-102"),
    ],
)
def test_options__one_thing_at_a_time(company: Path, words: tuple[str, ...], code: str) -> None:
    done = run(company, "erase", "EHM", *words)
    assert isinstance(done.exception, InputError)
    assert done.exception.code == code


def test_withhold__other_members_are_refused(company: Path) -> None:
    done = run(company, "record", "issue", "--withhold", "seller,salt", "--as-of", "2026-11-23")
    assert isinstance(done.exception, InputError)
    assert done.exception.code == "CRN-L-104"


def test_plan__in_both_languages_changes_nothing(company: Path) -> None:
    english, chinese = run(company, "erase", "EHM"), run(company, "erase", "EHM", language="zh")
    assert "goes: financials" in english.stdout
    assert "Regulation (EU) 2016/679" in " ".join(english.stdout.split())
    assert "删除：financials" in chinese.stdout
    assert "尚未提议" in chinese.stdout
    found = json.loads(run(company, "erase", "EHM", "--format", "json").stdout)
    assert found["state"] == "planned"
    assert {each["type"] for each in found["plan"]["facts"]} >= {"party", "sales", "financials"}
    assert json.loads(run(company, "erase", "EHM", "--format", "json").stdout) == found

"""Pages that begin in a workspace with decisions and a log, run as they stand."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pages import reader_environment, run_page

BEGUN = """
set -e
carnet init company
export CARNET_WORKSPACE=company
carnet import $SAMPLE/seller/*
carnet pack confirm $SAMPLE/approvals.json --officer officer-1
carnet pack confirm $SAMPLE/approvals.json --officer officer-2
carnet review LST-PWB-01-US-L LST-HEL-02-EU --as-of 2026-11-23 || test $? = 1
carnet record issue --as-of 2026-11-23
carnet log append
"""
STANDING = "export CARNET_WORKSPACE=company"
FIRST_ATTESTATION = (
    "import json, sys; print([each['id'] for each in json.load(sys.stdin)['records']"
    " if each['kind'].startswith('attestation')][0])"
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the workspace of a seller some of whose listings are decided."""
    folder = tmp_path_factory.mktemp("begun")
    done = subprocess.run(
        ["bash"], input=BEGUN, cwd=folder, env=reader_environment(folder), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def reader(begun: Path, tmp_path: Path) -> Path:
    """Return a folder of one's own with a copy of that workspace."""
    shutil.copytree(begun / "company", tmp_path / "company")
    return tmp_path


def test_manage_keys__runs_as_it_stands(reader: Path) -> None:
    done = run_page("manage-keys", reader, before=STANDING)
    assert "officer-3" in done.stdout


def test_revoke_a_record__runs_as_it_stands(reader: Path) -> None:
    done = run_page("revoke-a-record", reader, before=STANDING)
    assert "status        NOT VALID" in done.stdout


def test_run_a_witness__runs_as_it_stands(reader: Path) -> None:
    done = run_page("run-a-witness", reader, before=STANDING)
    assert "CRN-V" in done.stderr
    assert "witness.example/w1" in (reader / "policy.toml").read_text("utf-8")


def test_verify_a_log_over_time__runs_as_it_stands(reader: Path) -> None:
    before = f"""{STANDING}
    ID=$(carnet record list --format json | python3 -c "{FIRST_ATTESTATION}")
    carnet bundle $ID -o bundle.json
    carnet log policy -o policy.toml
    SIZE=$(carnet log checkpoint | sed -n 2p)
    carnet record publish-page
    carnet log append
    carnet bundle $ID -o later.json"""
    done = run_page("verify-a-log-over-time", reader, before=before)
    assert done.stdout.count("consistency   not checked") == 2
    assert done.stdout.count("consistency   valid") == 1


def test_verify_in_a_browser__runs_as_it_stands(reader: Path) -> None:
    run_page("verify-in-a-browser", reader, before=STANDING)
    assert (reader / "page.json").exists()


def test_read_a_decision__runs_as_it_stands(reader: Path) -> None:
    done = run_page("read-a-decision", reader, before=STANDING)
    assert "<- decides" in done.stdout
    assert "<svg" in (reader / "tree.svg").read_text("utf-8")

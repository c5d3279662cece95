"""A compliance officer changes what runs: edit, compare, propose, approve, activate, roll back."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.failure import exit_code_of
from carnet.cli.main import app
from carnet.core.errors import CarnetError
from carnet.ledger.proof import verify_proof
from carnet.rules.shelf import SHELF
from carnet.services.officers import officer_keys
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "seller"


def carnet(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run a command in a workspace and return what it prints, or the error that it ends in."""
    done = CliRunner().invoke(app, list(arguments), env={"CARNET_WORKSPACE": str(folder)})
    if isinstance(done.exception, CarnetError):
        assert exit_code_of(done.exception) == code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


def read(folder: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(carnet(folder, *arguments, "--format", "json", code=code))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workspace = tmp_path / "w"
    carnet(tmp_path, "init", str(workspace))
    carnet(workspace, "import", *map(str, sorted(SAMPLE.iterdir())))
    return workspace


@pytest.fixture
def milder(tmp_path: Path) -> Path:
    """A new version of the shipped pack that no longer blocks what has expired."""
    version = max(each.name for each in (SHELF / "eu-ce").iterdir())
    place = tmp_path / "eu-ce" / "99.0.0"
    shutil.copytree(SHELF / "eu-ce" / version, place)
    header = (place / "pack.yaml").read_text("utf-8")
    header = re.sub(r"^version: .*$", "version: 99.0.0", header, flags=re.MULTILINE)
    header = re.sub(r"^status: .*$", "status: released", header, flags=re.MULTILINE)
    (place / "pack.yaml").write_text(header, "utf-8")
    shutil.rmtree(place / "tests")
    return place


def soften(place: Path) -> None:
    """Turn the rule about expiry into a hint, with a test that says so."""
    rules = place / "rules" / "40-validity.yaml"
    text = rules.read_text("utf-8")
    start = text.index("id: certificate-expired")
    text = text[:start] + text[start:].replace("severity: blocking", "severity: info", 1)
    rules.write_text(text, "utf-8")
    (place / "tests").mkdir()
    (place / "tests" / "a.yaml").write_text(
        "tests:\n  - id: nothing-to-decide\n    as_of: 2026-11-23\n    facts: []\n    expect: []\n",
        "utf-8",
    )


def version_of(document: Any, listing: str) -> tuple[str, str]:
    (found,) = [each for each in document["decisions"] if each["case"]["id"] == listing]
    return found["version"], found["conformity"]


def test_officers__change_what_runs_and_take_it_back(folder: Path, milder: Path) -> None:
    soften(milder)
    today = datetime.now(UTC).date()
    later = today + timedelta(days=40)
    base = read(folder, "review", "--all", "--engine", "reference", "--as-of", str(today), code=1)
    shipped = {each["version"] for each in base["decisions"] if each["pack"] == "eu-ce"}
    found = read(
        folder,
        "pack",
        "diff",
        "eu-ce",
        str(milder),
        "--impact",
        "--since",
        str(today),
        "--engine",
        "reference",
        code=1,
    )
    parts = [(each["id"], each["part"]) for each in found["changes"] if each["level"] == "rule"]
    assert parts == [("certificate-expired", "severity")]
    assert found["impact"]["days"] == [str(today)]
    assert found["impact"]["counts"]["milder"] > 0
    assert found["impact"]["counts"]["stricter"] == 0

    sign = ("--reason", "Told by the authority", "--officer")
    proposal = read(folder, "pack", "propose", str(milder), *sign, "officer-1")
    assert proposal["document"]["content"]["packDigest"] == found["b"]["digest"]
    refused = carnet(folder, "pack", "approve", "eu-ce", *sign, "officer-1", code=2)
    assert "CRN-R-130" in refused
    carnet(folder, "pack", "approve", "eu-ce@99.0.0", *sign, "officer-2")
    effective = ("--effective", str(later))
    carnet(folder, "pack", "activate", "eu-ce", *effective, *sign, "officer-1")
    shutil.rmtree(milder)

    now = read(folder, "review", "--all", "--engine", "reference", "--as-of", str(today), code=1)
    then = read(folder, "review", "--all", "--engine", "reference", "--as-of", str(later), code=1)
    assert {each["version"] for each in now["decisions"] if each["pack"] == "eu-ce"} == shipped
    assert {each["version"] for each in then["decisions"] if each["pack"] == "eu-ce"} == {"99.0.0"}
    listed = read(folder, "pack", "list", "-w", str(folder))["packs"]
    states = {each["version"]: each["state"] for each in listed if each["id"] == "eu-ce"}
    states = {version: state for version, state in states.items() if state != "shelf"}
    assert states == {shipped.pop(): "active", "99.0.0": "scheduled"}

    carnet(folder, "pack", "rollback", "eu-ce", *effective, *sign, "officer-2")
    carnet(folder, "pack", "approve", "eu-ce", *sign, "officer-1")
    after = read(folder, "review", "--all", "--engine", "reference", "--as-of", str(later), code=1)
    assert "99.0.0" not in {each["version"] for each in after["decisions"]}
    # What decided before can decide again: the copy in the workspace is the exact pack.
    digest = found["b"]["digest"]
    facts = folder / "facts.json"
    facts.write_text('{"facts": []}', "utf-8")
    again = read(folder, "eval", digest[:12], "--facts", str(facts), "-w", str(folder), code=3)
    assert (again["version"], again["digest"]) == ("99.0.0", digest)


def test_history__is_signed_documents_that_anyone_can_verify(folder: Path, milder: Path) -> None:
    soften(milder)
    sign = ("--reason", "Told by the authority", "--officer")
    carnet(folder, "pack", "propose", str(milder), *sign, "officer-1")
    carnet(folder, "pack", "approve", "eu-ce", *sign, "officer-2")
    shown = carnet(folder, "pack", "history", "eu-ce")
    assert "officer-1" in shown
    assert "Told by the authority" in shown
    acts = read(folder, "pack", "history", "eu-ce")["acts"]
    with Workspace.open(folder) as workspace, reading(workspace.engine) as connection:
        keys = officer_keys(connection)
    for act in acts:
        verify_proof(act["document"], keys[act["document"]["officer"]])
    assert acts[1]["document"]["content"]["approves"] == acts[0]["digest"]
    assert acts[1]["document"]["previous"] == acts[0]["digest"]


def test_difference__with_itself_is_none(folder: Path) -> None:
    assert "No difference." in carnet(folder, "pack", "diff", "eu-ce", "eu-ce")

"""Recording, revoking and publishing from the command line, on the workspace of the story."""

import json
import shutil
from pathlib import Path

import pytest

from carnet.ledger.page import page_digest
from tests.fixtures_story import run_carnet


@pytest.fixture
def shop(told: Path, tmp_path: Path) -> Path:
    """Return a folder with a copy of the story's workspace, whose log is ours to write."""
    shutil.copytree(told / "carnet-demo", tmp_path / "shop", ignore=shutil.ignore_patterns("chain"))
    (tmp_path / "shop" / "chain").mkdir()
    return tmp_path


def run(folder: Path, *words: str) -> dict[str, object]:
    """Return what a command prints as JSON."""
    done = run_carnet(*words, "-w", "shop", "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def verdicts(folder: Path, record: object, *words: str) -> dict[str, str]:
    """Return the verdict of each step for the newest bundle of a record."""
    for command in (
        ("log", "policy", "-o", "policy.toml"),
        ("bundle", str(record), "-o", "bundle.json", *words),
    ):
        done = run_carnet(*command, "-w", "shop", cwd=folder)
        assert done.returncode == 0, done.stderr
    offline = ("--policy", "policy.toml", "--offline", "--no-state", "--format", "json")
    done = run_carnet("verify", "bundle.json", *offline, cwd=folder)
    return {step["step"]: step["verdict"] for step in json.loads(done.stdout)["steps"]}


def test_record__added_shown_and_revoked(shop: Path) -> None:
    added = run(shop, "record", "add", "certificate", "CRT-001")
    assert added["isNew"]
    assert not run(shop, "record", "add", "certificate", "CRT-001")["isNew"]
    run(shop, "status-list", "publish")
    found = verdicts(shop, added["id"])
    assert (found["status"], found["supersession"]) == ("valid", "valid")
    assert found["disclosures"] == "valid"
    revoked = run(shop, "record", "revoke", str(added["id"]), "--reason", "withdrawn")
    assert revoked["isNew"]
    assert verdicts(shop, added["id"])["status"] == "not_valid"
    assert not run(shop, "record", "revoke", str(added["id"]), "--reason", "again")["isNew"]
    (listed,) = run(shop, "status-list", "show")["lists"]  # type: ignore[misc] # JSON
    assert listed["revoked"] == 1
    assert listed["index"] is not None


def test_record__the_page_is_published_with_its_digest(shop: Path) -> None:
    done = run(shop, "record", "publish-page")
    assert done["sha256"] == page_digest().hex()
    run(shop, "status-list", "publish")
    found = verdicts(shop, done["id"])
    assert found["inclusion"] == found["status"] == "valid"
    bundle = json.loads((shop / "bundle.json").read_text("utf-8"))
    assert bundle["record"]["credentialSubject"]["sha256"] == page_digest().hex()


def test_story__records_what_happened_to_its_receivables(told: Path) -> None:
    done = run_carnet("record", "list", "-w", "carnet-demo", "--format", "json", cwd=told)
    kinds = [row["kind"] for row in json.loads(done.stdout)["records"]]
    assert kinds.count("receivable-event") >= 4
    assert kinds[-1] == "status-list"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "certificate"), "CRN-L-044"),
        (("add", "pack-event", "X"), "CRN-L-044"),
        (("add", "passport", "X"), "CRN-L-043"),
        (("add", "certificate", "X"), "CRN-L-042"),
        (("revoke", "urn:uuid:none", "--reason", "x"), "CRN-L-005"),
    ],
)
def test_record__what_cannot_be_done_is_said(shop: Path, words: tuple[str, ...], code: str) -> None:
    done = run_carnet("record", *words, "-w", "shop", "--lang", "zh", cwd=shop)
    assert done.returncode == 2
    assert code in done.stderr


def test_words__in_both_languages(shop: Path) -> None:
    for language, word in (("en", "log index"), ("zh", "日志位置")):
        done = run_carnet("status-list", "show", "-w", "shop", "--lang", language, cwd=shop)
        assert word in done.stdout
    done = run_carnet("record", "add", "pack-event", "-w", "shop", "--lang", "en", cwd=shop)
    assert done.stdout == "0 recorded.\n"

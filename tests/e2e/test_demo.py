"""The story from end to end, on real components, as a user runs it."""

import json
import re
import sqlite3
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from carnet.core.clock import SystemClock
from carnet.services import receivables
from carnet.services.chaining import open_chain
from carnet.services.demo.story import RECEIVABLES
from carnet.services.reviewing import stored_decisions
from carnet.services.verifying import verify_file
from carnet.services.workspace import Workspace
from tests.fixtures_story import run_carnet

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 11, 20)
STEPS = (
    *("parse", "canonical", "schema", "issuer", "key", "signature", "disclosures", "inclusion"),
    *("checkpoint", "witnesses", "consistency", "status", "supersession", "validity", "anchor"),
)


def verify(told: Path, *words: str) -> tuple[int, dict[str, str], str]:
    done = run_carnet(
        *("verify", "carnet-demo/bundle.json", "--policy", "carnet-demo/policy.toml"),
        *("--format", "json", *words),
        cwd=told,
    )
    found = json.loads(done.stdout)
    assert set(found) == {"verdict", "steps"}
    assert tuple(step["step"] for step in found["steps"]) == STEPS
    assert all(set(step) == {"step", "verdict", "cause"} for step in found["steps"])
    verdicts = {step["step"]: step["verdict"] for step in found["steps"]}
    return done.returncode, verdicts, found["verdict"]


def test_story__tells_nine_steps_in_both_languages(told: Path) -> None:
    for language, word in (("en", "Review every listing"), ("zh", "审核全部上架商品")):
        text = (told / f"{language}.txt").read_text("utf-8")
        assert re.findall(r"^(\d)/9", text, re.MULTILINE) == list("123456789")
        assert word in text


def test_story__finds_what_was_planted_and_nothing_else(told: Path) -> None:
    expected = json.loads((ROOT / "examples" / "expected-findings.json").read_text("utf-8"))
    with Workspace.open(told / "carnet-demo") as workspace:
        decisions = stored_decisions(workspace, AS_OF)
    found = defaultdict(list)
    for decision in decisions:
        found[decision["case"]["id"]] += [
            (decision["pack"], each["rule"], each["severity"]) for each in decision["findings"]
        ]
    planted = {
        listing: sorted((each["pack"], each["rule"], each["severity"]) for each in items)
        for listing, items in expected.items()
    }
    assert {listing: sorted(items) for listing, items in found.items() if items} == planted
    assert all(decision["errors"] == [] for decision in decisions)


def test_story__splits_each_repayment_to_the_cent(told: Path) -> None:
    with (
        Workspace.open(told / "carnet-demo") as workspace,
        open_chain(workspace, clock=SystemClock()) as session,
    ):
        views = [receivables.show(session, name) for name in RECEIVABLES]
        payments = [receivables.waterfalls(session, name) for name in RECEIVABLES]
        book = receivables.open_book(session)
        on_hold = book.balance_of(book.contract.address)
    for view, (paid,) in zip(views, payments, strict=True):
        assert paid.paid == view.fact.face_units
        assert paid.fee + paid.interest + paid.principal + paid.residual == paid.paid
        assert view.state.name == "SETTLED"
    frozen, free = views
    assert frozen.on_chain is not None
    assert free.on_chain is not None
    assert frozen.on_chain.is_frozen
    assert frozen.on_chain.held == payments[0][0].residual == on_hold > 0
    assert (free.on_chain.is_frozen, free.on_chain.held) == (False, 0)


def test_verify__says_valid_with_the_chain(told: Path, node_url: str) -> None:
    code, verdicts, verdict = verify(told, "--rpc", node_url)
    assert (code, verdict) == (0, "valid")
    assert verdicts["anchor"] == "valid"
    assert "not_valid" not in verdicts.values()


def test_verify__says_not_checked_offline_and_without_a_node(told: Path) -> None:
    for words in (("--offline",), ("--rpc", "http://127.0.0.1:9")):
        code, verdicts, verdict = verify(told, *words)
        assert (code, verdict, verdicts["anchor"]) == (3, "not_checked", "not_checked")


def test_verify__refuses_every_changed_byte(told: Path) -> None:
    data = (told / "carnet-demo" / "bundle.json").read_bytes()
    policy = (told / "carnet-demo" / "policy.toml").read_bytes()
    offline = verify_file(data, policy, today=AS_OF)
    assert offline.verdict == "not_checked"
    for index in range(len(data)):
        changed = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
        found = verify_file(changed, policy, today=AS_OF)
        assert found.verdict == "not_valid", f"byte {index}: {data[index : index + 1]!r}"


def test_story__leaves_no_node_behind_and_only_private_keys(told: Path) -> None:
    keys = list((told / "carnet-demo" / "keys").iterdir())
    assert keys
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    status = run_carnet("status", "-w", "carnet-demo", "--format", "json", cwd=told)
    assert json.loads(status.stdout)["log"]["size"] > 0


def test_story__keeps_its_database_append_only(told: Path, tmp_path: Path) -> None:
    source = sqlite3.connect(told / "carnet-demo" / "carnet.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    source.backup(copy)
    for table in ("fact", "decision", "record", "log_entry", "checkpoint", "approval"):
        with pytest.raises(sqlite3.IntegrityError):
            copy.execute(f"DELETE FROM {table}")
    source.close()
    copy.close()


def test_demo__does_not_touch_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "carnet-demo").mkdir()
    (tmp_path / "carnet-demo" / "letter.txt").write_text("mine")
    done = run_carnet("demo", cwd=tmp_path)
    assert done.returncode == 2
    assert "CRN-C-081" in done.stderr
    assert (tmp_path / "carnet-demo" / "letter.txt").read_text() == "mine"


def test_trace__leads_from_a_unit_to_its_suppliers_and_back(told: Path) -> None:
    def nodes(direction: str, start: str) -> dict[str, dict[str, object]]:
        words = ("trace", direction, start, "-w", "carnet-demo", "--format", "json")
        done = run_carnet(*words, cwd=told)
        assert done.returncode == 0, done.stderr
        return {node["fact"]["id"]: node for node in json.loads(done.stdout)["nodes"]}

    back = nodes("back", "UNT-E1-2603-0001")
    assert back.keys() == {"BAT-E1-2603", "MAT-BT-2602", "MAT-POLY-2602"}
    assert back["MAT-BT-2602"]["evidence"] == ["trace_link/TRL-001"]
    assert "UNT-E1-2603-0001" in nodes("forward", "MAT-BT-2602")
    assert run_carnet("trace", "back", "NO-SUCH", "-w", "carnet-demo", cwd=told).returncode == 2


def test_readme__shows_what_verify_prints(told: Path, node_url: str) -> None:
    def steps(text: str) -> list[tuple[str, str]]:
        return re.findall(r"^([a-z]+) +(valid|NOT VALID|not checked) +\S", text, re.MULTILINE)

    readme = (ROOT / "README.md").read_text("utf-8")
    words = ("verify", "carnet-demo/bundle.json", "--policy", "carnet-demo/policy.toml")
    done = run_carnet(*words, "--rpc", node_url, "--lang", "en", cwd=told)
    assert len(steps(done.stdout)) == len(STEPS)
    assert steps(readme) == steps(done.stdout)
    assert done.stdout.strip().splitlines()[-1] in readme

"""A lender's `carnet verify`: two files, a real node, and every way it can fail."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from carnet.core.canonical import canonical
from carnet.ledger.checkpoint import origin_hash
from carnet.services.appending import append_records
from carnet.services.bundling import export_bundle
from carnet.services.chaining import ChainSession
from carnet.services.keys import ensure_key
from carnet.services.policies import write_policy
from carnet.store.engine import reading
from carnet.store.tables import RECORD
from tests.fixtures_chain import CHAIN_START, CLOCK, LISTINGS, attest
from tests.processes import Completed, run_carnet


def run(*arguments: str, stdin: bytes = b"", lang: str = "en") -> Completed:
    environment = {name: value for name, value in os.environ.items() if "CARNET" not in name}
    return run_carnet(*arguments, "--lang", lang, env=environment, stdin=stdin)


def report(done: Completed) -> tuple[str, dict[str, tuple[str, str]]]:
    value = json.loads(done.stdout)
    assert value.keys() == {"verdict", "steps"}
    assert all(step.keys() == {"step", "verdict", "cause"} for step in value["steps"])
    return value["verdict"], {s["step"]: (s["verdict"], s["cause"]) for s in value["steps"]}


@dataclass(frozen=True)
class Files:
    """What a lender has."""

    bundle: Path
    policy: Path
    url: str

    def verify(self, *more: str, file: str = "") -> Completed:
        arguments = ["verify", file or str(self.bundle), "--policy", str(self.policy)]
        return run(*arguments, "--format", "json", *more)


@pytest.fixture
def files(session: ChainSession, tmp_path: Path) -> Files:
    workspace = session.workspace
    with reading(workspace.engine) as connection:
        query = RECORD.select().where(RECORD.c.kind == "attestation:listing:conforming")
        record_id = connection.execute(query).first().record_id  # type: ignore[union-attr]  # the template has one
    bundle, policy = tmp_path / "bundle.json", tmp_path / "policy.toml"
    bundle.write_bytes(export_bundle(workspace, record_id).to_bytes())
    write_policy(workspace, policy, as_of=CHAIN_START.date())
    return Files(bundle, policy, session.rpc.shown_url)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_verify__on_a_real_chain(files: Files) -> None:
    done = files.verify("--rpc", files.url)
    verdict, steps = report(done)
    assert (done.returncode, verdict) == (0, "valid"), (steps, done.stderr)
    assert steps["anchor"][0] == "valid"
    unchecked = {name for name, (found, _) in steps.items() if found != "valid"}
    assert unchecked == {"witnesses", "consistency", "status", "supersession"}

    data = files.bundle.read_bytes()
    position = data.index(b'"conformity":"') + 16
    tampered = files.bundle.with_name("tampered.json")
    tampered.write_bytes(data[:position] + b"X" + data[position + 1 :])
    done = files.verify("--rpc", files.url, file=str(tampered))
    assert done.returncode == 1
    assert report(done)[0] == "not_valid"

    offline = files.verify("--rpc", files.url, "--offline")
    verdict, steps = report(offline)
    assert (offline.returncode, verdict) == (3, "not_checked")
    assert steps["anchor"][0] == "not_checked"

    dead = files.verify("--rpc", f"http://127.0.0.1:{free_port()}")
    verdict, steps = report(dead)
    assert (dead.returncode, verdict) == (3, "not_checked")
    assert steps["anchor"][0] == "not_checked"
    assert "did not answer" in steps["anchor"][1]

    for url in ("nonsense", "ftp://127.0.0.1", f"{files.url}/../x?y"):
        assert files.verify("--rpc", url).returncode in {0, 3}
    late = files.verify("--rpc", files.url, "--as-of", "2027-11-23")
    assert late.returncode == 1
    assert report(late)[1]["validity"][0] == "not_valid"


def test_verify__another_chain_and_another_contract(files: Files) -> None:
    """A node that is no use leaves the anchor not checked; a policy of another chain refuses."""
    policy = files.policy.read_text()
    files.policy.write_text(policy.replace("chain_id = 31337", "chain_id = 1"))
    done = files.verify("--rpc", files.url)
    assert (done.returncode, report(done)[1]["anchor"][0]) == (1, "not_valid")

    address = policy.split('contract = "')[1][:42]
    elsewhere = "0x" + "11" * 20
    files.policy.write_text(policy.replace(address, elsewhere))
    data = files.bundle.read_bytes().replace(address.encode(), elsewhere.encode())
    files.bundle.write_bytes(data)
    done = files.verify("--rpc", files.url)
    verdict, steps = report(done)
    assert (done.returncode, verdict) == (3, "not_checked")
    assert "no contract" in steps["anchor"][1]


def test_verify__a_checkpoint_that_was_never_anchored(session: ChainSession, files: Files) -> None:
    workspace = session.workspace
    listing = next(iter(LISTINGS.values()))
    attest(workspace, listing, "undetermined", CHAIN_START.date())
    append_records(workspace, CLOCK)
    with reading(workspace.engine) as connection:
        query = RECORD.select().where(RECORD.c.kind == "attestation:listing:undetermined")
        record_id = connection.execute(query).one().record_id
    files.bundle.write_bytes(export_bundle(workspace, record_id).to_bytes())
    done = files.verify("--rpc", files.url)
    assert (done.returncode, report(done)[1]["anchor"]) == (
        3,
        ("not_checked", "the bundle names no anchor"),
    )
    value = json.loads(files.bundle.read_bytes())
    size = int(value["checkpoint"].split("\n")[1])
    address = files.policy.read_text().split('contract = "')[1][:42]
    origin = value["checkpoint"].split("\n")[0]
    value["anchor"] = {
        "chainId": 31337,
        "contract": address,
        "originHash": origin_hash(origin).hex(),
        "size": size,
    }
    files.bundle.write_bytes(canonical(value))
    done = files.verify("--rpc", files.url)
    assert (done.returncode, report(done)[1]["anchor"][0]) == (1, "not_valid")


def test_export__after_more_appends_proves_the_newer_checkpoint(
    session: ChainSession, files: Files
) -> None:
    workspace = session.workspace
    ensure_key(workspace, "witness", CLOCK)
    attest(workspace, next(iter(LISTINGS.values())), "undetermined", CHAIN_START.date())
    append_records(workspace, CLOCK)
    record_id = json.loads(files.bundle.read_bytes())["record"]["id"]
    files.bundle.write_bytes(export_bundle(workspace, record_id).to_bytes())
    done = files.verify("--rpc", files.url)
    verdict, steps = report(done)
    assert (done.returncode, verdict) == (0, "valid"), steps
    assert steps["consistency"][0] == "valid"
    assert steps["anchor"][0] == "valid"


def test_verify__unusable_input(files: Files, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for file in (str(tmp_path), str(loop), str(tmp_path / "none")):
        done = files.verify(file=file)
        assert done.returncode == 2
        assert "CRN-V-021" in done.stderr
    junk = tmp_path / "junk"
    for content in (b"", b"\x00" * 100, b"{}", b"[" * 10_000, files.bundle.read_bytes()[:-1]):
        junk.write_bytes(content)
        done = files.verify(file=str(junk))
        verdict, steps = report(done)
        assert (done.returncode, verdict, steps["parse"][0]) == (2, "not_valid", "not_valid")
    files.policy.write_text("version = 2")
    done = files.verify()
    assert done.returncode == 2
    assert "CRN-V-020" in done.stderr


def test_verify__from_stdin_in_chinese(files: Files) -> None:
    arguments = ["verify", "-", "--policy", str(files.policy), "--offline"]
    done = run(*arguments, stdin=files.bundle.read_bytes(), lang="zh")
    assert done.returncode == 3
    text = done.stdout
    assert "结论：未核验" in text
    assert "离线" in text


def test_ledger_commands__on_a_workspace(session: ChainSession, tmp_path: Path) -> None:
    folder = ["--workspace", str(session.workspace.path)]
    listed = json.loads(run("record", "list", "--format", "json", *folder).stdout)["records"]
    record = next(item for item in listed if item["kind"].startswith("attestation"))
    shown = json.loads(run("record", "show", record["id"], "--format", "json", *folder).stdout)
    assert shown["recordHash"] == record["recordHash"]
    assert shown["index"] == record["index"]
    assert record["id"] in run("record", "show", record["id"], *folder).stdout
    body = run("record", "export", record["id"], *folder).stdout
    assert json.loads(body) == shown["record"]
    note = run("log", "checkpoint", *folder).stdout
    checkpoint = json.loads(run("log", "checkpoint", "--format", "json", *folder).stdout)
    assert checkpoint["note"] == note
    proof = json.loads(run("log", "consistency", "1", *folder).stdout)
    assert (proof["first"], proof["second"]) == (1, checkpoint["size"])
    policy, bundle = tmp_path / "p.toml", tmp_path / "b.json"
    assert run("log", "policy", "-o", str(policy), *folder).returncode == 0
    assert run("bundle", record["id"], "-o", str(bundle), *folder).returncode == 0
    arguments = ["verify", str(bundle), "--policy", str(policy), "--as-of", "2026-11-24"]
    done = run(*arguments, "--rpc", session.rpc.shown_url)
    assert done.returncode == 0, done.stdout
    assert run("bundle", "urn:uuid:none", *folder).returncode == 2
    assert run("record", "export", record["id"], "-o", "/none/x", *folder).returncode == 2

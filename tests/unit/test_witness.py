"""A witness: one history of a log or no cosignature; and what becomes of its cosignatures."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.core.envelope import Secret
from carnet.core.errors import (
    CarnetError,
    ConflictError,
    InputError,
    LedgerFatalError,
    VerificationError,
)
from carnet.ledger.checkpoint import parse_checkpoint, verify_cosignature, with_signatures
from carnet.ledger.note import ED25519, VerifierKey, parse_signature_lines
from carnet.ledger.reader import LogReader
from carnet.ledger.verify import verify_bundle
from carnet.services.bundling import export_bundle
from carnet.services.cosignatures import FOLDER, collect_cosignatures, cosigned
from carnet.services.policies import make_policy
from carnet.services.seen import SeenStore
from carnet.services.witnessing import (
    KEY_FILE,
    new_witness,
    sign_as_witness,
    witness_key,
)
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import DAY, attest_and_append, decide
from tests.fixtures_histories import KEY, Tree
from tests.fixtures_ledger import LOG_SIGNER, ORIGIN, STRANGER, failing

CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
SECRET = Secret("key_file", b"\x07" * 32)
NAME = "witness.example/w1"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    new_witness(tmp_path / "w1", NAME, SECRET)
    return tmp_path / "w1"


def sign(state: Path, tree: Tree, size: int, *proofs: Any, **changes: Any) -> int:
    """Return the time of the cosignature that the witness gives, after checking it."""
    signed = tree.signed(size)
    arguments: dict[str, Any] = {"state": state, "secret": SECRET, "clock": CLOCK, **changes}
    given = sign_as_witness(signed.text, [KEY], list(proofs), **arguments)
    key = witness_key((state / "witness.vkey").read_text(encoding="utf-8").strip())
    return verify_cosignature(with_signatures(signed, (given,)), key)


def last(state: Path) -> int:
    found = SeenStore(state / "logs", [KEY]).read(ORIGIN)
    return found.checkpoint.size if found else 0


def test_witness__signs_what_continues(state: Path) -> None:
    tree = Tree(20)
    assert sign(state, tree, 5) == int(CLOCK.now().timestamp())
    sign(state, tree, 5)
    sign(state, tree, 12, tree.proof(5, 12))
    sign(state, tree, 20, tree.proof(3, 9), tree.proof(12, 20))
    assert last(state) == 20


def test_witness__refuses_a_fork_a_rollback_and_what_nothing_proves(state: Path) -> None:
    tree, fork = Tree(20), Tree(20, fork_at=3)
    sign(state, tree, 12)
    for code, refused in (
        ("CRN-V-041", lambda: sign(state, fork, 12)),
        ("CRN-V-046", lambda: sign(state, tree, 11)),
        ("CRN-V-047", lambda: sign(state, tree, 20)),
        ("CRN-V-047", lambda: sign(state, tree, 20, tree.proof(11, 20))),
        ("CRN-V-011", lambda: sign(state, fork, 20, fork.proof(12, 20))),
        ("CRN-V-011", lambda: sign(state, fork, 20, tree.proof(12, 20))),
    ):
        with pytest.raises(VerificationError, match=code):
            refused()
    assert last(state) == 12
    sign(state, tree, 20, tree.proof(12, 20))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 16)), max_size=12), st.integers(0, 15))
@settings(max_examples=25, deadline=None)
def test_witness__never_signs_two_histories(
    tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[bool, int]], fork_at: int
) -> None:
    """Whatever is asked in whatever order with every honest proof, one history is signed."""
    state = tmp_path_factory.mktemp("w")
    new_witness(state, NAME, SECRET)
    trees = {False: Tree(16), True: Tree(16, fork_at)}
    signed: list[tuple[bool, int]] = []
    for is_fork, size in asks:
        tree, before = trees[is_fork], last(state)
        proofs = [tree.proof(before, size)] if 0 < before < size else []
        try:
            sign(state, tree, size, *proofs)
        except VerificationError:
            continue
        signed.append((is_fork, size))
    sizes = [size for _, size in signed]
    assert sizes == sorted(sizes)
    roots = {trees[is_fork].at(size) for is_fork, size in signed}
    beyond = {is_fork for is_fork, size in signed if size > fork_at}
    assert len(beyond) <= 1
    assert len(roots) == len(set(sizes))


def test_witness__a_log_that_it_does_not_watch(state: Path) -> None:
    note = Tree(3).signed(3).text
    arguments: dict[str, Any] = {"state": state, "secret": SECRET, "clock": CLOCK}
    with pytest.raises(VerificationError, match="CRN-V-045"):
        sign_as_witness(
            note, [VerifierKey("other", ED25519, LOG_SIGNER.public_key)], [], **arguments
        )
    with pytest.raises(VerificationError, match="CRN-V-003"):
        sign_as_witness(note, [VerifierKey(ORIGIN, ED25519, STRANGER.public_key)], [], **arguments)
    with pytest.raises(VerificationError, match="CRN-V-003"):
        sign_as_witness("no note", [KEY], [], **arguments)
    assert last(state) == 0


def test_witness__writes_before_it_signs(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after the write repeats the signature; one before it leaves nothing to repeat."""
    tree = Tree(9)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("carnet.services.witnessing.cosign", die)
        with pytest.raises(Killed):
            sign(state, tree, 4)
    assert last(state) == 4
    with pytest.raises(VerificationError, match="CRN-V-041"):
        sign(state, Tree(9, fork_at=1), 4)
    with monkeypatch.context() as patch:
        patch.setattr("carnet.core.files.crash_point", die)
        with pytest.raises(Killed):
            sign(state, tree, 9, tree.proof(4, 9))
    assert last(state) == 4
    sign(state, tree, 4)


def test_witness__of_two_at_once_one_is_asked_again(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SeenStore, "advance", lambda *_: False)
    with pytest.raises(ConflictError, match="CRN-L-034"):
        sign(state, Tree(3), 3)


def test_witness__its_folder_and_key(state: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CRN-C-040"):
        new_witness(state, NAME, SECRET)
    for name in ("", "a b", "a+b", "\u89c1", "a\x7f"):
        with pytest.raises(InputError, match="CRN-L-030"):
            new_witness(tmp_path / "w2", name, SECRET)
    with pytest.raises(InputError, match="CRN-L-031"):
        sign_as_witness("x", [KEY], [], state=tmp_path, secret=SECRET, clock=CLOCK)
    with pytest.raises(InputError, match="CRN-C-046"):
        sign(state, Tree(3), 3, secret=Secret("key_file", b"\x08" * 32))
    new_witness(tmp_path / "w3", NAME, SECRET)
    with pytest.raises(InputError, match="CRN-L-032"):
        sign(state, Tree(3), 3, key_path=tmp_path / "w3" / KEY_FILE)
    assert (state / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert last(state) == 0


def test_signature_lines__to_text_then_back() -> None:
    text = "".join(item.to_line() for item in Tree(2).signed(2).note.signatures)
    assert "".join(item.to_line() for item in parse_signature_lines(text)) == text
    for bad in ("", "x", text + "x", " " + text, text * 40):
        with pytest.raises(VerificationError, match="CRN-V-003"):
            parse_signature_lines(bad)


def test_cosignatures__are_collected_bundled_and_counted(
    seller: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    (record,) = attest_and_append(seller, clock, [decide(seller)])
    stored = LogReader(seller.engine).checkpoint()
    log = make_policy(seller).logs
    keys, lines = [], []
    for number in (1, 2):
        state = tmp_path / f"w{number}"
        keys.append(new_witness(state, f"witness.example/w{number}", SECRET))
        given = sign_as_witness(stored.text, log, [], state=state, secret=SECRET, clock=CLOCK)
        lines.append(given.to_line())
    policy = make_policy(seller, independent=keys, quorum=2)
    bare = export_bundle(seller, record.record_id).to_bytes()
    assert failing(verify_bundle(bare, policy, today=DAY)) == ["witnesses"]
    collect_cosignatures(seller, stored, keys, lines[:1])
    one = export_bundle(seller, record.record_id).to_bytes()
    assert failing(verify_bundle(one, policy, today=DAY)) == ["witnesses"]
    signed = collect_cosignatures(seller, stored, keys, lines)
    assert collect_cosignatures(seller, stored, (), ()) == signed
    assert len(signed.note.signatures) == 3
    data = export_bundle(seller, record.record_id).to_bytes()
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid"
    assert found.step("witnesses").cause.en == "2 of 2"
    # Another checkpoint has cosignatures of its own.
    attest_and_append(seller, clock, [decide(seller, as_of=DAY.replace(day=24))])
    assert cosigned(seller, LogReader(seller.engine).checkpoint())[1] == []


def test_cosignatures__of_others_or_changed_are_refused(
    seller: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    stored = LogReader(seller.engine).checkpoint()
    key = new_witness(tmp_path / "w1", NAME, SECRET)
    other = new_witness(tmp_path / "w2", NAME, SECRET)
    line = sign_as_witness(
        stored.text, make_policy(seller).logs, [], state=tmp_path / "w1", secret=SECRET, clock=CLOCK
    ).to_line()
    with pytest.raises(InputError, match="CRN-L-036"):
        collect_cosignatures(seller, stored, [other], [line])
    with pytest.raises(InputError, match="CRN-L-035"):
        collect_cosignatures(seller, stored, [key], ["x"])
    changed = line[:-8] + ("A" if line[-8] != "A" else "B") + line[-7:]
    with pytest.raises(VerificationError):
        collect_cosignatures(seller, stored, [key], [changed])
    assert cosigned(seller, stored) == (stored, [])
    collect_cosignatures(seller, stored, [key], [line])
    (path,) = (seller.path / FOLDER).iterdir()
    path.write_bytes(path.read_bytes().replace(line.encode()[-9:-4], changed.encode()[-9:-4]))
    with pytest.raises(LedgerFatalError, match="CRN-L-037"):
        cosigned(seller, stored)


def test_policy__a_quorum_that_cannot_be_met(seller: Workspace, clock: FixedClock) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    with pytest.raises(InputError, match="CRN-V-020"):
        make_policy(seller, quorum=1)


def test_command__a_witness_on_its_own(
    seller: Workspace, clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    monkeypatch.setenv("CARNET_PASSPHRASE", "correct horse")
    monkeypatch.setattr("carnet.core.envelope.SCRYPT_N", 2**14)

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        found = done.exit_code
        if isinstance(done.exception, CarnetError):
            found = 1 if isinstance(done.exception, VerificationError) else 2
        assert found == code, (done.output, done.exception)
        return done.stdout

    workspace = ("--workspace", str(seller.path))
    witness = run("witness", "new", NAME, "--state", str(tmp_path / "w")).strip()
    log = run("key", "export", "log", *workspace).strip()
    note, line = tmp_path / "note", tmp_path / "line"
    note.write_text(run("log", "checkpoint", *workspace), encoding="utf-8")
    sign = ("witness", "sign", str(note), "--log", log, "--state", str(tmp_path / "w"))
    line.write_text(run(*sign), encoding="utf-8")
    joined = run(
        *("log", "checkpoint", *workspace, "--witness", witness, "--cosignature", str(line))
    )
    verify_cosignature(parse_checkpoint(joined), witness_key(witness))
    policy = run("log", "policy", *workspace, "--witness", witness, "--quorum", "1")
    assert witness in policy
    first = parse_checkpoint(joined).checkpoint.size
    attest_and_append(seller, clock, [decide(seller, as_of=DAY.replace(day=24))])
    note.write_text(run("log", "checkpoint", *workspace), encoding="utf-8")
    run(*sign, code=1)
    proof = tmp_path / "proof"
    proof.write_text(run("log", "consistency", str(first), *workspace), encoding="utf-8")
    assert json.loads(proof.read_text(encoding="utf-8"))["first"] == first
    assert run(*sign, "--proof", str(proof)).startswith("—")
    run("log", "policy", *workspace, "--witness", log, code=2)

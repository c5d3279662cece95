"""What a verifier remembers of a log: forks and rollbacks show, and nothing moves it back."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.core.errors import ConsistencyProofError, InputError
from carnet.ledger.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from carnet.ledger.note import ED25519, VerifierKey
from carnet.ledger.policy import STEPS_ALWAYS
from carnet.ledger.seen import UnprovenError, compare_with_seen
from carnet.ledger.verify import Verification
from carnet.services.seen import SeenStore, default_state_folder
from carnet.services.verifying import verify_file
from tests.fixtures_histories import KEY, OTHER, Tree
from tests.fixtures_ledger import DAY, LOG_SIGNER, ORIGIN, STRANGER, LedgerWorld, failing

SIZES = st.integers(1, 40)


@given(SIZES, SIZES, SIZES)
@settings(max_examples=60)
def test_compare__of_one_history_is_proved_at_any_sizes(seen: int, old: int, newest: int) -> None:
    tree = Tree(40)
    old, newest = sorted((old, newest))
    trees = [tree.at(size) for size in dict.fromkeys((old, newest))]
    pairs = [(seen, newest), (seen, old), (newest, seen)]
    proofs = [tree.proof(first, second) for first, second in pairs if first < second]
    said = compare_with_seen(tree.at(seen), trees, proofs)
    assert str(max(seen, newest)) in said.en
    if seen not in {old, newest}:
        with pytest.raises(UnprovenError):
            compare_with_seen(tree.at(seen), trees, ())


@given(SIZES, SIZES, st.integers(0, 39))
@settings(max_examples=60)
def test_compare__of_two_histories_is_never_proved(seen: int, newest: int, fork_at: int) -> None:
    """Whatever honest proofs of either history are tried, a fork is not taken for one history."""
    ours, theirs = Tree(40), Tree(40, fork_at)
    if fork_at >= min(seen, newest):
        return
    pair = tuple(sorted((seen, newest)))
    for proofs in ([], [ours.proof(*pair)], [theirs.proof(*pair)]):
        with pytest.raises((ConsistencyProofError, UnprovenError)):
            compare_with_seen(ours.at(seen), [theirs.at(newest)], proofs)


def verify(world: LedgerWorld, state: Path | None, data: bytes, *proofs: bytes) -> Verification:
    policy = replace(world.policy, required=frozenset(STEPS_ALWAYS))
    toml = policy.to_toml().encode()
    return verify_file(data, toml, today=DAY, state=state, proofs=proofs)


def kept(state: Path) -> int:
    found = SeenStore(state, [KEY]).read(ORIGIN)
    return found.checkpoint.size if found else 0


def test_state__is_taken_up_at_first_and_compared_later(
    ledger_world: LedgerWorld, tmp_path: Path
) -> None:
    state = tmp_path / "deep" / "state"
    older = replace(ledger_world.bundle, consistency=None).to_bytes()
    assert verify(ledger_world, state, older).step("consistency").verdict == "not_checked"
    assert kept(state) == 7
    found = verify(ledger_world, state, ledger_world.data)
    assert found.step("consistency").verdict == "valid"
    assert "size 7 was seen" in found.step("consistency").cause.en
    assert kept(state) == 11
    # An older bundle without a proof neither moves the state back nor says more than it shows.
    again = verify(ledger_world, state, older)
    assert again.step("consistency").verdict == "not_checked"
    assert "carnet log consistency 7 11" in again.step("consistency").cause.en
    assert kept(state) == 11
    head = ledger_world.bundle.consistency
    assert head is not None
    proof = {"first": 7, "second": 11, "proof": [item.hex() for item in head.proof]}
    proved = verify(ledger_world, state, older, json.dumps(proof).encode())
    assert proved.step("consistency").verdict == "valid"
    proof["proof"][0] = "00" * 32  # type: ignore[index]  # a list of texts
    assert failing(verify(ledger_world, state, older, canonical(proof))) == ["consistency"]
    assert [path.stat().st_mode & 0o777 for path in state.glob("*.checkpoint")] == [0o600]


@pytest.mark.parametrize("size", [7, 11])
def test_state__a_fork_fails_at_consistency(
    ledger_world: LedgerWorld, tmp_path: Path, size: int
) -> None:
    fork = sign_checkpoint(Checkpoint(ORIGIN, size, sha256(OTHER)), LOG_SIGNER)  # type: ignore[arg-type]  # any 32 bytes
    assert SeenStore(tmp_path, [KEY]).advance(None, fork)
    found = verify(ledger_world, tmp_path, ledger_world.data)
    assert failing(found) == ["consistency"]
    assert "Fork" in found.step("consistency").cause.en
    assert found.newest is None
    assert SeenStore(tmp_path, [KEY]).read(ORIGIN) == fork
    assert verify(ledger_world, None, ledger_world.data).verdict == "valid"


def test_state__nothing_invalid_is_kept(ledger_world: LedgerWorld, tmp_path: Path) -> None:
    changed = ledger_world.data.replace(b"LST-007", b"LST-008")
    assert changed != ledger_world.data
    assert verify(ledger_world, tmp_path, changed).verdict == "not_valid"
    assert list(tmp_path.iterdir()) == []


def test_state__two_logs_of_one_name_are_two_logs(
    ledger_world: LedgerWorld, tmp_path: Path
) -> None:
    theirs = VerifierKey(ORIGIN, ED25519, STRANGER.public_key)
    other = sign_checkpoint(Checkpoint(ORIGIN, 7, sha256(OTHER)), STRANGER)  # type: ignore[arg-type]  # any 32 bytes
    assert SeenStore(tmp_path, [theirs]).advance(None, other)
    assert verify(ledger_world, tmp_path, ledger_world.data).verdict == "valid"
    assert len(list(tmp_path.glob("*.checkpoint"))) == 2


@pytest.mark.parametrize("text", ["", "x\n", "\xff"])
def test_state__what_is_damaged_is_said(
    ledger_world: LedgerWorld, tmp_path: Path, text: str
) -> None:
    assert verify(ledger_world, tmp_path, ledger_world.data).verdict == "valid"
    (path,) = tmp_path.glob("*.checkpoint")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="CRN-V-042"):
        verify(ledger_world, tmp_path, ledger_world.data)
    other = sign_checkpoint(parse_checkpoint(ledger_world.bundle.checkpoint).checkpoint, STRANGER)
    path.write_text(other.text, encoding="utf-8")
    with pytest.raises(InputError, match="CRN-V-042"):
        verify(ledger_world, tmp_path, ledger_world.data)


def test_state__a_folder_that_cannot_be_used(ledger_world: LedgerWorld, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="CRN-V-042"):
        verify(ledger_world, tmp_path / "file", ledger_world.data)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"first":1,"second":2,"proof":["zz"]}'])
def test_consistency__no_proof_at_all(ledger_world: LedgerWorld, data: bytes) -> None:
    with pytest.raises(InputError, match="CRN-V-043"):
        verify(ledger_world, None, ledger_world.data, data)


def test_store__never_moves_back_under_many_writers(tmp_path: Path) -> None:
    tree, store = Tree(24), SeenStore(tmp_path, [KEY])

    def climb(step: int) -> None:
        for size in range(step, 25, step):
            while True:
                before = store.read(ORIGIN)
                present = before.checkpoint.size if before else 0
                newest = tree.signed(max(size, present))
                if store.advance(before, newest):
                    break

    threads = [threading.Thread(target=climb, args=(step,)) for step in (1, 2, 3, 5)]
    for thread in threads:
        thread.start()
    sizes = [kept(tmp_path) for _ in range(50)]
    for thread in threads:
        thread.join()
    assert sizes == sorted(sizes)
    assert kept(tmp_path) == 24
    assert store.advance(None, tree.signed(30 - 6)) is False


def test_store__a_crash_before_the_rename_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, store = Tree(9), SeenStore(tmp_path, [KEY])
    assert store.advance(None, tree.signed(4))

    class Killed(BaseException):
        pass

    def die(_: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("carnet.core.files.crash_point", die)
        with pytest.raises(Killed):
            store.advance(tree.signed(4), tree.signed(9))
    assert kept(tmp_path) == 4
    assert store.advance(tree.signed(4), tree.signed(9))


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("/s", "/s/carnet/seen"),
        ("s", "/h/.local/state/carnet/seen"),
        ("", "/h/.local/state/carnet/seen"),
    ],
)
def test_default_folder__follows_xdg(
    monkeypatch: pytest.MonkeyPatch, value: str, folder: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", value)
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setattr("sys.platform", "linux")
    assert str(default_state_folder()) == folder
    monkeypatch.setattr("sys.platform", "darwin")
    assert str(default_state_folder()) == "/h/Library/Application Support/carnet/seen"

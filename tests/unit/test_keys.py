"""Keys of a workspace: made once, adopted after a crash, never taken for another."""

import pytest

from carnet.core.clock import FixedClock
from carnet.core.envelope import seal_file
from carnet.core.errors import InputError
from carnet.ledger.reader import LogReader
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.keys import ensure_key
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import decide


def test_keys__made_once_and_logged_before_what_they_sign(
    seller: Workspace, clock: FixedClock
) -> None:
    issuer = ensure_key(seller, "issuer", clock)
    assert ensure_key(seller, "issuer", clock).signer.public_key == issuer.signer.public_key
    (record,) = issue_attestations(seller, [decide(seller)], clock)
    append_records(seller, clock)
    kinds = [kind for _, kind, _, _ in LogReader(seller.engine).records()]
    assert kinds == ["key-event", "key-event", record.kind]
    names = sorted(path.name.split("-")[0] for path in seller.keys_path.glob("*-*.key"))
    assert names == ["issuer", "log"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in seller.keys_path.glob("*.key"))


def test_keys__a_file_left_by_a_crash_is_adopted(
    seller: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == "keys.after-file":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("carnet.services.keys.crash_point", die)
        with pytest.raises(Killed):
            ensure_key(seller, "issuer", clock)
    (left,) = seller.keys_path.glob("issuer-*.key")
    key = ensure_key(seller, "issuer", clock)
    assert left.name == f"issuer-{key.signer.public_key.hex()[:16]}.key"
    assert len(list(seller.keys_path.glob("issuer-*.key"))) == 1
    assert len(LogReader(seller.engine).pending()) == 1


def test_keys__a_lost_file_is_said(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "issuer", clock)
    (path,) = seller.keys_path.glob("issuer-*.key")
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        ensure_key(seller, "issuer", clock)


@pytest.mark.parametrize("seed", [b"\x01" * 31, b"\x01" * 32])
def test_keys__a_file_of_another_key_is_refused(
    seller: Workspace, clock: FixedClock, seed: bytes
) -> None:
    ensure_key(seller, "issuer", clock)
    (path,) = seller.keys_path.glob("issuer-*.key")
    path.unlink()
    seal_file(path, seller.secret, seed, role="ledger-issuer")
    with pytest.raises(InputError, match="CRN-L-009"):
        ensure_key(seller, "issuer", clock)


def test_keys__one_role_cannot_stand_in_for_another(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "log", clock)
    (issuer,) = seller.keys_path.glob("issuer-*.key")
    (log,) = seller.keys_path.glob("log-*.key")
    log.unlink()
    issuer.rename(log)
    with pytest.raises(InputError, match="ledger-issuer"):
        ensure_key(seller, "log", clock)

"""A second implementation of the signing interface: the key lives in another process.

That is what a PKCS#11 token or a key service is to Carnet: something that tells its public key and
signs messages, and that may be away.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError, SignatureError, StoreUnavailableError
from carnet.core.text import Text
from carnet.ledger import keys as ledger_keys
from carnet.ledger.reader import LogReader
from carnet.ledger.signer import Ed25519Signer, Signer
from carnet.ledger.verify import verify_bundle
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.bundling import export_bundle
from carnet.services.erasing import Act, approve_erasure, propose_erasure
from carnet.services.key_changing import list_keys, new_key, revoke_key, rotate_key
from carnet.services.policies import make_policy
from carnet.services.workspace import Workspace
from tests.fixtures_chain import SELLER
from tests.fixtures_decisions import DAY, attest_and_append, decide

TOKEN = """
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.stdin.readline().strip()))
print(key.public_key().public_bytes_raw().hex(), flush=True)
for line in sys.stdin:
    print(key.sign(bytes.fromhex(line.strip())).hex(), flush=True)
"""


@dataclass
class Token:
    """A process that holds keys, one child for each; it can be unplugged."""

    is_plugged: bool = True
    signatures: int = 0
    children: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def hold(self, seed: bytes) -> "TokenSigner":
        child = subprocess.Popen(
            [sys.executable, "-c", TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.children.append(child)
        return TokenSigner(self, child, bytes.fromhex(ask(child, seed.hex())))

    def close(self) -> None:
        for child in self.children:
            child.communicate(timeout=30)


def ask(child: "subprocess.Popen[str]", line: str) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


@dataclass(frozen=True)
class TokenSigner:
    """A signer that has no secret of its own."""

    token: Token
    child: "subprocess.Popen[str]"
    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        if not self.token.is_plugged:
            raise StoreUnavailableError(
                "CRN-C-021", Text("The token does not answer.", "令牌没有响应。")
            )
        self.token.signatures += 1
        return bytes.fromhex(ask(self.child, message.hex()))


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> Iterator[Token]:
    """Let every key of a workspace be held by another process."""
    found, held = Token(), {}

    def hold(seed: bytes) -> Signer:
        if seed not in held:
            held[seed] = found.hold(seed)
        return held[seed]

    monkeypatch.setattr(ledger_keys, "Ed25519Signer", hold)
    yield found
    found.close()


def test_signer__another_process_signs_everything(
    seller: Workspace, clock: FixedClock, token: Token
) -> None:
    new_key(seller, "witness", None, clock)
    (before,) = attest_and_append(seller, clock, [decide(seller)])
    for role in ("issuer", "log", "witness"):
        rotate_key(seller, role, None, clock)  # type: ignore[arg-type]
    new_key(seller, "officer", "officer-9", clock)
    revoke_key(seller, "officer", "officer-9", "retired", clock)
    (after,) = attest_and_append(seller, clock, [decide(seller, case="LST-2")])
    propose_erasure(seller, Act(SELLER, "officer-1", clock), "legal_order")
    erased = approve_erasure(seller, Act(SELLER, "officer-2", clock)).erased
    assert erased is not None
    policy = make_policy(seller)
    for record_id in (before.record_id, after.record_id, erased.record.record_id):
        found = verify_bundle(export_bundle(seller, record_id).to_bytes(), policy, today=DAY)
        assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
    # Each record, each checkpoint and its cosignature, and each act of an officer.
    assert token.signatures > 20
    assert len(token.children) == len(list_keys(seller))


def test_signer__that_is_away_leaves_everything_as_it_was(
    seller: Workspace, clock: FixedClock, token: Token
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    digests = [decide(seller, case="LST-2")]
    size = LogReader(seller.engine).size()
    token.is_plugged = False
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        issue_attestations(seller, digests, clock)
    assert LogReader(seller.engine).pending() == []
    token.is_plugged = True
    (record,) = issue_attestations(seller, digests, clock)
    token.is_plugged = False
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        append_records(seller, clock)
    reader = LogReader(seller.engine)
    assert (reader.size(), reader.pending()) == (size, [record.digest])
    with pytest.raises(StoreUnavailableError):
        rotate_key(seller, "log", None, clock)
    assert [line.is_current for line in list_keys(seller) if line.role == "log"] == [True]
    token.is_plugged = True
    assert append_records(seller, clock) == [size]


def test_signer__wrong_signatures_are_never_kept(
    seller: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A faulty token must not fill the log with what nobody can verify."""

    class Faulty:
        def __init__(self, seed: bytes) -> None:
            self._sound = Ed25519Signer(seed)
            self.public_key = self._sound.public_key

        def sign(self, message: bytes) -> bytes:
            return self._sound.sign(message + b" ")

    attest_and_append(seller, clock, [decide(seller)])
    size, digests = LogReader(seller.engine).size(), [decide(seller, case="LST-2")]
    monkeypatch.setattr(ledger_keys, "Ed25519Signer", Faulty)
    with pytest.raises(SignatureError, match="CRN-V-001"):
        issue_attestations(seller, digests, clock)
    assert LogReader(seller.engine).pending() == []
    monkeypatch.undo()
    issue_attestations(seller, digests, clock)
    monkeypatch.setattr(ledger_keys, "Ed25519Signer", Faulty)
    with pytest.raises(SignatureError, match="CRN-V-001"):
        append_records(seller, clock)
    monkeypatch.undo()
    assert LogReader(seller.engine).size() == size
    assert append_records(seller, clock) == [size]


def test_conflict__is_what_a_signer_of_a_revoked_key_gives(
    seller: Workspace, clock: FixedClock, token: Token
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    revoke_key(seller, "issuer", None, "compromised", clock)
    count = token.signatures
    with pytest.raises(ConflictError, match="CRN-L-022"):
        issue_attestations(seller, [decide(seller, case="LST-2")], clock)
    assert token.signatures == count

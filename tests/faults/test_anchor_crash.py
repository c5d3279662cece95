import json
import os
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from carnet.chain.anchor import AnchorRegistry
from carnet.chain.anvil import AnvilNode
from carnet.chain.deployment import BOOK, CONTRACTS, GATE, REGISTRY
from carnet.chain.keys import ChainRole
from carnet.core.crash import CRASH_VARIABLE
from carnet.core.digests import RootHash
from carnet.core.errors import ChainError, ChainUnavailableError, ConflictError, NotFoundError
from carnet.keeper.loop import Keeper
from carnet.services import financing
from carnet.services.anchoring import AnchorState, push, status
from carnet.services.appending import append_records
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.deploying import deploy
from carnet.services.keys import ensure_key
from carnet.services.receivables import show
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from carnet.store.tables import OUTBOX
from tests.fixtures_chain import CHAIN_START, CLOCK, SELLER, attest
from tests.processes import Completed, run_carnet

CRASH_POINTS = (
    "anchor.before-plan",
    "anchor.before-send",
    "anchor.after-send",
    "anchor.after-confirm",
)


def _carnet(workspace: Workspace, *words: str, **env: str) -> Completed:
    env = {**os.environ, "CARNET_LANG": "en", **env}
    return run_carnet(*words, "--workspace", workspace.path, env=env)


def _deployed(workspace: Workspace) -> None:
    with open_chain(workspace, clock=CLOCK, start_at=CHAIN_START) as session:
        deploy(session, issuer=ensure_key(workspace, "issuer", CLOCK).did)


def _anchored_events(session: ChainSession) -> list[int]:
    return [event.values["size"] for event in session.contract(REGISTRY).events("Anchored")]


def _anchor_rows(workspace: Workspace) -> list[tuple[str, int]]:
    with reading(workspace.engine) as connection:
        query = select(OUTBOX.c.state, OUTBOX.c.attempts).where(OUTBOX.c.kind == "anchor")
        return [(row[0], row[1]) for row in connection.execute(query)]


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_anchor__killed_anywhere_then_the_same_command_gives_exactly_one(
    chain_workspace: Workspace, point: str
) -> None:
    _deployed(chain_workspace)
    died = _carnet(chain_workspace, "anchor", "push", **{CRASH_VARIABLE: point})
    assert died.returncode == -signal.SIGKILL, died.stderr
    with open_chain(chain_workspace, clock=CLOCK) as session:
        done = push(session)
        assert done.block_number is not None
        assert _anchored_events(session) == [done.size]
        found = status(session)
        assert (found.state, found.orphaned) == (AnchorState.ANCHORED, ())
    assert _anchor_rows(chain_workspace) == [("confirmed", 1)]


def test_anchor__the_command_reports_what_it_did(chain_workspace: Workspace) -> None:
    _deployed(chain_workspace)
    done = _carnet(chain_workspace, "anchor", "push", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["is_new"], report["chain_id"]) == (True, 31337)


def test_anchor__killed_with_its_node_at_every_point(chain_workspace: Workspace) -> None:
    _deployed(chain_workspace)
    node = AnvilNode(chain_workspace.chain_path)
    for point in CRASH_POINTS:
        died = _carnet(chain_workspace, "anchor", "push", **{CRASH_VARIABLE: point})
        assert died.returncode == -signal.SIGKILL, died.stderr
        running = node.status()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        while node.status() is not None:
            time.sleep(0.01)
    with open_chain(chain_workspace, clock=CLOCK) as session:
        push(session)
        assert len(_anchored_events(session)) == 1
    assert [state for state, _ in _anchor_rows(chain_workspace)] == ["confirmed"]


def test_anchor__a_stored_transaction_whose_nonce_was_used_is_signed_anew(
    session: ChainSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    attest(session.workspace, "LST-1", "conforming", CHAIN_START.date().replace(day=24))
    append_records(session.workspace, CLOCK)

    def die(name: str) -> None:
        if name == "anchor.before-send":
            raise KeyboardInterrupt

    monkeypatch.setattr("carnet.services.dispatching.crash_point", die)
    with pytest.raises(KeyboardInterrupt):
        push(session)
    monkeypatch.undo()
    registry = session.contract(REGISTRY)
    registry.send(session.sender(ChainRole.ANCHORER), "claim", b"\x05" * 32)
    done = push(session)
    assert done.is_new
    assert _anchored_events(session)[-1] == done.size
    assert _anchor_rows(session.workspace)[-1] == ("confirmed", 2)


def test_anchor__run_twice_is_one_anchor_read_back_in_one_call(session: ChainSession) -> None:
    before = session.rpc.block_number()
    again = push(session)
    assert not again.is_new
    assert session.rpc.block_number() == before
    registry = AnchorRegistry(session.contract(REGISTRY), session.workspace.settings.log_origin)
    calls: list[str] = []
    original = session.rpc.call
    session.rpc.call = lambda method, *rest: (  # type: ignore[method-assign]  # counts the requests
        calls.append(method),
        original(method, *rest),
    )[1]
    assert registry.root_at(again.size) == again.root
    assert calls == ["eth_call"]


def test_anchor__a_chain_that_lost_it_is_told_and_healed(session: ChainSession) -> None:
    snapshot = session.rpc.call("evm_snapshot")
    attest(session.workspace, "LST-1", "conforming", CHAIN_START.date().replace(day=24))
    append_records(session.workspace, CLOCK)
    first = push(session)
    session.rpc.call("evm_revert", snapshot)
    found = status(session)
    assert (found.state, found.orphaned) == (AnchorState.BEHIND, (first.size,))
    second = push(session)
    assert second.is_new
    assert status(session).orphaned == ()
    assert _anchored_events(session) == [found.anchored_size, second.size]


def test_anchor__a_chain_begun_anew_is_told_and_healed_by_a_push(session: ChainSession) -> None:
    size = status(session).size
    session.rpc.call("anvil_reset")
    found = status(session)
    assert (found.state, found.anchored_size, found.orphaned) == (AnchorState.BEHIND, 0, (size,))
    attest(session.workspace, "LST-1", "conforming", CHAIN_START.date().replace(day=24))
    append_records(session.workspace, CLOCK)
    assert push(session).size > size
    healed = status(session)
    assert (healed.state, healed.orphaned) == (AnchorState.ANCHORED, ())


def test_keeper__goes_on_where_the_chain_has_no_book(session: ChainSession) -> None:
    session.rpc.call("anvil_reset")
    ticks = list(Keeper(session.workspace, CLOCK).run(interval_s=1.0, is_once=True))
    assert [str(tick.error)[:9] for tick in ticks] == ["CRN-H-019"]


def test_anchor__another_root_for_the_size_stops_everything(session: ChainSession) -> None:
    attest(session.workspace, "LST-1", "conforming", CHAIN_START.date().replace(day=24))
    append_records(session.workspace, CLOCK)
    size = status(session).size
    registry = AnchorRegistry(session.contract(REGISTRY), session.workspace.settings.log_origin)
    anchorer = session.sender(ChainRole.ANCHORER)
    anchorer.send(registry.contract.address, registry.anchor_call(size, RootHash(b"\x01" * 32)))
    assert status(session).state is AnchorState.CONFLICT
    with pytest.raises(ChainError, match="CRN-H-021"):
        push(session)


def test_anchor__a_chain_ahead_of_the_log_stops_everything(session: ChainSession) -> None:
    registry = AnchorRegistry(session.contract(REGISTRY), session.workspace.settings.log_origin)
    size = status(session).size
    anchorer = session.sender(ChainRole.ANCHORER)
    anchorer.send(registry.contract.address, registry.anchor_call(size + 9, RootHash(b"\x01" * 32)))
    assert status(session).state is AnchorState.AHEAD
    attest(session.workspace, "LST-1", "conforming", CHAIN_START.date().replace(day=24))
    append_records(session.workspace, CLOCK)
    with pytest.raises(ConflictError, match="CRN-H-022"):
        push(session)


def test_anchor__without_a_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    create(tmp_path / "ws", clock=CLOCK)
    with Workspace.open(tmp_path / "ws") as workspace:
        _deployed(workspace)
        with (
            open_chain(workspace, clock=CLOCK) as session,
            pytest.raises(NotFoundError, match="log append"),
        ):
            push(session)


def test_deploy__twice_is_once(chain_workspace: Workspace) -> None:
    reports = []
    block = 0
    for _ in range(2):
        with open_chain(chain_workspace, clock=CLOCK, start_at=CHAIN_START) as session:
            issuer = ensure_key(chain_workspace, "issuer", CLOCK).did
            reports.append(deploy(session, issuer=issuer))
            block = session.rpc.block_number()
    first, second = reports
    assert [each.deployment for each in first.contracts] == [
        each.deployment for each in second.contracts
    ]
    assert [each.is_new for each in second.contracts] == [False] * 4
    assert (second.changes, block) == ((), 8)


@pytest.mark.parametrize("point", ["deploy.before-send", "deploy.after-send"])
def test_deploy__killed_and_run_again_deploys_each_once(
    chain_workspace: Workspace, point: str
) -> None:
    died = _carnet(chain_workspace, "chain", "deploy", **{CRASH_VARIABLE: point})
    assert died.returncode == -signal.SIGKILL, died.stderr
    _deployed(chain_workspace)
    with reading(chain_workspace.engine) as connection:
        query = select(OUTBOX.c.attempts).where(OUTBOX.c.kind == "deploy.create")
        assert list(connection.execute(query).scalars()) == [1, 1, 1, 1]


def test_deploy__another_issuer_is_refused_unless_replaced(session: ChainSession) -> None:
    with pytest.raises(ChainError, match="CRN-H-017"):
        deploy(session, issuer="did:key:z6MkOther")
    report = deploy(session, issuer="did:key:z6MkOther", is_replacing=True)
    assert [each.is_new for each in report.contracts] == [False, False, True, True]


def test_deploy__a_book_with_open_receivables_is_not_replaced(session: ChainSession) -> None:
    financing.confirm(session, "RCV-1")
    book = session.contract(BOOK).address
    issuer = ensure_key(session.workspace, "issuer", CLOCK).did
    deploy(session, issuer=issuer, is_replacing=True)
    with pytest.raises(ConflictError, match=r"CRN-H-023.* 1 open receivable"):
        deploy(session, issuer="did:key:z6MkOther", is_replacing=True)
    assert session.contract(BOOK).address == book
    assert not deploy(session, issuer=issuer).contracts[CONTRACTS.index(GATE)].is_new
    found = show(session, "RCV-1").on_chain
    assert found is not None
    session.contract(BOOK).send(session.sender(ChainRole.SELLER, SELLER), "cancel", found.id)
    deploy(session, issuer="did:key:z6MkOther", is_replacing=True)
    assert session.contract(BOOK).address != book


def test_deploy__a_book_that_cannot_be_asked_is_not_replaced(session: ChainSession) -> None:
    book = session.contract(BOOK).address
    session.rpc.call("anvil_setCode", book, "0x00")
    with pytest.raises(ConflictError, match=r"CRN-H-023.*cannot be read"):
        deploy(session, issuer="did:key:z6MkOther", is_replacing=True)


def test_deploy__a_chain_begun_anew_is_deployed_again(session: ChainSession) -> None:
    session.rpc.call("anvil_reset")
    report = deploy(session, issuer=ensure_key(session.workspace, "issuer", CLOCK).did)
    assert [each.is_new for each in report.contracts] == [True] * 4
    assert push(session).is_new


def test_open_chain__a_dead_node_is_told_quickly(chain_workspace: Workspace) -> None:
    begin = time.monotonic()
    done = _carnet(chain_workspace, "anchor", "status", CARNET_RPC_URL="http://127.0.0.1:1/key")
    assert done.returncode == 3
    assert "CRN-H-002" in done.stderr
    assert "key" not in done.stderr
    assert time.monotonic() - begin < 10
    assert AnvilNode(chain_workspace.chain_path).status() is None


def test_open_chain__an_external_node_is_used_and_never_started_or_stopped(
    chain_workspace: Workspace, anvil_node: AnvilNode
) -> None:
    external = anvil_node.status()
    assert external is not None
    done = _carnet(chain_workspace, "chain", "deploy", CARNET_RPC_URL=external.url)
    assert done.returncode == 0, done.stderr
    assert AnvilNode(chain_workspace.chain_path).status() is None
    assert anvil_node.status() == external
    refused = _carnet(chain_workspace, "chain", "down", CARNET_RPC_URL=external.url)
    assert refused.returncode == 3
    assert "CRN-H-015" in refused.stderr


def test_open_chain__another_chain_is_refused(
    chain_workspace: Workspace, anvil_node: AnvilNode
) -> None:
    external = anvil_node.status()
    assert external is not None
    env = {"CARNET_RPC_URL": external.url, "CARNET_CHAIN_ID": "1"}
    done = _carnet(chain_workspace, "chain", "status", **env)
    assert done.returncode == 3
    assert "CRN-H-003" in done.stderr


def test_open_chain__a_node_that_dies_under_a_command_is_unavailable(
    session: ChainSession,
) -> None:
    node = AnvilNode(session.workspace.chain_path)
    running = node.status()
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    with pytest.raises(ChainUnavailableError):
        push(session)

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from carnet.chain.anvil import AnvilNode, find_anvil
from carnet.chain.devtime import advance_to_day, chain_now
from carnet.chain.keys import ChainRole, KeyRing, fund_on_dev_chain
from carnet.chain.rpc import DEV_CHAIN_ID, RpcClient
from carnet.core.envelope import Secret
from carnet.core.errors import ChainError, InputError
from tests.fixtures_chain import CHAIN_START
from tests.processes import run_python

SINK = "0x000000000000000000000000000000000000dEaD"


def _client(node: AnvilNode) -> RpcClient:
    status = node.status()
    assert status is not None
    return RpcClient(status.url, chain_id=DEV_CHAIN_ID)


def _pay(node: AnvilNode) -> None:
    with _client(node) as rpc:
        sender = rpc.call("eth_accounts")[0]
        rpc.call("eth_sendTransaction", {"from": sender, "to": SINK, "value": "0x10"})


def _balance(node: AnvilNode) -> int:
    with _client(node) as rpc:
        return int(rpc.call("eth_getBalance", SINK, "latest"), 16)


def _kill(node: AnvilNode, number: signal.Signals) -> None:
    status = node.status()
    assert status is not None
    os.kill(status.pid, number)
    while node.status() is not None:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_node__state_survives_a_polite_end(anvil_node: AnvilNode, number: signal.Signals) -> None:
    _pay(anvil_node)
    _kill(anvil_node, number)
    anvil_node.start(is_detached=True)
    assert _balance(anvil_node) == 0x10


def test_node__saved_state_survives_a_kill_at_any_moment(anvil_node: AnvilNode) -> None:
    _pay(anvil_node)
    anvil_node.save()
    _kill(anvil_node, signal.SIGKILL)
    anvil_node.start(is_detached=True)
    assert _balance(anvil_node) == 0x10


def test_node__its_own_dump_survives_a_kill(anvil_node: AnvilNode) -> None:
    _pay(anvil_node)
    time.sleep(1.3)
    _kill(anvil_node, signal.SIGKILL)
    assert not (anvil_node.folder / "saved.json").exists()
    anvil_node.start(is_detached=True)
    assert _balance(anvil_node) == 0x10


@pytest.mark.parametrize("left", [b"", b'{"block":{"number'])
def test_node__a_state_file_cut_in_half_is_replaced(anvil_node: AnvilNode, left: bytes) -> None:
    _pay(anvil_node)
    anvil_node.save()
    _kill(anvil_node, signal.SIGKILL)
    (anvil_node.folder / "state.json").write_bytes(left)
    anvil_node.start(is_detached=True)
    assert _balance(anvil_node) == 0x10


def test_node__a_chain_without_any_readable_state_begins_anew(anvil_node: AnvilNode) -> None:
    _kill(anvil_node, signal.SIGKILL)
    (anvil_node.folder / "state.json").write_bytes(b"{")
    anvil_node.start(is_detached=True)
    assert _balance(anvil_node) == 0
    assert (anvil_node.folder / "state.unreadable.json").exists()


def test_node__begins_at_the_chosen_instant_and_never_goes_back(anvil_node: AnvilNode) -> None:
    with _client(anvil_node) as rpc:
        assert abs((chain_now(rpc) - CHAIN_START).total_seconds()) < 2
        advance_to_day(rpc, DEV_CHAIN_ID, date(2031, 5, 6))
        before = chain_now(rpc)
        assert before == datetime(2031, 5, 6, tzinfo=UTC)
    anvil_node.stop()
    anvil_node.start(is_detached=True)
    with _client(anvil_node) as rpc:
        rpc.call("evm_mine")
        assert before < chain_now(rpc) < datetime(2031, 5, 6, 0, 1, tzinfo=UTC)


def test_node__never_two_on_one_state(anvil_node: AnvilNode) -> None:
    first = anvil_node.status()
    again, was_started = AnvilNode(anvil_node.folder).start()
    assert not was_started
    assert again == first
    code = (
        "import sys; from pathlib import Path; from carnet.chain.anvil import AnvilNode;"
        "print(AnvilNode(Path(sys.argv[1])).start()[0].pid)"
    )
    command = [sys.executable, "-c", code, str(anvil_node.folder)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert first is not None
    assert {run.communicate()[0].strip() for run in runs} == {str(first.pid)}


def test_node__processes_that_start_at_once_share_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from carnet.chain.anvil import AnvilNode;"
        "print(AnvilNode(Path(sys.argv[1])).start()[0].pid)"
    )
    node = AnvilNode(tmp_path / "chain")
    command = [sys.executable, "-c", code, str(node.folder)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        assert len({run.communicate()[0].strip() for run in runs}) == 1
    finally:
        node.stop()


def test_node__outlives_a_killed_command_and_is_stopped_by_the_last_user(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from carnet.chain.anvil import AnvilNode\n"
        "node = AnvilNode(Path(sys.argv[1])); node.join(); node.start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = run_python(code, folder)
    assert done.returncode == -signal.SIGKILL
    one, two = AnvilNode(folder), AnvilNode(folder)
    assert one.status() is not None
    for node in (one, two):
        node.join()
        assert node.start()[1] is False
    one.leave()
    assert two.status() is not None
    two.leave()
    assert two.status() is None


def test_node__a_detached_one_is_left_running_until_it_is_stopped(anvil_node: AnvilNode) -> None:
    user = AnvilNode(anvil_node.folder)
    user.join()
    user.start()
    user.leave()
    assert anvil_node.status() is not None
    assert anvil_node.stop()
    assert anvil_node.status() is None
    assert not anvil_node.stop()


def test_find_anvil__a_missing_one_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CARNET_ANVIL", str(tmp_path / "none"))
    with pytest.raises(ChainError, match=r"anvil-linux-amd64 1\.7\.1"):
        find_anvil()


def test_key_ring__a_key_is_made_once_and_kept_encrypted(tmp_path: Path) -> None:
    secret = Secret("key_file", b"k" * 32)
    ring = KeyRing(tmp_path / "keys", secret)
    made = ring.account(ChainRole.ANCHORER)
    again = KeyRing(tmp_path / "keys", secret).account(ChainRole.ANCHORER)
    assert made.key == again.key
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert bytes(made.key).hex() not in file.read_text()
    with pytest.raises(InputError):
        KeyRing(tmp_path / "keys", Secret("key_file", b"x" * 32)).account(ChainRole.ANCHORER)


def test_key_ring__parties_have_keys_of_their_own(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys", Secret("key_file", b"k" * 32))
    addresses = {
        ring.address(role, party)
        for role in (ChainRole.SELLER, ChainRole.LENDER)
        for party in ("PTY/1", "PTY-1", "pty-1", "")
    }
    assert len(addresses) == 8


def test_fund_on_dev_chain__only_there(rpc: RpcClient, tmp_path: Path) -> None:
    address = KeyRing(tmp_path, Secret("key_file", b"k" * 32)).address(ChainRole.KEEPER)
    with pytest.raises(ChainError, match="CRN-H-013"):
        fund_on_dev_chain(rpc, 1, address)
    assert fund_on_dev_chain(rpc, DEV_CHAIN_ID, address)
    assert not fund_on_dev_chain(rpc, DEV_CHAIN_ID, address)


def test_advance_to_day__refused_on_another_chain(rpc: RpcClient) -> None:
    with pytest.raises(ChainError, match="CRN-H-012"):
        advance_to_day(rpc, 1, date(2030, 1, 1))

"""Reading the anchor from a node of the lender: whatever it answers, never valid by chance."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from carnet.chain.deployment import REGISTRY, contract_abi
from carnet.core.errors import ChainError, InputError
from carnet.ledger.bundle import AnchorCoordinates
from carnet.services.verifying import _call_data, anchor_reader, verify_file
from tests.fixtures_ledger import CHAIN_ID, CONTRACT, DAY, LedgerWorld

ROOT = bytes(range(32))
FOUND = AnchorCoordinates(CHAIN_ID, CONTRACT, bytes(32), 7)
GOOD: dict[str, Any] = {
    "eth_chainId": hex(CHAIN_ID),
    "eth_getCode": "0x6001",
    "eth_call": "0x" + ROOT.hex(),
}
Node = Callable[[dict[str, Any]], str]


@pytest.fixture
def node() -> Iterator[Node]:
    """Start nodes that give fixed answers, and return their addresses."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: dict[str, Any]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(
                    {"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]}
                ).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_call_data__is_that_of_the_contract() -> None:
    expected = contract_abi(REGISTRY).encode_call("rootAt", FOUND.origin_hash, FOUND.size)
    assert _call_data(FOUND) == "0x" + expected.hex()


def test_reader__returns_the_root_or_none(node: Node) -> None:
    assert anchor_reader(node(GOOD))(FOUND) == ROOT
    assert anchor_reader(node({**GOOD, "eth_call": "0x" + "00" * 32}))(FOUND) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"eth_chainId": "0x1"},
        {"eth_chainId": "nonsense"},
        {"eth_chainId": None},
        {"eth_chainId": 31337},
        {"eth_getCode": "0x"},
        {"eth_getCode": None},
        {"eth_getCode": ["0x6001"]},
        {"eth_call": "0x"},
        {"eth_call": "0x" + "11" * 31},
        {"eth_call": "0x" + "11" * 33},
        {"eth_call": "zz" * 32},
        {"eth_call": None},
        {"eth_call": {"a": 1}},
    ],
)
def test_reader__a_node_of_no_use_is_said(
    ledger_world: LedgerWorld, node: Node, wrong: dict[str, Any]
) -> None:
    url = node({**GOOD, **wrong})
    with pytest.raises(ChainError):
        anchor_reader(url)(FOUND)
    policy = ledger_world.policy.to_toml().encode()
    found = verify_file(ledger_world.data, policy, today=DAY, rpc_url=url)
    assert found.verdict == "not_checked"
    assert found.step("anchor").verdict == "not_checked"


def test_verify_file__root_of_the_node_decides(ledger_world: LedgerWorld, node: Node) -> None:
    policy = ledger_world.policy.to_toml().encode()
    for root, verdict in ((ledger_world.root, "valid"), (ROOT, "not_valid")):
        url = node({**GOOD, "eth_call": "0x" + root.hex()})
        found = verify_file(ledger_world.data, policy, today=DAY, rpc_url=url)
        assert (found.verdict, found.step("anchor").verdict) == (verdict, verdict)


def test_verify_file__unusable_policy(ledger_world: LedgerWorld) -> None:
    with pytest.raises(InputError, match="CRN-V-020"):
        verify_file(ledger_world.data, b"version = 3", today=DAY)

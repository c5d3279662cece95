import time
from collections.abc import Callable

import httpx2
import orjson
import pytest

from carnet.chain.bound import BoundContract, ContractAbsentError
from carnet.chain.deployment import REGISTRY, code_state, contract_abi
from carnet.chain.rpc import READ_ATTEMPTS_MAX, NodeRefusedError, RpcClient, redact_url
from carnet.core.errors import ChainError, ChainUnavailableError, TransactionRevertedError

SECRET = "s3cr3t-api-key"

Handler = Callable[[httpx2.Request], httpx2.Response]


def _client(handler: Handler, url: str = f"https://node.example/v3/{SECRET}") -> RpcClient:
    client = RpcClient(url)
    client._http = httpx2.Client(transport=httpx2.MockTransport(handler))
    return client


def _answer(request: httpx2.Request, **fields: object) -> httpx2.Response:
    body = orjson.loads(request.content)
    return httpx2.Response(200, json={"jsonrpc": "2.0", "id": body["id"], **fields})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://node.example/v3/{SECRET}", "https://node.example/..."),
        (f"https://user:{SECRET}@node.example", "https://node.example"),
        (f"https://node.example?key={SECRET}", "https://node.example/..."),
        (f"https://node.example#{SECRET}", "https://node.example/..."),
        ("http://[::1]:8545", "http://[::1]:8545"),
        (f"http://{SECRET}:99999", "(an unreadable address)"),
        (SECRET, "(an unreadable address)"),
    ],
)
def test_redact_url__hides_everything_but_the_host(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: httpx2.Response(503),
        lambda _: httpx2.Response(200, content=b"<html>no</html>"),
        lambda _: httpx2.Response(200, content=b""),
        lambda _: httpx2.Response(200, json={"jsonrpc": "2.0", "id": -1, "result": "0x1"}),
        lambda request: _answer(request, error={"code": -32000, "message": f"bad {request.url}"}),
        lambda request: _answer(request, error={"code": 3, "message": "reverted", "data": "0x"}),
    ],
    ids=["busy", "html", "empty", "another-id", "refused", "reverted"],
)
def test_call__no_failure_shows_the_key_of_the_address(handler: Handler) -> None:
    with pytest.raises(ChainError) as caught:
        _client(handler).chain_id()
    assert SECRET not in str(caught.value) + caught.value.message.zh + caught.value.hint.zh


@pytest.mark.parametrize("code", [-32000, "quota", None, [1]])
def test_call__a_node_that_repeats_the_key_in_its_own_words_does_not_reveal_it(
    code: object,
) -> None:
    said = (
        f"project {SECRET} is over its quota; {SECRET.upper()}; user p%40ss or p@ss; " + "x" * 300
    )
    url = f"https://user:p%40ss@node.example/v3/{SECRET}?key=q-{SECRET}"
    client = _client(lambda request: _answer(request, error={"code": code, "message": said}), url)
    with pytest.raises(NodeRefusedError) as caught:
        client.chain_id()
    shown = str(caught.value) + caught.value.message.zh + caught.value.detail
    assert "over its quota" in shown
    for secret in (SECRET, SECRET.upper(), "p%40ss", "p@ss"):
        assert secret not in shown


@pytest.mark.parametrize("result", [None, 7, "0xzz", "", [], {}])
def test_call__a_malformed_answer_is_an_error_of_the_chain(result: object) -> None:
    client = _client(lambda request: _answer(request, result=result))
    contract = BoundContract(client, contract_abi(REGISTRY), "0x" + "11" * 20)
    tries: list[Callable[[], object]] = [
        client.chain_id,
        client.block_number,
        client.block_timestamp_s,
        lambda: contract.read("ownerOf", bytes(32)),
        lambda: code_state(client, REGISTRY, contract.address) if result else client.chain_id(),
    ]
    for attempt in tries:
        with pytest.raises(ChainError, match="CRN-H-018"):
            attempt()


def test_read__no_contract_at_the_address_says_so() -> None:
    client = _client(lambda request: _answer(request, result="0x"))
    contract = BoundContract(client, contract_abi(REGISTRY), "0x" + "11" * 20)
    with pytest.raises(ContractAbsentError, match=r"CRN-H-019.*chain deploy"):
        contract.read("ownerOf", bytes(32))


def test_call__an_address_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ChainError, match="CRN-H-001") as caught:
        RpcClient(f"ftp://node.example/{SECRET}")
    assert SECRET not in str(caught.value)


def test_call__a_read_is_repeated_a_bounded_number_of_times() -> None:
    seen: list[int] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(1)
        if len(seen) < READ_ATTEMPTS_MAX:
            return httpx2.Response(503)
        return _answer(request, result="0x7a69")

    assert _client(handler).chain_id() == 31337
    assert len(seen) == READ_ATTEMPTS_MAX


def test_call__a_write_is_never_repeated() -> None:
    seen: list[int] = []

    def handler(_: httpx2.Request) -> httpx2.Response:
        seen.append(1)
        return httpx2.Response(503)

    with pytest.raises(ChainUnavailableError):
        _client(handler).call("eth_sendRawTransaction", "0x")
    assert len(seen) == 1


def test_batch__a_batch_with_a_write_is_never_repeated() -> None:
    seen: list[int] = []

    def handler(_: httpx2.Request) -> httpx2.Response:
        seen.append(1)
        return httpx2.Response(503)

    with pytest.raises(ChainUnavailableError):
        _client(handler).batch([("eth_chainId", []), ("evm_mine", [])])
    assert len(seen) == 1


def test_batch__answers_in_any_order_are_put_to_their_requests() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies = orjson.loads(request.content)
        answers = [{"jsonrpc": "2.0", "id": b["id"], "result": b["method"]} for b in bodies]
        return httpx2.Response(200, json=answers[::-1])

    calls: list[tuple[str, list[object]]] = [("eth_chainId", []), ("eth_gasPrice", [])]
    assert _client(handler).batch(calls) == ["eth_chainId", "eth_gasPrice"]


def test_call__a_revert_keeps_its_data() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        error = {"code": 3, "message": "execution reverted", "data": {"data": "0xdeadbeef"}}
        return _answer(request, error=error)

    with pytest.raises(TransactionRevertedError) as caught:
        _client(handler).call("eth_call", {})
    assert caught.value.reason == "0xdeadbeef"


def test_call__a_refusal_keeps_its_code() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return _answer(request, error={"code": -32601, "message": "Method not found"})

    with pytest.raises(NodeRefusedError) as caught:
        _client(handler).call("eth_nothing")
    assert caught.value.rpc_code == -32601


def test_check_chain__another_chain_is_refused() -> None:
    client = RpcClient("http://node.example", chain_id=1)
    client._http = httpx2.Client(
        transport=httpx2.MockTransport(lambda request: _answer(request, result="0x7a69"))
    )
    with pytest.raises(ChainError, match="on chain 31337, expected 1"):
        client.check_chain()


def test_call__a_dead_node_is_reported_quickly() -> None:
    begin = time.monotonic()
    with RpcClient("http://127.0.0.1:1") as client, pytest.raises(ChainUnavailableError):
        client.block_number()
    assert time.monotonic() - begin < 2.0

"""Raw JSON-RPC over one kept-alive connection.

Guarantees: a call either returns the node's result or raises a ChainError; only requests that read
are repeated after a failure, and only a bounded number of times; no message ever shows more of an
RPC address than its scheme, host and port, because providers put keys into paths and queries.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, unquote_plus, urlsplit

import httpx2
import orjson
from eth_abi.exceptions import DecodingError

from carnet.core.errors import ChainError, ChainUnavailableError, TransactionRevertedError
from carnet.core.text import Text

DEV_CHAIN_ID = 31337
"""The chain id of a development chain; helpers that make time or money work only there."""

READ_ATTEMPTS_MAX = 3
BATCH_MAX = 200
RESPONSE_BYTES_MAX = 32 * 1024 * 1024

_RETRY_PAUSE_S = 0.1
_UNREADABLE = "(an unreadable address)"
_BUSY_STATUSES = frozenset({429, 502, 503, 504})
_ERROR_TEXT_MAX = 200
_MALFORMED = (DecodingError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What taking an answer apart raises where a node gives something else than was asked for."""

_SECRET_LENGTH_MIN = 4
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READS = frozenset(
    {
        "anvil_nodeInfo",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "net_version",
        "web3_clientVersion",
    }
)

Call = tuple[str, list[Any]]


class NodeRefusedError(ChainError):
    """The node answered with a JSON-RPC error that is not a revert.

    Args:
        rpc_code: The code of the JSON-RPC error object.
        detail: Its message, shortened.
    """

    def __init__(
        self, code: str, message: Text, hint: Text, *, rpc_code: int = 0, detail: str = ""
    ) -> None:
        super().__init__(code, message, hint)
        self.rpc_code = rpc_code
        self.detail = detail


def redact_url(url: str) -> str:
    """Return an address without user, password, path, query and fragment.

    >>> redact_url("https://user:secret@node.example:8545/v3/key?x=1")
    'https://node.example:8545/...'
    >>> redact_url("http://127.0.0.1:8545")
    'http://127.0.0.1:8545'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return _UNREADABLE
    if not host:
        return _UNREADABLE
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    rest = parts.path.strip("/") or parts.query or parts.fragment
    return origin + ("/..." if rest else "")


def _secrets_of(url: str) -> tuple[str, ...]:
    """Return the parts of an address that can be a key, as written and as decoded, longest first.

    Shorter parts than a few characters name versions and cannot be keys.
    """
    parts = urlsplit(url)
    values = [value for pair in parts.query.split("&") for value in pair.split("=")[-1:]]
    userinfo = parts.netloc.rpartition("@")[0]
    found = [*parts.path.split("/"), *values, parts.fragment, userinfo, *userinfo.split(":")]
    spellings = {spelled for part in found for spelled in (part, unquote(part), unquote_plus(part))}
    long_enough = [part for part in spellings if len(part) >= _SECRET_LENGTH_MIN]
    return tuple(sorted(long_enough, key=lambda part: (-len(part), part)))


class RpcClient:
    """One node, reached over HTTP.

    Args:
        url: The node's address, with or without a key in it.
        timeout_s: How long one request may take.
        chain_id: The chain this client is for; `check_chain` compares it with the node's.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, chain_id: int | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ChainError(
                "CRN-H-001",
                Text(
                    f"{redact_url(url)} is not the address of an RPC node.",
                    f"{redact_url(url)} 不是有效的 RPC 节点地址。",
                ),
                Text(
                    "Give rpc_url as http://HOST:PORT or https://HOST/PATH.",
                    "请将 rpc_url 写成 http://HOST:PORT 或 https://HOST/PATH。",
                ),
            )
        self.shown_url = redact_url(url)
        self._url = url
        self._secrets = _secrets_of(url)
        self._expected_chain_id = chain_id
        self._next_id = 0
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            headers={"content-type": "application/json"},
            # A proxy of the environment must never see what is meant for this machine.
            trust_env=parts.hostname not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one request.

        Raises:
            ChainUnavailableError: The node did not answer; for a write the outcome is unknown.
            TransactionRevertedError: The call reverted; `reason` is the revert data in hex.
            NodeRefusedError: The node refused the request.
        """
        answer = self._exchange([(method, list(params))])[0]
        return self._result_of(method, answer)

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Return the results of several requests, sent as one.

        Raises:
            ChainUnavailableError: The node did not answer all of them.
            TransactionRevertedError: One reverted; the first such error is raised.
            NodeRefusedError: The node refused one; the first such error is raised.
        """
        assert 0 < len(calls) <= BATCH_MAX, "a batch has a bounded size"
        answers = self._exchange(list(calls))
        pairs = zip(calls, answers, strict=True)
        return [self._result_of(method, answer) for (method, _), answer in pairs]

    def chain_id(self) -> int:
        """Return the node's chain id."""
        return self.quantity("eth_chainId")

    def check_chain(self) -> int:
        """Return the node's chain id after comparing it with the expected one.

        Raises:
            ChainError: The node is on another chain.
        """
        found = self.chain_id()
        expected = self._expected_chain_id
        if expected is not None and found != expected:
            raise ChainError(
                "CRN-H-003",
                Text(
                    f"The node at {self.shown_url} is on chain {found}, expected {expected}.",
                    f"节点 {self.shown_url} 位于链 {found}，应为链 {expected}。",
                ),
                Text(
                    "Set rpc_url to a node of the right chain, or chain_id to the chain you mean.",
                    "请将 rpc_url 指向正确的链，或将 chain_id 设为所需的链。",
                ),
            )
        return found

    def block_number(self) -> int:
        """Return the number of the latest block."""
        return self.quantity("eth_blockNumber")

    def block_timestamp_s(self, block_name: str = "latest") -> int:
        """Return the timestamp of the latest block in seconds since 1970-01-01."""
        block = self.call("eth_getBlockByNumber", block_name, False)  # noqa: FBT003 - JSON-RPC takes it by position
        with self.decoding("eth_getBlockByNumber"):
            return int(block["timestamp"], 16)

    def quantity(self, method: str, *params: Any) -> int:
        """Return the number that one request is answered with.

        Raises:
            ChainError: The answer is not a number; or as `call`.
        """
        answer = self.call(method, *params)
        with self.decoding(method):
            return int(answer, 16)

    @contextmanager
    def decoding(self, what: str) -> Iterator[None]:
        """Turn what goes wrong while an answer is taken apart into an error that people can read.

        Raises:
            ChainError: The answer is not what was asked for.
        """
        try:
            yield
        except _MALFORMED:
            raise ChainError(
                "CRN-H-018",
                Text(
                    f"The node at {self.shown_url} gave a malformed answer to {what}.",
                    f"节点 {self.shown_url} 对 {what} 的应答格式不正确。",
                ),
                Text(
                    "Check that rpc_url names an Ethereum node of this chain that is in sync.",
                    "请检查 rpc_url 指向的是本链上已同步的以太坊节点。",
                ),
            ) from None

    def _exchange(self, calls: list[Call]) -> list[dict[str, Any]]:
        may_repeat = all(method in _READS for method, _ in calls)
        attempts = READ_ATTEMPTS_MAX if may_repeat else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._exchange_once(calls)
            except ChainUnavailableError:
                if attempt == attempts:
                    raise
                time.sleep(_RETRY_PAUSE_S * attempt)
        raise AssertionError("a bounded loop returns or raises")

    def _exchange_once(self, calls: list[Call]) -> list[dict[str, Any]]:
        first = self._next_id
        self._next_id += len(calls)
        requests = [
            {"jsonrpc": "2.0", "id": first + i, "method": method, "params": params}
            for i, (method, params) in enumerate(calls)
        ]
        body = orjson.dumps(requests if len(requests) > 1 else requests[0])
        try:
            response = self._http.post(self._url, content=body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self._unavailable(type(error).__name__) from None
        return self._answers(response, [request["id"] for request in requests])

    def _answers(self, response: httpx2.Response, ids: list[Any]) -> list[dict[str, Any]]:
        if response.status_code in _BUSY_STATUSES or not response.content:
            raise self._unavailable(f"HTTP {response.status_code}")
        if len(response.content) > RESPONSE_BYTES_MAX:
            raise self._unavailable(f"an answer of {len(response.content)} bytes")
        try:
            value = orjson.loads(response.content)
        except ValueError:
            raise self._unavailable(f"HTTP {response.status_code}, not JSON") from None
        answers = value if isinstance(value, list) else [value]
        by_id = {
            a.get("id"): a
            for a in answers
            if isinstance(a, dict) and isinstance(a.get("id"), int | str | None)
        }
        # A node that refuses a whole batch answers with one error that has no id.
        fallback = by_id.get(None)
        found = [by_id.get(i, fallback) for i in ids]
        if any(a is None or ("result" not in a and "error" not in a) for a in found):
            raise self._unavailable("an incomplete answer")
        return [a for a in found if a is not None]

    def _unavailable(self, cause: str) -> ChainUnavailableError:
        return ChainUnavailableError(
            "CRN-H-002",
            Text(
                f"The node at {self.shown_url} did not answer ({cause}).",
                f"节点 {self.shown_url} 没有应答（{cause}）。",
            ),
            Text(
                "Start it with `carnet chain up`, or check rpc_url in carnet.toml; then run the "
                "same command again.",
                "请用 `carnet chain up` 启动节点，或检查 carnet.toml 中的 rpc_url；"
                "然后重新运行同一命令。",
            ),
        )

    def _redacted(self, text: str) -> str:
        """Return what a node says without the address and anything secret in it."""
        shown = text.replace(self._url, self.shown_url)
        for secret in self._secrets:
            shown = re.sub(re.escape(secret), "...", shown, flags=re.IGNORECASE)
        return shown

    def _result_of(self, method: str, answer: dict[str, Any]) -> Any:
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        fields = error if isinstance(error, dict) else {"message": str(error)}
        detail = self._redacted(str(fields.get("message", "")))[:_ERROR_TEXT_MAX]
        data = _revert_data(fields.get("data"))
        if data is not None or "revert" in detail.lower():
            raise TransactionRevertedError(
                "CRN-H-005",
                Text(f"The contract refused {method}: {detail}.", f"合约拒绝 {method}：{detail}。"),
                reason=data or "0x",
            )
        raise NodeRefusedError(
            "CRN-H-004",
            Text(
                f"The node at {self.shown_url} refused {method}: {detail or 'no reason given'}.",
                f"节点 {self.shown_url} 拒绝 {method}：{detail or '未说明原因'}。",
            ),
            Text(
                "Check that the node supports this method and that the account has funds.",
                "请检查节点是否支持该方法，以及账户余额是否充足。",
            ),
            rpc_code=_number(fields.get("code")),
            detail=detail,
        )


def _number(value: Any) -> int:
    """Return the code of an error object; 0 where a node gives something else."""
    return value if isinstance(value, int) else 0


def _revert_data(value: Any) -> str | None:
    """Return the revert data of an error object; some nodes nest it one level deeper."""
    if isinstance(value, dict):
        value = value.get("data")
    return value if isinstance(value, str) and value.startswith("0x") else None

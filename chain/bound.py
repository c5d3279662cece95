"""A contract at an address: typed reads, sends and events over one connection."""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_utils.address import to_checksum_address

from carnet.chain.contract import ContractAbi, Event
from carnet.chain.reverts import explained
from carnet.chain.rpc import RpcClient
from carnet.chain.transactions import NO_STEPS, Receipt, Sender, Steps
from carnet.core.errors import ChainError, TransactionRevertedError
from carnet.core.text import Text

LOG_BLOCKS_MAX = 10_000
"""Blocks asked for in one request for logs; nodes of providers refuse wider ranges."""


class ContractAbsentError(ChainError):
    """Nothing answers at the address of a contract."""


class BoundContract:
    """One deployed contract.

    Args:
        rpc: The node; its chain id was checked.
        abi: The interface of the contract.
        address: Where it lives.
        since_block: The block it was deployed in; events are looked for from there.
        error_abis: Further contracts whose errors can pass through this one.
        words: What each custom error means.
    """

    def __init__(
        self,
        rpc: RpcClient,
        abi: ContractAbi,
        address: str,
        *,
        since_block: int = 0,
        error_abis: Sequence[ContractAbi] = (),
        words: Mapping[str, Text] | None = None,
    ) -> None:
        self.rpc = rpc
        self.abi = abi
        self.address = to_checksum_address(address)
        self.since_block = since_block
        self.error_abis = (abi, *error_abis)
        self.words = words or {}

    def read(self, name: str, *arguments: Any, sender: str | None = None) -> Any:
        """Return what a view answers at the latest block, in one ``eth_call``.

        Raises:
            TransactionRevertedError: The call reverts; the message is in words.
        """
        request = self._request(name, arguments, sender)
        try:
            answer = self.rpc.call("eth_call", request, "latest")
        except TransactionRevertedError as error:
            raise explained(error, self.error_abis, self.words) from None
        return self._decoded(name, answer)

    def read_many(self, name: str, argument_lists: Sequence[Sequence[Any]]) -> list[Any]:
        """Return what a view answers to several arguments, in one request."""
        if not argument_lists:
            return []
        calls = [
            ("eth_call", [self._request(name, arguments, None), "latest"])
            for arguments in argument_lists
        ]
        answers = self.rpc.batch(calls)
        return [self._decoded(name, answer) for answer in answers]

    def send(
        self,
        sender: Sender,
        name: str,
        *arguments: Any,
        gas_min: int = 0,
        steps: Steps = NO_STEPS,
    ) -> Receipt:
        """Send a call and return its receipt once it is confirmed; see `Sender.send`."""
        data = self.abi.encode_call(name, *arguments)
        return sender.send(self.address, data, gas_min=gas_min, steps=steps)

    def events(self, name: str, *, topics: Sequence[bytes | None] = ()) -> list[Event]:
        """Return all events of one name, oldest first.

        Args:
            name: The event.
            topics: Values of its indexed arguments, None for any.
        """
        wanted = [self.abi.topic_of(name), *topics]
        return self._events([None if t is None else "0x" + t.hex() for t in wanted])

    def events_about(self, topic: bytes) -> list[Event]:
        """Return all events whose first indexed argument is the given one, oldest first."""
        return self._events([None, "0x" + topic.hex()])

    def events_between(self, first: int, last: int) -> list[Event]:
        """Return all events of some blocks, both ends included, oldest first."""
        return self._events([], max(first, self.since_block), last)

    def _events(
        self, topics: Sequence[str | None], first: int | None = None, last: int | None = None
    ) -> list[Event]:
        found: list[Event] = []
        start = self.since_block if first is None else first
        last = self.rpc.block_number() if last is None else last
        while start <= last:
            end = min(start + LOG_BLOCKS_MAX - 1, last)
            query = {
                "address": self.address,
                "topics": list(topics),
                "fromBlock": hex(start),
                "toBlock": hex(end),
            }
            logs = self.rpc.call("eth_getLogs", query)
            found.extend(self.decode_logs(logs))
            start = end + 1
        return sorted(found, key=lambda event: (event.block_number, event.log_index))

    def decode_logs(self, logs: Any) -> list[Event]:
        """Return the events of this contract among the logs that a node gave.

        Raises:
            ChainError: They are malformed.
        """
        with self.rpc.decoding("eth_getLogs"):
            return list(self.abi.decode_logs(logs, address=self.address))

    def _decoded(self, name: str, answer: Any) -> Any:
        if answer == "0x" and self.abi.has_outputs(name):
            raise self._absent()
        with self.rpc.decoding(f"eth_call ({name})"):
            return self.abi.decode_result(name, bytes.fromhex(answer.removeprefix("0x")))

    def _absent(self) -> ContractAbsentError:
        return ContractAbsentError(
            "CRN-H-019",
            Text(
                f"There is no contract of this version at {self.address}.",
                f"{self.address} 处没有此版本的合约。",
            ),
            Text(
                "The chain was begun anew, or it is another one: run `carnet chain status`, then "
                "`carnet chain deploy`.",
                "该链已重新开始，或并非原来的链：请运行 `carnet chain status`，"
                "再运行 `carnet chain deploy`。",
            ),
        )

    def _request(self, name: str, arguments: Sequence[Any], sender: str | None) -> dict[str, str]:
        request = {
            "to": self.address,
            "data": "0x" + self.abi.encode_call(name, *arguments).hex(),
        }
        if sender is not None:
            request["from"] = sender
        return request

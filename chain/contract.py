"""Contracts by their ABI: calls encoded, results, events and errors decoded. No connection here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

SELECTOR_SIZE = 4

AbiEntry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a contract.

    Args:
        name: Its name in the ABI.
        address: The contract that wrote it, in its EIP-55 spelling.
        values: Its arguments by name.
        block_number: The block it stands in.
        log_index: Its place in that block.
        tx_hash: The transaction that caused it.
    """

    name: str
    address: str
    values: Mapping[str, Any]
    block_number: int
    log_index: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class CustomError:
    """One decoded custom error of a contract."""

    name: str
    values: Mapping[str, Any]


def abi_type(component: AbiEntry) -> str:
    """Return the canonical type of an ABI component; a struct becomes its tuple of types."""
    kind = str(component["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(abi_type(item) for item in component["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def signature_of(entry: AbiEntry) -> str:
    """Return the canonical signature of a function, event or error."""
    return f"{entry['name']}({','.join(abi_type(item) for item in entry['inputs'])})"


def _named(components: Sequence[AbiEntry], values: Sequence[Any]) -> Mapping[str, Any]:
    pairs = zip(components, values, strict=True)
    return MappingProxyType(
        {
            item.get("name") or str(place): _plain(item, value)
            for place, (item, value) in enumerate(pairs)
        }
    )


def _plain(component: AbiEntry, value: Any) -> Any:
    """Return a decoded value: structs by name, addresses in their EIP-55 spelling."""
    kind = str(component["type"])
    if kind.endswith("]"):
        element = {**component, "type": kind[: kind.rindex("[")]}
        return tuple(_plain(element, item) for item in value)
    if kind == "tuple":
        return _named(component["components"], value)
    return to_checksum_address(value) if kind == "address" else value


class ContractAbi:
    """The interface of one contract. Overloaded functions are not supported: ours have none.

    Args:
        entries: The ABI as compiled, a list of JSON objects.
    """

    def __init__(self, entries: Sequence[AbiEntry]) -> None:
        self._functions = {e["name"]: e for e in entries if e["type"] == "function"}
        self._errors = {
            keccak(text=signature_of(e))[:SELECTOR_SIZE]: e for e in entries if e["type"] == "error"
        }
        self._events = {
            keccak(text=signature_of(e)): e
            for e in entries
            if e["type"] == "event" and not e.get("anonymous", False)
        }
        self._constructor = next((e for e in entries if e["type"] == "constructor"), None)

    def has_outputs(self, name: str) -> bool:
        """Return whether a function returns anything."""
        return bool(self._functions[name]["outputs"])

    def encode_call(self, name: str, *arguments: Any) -> bytes:
        """Return the call data of a function."""
        entry = self._functions[name]
        return keccak(text=signature_of(entry))[:SELECTOR_SIZE] + self._encode(entry, arguments)

    def encode_constructor(self, *arguments: Any) -> bytes:
        """Return the constructor arguments that follow the creation code."""
        if self._constructor is None:
            assert not arguments, "this contract's constructor takes nothing"
            return b""
        return self._encode(self._constructor, arguments)

    def decode_result(self, name: str, data: bytes) -> Any:
        """Return what a function returned: one value, or a tuple of several."""
        outputs = self._functions[name]["outputs"]
        values = decode([abi_type(item) for item in outputs], data)
        plain = tuple(_plain(item, value) for item, value in zip(outputs, values, strict=True))
        return plain[0] if len(plain) == 1 else plain

    def decode_error(self, data: bytes) -> CustomError | None:
        """Return the custom error in revert data, or None where it is not one of this contract."""
        entry = self._errors.get(data[:SELECTOR_SIZE])
        if entry is None:
            return None
        try:
            values = decode([abi_type(item) for item in entry["inputs"]], data[SELECTOR_SIZE:])
        except DecodingError:
            return None
        return CustomError(str(entry["name"]), _named(entry["inputs"], values))

    def topic_of(self, name: str) -> bytes:
        """Return the first topic of an event."""
        return next(topic for topic, entry in self._events.items() if entry["name"] == name)

    def decode_logs(self, logs: Sequence[Mapping[str, Any]], *, address: str) -> Iterator[Event]:
        """Yield the events that one contract wrote, in their order; others are passed over."""
        for log in logs:
            topics = [bytes.fromhex(topic.removeprefix("0x")) for topic in log["topics"]]
            entry = self._events.get(topics[0]) if topics else None
            if entry is not None and to_checksum_address(log["address"]) == address:
                yield Event(
                    name=str(entry["name"]),
                    address=address,
                    values=_event_values(entry, topics[1:], log["data"]),
                    block_number=int(log["blockNumber"], 16),
                    log_index=int(log["logIndex"], 16),
                    tx_hash=bytes.fromhex(log["transactionHash"].removeprefix("0x")),
                )

    def _encode(self, entry: AbiEntry, arguments: Sequence[Any]) -> bytes:
        try:
            return encode([abi_type(item) for item in entry["inputs"]], list(arguments))
        except EncodingError as error:
            # Amounts and ids are checked before they come here, so this is our own mistake.
            name = entry.get("name", "constructor")
            message = f"{name}: {error}"
            raise AssertionError(message) from error


def _event_values(entry: AbiEntry, topics: Sequence[bytes], data: str) -> Mapping[str, Any]:
    indexed = [item for item in entry["inputs"] if item["indexed"]]
    plain = [item for item in entry["inputs"] if not item["indexed"]]
    body = decode([abi_type(item) for item in plain], bytes.fromhex(data.removeprefix("0x")))
    found = dict(_named(plain, body))
    for item, topic in zip(indexed, topics, strict=True):
        kind = abi_type(item)
        is_hashed = kind in {"string", "bytes"} or kind.endswith(("]", ")"))
        found[item["name"]] = topic if is_hashed else _plain(item, decode([kind], topic)[0])
    return MappingProxyType({item["name"]: found[item["name"]] for item in entry["inputs"]})

"""The EIP-712 types of the contracts as data, so that a signer signs what a contract hashes.

Source: EIP-712; the members and their order are those of ``src/libraries/TypedData.sol``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Member: TypeAlias = tuple[str, str]
"""Name and Solidity type of one member."""

BOOK_DOMAIN_NAME: Final = "Carnet ReceivableBook"
GATE_DOMAIN_NAME: Final = "Carnet ComplianceGate"
DOMAIN_VERSION: Final = "1"

_DOMAIN: Final[tuple[Member, ...]] = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)

TYPES: Final[Mapping[str, tuple[Member, ...]]] = MappingProxyType(
    {
        "Confirmation": (
            ("docHash", "bytes32"),
            ("listingHash", "bytes32"),
            ("platformId", "uint32"),
            ("seller", "address"),
            ("face", "uint96"),
            ("dueDay", "uint32"),
            ("advBps", "uint16"),
            ("bps", "uint16"),
            ("lateBps", "uint16"),
            ("feeBps", "uint16"),
            ("basis", "uint16"),
            ("graceDays", "uint16"),
            ("recourse", "bool"),
            ("nonce", "uint256"),
            ("deadline", "uint64"),
        ),
        "Finding": (
            ("id", "bytes32"),
            ("code", "uint16"),
            ("evidenceHash", "bytes32"),
            ("issuedAt", "uint64"),
            ("nonce", "uint256"),
        ),
        "Cancel": (("id", "bytes32"), ("nonce", "uint256"), ("deadline", "uint64")),
        "Dilution": (
            ("id", "bytes32"),
            ("amount", "uint96"),
            ("reasonHash", "bytes32"),
            ("nonce", "uint256"),
            ("deadline", "uint64"),
        ),
        "QualityRate": (
            ("seller", "address"),
            ("platformId", "uint32"),
            ("score", "uint16"),
            ("rateBps", "uint16"),
            ("periodEnd", "uint32"),
            ("nonce", "uint256"),
            ("deadline", "uint64"),
        ),
        "QualityClaim": (
            ("id", "bytes32"),
            ("amount", "uint96"),
            ("evidenceHash", "bytes32"),
            ("nonce", "uint256"),
            ("deadline", "uint64"),
        ),
    }
)


def encode_type(name: str) -> str:
    """Return the text whose keccak256 is the type hash, such as ``Cancel(bytes32 id,...)``."""
    return f"{name}({','.join(f'{kind} {member}' for member, kind in TYPES[name])})"


def typed_message(
    name: str, values: Mapping[str, Any], *, domain_name: str, chain_id: int, contract: str
) -> dict[str, Any]:
    """Return the complete EIP-712 message that ``eth_account`` encodes and a wallet shows.

    Args:
        name: One of ``TYPES``.
        values: Exactly its members; hashes as bytes.
        domain_name: The contract's name, one of the two constants above.
        chain_id: The chain on which it will be used.
        contract: Address of the contract that will check the signature.

    Raises:
        ValueError: The values are not exactly the members of the type.
    """
    members = TYPES[name]
    expected = [member for member, _ in members]
    if sorted(values) != sorted(expected):
        message = f"{name} has the members {expected}, found {sorted(values)}"
        raise ValueError(message)
    return {
        "types": {
            "EIP712Domain": _as_json(_DOMAIN),
            name: _as_json(members),
        },
        "primaryType": name,
        "domain": {
            "name": domain_name,
            "version": DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        "message": {member: values[member] for member in expected},
    }


def address_subject(account: str) -> bytes:
    """Return the subject of a finding about a seller: its address, left-padded to 32 bytes."""
    return bytes.fromhex(account.removeprefix("0x")).rjust(32, b"\0")


def _as_json(members: tuple[Member, ...]) -> list[dict[str, str]]:
    return [{"name": member, "type": kind} for member, kind in members]

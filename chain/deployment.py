"""Where the contracts live, and whether what stands there is what this version was built with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

import rlp  # type: ignore[import-untyped]  # it ships no types
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from sqlalchemy import Connection, delete, insert, select

from carnet.chain.bound import BoundContract
from carnet.chain.contract import ContractAbi
from carnet.chain.rpc import RpcClient
from carnet.chain.words import ERROR_WORDS
from carnet.contracts.artifacts import load
from carnet.store.tables import DEPLOYMENT

REGISTRY = "AnchorRegistry"
DOLLAR = "TestDollar"
GATE = "ComplianceGate"
BOOK = "ReceivableBook"
CONTRACTS = (REGISTRY, DOLLAR, GATE, BOOK)
"""In the order of deployment: each refers to those before it. The book makes its lockboxes."""


class CodeState(StrEnum):
    """What stands at the address of a deployment."""

    ABSENT = "absent"
    SAME = "same"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One contract on one chain.

    Args:
        contract: Its name.
        chain_id: The chain.
        address: Its address in the EIP-55 spelling.
        block: The block it was created in.
        tx_hash: The transaction that created it.
    """

    contract: str
    chain_id: int
    address: str
    block: int
    tx_hash: bytes | None


@cache
def contract_abi(name: str) -> ContractAbi:
    """Return the interface of a contract."""
    return ContractAbi(load(name).abi)


@cache
def error_abis() -> tuple[ContractAbi, ...]:
    """Return the interfaces of all contracts, since errors pass through callers."""
    return tuple(contract_abi(name) for name in (BOOK, GATE, REGISTRY, DOLLAR, "Lockbox"))


def creation_code(name: str, *arguments: object) -> bytes:
    """Return what a transaction carries to create a contract."""
    return load(name).bytecode + contract_abi(name).encode_constructor(*arguments)


def created_address(sender: str, nonce: int) -> str:
    """Return the address of the contract that a transaction of a sender creates.

    Source: Ethereum Yellow Paper, section 7 (contract creation).
    """
    account = bytes.fromhex(sender.removeprefix("0x"))
    return to_checksum_address(keccak(rlp.encode([account, nonce]))[12:])


def code_state(rpc: RpcClient, name: str, address: str) -> CodeState:
    """Return whether an address holds a contract as this version compiles it.

    Immutable values are written into the code at creation; the compiler leaves zeros in their
    places, so a place where it left a zero is not compared.
    """
    answer = rpc.call("eth_getCode", address, "latest")
    with rpc.decoding("eth_getCode"):
        found = bytes.fromhex(answer.removeprefix("0x"))
    if not found:
        return CodeState.ABSENT
    expected = load(name).deployed_bytecode
    is_same = len(found) == len(expected) and all(
        wanted in (0, byte) for wanted, byte in zip(expected, found, strict=True)
    )
    return CodeState.SAME if is_same else CodeState.OTHER


def find_deployments(connection: Connection, chain_id: int) -> Mapping[str, Deployment]:
    """Return the recorded contracts of a chain by name, in the order of deployment."""
    rows = connection.execute(select(DEPLOYMENT).where(DEPLOYMENT.c.chain_id == chain_id)).all()
    found = {
        row.contract: Deployment(row.contract, row.chain_id, row.address, row.block, row.tx_hash)
        for row in rows
    }
    return {name: found[name] for name in CONTRACTS if name in found}


def record_deployment(connection: Connection, deployment: Deployment, at: datetime) -> None:
    """Record where a contract lives, in place of where it lived before."""
    key = (
        DEPLOYMENT.c.chain_id == deployment.chain_id,
        DEPLOYMENT.c.contract == deployment.contract,
    )
    connection.execute(delete(DEPLOYMENT).where(*key))
    connection.execute(
        insert(DEPLOYMENT).values(
            chain_id=deployment.chain_id,
            contract=deployment.contract,
            address=deployment.address,
            block=deployment.block,
            tx_hash=deployment.tx_hash,
            at=at,
        )
    )


def bind(rpc: RpcClient, deployment: Deployment) -> BoundContract:
    """Return a deployed contract, ready to be read and sent to."""
    return BoundContract(
        rpc,
        contract_abi(deployment.contract),
        deployment.address,
        since_block=deployment.block,
        error_abis=error_abis(),
        words=ERROR_WORDS,
    )

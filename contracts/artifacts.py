"""The compiled contracts as the package carries them: reading one needs no compiler."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

CONTRACTS = ("AnchorRegistry", "ComplianceGate", "Lockbox", "ReceivableBook", "TestDollar")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    Args:
        name: Its name.
        abi: Its interface, as the compiler writes it.
        bytecode: What a deployment sends, before the encoded constructor arguments.
        deployed_bytecode: What lies at its address, immutables still zero.
        storage_layout: Label, slot and offset of each variable.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    storage_layout: list[dict[str, Any]]


@cache
def load(name: str) -> Artifact:
    """Return a compiled contract by its name.

    Raises:
        KeyError: No contract of that name is part of the package.
    """
    if name not in CONTRACTS:
        raise KeyError(name)
    text = resources.files("carnet.contracts").joinpath("abi", f"{name}.json").read_text("utf-8")
    return parse(name, text)


def parse(name: str, text: str) -> Artifact:
    """Return the contract that a file of the compiler's results describes."""
    body = json.loads(text)
    return Artifact(
        name=name,
        abi=body["abi"],
        bytecode=bytes.fromhex(body["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(body["deployedBytecode"][2:]),
        storage_layout=body["storageLayout"],
    )

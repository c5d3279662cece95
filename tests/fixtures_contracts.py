"""A chain in this process for the contract tests, and a deployed book to test on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyrevm
import pytest
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from carnet.contracts import artifacts, typed_data

CHAIN_ID = 31337
DAY = 86_400
START_DAY = 20_780  # 2026-11-23
NOON = DAY // 2
GAS_LIMIT = 16_000_000
TEST_ARTIFACTS = Path(__file__).parent / "contract" / "artifacts"
PLATFORM_ID = 7
ISSUER = "did:web:carnet.example"
ORIGIN_HASH = bytes.fromhex("0a" * 32)
ZERO = "0x" + "00" * 20
ONE_DOLLAR = 1_000_000
MINTED = 10**15

_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")
_ACCOUNT = re.compile(r"0x([0-9a-f]{40}): Account \{ .*? storage: \{(.*?)\}, status:")
_SLOT = re.compile(
    r"(\d+): StorageSlot \{ previous_or_original_value: \d+, present_value: (\d+) \}"
)


class RevertedError(Exception):
    """A call reverted; the name is that of the custom error."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(name, values)
        self.name = name
        self.values = values


@cache
def artifact(name: str) -> artifacts.Artifact:
    """Return a compiled contract, of the product or of the tests."""
    if name in artifacts.CONTRACTS:
        return artifacts.load(name)
    return artifacts.parse(name, (TEST_ARTIFACTS / f"{name}.json").read_text("utf-8"))


def types_of(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [collapse_if_tuple(dict(item)) for item in items]


def selector(item: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{item['name']}({','.join(types_of(item['inputs']))})")


@cache
def functions(name: str) -> dict[str, tuple[bytes, list[str], list[Mapping[str, Any]]]]:
    return {
        item["name"]: (selector(item)[:4], types_of(item["inputs"]), item["outputs"])
        for item in artifact(name).abi
        if item["type"] == "function"
    }


@cache
def known_errors() -> dict[bytes, tuple[str, list[str]]]:
    names = [*artifacts.CONTRACTS, *(path.stem for path in TEST_ARTIFACTS.glob("*.json"))]
    return {
        selector(item)[:4]: (item["name"], types_of(item["inputs"]))
        for name in names
        for item in artifact(name).abi
        if item["type"] == "error"
    }


@cache
def known_events(name: str) -> dict[bytes, tuple[str, list[Mapping[str, Any]]]]:
    return {
        selector(item): (item["name"], item["inputs"])
        for item in artifact(name).abi
        if item["type"] == "event"
    }


def named(outputs: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> Any:
    """Return decoded values: one bare, a struct as a dict, several as a tuple."""
    shaped = [
        dict(zip([part["name"] for part in item["components"]], value, strict=True))
        if item["type"] == "tuple"
        else value
        for item, value in zip(outputs, values, strict=True)
    ]
    return shaped[0] if len(shaped) == 1 else tuple(shaped)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did."""

    value: Any
    gas_used: int
    events: tuple[tuple[str, dict[str, Any]], ...]

    def event(self, name: str) -> dict[str, Any]:
        """Return the one event of a name."""
        found = [values for event, values in self.events if event == name]
        assert len(found) == 1, (name, self.events)
        return found[0]

    def has(self, name: str) -> bool:
        return any(event == name for event, _ in self.events)


class Chain:
    """An EVM with a clock that the test sets."""

    def __init__(self, now: int = START_DAY * DAY + NOON, chain_id: int = CHAIN_ID) -> None:
        self.chain_id = chain_id
        self.now = now
        self.evm = self._new_evm()
        self.contracts: dict[str, Contract] = {}
        self.set_time(now)

    def _new_evm(self) -> pyrevm.EVM:
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=self.chain_id))
        return pyrevm.EVM(env=env, spec_id="PRAGUE")

    def set_time(self, timestamp: int) -> None:
        self.now = timestamp
        block = pyrevm.BlockEnv(number=1, timestamp=timestamp, gas_limit=2**63)
        self.evm.set_block_env(block)

    def set_day(self, day: int, second: int = NOON) -> None:
        self.set_time(day * DAY + second)

    @property
    def today(self) -> int:
        return self.now // DAY

    def deploy(self, name: str, *values: Any, sender: str) -> "Contract":
        built = artifact(name)
        inputs = next((i["inputs"] for i in built.abi if i["type"] == "constructor"), [])
        code = built.bytecode + encode(types_of(inputs), values)
        try:
            address = self.evm.deploy(sender, code, gas=GAS_LIMIT)
        except RuntimeError as error:
            raise reverted(error) from None
        finally:
            self.evm.reset_transient_storage()
        contract = Contract(self, name, to_checksum_address(address))
        self.contracts[contract.address] = contract
        return contract

    def transact(self, sender: str, to: str, data: bytes, gas: int = GAS_LIMIT) -> bytes:
        try:
            return bytes(self.evm.message_call(sender, to, data, gas=gas))
        except RuntimeError as error:
            raise reverted(error) from None
        finally:
            self.evm.reset_transient_storage()

    def events(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Return the events of the last transaction that our own contracts emitted."""
        result = self.evm.result
        assert result is not None
        found = []
        for log in result.logs:
            contract = self.contracts.get(to_checksum_address(log.address))
            if contract is not None:
                topics, data = log.data
                found.append(decode_event(contract.name, topics, data))
        return tuple(found)

    def storage(self) -> dict[str, dict[int, int]]:
        """Return every word of storage that was ever touched, by account."""
        return {
            to_checksum_address(address): {int(s): int(v) for s, v in _SLOT.findall(slots)}
            for address, slots in _ACCOUNT.findall(self.evm.journal_str)
        }


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract."""

    chain: Chain
    name: str
    address: str

    def data(self, function: str, *values: Any) -> bytes:
        head, kinds, _ = functions(self.name)[function]
        return head + encode(kinds, values)

    def send(
        self, sender: "str | Signer", function: str, *values: Any, gas: int = GAS_LIMIT
    ) -> Receipt:
        """Make a transaction, or raise RevertedError."""
        _, _, outputs = functions(self.name)[function]
        caller = sender if isinstance(sender, str) else sender.address
        raw = self.chain.transact(caller, self.address, self.data(function, *values), gas)
        result = self.chain.evm.result
        assert result is not None
        value = named(outputs, decode(types_of(outputs), raw)) if outputs else None
        return Receipt(value, result.gas_used, self.chain.events())

    def read(self, function: str, *values: Any) -> Any:
        """Call a view."""
        _, _, outputs = functions(self.name)[function]
        raw = self.chain.transact(ZERO, self.address, self.data(function, *values))
        return named(outputs, decode(types_of(outputs), raw))


def reverted(error: RuntimeError) -> RevertedError:
    """Return the revert that a failed call stands for."""
    found = _OUTPUT.search(str(error))
    if found is None:
        return RevertedError("Halt", (str(error),))
    output = bytes.fromhex(found.group(1))
    if output[:4] == keccak(text="Error(string)")[:4]:
        return RevertedError("Error", decode(["string"], output[4:]))
    if output[:4] == keccak(text="Panic(uint256)")[:4]:
        return RevertedError("Panic", decode(["uint256"], output[4:]))
    if output[:4] not in known_errors():
        return RevertedError("Unknown", (output,))
    name, kinds = known_errors()[output[:4]]
    return RevertedError(name, decode(kinds, output[4:]))


def decode_event(name: str, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]]:
    event, inputs = known_events(name)[bytes(topics[0])]
    indexed = [item for item in inputs if item["indexed"]]
    others = [item for item in inputs if not item["indexed"]]
    values = {
        item["name"]: decode([item["type"]], bytes(topic))[0]
        for item, topic in zip(indexed, topics[1:], strict=True)
    }
    decoded = decode(types_of(others), data)
    values |= {item["name"]: value for item, value in zip(others, decoded, strict=True)}
    return event, values


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with a role in the tests."""

    account: LocalAccount

    @property
    def address(self) -> str:
        return self.account.address

    def sign(self, message: dict[str, Any]) -> bytes:
        """Sign an EIP-712 message."""
        signed = self.account.sign_message(encode_typed_data(full_message=message))
        return bytes(signed.signature)


@cache
def signer(name: str) -> Signer:
    """Return the key of a named role, always the same."""
    return Signer(Account.from_key(keccak(text=name)))


def struct(name: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a typed value as the tuple that the ABI encodes."""
    return tuple(values[member] for member, _ in typed_data.TYPES[name])


@dataclass(slots=True)
class World:
    """A book with its asset and people, on its own chain."""

    chain: Chain
    asset: Contract
    book: Contract
    gate: Contract | None = None
    deposit: Contract | None = None
    nonce: int = 0
    documents: int = 0

    def next_nonce(self) -> int:
        self.nonce += 1
        return self.nonce

    def confirmation(self, **changes: Any) -> dict[str, Any]:
        """Return a mostly ordinary confirmation of a new document."""
        self.documents += 1
        values: dict[str, Any] = {
            "docHash": keccak(text=f"document {self.documents}"),
            "listingHash": keccak(text="listing"),
            "platformId": PLATFORM_ID,
            "seller": signer("seller").address,
            "face": 100_000 * ONE_DOLLAR,
            "dueDay": self.chain.today + 60,
            "advBps": 8_000,
            "bps": 900,
            "lateBps": 600,
            "feeBps": 50,
            "basis": 360,
            "graceDays": 5,
            "recourse": False,
            "nonce": self.next_nonce(),
            "deadline": self.chain.now + DAY,
        }
        return values | changes

    def sign(
        self, who: str, name: str, values: Mapping[str, Any], contract: "Contract | None" = None
    ) -> bytes:
        """Sign a typed value for a contract, the book unless another is named."""
        target = contract or self.book
        domain = (
            typed_data.GATE_DOMAIN_NAME
            if target.name == "ComplianceGate"
            else typed_data.BOOK_DOMAIN_NAME
        )
        message = typed_data.typed_message(
            name,
            values,
            domain_name=domain,
            chain_id=self.chain.chain_id,
            contract=target.address,
        )
        return signer(who).sign(message)

    def register(self, **changes: Any) -> bytes:
        """Register a new receivable and return its id."""
        return bytes(self.register_receipt(**changes).value)

    def register_receipt(self, **changes: Any) -> Receipt:
        values = self.confirmation(**changes)
        return self.bring("register", "Confirmation", values, "platform")

    def bring(self, function: str, name: str, values: Mapping[str, Any], who: str) -> Receipt:
        """Bring a signed value to the book, as a stranger may."""
        signature = self.sign(who, name, values)
        return self.book.send(signer("stranger"), function, struct(name, values), signature)

    def finding(self, subject: bytes, code: int = 3, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "id": subject,
            "code": code,
            "evidenceHash": keccak(text="evidence"),
            "issuedAt": self.chain.now,
            "nonce": self.next_nonce(),
        }
        return values | changes

    def freeze(self, subject: bytes, function: str = "freeze", code: int = 3) -> Receipt:
        """Bring a finding, a second later than the last so that it is newer."""
        self.chain.set_time(self.chain.now + 1)
        return self.bring(function, "Finding", self.finding(subject, code), "compliance")

    def fund(self, receivable_id: bytes) -> Receipt:
        return self.book.send(signer("lender"), "fund", receivable_id, 0, 10_000)

    def funded(self, **changes: Any) -> bytes:
        """Register today, fund tomorrow, and return the id."""
        receivable_id = self.register(**changes)
        self.chain.set_day(self.chain.today + 1)
        self.fund(receivable_id)
        return receivable_id

    def pay_lockbox(self, receivable_id: bytes, amount: int) -> str:
        """Pay as the platform does: a plain transfer."""
        box: str = to_checksum_address(self.book.read("lockboxOf", receivable_id))
        self.asset.send(signer("debtor"), "transfer", box, amount)
        return box

    def balance(self, who: str) -> int:
        address = who if who.startswith("0x") else signer(who).address
        return int(self.asset.read("balanceOf", address))

    def record(self, receivable_id: bytes) -> dict[str, Any]:
        found: dict[str, Any] = self.book.read("receivable", receivable_id)
        return found

    def refused(
        self, name: str, function: str, *values: Any, sender: str = "stranger"
    ) -> tuple[Any, ...]:
        """Expect a custom error of the book, and return its values."""
        return refused(name, self.book, sender, function, *values)


def refused(
    name: str, contract: Contract, sender: str, function: str, *values: Any
) -> tuple[Any, ...]:
    """Expect a custom error, and return its values."""
    with pytest.raises(RevertedError) as caught:
        contract.send(signer(sender), function, *values)
    assert caught.value.name == name, caught.value
    return caught.value.values


def make_world(
    asset_name: str = "TestDollar",
    *,
    gate: str = ZERO,
    deposit: str = ZERO,
    delay: int = 0,
    chain: Chain | None = None,
) -> World:
    """Deploy an asset and a book, and give everyone money and roles."""
    chain = chain or Chain()
    admin = signer("admin").address
    arguments = (admin,) if asset_name == "TestDollar" else ()
    asset = chain.deploy(asset_name, *arguments, sender=admin)
    config = (asset.address, signer("treasury").address, gate, deposit, admin, delay, 3_600, 30)
    book = chain.deploy("ReceivableBook", config, sender=admin)
    world = World(chain, asset, book)
    for who in ("lender", "debtor", "seller", "stranger"):
        asset.send(admin, "mint", signer(who).address, MINTED)
        asset.send(signer(who), "approve", book.address, 2**256 - 1)
    if delay == 0:
        appoint(world)
    return world


def appoint(world: World) -> None:
    """Give the roles and the platform's key."""
    admin = signer("admin").address
    for role, who in (
        ("LENDER_ROLE", "lender"),
        ("COMPLIANCE_ROLE", "compliance"),
        ("PAUSER_ROLE", "pauser"),
    ):
        world.book.send(admin, "grantRole", world.book.read(role), signer(who).address)
    world.book.send(admin, "setPlatform", PLATFORM_ID, signer("platform").address)


@pytest.fixture
def world() -> World:
    """A book without gate and quality deposit, on the plain test dollar."""
    return make_world()


@pytest.fixture
def hostile_world() -> World:
    """A book whose asset can be told to misbehave."""
    return make_world("HostileAsset")

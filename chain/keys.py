"""Keys of the chain: one secp256k1 key for each role, or for each party that holds a role.

They are made when first needed and kept encrypted in the workspace. On a development chain an
account that is short of native units is given some; anywhere else that is refused, and whoever
runs the workspace funds the accounts.
"""

import re
from enum import StrEnum
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from carnet.chain.rpc import DEV_CHAIN_ID, RpcClient
from carnet.core.digests import sha256
from carnet.core.envelope import Secret, open_file, seal_file
from carnet.core.errors import ChainError, InputError
from carnet.core.files import make_private_folder
from carnet.core.text import Text

DEV_BALANCE = 100 * 10**18
"""Native units given to an account on a development chain."""

_DEV_BALANCE_LEAST = 10**18
_SLUG_MAX = 24
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


class ChainRole(StrEnum):
    """Who signs on the chain. Platforms, sellers and lenders are parties: each has its own key."""

    ADMIN = "admin"
    ANCHORER = "anchorer"
    COMPLIANCE = "compliance"
    KEEPER = "keeper"
    LENDER = "lender"
    MINTER = "minter"
    PLATFORM = "platform"
    SELLER = "seller"
    TREASURY = "treasury"


def key_name(role: ChainRole, party_id: str = "") -> str:
    """Return the name of a key in the keys folder.

    The digest keeps two parties apart whose ids differ only in letters that a name cannot have.

    >>> key_name(ChainRole.ANCHORER)
    'chain-anchorer'
    >>> key_name(ChainRole.PLATFORM, "PTY/Temu")
    'chain-platform-pty-temu-9992deff'
    """
    if not party_id:
        return f"chain-{role.value}"
    slug = _NOT_SLUG.sub("-", party_id.lower()).strip("-")[:_SLUG_MAX].strip("-")
    digest = sha256(party_id.encode("utf-8")).hex()[:8]
    return "-".join(part for part in ("chain", role.value, slug, digest) if part)


class KeyRing:
    """The chain keys of one workspace.

    Args:
        folder: The keys folder of the workspace.
        secret: What opens its envelopes.
    """

    def __init__(self, folder: Path, secret: Secret) -> None:
        self._folder = folder
        self._secret = secret
        self._opened: dict[str, LocalAccount] = {}

    def account(self, role: ChainRole, party_id: str = "") -> LocalAccount:
        """Return the account of a role or of a party in a role; its key is made if there is none.

        Raises:
            InputError: The key file cannot be opened.
        """
        name = key_name(role, party_id)
        if name not in self._opened:
            self._opened[name] = self._open_or_make(name)
        return self._opened[name]

    def address(self, role: ChainRole, party_id: str = "") -> str:
        """Return the address of `account`."""
        return to_checksum_address(self.account(role, party_id).address)

    def has(self, role: ChainRole, party_id: str = "") -> bool:
        """Return whether a key was made already."""
        return self._path(key_name(role, party_id)).exists()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _open_or_make(self, name: str) -> LocalAccount:
        path = self._path(name)
        if not path.exists():
            make_private_folder(self._folder)
            fresh = Account.create()
            try:
                seal_file(path, self._secret, bytes(fresh.key), role=name)
            except InputError:
                # Another process made the key first: that one is the key.
                if not path.exists():
                    raise
        account: LocalAccount = Account.from_key(open_file(path, self._secret, role=name))
        return account


def fund_on_dev_chain(rpc: RpcClient, chain_id: int, address: str) -> bool:
    """Give an account native units if it is short of them; return whether it was.

    Raises:
        ChainError: The account is short of them and the chain is not a development chain.
    """
    balance = rpc.quantity("eth_getBalance", address, "latest")
    if balance >= _DEV_BALANCE_LEAST:
        return False
    if chain_id != DEV_CHAIN_ID:
        if balance > 0:
            return False
        raise ChainError(
            "CRN-H-013",
            Text(
                f"The account {address} has no native units on chain {chain_id} to pay for gas.",
                f"账户 {address} 在链 {chain_id} 上没有支付 gas 的原生代币。",
            ),
            Text(
                "Send it some; only a development chain (31337) hands them out.",
                "请向其转入；只有开发链（31337）会自动发放。",
            ),
        )
    rpc.call("anvil_setBalance", address, hex(DEV_BALANCE))
    return True


def require_dev_chain(chain_id: int, what: Text) -> None:
    """Check that a helper which no real chain has is used on a development chain.

    Raises:
        ChainError: It is another chain.
    """
    if chain_id != DEV_CHAIN_ID:
        raise ChainError(
            "CRN-H-012",
            Text(
                f"{what.en} works on a development chain (31337) only; this is chain {chain_id}.",
                f"{what.zh}只能在开发链（31337）上使用；当前为链 {chain_id}。",
            ),
        )


def platform_id_of(party_id: str) -> int:
    """Return the number of a platform on the chain, 1 to 2**32-1, from its party id.

    It is derived, so that every workspace gives a platform the same number; the book holds one key
    for each number, so two platforms that met in one would be noticed when the second is set.
    """
    return int.from_bytes(sha256(party_id.encode("utf-8"))[:4], "big") or 1

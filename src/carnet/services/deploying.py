"""Deploying the contracts and granting their roles: done once, however often it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from carnet.chain.anchor import origin_hash_of
from carnet.chain.bound import BoundContract
from carnet.chain.deployment import (
    BOOK,
    CONTRACTS,
    DOLLAR,
    GATE,
    REGISTRY,
    CodeState,
    Deployment,
    bind,
    code_state,
    created_address,
    creation_code,
    find_deployments,
    record_deployment,
)
from carnet.chain.keys import ChainRole, require_dev_chain
from carnet.chain.receivable import ReceivableBook
from carnet.chain.rpc import DEV_CHAIN_ID
from carnet.core.digests import sha256
from carnet.core.errors import ChainError, ChainUnavailableError, ConflictError
from carnet.core.text import Text
from carnet.services.chaining import ChainSession
from carnet.services.dispatching import Call, Intent
from carnet.store.engine import reading, writing
from carnet.store.outbox import Action

APR_BPS_MAX = 3_600
ATTESTATION_AGE_DAYS_MAX = 30
NO_ADDRESS = "0x" + "00" * 20

COMPLIANCE_ROLE = keccak(text="COMPLIANCE_ROLE")
LENDER_ROLE = keccak(text="LENDER_ROLE")
MINTER_ROLE = keccak(text="MINTER_ROLE")


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One contract and whether this run created it."""

    deployment: Deployment
    is_new: bool


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deployment run found and did.

    Args:
        chain_id: The chain.
        contracts: All contracts in their order.
        changes: Roles granted and the origin claimed in this run, one name each.
    """

    chain_id: int
    contracts: tuple[DeployedContract, ...]
    changes: tuple[str, ...]


def deploy(session: ChainSession, *, issuer: str, is_replacing: bool = False) -> DeployReport:
    """Bring the contracts onto the chain and give each role to its key.

    Args:
        session: An open chain.
        issuer: Whose records the gate believes: the issuer's DID.
        is_replacing: Deploy anew where other code or another issuer is found, unless the book
            that would be left behind has open receivables: a new book does not know of them, and
            would let them be financed a second time.

    Raises:
        ConflictError: The book that would be replaced has open receivables.
        ChainError: Other contracts stand at the recorded addresses, or another account owns the
            origin of the log.
    """
    require_dev_chain(session.chain_id, Text("Deploying with test money", "部署测试币合约"))
    run = _Run(session, is_replacing=is_replacing)
    if is_replacing:
        _require_book_done(session, issuer)
    admin = session.keys.address(ChainRole.ADMIN)
    origin_hash = origin_hash_of(session.workspace.settings.log_origin)
    anchorer = session.keys.address(ChainRole.ANCHORER)

    registry = run.contract(REGISTRY)
    run.claim(registry, origin_hash, anchorer)
    dollar = run.contract(DOLLAR, admin)
    gate_arguments = (registry.address, origin_hash, anchorer, issuer, admin, 0)
    gate = run.contract(GATE, *gate_arguments, is_fit=_trusts(issuer))
    config = (
        dollar.address,
        session.keys.address(ChainRole.TREASURY),
        gate.address,
        NO_ADDRESS,
        admin,
        0,
        APR_BPS_MAX,
        ATTESTATION_AGE_DAYS_MAX,
    )
    book = run.contract(BOOK, config, is_fit=_uses(dollar, gate))

    compliance = session.keys.address(ChainRole.COMPLIANCE)
    run.grant(dollar, MINTER_ROLE, session.keys.address(ChainRole.MINTER), "minter")
    run.grant(gate, COMPLIANCE_ROLE, compliance, "compliance of the gate")
    run.grant(book, COMPLIANCE_ROLE, compliance, "compliance of the book")
    return DeployReport(session.chain_id, tuple(run.contracts), tuple(run.changes))


def grant_role(
    session: ChainSession, contract: BoundContract, role: bytes, account: str, *, name: str
) -> bool:
    """Give an account a role if it lacks it; return whether it lacked it.

    The row of a grant that was interrupted is completed even where the account has the role.
    """
    lacked = not contract.read("hasRole", role, account)
    session.dispatcher.perform(
        Intent(
            kind="deploy.grant",
            key=f"grant:{session.chain_id}:{contract.address}:{role.hex()}:{account}",
            payload={"contract": contract.address, "role": name, "account": account},
            sender=session.sender(ChainRole.ADMIN),
            make_call=lambda: Call(
                contract.address, contract.abi.encode_call("grantRole", role, account)
            ),
            is_done=lambda _: bool(contract.read("hasRole", role, account)),
        )
    )
    return lacked


def _require_book_done(session: ChainSession, issuer: str) -> None:
    """Check that no open receivable would stay behind in a book that is replaced.

    Raises:
        ConflictError: One would, or the book is of a version that cannot be asked.
    """
    with reading(session.workspace.engine) as connection:
        found = find_deployments(connection, session.chain_id)
    codes = {name: code_state(session.rpc, name, each.address) for name, each in found.items()}
    if codes.get(BOOK, CodeState.ABSENT) is CodeState.ABSENT:
        return
    contracts = {name: bind(session.rpc, each) for name, each in found.items()}
    is_kept = (
        [codes.get(name) for name in CONTRACTS] == [CodeState.SAME] * len(CONTRACTS)
        and _trusts(issuer)(contracts[GATE])
        and _uses(contracts[DOLLAR], contracts[GATE])(contracts[BOOK])
    )
    if is_kept:
        return
    try:
        count: int | None = ReceivableBook(contracts[BOOK], contracts[DOLLAR]).count_open()
    except ChainUnavailableError:
        raise
    except ChainError:
        count = None
    if count != 0:
        raise _book_in_use(contracts[BOOK].address, count)


IsFit = Callable[[BoundContract], bool]


def _always(_: BoundContract) -> bool:
    return True


def _trusts(issuer: str) -> IsFit:
    return lambda gate: gate.read("trustedIssuer") == issuer


def _uses(dollar: BoundContract, gate: BoundContract) -> IsFit:
    return lambda book: (book.read("ASSET"), book.read("GATE")) == (dollar.address, gate.address)


class _Run:
    """One run of `deploy`: what it found and did so far."""

    def __init__(self, session: ChainSession, *, is_replacing: bool) -> None:
        self._session = session
        self._is_replacing = is_replacing
        self.contracts: list[DeployedContract] = []
        self.changes: list[str] = []

    def contract(self, name: str, *arguments: Any, is_fit: IsFit = _always) -> BoundContract:
        """Return a contract, deployed if it does not stand where it is recorded."""
        found = self._recorded(name, is_fit)
        is_new = found is None
        if found is None:
            found = self._create(name, *arguments)
        self.contracts.append(DeployedContract(found, is_new))
        return bind(self._session.rpc, found)

    def claim(self, registry: BoundContract, origin_hash: bytes, anchorer: str) -> None:
        """Make the anchorer the owner of the log's origin, before somebody else is."""
        session = self._session
        owner = registry.read("ownerOf", origin_hash)
        if owner not in {anchorer, NO_ADDRESS}:
            raise _origin_taken(session.workspace.settings.log_origin, owner, anchorer)
        session.dispatcher.perform(
            Intent(
                kind="deploy.claim",
                key=f"claim:{session.chain_id}:{registry.address}:{origin_hash.hex()}",
                payload={"registry": registry.address, "originHash": origin_hash.hex()},
                sender=session.sender(ChainRole.ANCHORER),
                make_call=lambda: Call(
                    registry.address, registry.abi.encode_call("claim", origin_hash)
                ),
                is_done=lambda _: registry.read("ownerOf", origin_hash) == anchorer,
            )
        )
        if owner == NO_ADDRESS:
            self.changes.append("origin")

    def grant(self, contract: BoundContract, role: bytes, account: str, name: str) -> None:
        """Give an account a role if it lacks it."""
        if grant_role(self._session, contract, role, account, name=name):
            self.changes.append(name)

    def _recorded(self, name: str, is_fit: IsFit) -> Deployment | None:
        session = self._session
        with reading(session.workspace.engine) as connection:
            found = find_deployments(connection, session.chain_id).get(name)
        if found is None:
            return None
        state = code_state(session.rpc, name, found.address)
        if state is CodeState.SAME and is_fit(bind(session.rpc, found)):
            return found
        # A development chain that was begun anew has nothing: there it is simply deployed again.
        is_lost = state is CodeState.ABSENT and session.chain_id == DEV_CHAIN_ID
        if is_lost or self._is_replacing:
            return None
        raise _other_code(found)

    def _create(self, name: str, *arguments: Any) -> Deployment:
        session = self._session
        code = creation_code(name, *arguments)
        action = session.dispatcher.perform(
            Intent(
                kind="deploy.create",
                key=f"deploy:{session.chain_id}:{name}:{sha256(code).hex()}",
                payload={"contract": name, "codeHash": sha256(code).hex()},
                sender=session.sender(ChainRole.ADMIN),
                make_call=lambda: Call(None, code),
                is_done=lambda action: self._stands(name, action),
            )
        )
        assert action.block_number is not None, "our own transaction created it"
        deployment = Deployment(
            name, session.chain_id, _address(action), action.block_number, action.tx_hash
        )
        with writing(session.workspace.engine) as connection:
            record_deployment(connection, deployment, action.updated_at)
        return deployment

    def _stands(self, name: str, action: Action) -> bool:
        if action.nonce is None:
            return False
        return code_state(self._session.rpc, name, _address(action)) is CodeState.SAME


def _address(action: Action) -> str:
    assert action.sender is not None, "a transaction has a sender"
    assert action.nonce is not None, "a transaction has a nonce"
    return created_address(action.sender, action.nonce)


def _origin_taken(origin: str, owner: str, anchorer: str) -> ConflictError:
    return ConflictError(
        "CRN-H-016",
        Text(
            f"The origin {origin!r} belongs to {owner} on this chain, not to {anchorer}.",
            f"来源 {origin!r} 在此链上属于 {owner}，而不是 {anchorer}。",
        ),
        Text(
            "Choose another log_origin, or let its owner hand it over.",
            "请选择其他 log_origin，或由其持有人移交。",
        ),
    )


def _book_in_use(address: str, count: int | None) -> ConflictError:
    if count is None:
        en = f"The book at {address} cannot be read by this version, so it is not replaced."
        zh = f"此版本无法读取 {address} 处的账簿，因此不予替换。"
    else:
        en = f"The book at {address} has {count} open receivable(s), so it is not replaced."
        zh = f"{address} 处的账簿有 {count} 笔未结清的应收账款，因此不予替换。"
    return ConflictError(
        "CRN-H-023",
        Text(en, zh),
        Text(
            "A new book does not know of them and would let them be financed twice. Settle or "
            "cancel them first, or begin another development chain.",
            "新账簿不知道这些应收账款，会使其被重复融资。请先结清或取消，或另起一条开发链。",
        ),
    )


def _other_code(found: Deployment) -> ChainError:
    return ChainError(
        "CRN-H-017",
        Text(
            f"The contract {found.contract} at {found.address} is of another version, or was set "
            "up for another issuer, token or gate.",
            f"{found.address} 处的合约 {found.contract} 属于其他版本，"
            "或是为其他签发方、代币或闸门配置的。",
        ),
        Text(
            "Run `carnet chain deploy --replace` once no receivable of the old book is open.",
            "待旧账簿中没有未结清的应收账款后，请运行 `carnet chain deploy --replace`。",
        ),
    )

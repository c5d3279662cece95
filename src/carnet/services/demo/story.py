"""The story: nine steps on real components, each figure read back from where it lives."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

from carnet.chain.devtime import advance_to
from carnet.chain.keys import ChainRole
from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import FixedClock
from carnet.core.text import Text
from carnet.ledger.reader import LogReader
from carnet.services import anchoring, financing, receivables
from carnet.services.appending import append_records
from carnet.services.approvals import (
    confirmations_of,
    read_confirmations,
    sign_confirmations,
)
from carnet.services.attesting import issue_attestations
from carnet.services.bundling import export_bundle
from carnet.services.chaining import ChainSession, open_chain
from carnet.services.demo import pages
from carnet.services.demo.blocks import Block, Paragraph, Step, Table, plain
from carnet.services.demo.sample import make_workspace, sample_folder
from carnet.services.deploying import deploy
from carnet.services.findings import count_states, list_findings
from carnet.services.importing import import_files
from carnet.services.keys import ensure_key
from carnet.services.policies import write_policy
from carnet.services.reviewing import Review, newest_packs, review, stored_decisions
from carnet.services.status import workspace_status
from carnet.services.upkeep import keep_up
from carnet.services.verifying import verify_file
from carnet.services.words import VERDICTS
from carnet.services.workspace import Workspace

STEP_COUNT: Final = 9
CONFIRMED_ON: Final = date(2026, 11, 20)
FUNDED_ON: Final = date(2026, 11, 21)
FINDING_ON: Final = date(2026, 11, 23)
PAID_ON: Final = date(2027, 1, 4)
OPENING: Final = time(8, 0, tzinfo=UTC)
RECEIVABLES: Final = ("RCV-01", "RCV-02")
BUNDLED_LISTING: Final = "LST-PWB-01-US-L"
BUNDLED_PACK: Final = "us-fcc"
"""A record attests one decision: the lender's bundle holds the one of this pack."""
FREEZE_CODE: Final = 1
"""The code of a finding: a document of the listing was withdrawn."""

SELLER: Final = "EHM"
LENDER: Final = "KEYSTONE"


def tell(folder: Path) -> Iterator[Step]:
    """Tell the story in a folder and yield each step when it has happened.

    Args:
        folder: The workspace to make; one that an earlier telling made is replaced.

    Raises:
        CarnetError: A step failed; what was done before it stays in the workspace.
    """
    clock = FixedClock(datetime.combine(CONFIRMED_ON, OPENING))
    make_workspace(folder, clock)
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace.open(folder))
        story = _Story(workspace, clock, stack)
        for number, (title, act) in enumerate(story.steps(), start=1):
            yield Step(number, title, act())


class _Story:
    """The acts and what they share: a workspace, a clock that is moved, and the chain."""

    def __init__(self, workspace: Workspace, clock: FixedClock, stack: ExitStack) -> None:
        self._workspace = workspace
        self._clock = clock
        self._stack = stack
        self._packs = newest_packs()
        self._citations = pages.citations_of(self._packs.values())
        self._sample = sample_folder()
        self._session: ChainSession | None = None

    def steps(self) -> Iterator[tuple[Text, Any]]:
        """Yield each step's title and what it does."""
        yield Text("Import the sample seller", "导入示例卖家"), self._import
        yield Text("Review every listing", "审核全部上架商品"), self._review
        yield Text("Sign an attestation per decision", "逐项判定签发证明"), self._attest
        yield Text("Append to the log and checkpoint it", "写入日志并生成检查点"), self._append
        yield Text("Start the chain, deploy, anchor", "启动链、部署合约、锚定"), self._anchor
        yield Text("Export a bundle and verify it", "导出并核验验证包"), self._verify
        yield Text("Confirm, fund at T+1, freeze one", "确权、T+1 放款、冻结一笔"), self._finance
        yield Text("The platforms pay, the keeper sweeps", "平台付款、自动归集"), self._repay
        yield Text("Where everything is", "产物位置与下一步"), self._close

    @property
    def _chain(self) -> ChainSession:
        if self._session is None:
            session = open_chain(self._workspace, clock=self._clock, start_at=self._clock.now())
            self._session = self._stack.enter_context(session)
        return self._session

    def _move_to(self, day: date) -> None:
        instant = datetime.combine(day, OPENING)
        self._clock.advance(instant - self._clock.now())
        advance_to(self._chain.rpc, self._chain.chain_id, instant)

    def _import(self) -> tuple[Block, ...]:
        files = sorted(path for path in (self._sample / "seller").iterdir() if path.is_file())
        import_files(self._workspace, files, self._clock)
        facts = workspace_status(self._workspace).facts
        shown = ("listing", "product", "certificate", "batch", "unit", "agreement", "receivable")
        rows = tuple((plain(name), plain(facts[name])) for name in shown)
        total = sum(facts.values())
        return (
            Paragraph(
                Text(
                    f"{total} facts of {len(facts)} types from {len(files)} files, all or nothing.",
                    f"从 {len(files)} 个文件导入 {len(facts)} 类共 {total} 条事实，"
                    "要么全部导入，要么都不导入。",
                )
            ),
            Table((Text("type", "类型"), Text("facts", "数量")), rows),
        )

    def _review(self) -> tuple[Block, ...]:
        proposed = read_confirmations(self._sample / "approvals.json")
        for officer in sorted({name for each in proposed for name in each.officers}):
            sign_confirmations(self._workspace, proposed, self._packs, officer, self._clock)
        counted = [
            each for each in confirmations_of(self._workspace, self._packs.values()) if each.counts
        ]
        found = self._decide(CONFIRMED_ON)
        listing_count = len({each.listing_id for each in found.reviewed})
        decisions = stored_decisions(self._workspace, CONFIRMED_ON)
        standing = count_states(list_findings(self._workspace, CONFIRMED_ON))
        return (
            Paragraph(
                Text(
                    f"{len(counted)} parameters that the law text does not settle count, because "
                    "two officers signed each.",
                    f"{len(counted)} 个法律文本未能确定的参数，经两名合规专员分别签名后生效。",
                )
            ),
            Paragraph(
                Text(
                    f"{len(decisions)} decisions on {listing_count} listings: each pack "
                    "of a listing's market decides on its own, and the listing is admitted when "
                    "all of them do.",
                    f"对 {listing_count} 个上架商品作出 {len(decisions)} 项判定："
                    "目标市场的每个规则包各自判定，全部合规方可准入。",
                )
            ),
            pages.conformity_table(decisions),
            *(
                Paragraph(
                    Text(
                        f"{each.listing_id}: not reviewed. {each.reason.en}",
                        f"{each.listing_id}：未审核。{each.reason.zh}",
                    )
                )
                for each in found.not_reviewed
            ),
            *pages.findings(decisions, self._citations),
            Paragraph(
                Text(
                    f"{standing['open']} findings are open. Officers acknowledge or waive them; "
                    "a later review that no longer raises one resolves it.",
                    f"{standing['open']} 个发现项待处理。合规专员可确认知悉或申请豁免；"
                    "后续审核不再发现时即为已解决。",
                )
            ),
        )

    def _decide(self, as_of: date, *listing_ids: str) -> Review:
        return review(self._workspace, as_of=as_of, clock=self._clock, listing_ids=listing_ids)

    def _attest(self) -> tuple[Block, ...]:
        decisions = stored_decisions(self._workspace, CONFIRMED_ON)
        digests = [bytes.fromhex(each["digest"]) for each in decisions]
        issue_attestations(self._workspace, digests, self._clock)
        status = workspace_status(self._workspace)
        issuer = ensure_key(self._workspace, "issuer", self._clock).did
        return (
            Paragraph(
                Text(
                    f"{status.record_count} signed records wait for the log: one attestation for "
                    f"each of {status.decision_count} decisions, and the keys themselves. A lender "
                    "advances on a listing only when all its packs attest that it conforms.",
                    f"{status.record_count} 条签名记录待写入日志："
                    f"{status.decision_count} 项判定各一份证明，另有密钥记录。"
                    "某上架商品的全部规则包均证明合规时，资金方才会放款。",
                )
            ),
            Paragraph(Text(f"Issuer: {issuer}", f"签发方：{issuer}")),
        )

    def _append(self) -> tuple[Block, ...]:
        append_records(self._workspace, self._clock)
        signed = LogReader(self._workspace.engine).checkpoint()
        return (Paragraph(plain(signed.text.strip())),)

    def _anchor(self) -> tuple[Block, ...]:
        issuer = ensure_key(self._workspace, "issuer", self._clock).did
        report = deploy(self._chain, issuer=issuer)
        anchoring.push(self._chain)
        found = anchoring.status(self._chain)
        rows = tuple(
            (plain(each.deployment.contract), plain(each.deployment.address))
            for each in report.contracts
        )
        return (
            Table((Text("contract", "合约"), Text("address", "地址")), rows),
            Paragraph(
                Text(
                    f"Chain {self._chain.chain_id} holds the root of {found.anchored_size} "
                    f"entries of {found.origin}.",
                    f"链 {self._chain.chain_id} 已存有 {found.origin} 共 {found.anchored_size} "
                    f"个条目的根。",
                )
            ),
        )

    def _verify(self) -> tuple[Block, ...]:
        record_id = self._record_of(BUNDLED_LISTING, BUNDLED_PACK)
        bundle_path = self._workspace.path / "bundle.json"
        policy_path = self._workspace.path / "policy.toml"
        bundle_path.write_bytes(export_bundle(self._workspace, record_id).to_bytes())
        write_policy(self._workspace, policy_path, as_of=CONFIRMED_ON)
        data, policy = bundle_path.read_bytes(), policy_path.read_bytes()
        url = self._chain.rpc.shown_url
        found = verify_file(data, policy, today=CONFIRMED_ON, rpc_url=url)
        forged = verify_file(_tampered(data), policy, today=CONFIRMED_ON, rpc_url=url)
        return (
            pages.verification_table(found),
            Paragraph(
                Text(
                    f"{bundle_path.name}, the decision of {BUNDLED_PACK} on {BUNDLED_LISTING}, "
                    f"{len(data)} bytes: {VERDICTS[found.verdict].en}.",
                    f"{bundle_path.name}（{BUNDLED_PACK} 对 {BUNDLED_LISTING} 的判定，"
                    f"{len(data)} 字节）：{VERDICTS[found.verdict].zh}。",
                )
            ),
            pages.first_fault(forged),
        )

    def _record_of(self, listing_id: str, pack_id: str) -> str:
        (decision,) = (
            each
            for each in stored_decisions(self._workspace, CONFIRMED_ON)
            if (each["case"]["id"], each["pack"]) == (listing_id, pack_id)
        )
        digest = bytes.fromhex(decision["digest"])
        (record,) = issue_attestations(self._workspace, [digest], self._clock)
        return record.record_id

    def _finance(self) -> tuple[Block, ...]:
        chain = self._chain
        for name in RECEIVABLES:
            financing.confirm(chain, name)
        self._move_to(FUNDED_ON)
        for name in RECEIVABLES:
            financing.fund(chain, name)
        funded = pages.receivable_table(receivables.show(chain, name) for name in RECEIVABLES)
        self._move_to(FINDING_ON)
        frozen = RECEIVABLES[0]
        listing = self._freeze_by_new_facts(frozen)
        decisions = stored_decisions(self._workspace, FINDING_ON)
        return (
            Paragraph(
                Text(
                    f"T is {CONFIRMED_ON}, the day both platforms confirmed; the lender paid the "
                    f"advances on {FUNDED_ON}.",
                    f"T 日为 {CONFIRMED_ON}（两家平台确权之日）；资金方于 {FUNDED_ON} 支付预付款。",
                )
            ),
            funded,
            Paragraph(
                Text(
                    f"{FINDING_ON}: a new fact arrives, {listing} is decided again, and the "
                    f"finding that compliance signs freezes {frozen} alone.",
                    f"{FINDING_ON}：收到新事实，重新判定 {listing}；"
                    f"合规方签署的发现项只冻结 {frozen}。",
                )
            ),
            *pages.findings(decisions, self._citations),
            pages.receivable_table(receivables.show(chain, name) for name in RECEIVABLES),
        )

    def _freeze_by_new_facts(self, receivable_id: str) -> str:
        """Decide the listing of a receivable by facts that came later, and freeze it by that."""
        listing = receivables.find_receivable(self._workspace, receivable_id).listing_id
        assert listing is not None, "the sample receivable names its listing"
        later = sorted((self._sample / "seller-later").glob("*.csv"))
        import_files(self._workspace, later, self._clock, is_replacing=True)
        found = self._decide(FINDING_ON, listing)
        records = issue_attestations(
            self._workspace, [each.digest for each in found.reviewed], self._clock
        )
        append_records(self._workspace, self._clock)
        anchoring.push(self._chain)
        # The other packs of the market still hold it conforming: the one that does not is evidence.
        evidence = next(
            record
            for record, each in zip(records, found.reviewed, strict=True)
            if each.decision.conformity == "nonconforming"
        )
        financing.freeze(self._chain, receivable_id, code=FREEZE_CODE, evidence=evidence.digest)
        return listing

    def _repay(self) -> tuple[Block, ...]:
        chain = self._chain
        self._move_to(PAID_ON)
        for name in RECEIVABLES:
            financing.pay(chain, name)
        report = keep_up(chain)
        payments = [
            (name, paid) for name in RECEIVABLES for paid in receivables.waterfalls(chain, name)
        ]
        return (
            Paragraph(
                Text(
                    f"{PAID_ON}: each platform pays its lockbox by a plain transfer; the keeper "
                    f"found {len(report.due)} lockboxes with money and swept {len(report.swept)}.",
                    f"{PAID_ON}：平台以普通转账付款至专用收款地址；"
                    f"自动执行器发现 {len(report.due)} 个有余额的地址，"
                    f"归集 {len(report.swept)} 个。",
                )
            ),
            pages.waterfall_table(payments),
            pages.receivable_table(receivables.show(chain, name) for name in RECEIVABLES),
            self._balances(),
        )

    def _balances(self) -> Table:
        book = receivables.open_book(self._chain)
        parties = (
            (Text("seller", "卖家"), ChainRole.SELLER, SELLER),
            (Text("lender", "资金方"), ChainRole.LENDER, LENDER),
            (Text("fee account", "服务费账户"), ChainRole.TREASURY, ""),
        )
        rows = tuple(
            (name, pages.amount(book.balance_of(self._chain.keys.address(role, party))))
            for name, role, party in parties
        )
        held = pages.amount(book.balance_of(book.contract.address))
        return Table(
            (Text("account", "账户"), Text("USD on the chain", "链上余额 USD")),
            (*rows, (Text("book (on hold)", "账簿（冻结中）"), held)),
        )

    def _close(self) -> tuple[Block, ...]:
        folder = self._workspace.path
        try:
            shown = folder.relative_to(Path.cwd())
        except ValueError:
            shown = folder
        rows = (
            (plain(f"{shown}/bundle.json"), Text("what a lender verifies", "资金方核验的文件")),
            (
                plain(f"{shown}/policy.toml"),
                Text("whose keys the lender trusts", "资金方信任的密钥"),
            ),
            (
                plain(f"{shown}/carnet.db"),
                Text("facts, decisions, records, log", "事实、判定、记录与日志"),
            ),
            (plain(f"{shown}/chain"), Text("state of the development chain", "开发链状态")),
        )
        verify = f"carnet verify {shown}/bundle.json --policy {shown}/policy.toml"
        next_commands = (
            f"carnet status -w {shown}",
            f"carnet findings list -w {shown}",
            f"{verify} --offline",
            f"carnet chain up -w {shown}",
            f"{verify} --rpc URL",
            f"carnet receivable show {RECEIVABLES[0]} -w {shown}",
            f"carnet chain down -w {shown}",
        )
        return (
            Table((Text("file", "文件"), Text("what it is", "说明")), rows),
            Paragraph(
                Text(
                    "Try next (the program is .venv/bin/carnet here):",
                    "接下来可以试（程序位于 .venv/bin/carnet）：",
                )
            ),
            *(Paragraph(plain(f"  {line}")) for line in next_commands),
        )


def _tampered(data: bytes) -> bytes:
    """Return a bundle whose record says the opposite of what was signed."""
    value = parse_canonical(data)
    text = json.dumps(value["record"]).replace('"conforming"', '"nonconforming"')
    value["record"] = json.loads(text)
    return canonical(value)

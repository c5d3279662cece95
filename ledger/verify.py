"""Verification of a bundle, step by step, as a value: each step is valid, not valid or not checked.

A step says valid only because something was compared; what could not be looked at is not checked,
with the cause. Whatever the bytes, `verify_bundle` returns: it raises nothing. Trust comes from the
policy alone. The chain is read by a function that is passed in, at most once.

Source: docs/spec/record-and-log.md, section 8.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Literal

from carnet.core.canonical import Parsed
from carnet.core.errors import ChainError, RecordFormatError, VerificationError
from carnet.core.text import Text
from carnet.ledger.bundle import (
    AnchorCoordinates,
    Bundle,
    LoggedRecord,
    bundle_of_json,
    parse_bundle,
)
from carnet.ledger.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    origin_hash,
    parse_checkpoint,
    verify_checkpoint,
    verify_cosignature,
)
from carnet.ledger.disclosure import reveal
from carnet.ledger.kinds.status import REVOKED, SUPERSEDED
from carnet.ledger.listing import Listing, read_listing
from carnet.ledger.merkle import verify_consistency
from carnet.ledger.note import COSIGNATURE_V1, VerifierKey, parse_verifier_key
from carnet.ledger.policy import STEPS, Policy, TrustedAnchor
from carnet.ledger.proof import verify_proof
from carnet.ledger.record import signing_key
from carnet.ledger.seen import ConsistencyProof, SeenReader, UnprovenError, compare_with_seen
from carnet.ledger.shape import shown
from carnet.ledger.standing import Standing, check_included
from carnet.ledger.steps import NotCheckedError, refuse

Verdict = Literal["valid", "not_valid", "not_checked"]

AnchorReader = Callable[[AnchorCoordinates], bytes | None]
"""Returns the root that a registry holds for a tree, None where it holds none.

Raises ChainError where it could not be read.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verification."""

    name: str
    verdict: Verdict
    cause: Text


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    Args:
        verdict: Not valid if any step is; else not checked if the policy requires a step that was
            not checked; else valid.
        steps: All steps in their order.
        newest: The newest checkpoint of the log that is now known to be of one history with what
            was seen before; None where the bundle is not valid or nothing shows that.
    """

    verdict: Verdict
    steps: tuple[Step, ...]
    newest: SignedCheckpoint | None = None

    @property
    def is_bundle(self) -> bool:
        """Whether the bytes could be read as a bundle at all."""
        return self.steps[0].verdict == "valid"

    def step(self, name: str) -> Step:
        """Return the step of a name."""
        return self.steps[STEPS.index(name)]


@dataclass(slots=True)
class _Notes:
    """The checkpoints of one bundle, each parsed once."""

    parsed: dict[str, SignedCheckpoint] = field(default_factory=dict)

    def read(self, text: str) -> SignedCheckpoint:
        if text not in self.parsed:
            self.parsed[text] = parse_checkpoint(text)
        return self.parsed[text]

    def tree(self, bundle: Bundle) -> SignedCheckpoint:
        try:
            return self.read(bundle.checkpoint)
        except VerificationError as error:
            raise NotCheckedError("the checkpoint could not be read", "检查点无法读取") from error

    def tree_of(self, bundle: Bundle, index: int) -> Checkpoint:
        """Return the tree that proves an entry: that of the checkpoint where it holds it."""
        newer, tree = bundle.consistency, self.tree(bundle).checkpoint
        if newer is None or index < tree.size:
            return tree
        return self.read(newer.checkpoint).checkpoint


@dataclass(slots=True)
class _Verifier:
    """The state of one verification: what earlier steps have made available to later ones."""

    data: bytes
    policy: Policy
    day: date
    read_anchor: AnchorReader | None
    read_seen: SeenReader | None = None
    proofs: Sequence[ConsistencyProof] = ()
    newest: SignedCheckpoint | None = None
    parsed: Parsed | None = None
    found: Bundle | None = None
    stood: Standing | None = None
    listing: Listing | None = None
    notes: _Notes = field(default_factory=_Notes)

    @property
    def bundle(self) -> Bundle:
        if self.found is None:
            raise NotCheckedError("the bundle could not be read", "验证包无法读取")
        return self.found

    @property
    def logged(self) -> LoggedRecord:
        return self.bundle.logged

    def note(self, text: str) -> SignedCheckpoint:
        return self.notes.read(text)

    def tree(self) -> SignedCheckpoint:
        return self.notes.tree(self.bundle)

    def parse(self) -> Text:
        self.parsed = parse_bundle(self.data)
        return Text(f"{len(self.data)} bytes", f"{len(self.data)} 字节")

    def canonical(self) -> Text:
        if self.parsed is None:
            raise NotCheckedError("the bundle could not be read", "验证包无法读取")
        if not self.parsed.is_canonical:
            raise refuse("The file is not in its canonical spelling.", "文件不是规范写法。")
        return Text("the one spelling of this content", "内容的唯一写法")

    def schema(self) -> Text:
        if self.parsed is None:
            raise NotCheckedError("the bundle could not be read", "验证包无法读取")
        self.found = bundle_of_json(self.parsed.value, has_shape=self.parsed.fits)
        return Text(self.logged.record.kind, self.logged.record.kind)

    @property
    def standing(self) -> Standing:
        if self.stood is None:
            # Not by a method of this object, which would make a circle that only the collector of
            # garbage breaks.
            self.stood = Standing(
                self.bundle, self.policy, partial(self.notes.tree_of, self.bundle)
            )
        return self.stood

    def issuer(self) -> Text:
        record, names = self.logged.record, self.standing.names(self.logged.record)
        trusted = [item for item in self.policy.issuers if item.id in names]
        if not trusted:
            raise refuse(
                f"The policy does not name the issuer {shown(record.issuer)}.",
                f"策略未列出签发方 {shown(record.issuer)}。",
            )
        if not any(record.kind in item.kinds for item in trusted):
            raise refuse(
                f"The policy does not trust this issuer for {record.kind}.",
                f"策略不信任该签发方出具 {record.kind}。",
            )
        if any(item.id == record.issuer for item in trusted):
            return Text(record.issuer, record.issuer)
        followed = trusted[0].id
        return Text(
            f"{record.issuer}, which followed {followed}",
            f"{record.issuer}，承接 {followed}",
        )

    def key(self) -> Text:
        return self.standing.check_key(self.logged)

    def signature(self) -> Text:
        public_key = signing_key(self.logged.record)
        verify_proof(self.logged.record.document, public_key, is_within=True)
        return Text("Ed25519, eddsa-jcs-2022", "Ed25519，eddsa-jcs-2022")

    def disclosures(self) -> Text:
        record, texts = self.logged.record, self.bundle.disclosures
        fields = reveal(record.subject, texts)
        revealed = [name for name in fields if name not in record.subject]
        record.record_kind.check_disclosed(fields, revealed)
        withheld = len(record.subject.get("_sd", [])) - len(texts)
        return Text(
            f"{len(texts)} revealed, {withheld} withheld",
            f"披露 {len(texts)} 项，隐藏 {withheld} 项",
        )

    def inclusion(self) -> Text:
        check_included(self.logged, self.tree().checkpoint)
        index, size = self.logged.index, self.tree().checkpoint.size
        return Text(f"entry {index} of {size}", f"第 {index} 个条目，共 {size} 个")

    def _check_log(self, signed: SignedCheckpoint, origin: str) -> None:
        keys = [key for key in self.policy.logs if key.name == origin]
        if not keys:
            raise refuse(
                f"The policy does not name the log {shown(origin)}.",
                f"策略未列出日志 {shown(origin)}。",
            )
        # Around a change of its key a log signs with both: every line that is there must hold.
        for key in [key for key in keys if signed.note.signatures_of(key)] or keys:
            verify_checkpoint(signed, key)

    def checkpoint(self) -> Text:
        signed = self.note(self.bundle.checkpoint)
        origin = signed.checkpoint.origin
        self._check_log(signed, origin)
        return Text(
            f"{origin}, size {signed.checkpoint.size}", f"{origin}，大小 {signed.checkpoint.size}"
        )

    def witnesses(self) -> Text:
        tree = self.tree()
        # The bundle names all of them, trusted or not, so that no line can be put in or left out.
        named = {parse_verifier_key(text) for text in self.bundle.cosigners}
        signed = [tree]
        if self.bundle.consistency is not None:
            signed.append(self.note(self.bundle.consistency.checkpoint))
        seen = {key for item in signed for key in self._check_signers(item, named)}
        if named - seen:
            raise refuse("A named cosigner did not sign.", "所列联署方没有签名。")
        count = len(seen.intersection(self.policy.witnesses))
        if count < self.policy.quorum:
            raise refuse(
                f"{count} trusted witnesses cosigned, the policy asks for {self.policy.quorum}.",
                f"受信任的见证者有 {count} 个联署，策略要求 {self.policy.quorum} 个。",
            )
        if self.policy.quorum == 0:
            raise NotCheckedError("the policy asks for no witness", "策略未要求见证者")
        return Text(f"{count} of {self.policy.quorum}", f"{count} / {self.policy.quorum}")

    def _check_signers(
        self, signed: SignedCheckpoint, named: Iterable[VerifierKey]
    ) -> set[VerifierKey]:
        """Return the witnesses that signed a note, none of whose lines may be left unexplained."""
        origin = signed.checkpoint.origin
        explained = {(key.name, key.key_id) for key in self.policy.logs if key.name == origin}
        seen = set()
        for key in named:
            if key.signature_type == COSIGNATURE_V1 and signed.note.signatures_of(key):
                verify_cosignature(signed, key)
                explained.add((key.name, key.key_id))
                seen.add(key)
        for line in signed.note.signatures:
            if (line.name, line.key_id) not in explained:
                raise refuse(
                    f"The bundle does not name the key of the signature by {shown(line.name)}.",
                    f"验证包未列出 {shown(line.name)} 签名所用的密钥。",
                )
        return seen

    def consistency(self) -> Text:
        newer, trees = self.bundle.consistency, [self.tree()]
        old = trees[0].checkpoint
        if newer is not None:
            trees.append(self.note(newer.checkpoint))
            self._check_log(trees[1], old.origin)
        head = trees[-1].checkpoint
        if newer is not None:
            verify_consistency(old.size, head.size, newer.proof, old.root, head.root)
        seen = self.read_seen(old.origin) if self.read_seen else None
        if seen is None:
            self.newest = trees[-1]
            if newer is None:
                raise NotCheckedError(
                    "there is no other checkpoint to compare with", "没有可比较的其他检查点"
                )
            return Text(
                f"size {old.size} within {head.size}", f"大小 {old.size} 是 {head.size} 的前缀"
            )
        try:
            checkpoints = [tree.checkpoint for tree in trees]
            found = compare_with_seen(seen.checkpoint, checkpoints, self.proofs)
        except UnprovenError as error:
            raise NotCheckedError(error.cause.en, error.cause.zh) from error
        self.newest = max(trees[-1], seen, key=lambda tree: tree.checkpoint.size)
        return found

    def status(self) -> Text:
        self.listing = read_listing(self.standing)
        if self.listing.value == REVOKED:
            raise refuse(
                f"The record is revoked: list at log entry {self.listing.listed.index}.",
                f"该记录已被撤销：日志条目 {self.listing.listed.index} 处的列表。",
            )
        return self.listing.check_fresh(self.day)

    def supersession(self) -> Text:
        kind, listing = self.logged.record.kind, self.listing
        if listing is None or listing.value == REVOKED:
            raise NotCheckedError(
                f"without a status list nothing shows that no later {kind} replaces this one",
                f"没有状态列表，无法表明没有后续的 {kind} 取代本记录",
            )
        if listing.value == SUPERSEDED:
            raise refuse(
                f"A later record replaces this one: list at log entry {listing.listed.index}.",
                f"已有后续记录取代本记录：日志条目 {listing.listed.index} 处的列表。",
            )
        return listing.check_fresh(self.day)

    def validity(self) -> Text:
        record = self.logged.record
        start, until = record.valid_from.date(), record.valid_until
        if self.day < start:
            raise refuse(
                f"The record is valid from {start}, the day is {self.day}.",
                f"记录自 {start} 起有效，而判断日期为 {self.day}。",
            )
        if until is not None and self.day > until.date():
            raise refuse(
                f"The record was valid until {until.date()}, the day is {self.day}.",
                f"记录的有效期至 {until.date()}，而判断日期为 {self.day}。",
            )
        last = until.date().isoformat() if until else "..."
        return Text(
            f"{start} to {last}, judged on {self.day}", f"{start} 至 {last}，判断日期 {self.day}"
        )

    def anchor(self) -> Text:
        found = self.bundle.anchor
        if found is None:
            raise NotCheckedError("the bundle names no anchor", "验证包没有指明锚定")
        if TrustedAnchor(found.chain_id, found.contract) not in self.policy.anchors:
            raise refuse(
                f"The policy does not name {found.contract} on chain {found.chain_id}.",
                f"策略未列出链 {found.chain_id} 上的登记合约 {found.contract}。",
            )
        root = self._anchored_root(found)
        if self.read_anchor is None:
            raise NotCheckedError(
                "no chain was read (offline, or no node named)", "未读取链（离线，或未指定节点）"
            )
        try:
            held = self.read_anchor(found)
        except ChainError as error:
            raise NotCheckedError(
                error.message.en.rstrip("."), error.message.zh.rstrip("。")
            ) from error
        except Exception as error:
            # Whatever a reader raises, a verdict comes out.
            name = type(error).__name__
            raise NotCheckedError(
                f"the chain could not be read ({name})", f"无法读取链（{name}）"
            ) from error
        if held is None:
            raise refuse(
                f"The chain holds no root of size {found.size}.",
                f"链上没有大小 {found.size} 的根。",
            )
        if held != root:
            raise refuse("The chain holds another root.", "链上的根不同。")
        return Text(
            f"chain {found.chain_id}, size {found.size}", f"链 {found.chain_id}，大小 {found.size}"
        )

    def _anchored_root(self, found: AnchorCoordinates) -> bytes:
        trees = [self.tree().checkpoint]
        if self.bundle.consistency is not None:
            trees.append(self.note(self.bundle.consistency.checkpoint).checkpoint)
        if found.origin_hash != origin_hash(trees[0].origin):
            raise refuse("The anchor is of another log.", "锚定属于其他日志。")
        for tree in trees:
            if tree.size == found.size:
                return tree.root
        raise refuse(
            f"The bundle has no checkpoint of the anchored size {found.size}.",
            f"验证包没有锚定大小 {found.size} 的检查点。",
        )


def _run(name: str, step: Callable[[], Text]) -> Step:
    try:
        return Step(name, "valid", step())
    except NotCheckedError as error:
        return Step(name, "not_checked", error.cause)
    except (VerificationError, RecordFormatError) as error:
        return Step(name, "not_valid", error.message)


def _verdict(steps: tuple[Step, ...], required: frozenset[str]) -> Verdict:
    verdict: Verdict = "valid"
    for step in steps:
        if step.verdict == "not_valid":
            return "not_valid"
        if step.verdict == "not_checked" and step.name in required:
            verdict = "not_checked"
    return verdict


def verify_bundle(
    data: bytes,
    policy: Policy,
    *,
    today: date,
    read_anchor: AnchorReader | None = None,
    read_seen: SeenReader | None = None,
    proofs: Sequence[ConsistencyProof] = (),
) -> Verification:
    """Return what a bundle proves under a policy.

    Args:
        data: The bytes of the file, from anyone.
        policy: The verifier's own.
        today: The UTC day at which validity is judged, unless the policy names one.
        read_anchor: Reads the chain; None to stay offline.
        read_seen: Gives what was seen of a log before; None to remember nothing.
        proofs: Consistency proofs that came besides the bundle.
    """
    day = policy.as_of or today
    verifier = _Verifier(data, policy, day, read_anchor, read_seen, proofs)
    steps = tuple(_run(name, getattr(verifier, name)) for name in STEPS)
    verdict = _verdict(steps, policy.required)
    return Verification(verdict, steps, None if verdict == "not_valid" else verifier.newest)

"""The trust policy of a verifier: whom to believe, and what must have been checked.

It comes from the lender's own file, never from a bundle. The file is TOML of a closed form: an
unknown or missing name is refused, since a misspelt requirement would silently require nothing.

Source: docs/spec/record-and-log.md, section 7.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from carnet.core.canonical import INTEGER_MAX
from carnet.core.errors import InputError, VerificationError
from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.checkpoint import is_origin
from carnet.ledger.did import DID_WEB, key_multibase, key_of_multibase
from carnet.ledger.entry import KINDS
from carnet.ledger.kinds.keys import ISSUER_ID
from carnet.ledger.note import COSIGNATURE_V1, ED25519, VerifierKey, parse_verifier_key

POLICY_VERSION: Final = 1
POLICY_SIZE_MAX: Final = 256 * 1024
LIST_MAX: Final = 100
STEPS: Final = (
    "parse",
    "canonical",
    "schema",
    "issuer",
    "key",
    "signature",
    "disclosures",
    "inclusion",
    "checkpoint",
    "witnesses",
    "consistency",
    "status",
    "supersession",
    "validity",
    "anchor",
)
"""The steps of a verification in their order."""

STEPS_ALWAYS: Final = STEPS[: STEPS.index("witnesses")]
"""What every verification decides from the bundle and the policy alone."""

_VERIFIER_KEY = shape.text(r"[!-~]+", 400, "a verifier key", "验证密钥")
_MULTIKEY = shape.text(
    r"z6Mk[1-9A-HJ-NP-Za-km-z]+", 60, "a multikey z6Mk...", "多重编码密钥 z6Mk..."
)
_ADDRESS = shape.text(r"0x[0-9a-fA-F]{40}", 42, "0x and 40 hex digits", " 0x 加 40 位十六进制数字")


def _day(value: Any, path: str) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise shape.shape_error(path, value, "a date like 2026-11-23", "形如 2026-11-23 的日期")


POLICY = shape.obj(
    {
        "version": shape.exactly(POLICY_VERSION),
        "required": shape.array(shape.one_of(STEPS), len(STEPS)),
        "issuers": shape.array(
            shape.obj(
                {"id": ISSUER_ID, "kinds": shape.array(shape.one_of(KINDS), LIST_MAX)},
                {"keys": shape.array(_MULTIKEY, LIST_MAX)},
            ),
            LIST_MAX,
        ),
        "logs": shape.array(
            shape.obj(
                {
                    "origin": shape.where("origin", is_origin, "an origin", "来源名称"),
                    "key": _VERIFIER_KEY,
                }
            ),
            LIST_MAX,
        ),
    },
    {
        "anchors": shape.array(
            shape.obj({"chain_id": shape.integer(1, INTEGER_MAX), "contract": _ADDRESS}), LIST_MAX
        ),
        "witnesses": shape.obj(
            {
                "quorum": shape.integer(0, LIST_MAX),
                "keys": shape.array(_VERIFIER_KEY, LIST_MAX),
            }
        ),
        "validity": shape.obj({"as_of": shape.named("toml-day", _day)}),
    },
)


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer and the kinds of record it is believed for.

    Args:
        id: A did:key, or a did:web.
        kinds: Kinds of records.
        keys: The keys it is believed under. A did:key names its key itself; a did:web does not, and
            whoever can write to the log could otherwise state a key of their own for it.
    """

    id: str
    kinds: frozenset[str]
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustedAnchor:
    """A registry on a chain; the address is in lower case."""

    chain_id: int
    contract: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a verifier believes.

    Args:
        required: The steps that must be valid; another one may also be left unchecked.
        issuers: Who is believed for which kinds.
        logs: The keys of the logs, each named as its origin.
        anchors: The registries that hold the roots.
        witnesses: The keys of the witnesses.
        quorum: How many of them must have cosigned.
        as_of: The day at which validity is judged; the day of verification where None.
    """

    required: frozenset[str]
    issuers: tuple[TrustedIssuer, ...]
    logs: tuple[VerifierKey, ...]
    anchors: tuple[TrustedAnchor, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    as_of: date | None = field(default=None)

    def to_toml(self) -> str:
        """Return the policy as the text of its file."""
        required = [step for step in STEPS if step in self.required]
        lines = [f"version = {POLICY_VERSION}", f"required = {json.dumps(required)}"]
        # A list of tables without a table cannot be written as one, and its name is required.
        lines += ["issuers = []"] if not self.issuers else []
        lines += ["logs = []"] if not self.logs else []
        if self.as_of is not None:
            lines += ["", "[validity]", f"as_of = {self.as_of.isoformat()}"]
        for issuer in self.issuers:
            kinds = json.dumps(sorted(issuer.kinds))
            lines += ["", "[[issuers]]", f"id = {json.dumps(issuer.id)}", f"kinds = {kinds}"]
            if issuer.keys:
                lines.append(f"keys = {json.dumps([key_multibase(key) for key in issuer.keys])}")
        for log in self.logs:
            origin, key = json.dumps(log.name), json.dumps(log.to_text())
            lines += ["", "[[logs]]", f"origin = {origin}", f"key = {key}"]
        for anchor in self.anchors:
            contract = json.dumps(anchor.contract)
            lines += ["", "[[anchors]]", f"chain_id = {anchor.chain_id}", f"contract = {contract}"]
        keys = json.dumps([key.to_text() for key in self.witnesses])
        lines += ["", "[witnesses]", f"quorum = {self.quorum}", f"keys = {keys}"]
        return "\n".join(lines) + "\n"


def _policy_error(message: Text) -> InputError:
    return InputError(
        "CRN-V-020",
        Text(
            f"The policy cannot be used: {message.en}",
            f"无法使用该策略文件：{message.zh}",
        ),
        Text(
            "See the clauses on the policy file in docs/spec/record-and-log.md.",
            "参见 docs/spec/record-and-log.md 中关于策略文件的条款。",
        ),
    )


def _keys(texts: list[str], signature_type: int) -> tuple[VerifierKey, ...]:
    keys = tuple(parse_verifier_key(text) for text in texts)
    for key, text in zip(keys, texts, strict=True):
        if key.signature_type != signature_type:
            kind = "a log's" if signature_type == ED25519 else "a witness's"
            raise shape.shape_error("key", text, f"{kind} key type", "对应类型的密钥")
    return keys


def _issuer(value: Mapping[str, Any]) -> TrustedIssuer:
    keys = tuple(key_of_multibase(text) for text in value.get("keys", []))
    if value["id"].startswith(DID_WEB) and not keys:
        raise shape.shape_error("issuers.keys", [], "the keys of a did:web", "did:web 的密钥")
    return TrustedIssuer(value["id"], frozenset(value["kinds"]), keys)


def _check_independent(logs: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]) -> None:
    """Check that each witness has a key of its own, whatever the names say."""
    taken = {key.public_key for key in logs}
    for key in witnesses:
        if key.public_key in taken:
            raise shape.shape_error(
                "witnesses.keys",
                key.to_text(),
                "a key that neither a log nor another witness has",
                "日志及其他见证者均未使用的密钥",
            )
        taken.add(key.public_key)


def _policy(value: Mapping[str, Any]) -> Policy:
    POLICY(value, "")
    logs = _keys([item["key"] for item in value["logs"]], ED25519)
    for log, item in zip(logs, value["logs"], strict=True):
        if log.name != item["origin"]:
            raise shape.shape_error("logs.origin", item["origin"], log.name, f" {log.name}")
    witnesses = value.get("witnesses", {"quorum": 0, "keys": []})
    keys = _keys(witnesses["keys"], COSIGNATURE_V1)
    _check_independent(logs, keys)
    if witnesses["quorum"] > len(keys):
        most = f"at most the number of keys, {len(keys)}"
        raise shape.shape_error("witnesses.quorum", witnesses["quorum"], most, "不超过密钥数量")
    return Policy(
        required=frozenset(value["required"]),
        issuers=tuple(_issuer(item) for item in value["issuers"]),
        logs=logs,
        anchors=tuple(
            TrustedAnchor(item["chain_id"], item["contract"].lower())
            for item in value.get("anchors", [])
        ),
        witnesses=keys,
        quorum=witnesses["quorum"],
        as_of=value.get("validity", {}).get("as_of"),
    )


def parse_policy(data: bytes) -> Policy:
    """Return the policy of a file's bytes.

    Raises:
        InputError: It is not TOML, or not of the closed form; the message names the member.
    """
    if len(data) > POLICY_SIZE_MAX:
        size = f"{len(data)} > {POLICY_SIZE_MAX}"
        raise _policy_error(Text(f"it is too large ({size} bytes).", f"文件过大（{size} 字节）。"))
    try:
        return _policy(tomllib.loads(data.decode("utf-8")))
    except VerificationError as error:
        raise _policy_error(error.message) from error
    except (ValueError, RecursionError) as error:
        detail = shape.shown(str(error))
        raise _policy_error(
            Text(f"it is not TOML ({detail}).", f"不是 TOML（{detail}）。")
        ) from error

"""Officers' confirmations of what the law text does not settle: two signatures, then it counts.

A parameter of status U makes the decisions that read it undetermined. Two officers, each with a key
of their own, sign that they read the source; the signed documents are kept beside the facts. A
confirmation is of one value as it stands: if a pack changes the parameter, it no longer counts.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, insert, select

from carnet.core.canonical import canonical, parse_canonical, parse_strict
from carnet.core.clock import Clock
from carnet.core.digests import sha256
from carnet.core.errors import InputError, LedgerFatalError, RecordFormatError, VerificationError
from carnet.core.faults import fault_text
from carnet.core.text import Text
from carnet.ledger.keys import Key
from carnet.ledger.proof import add_proof, verify_proof
from carnet.rules.ast import Pack
from carnet.services.confirmable import Confirmable, confirmable
from carnet.services.officers import (
    OfficerKeys,
    key_of_act,
    officer_key,
    officer_key_history,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import APPROVAL

KIND: Final = "parameter-confirmation"
OFFICERS_NEEDED: Final = 2


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Words(_Closed):
    en: str = Field(min_length=1, max_length=1000)
    zh: str = Field(min_length=1, max_length=1000)


class Confirmation(_Closed):
    """What officers confirm: that a source says what a parameter of a pack says."""

    pack: str = Field(max_length=64)
    parameter: str = Field(max_length=130)
    """Its id, or that of a table row as `<table>.<row>`."""
    source: str = Field(max_length=64)
    reason: _Words
    officers: list[str] = Field(min_length=OFFICERS_NEEDED, max_length=8)
    approved_on: date = Field(strict=False)


_LIST = TypeAdapter(list[Confirmation])


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A parameter and the officers who confirmed its present value."""

    pack: str
    parameter: str
    officers: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether enough officers did."""
        return len(self.officers) >= OFFICERS_NEEDED


def _why_unread(path: Path, error: Exception) -> Text:
    """Return why a file lists no confirmations: of a wrong entry, where and what."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        texts = [fault_text(one) for one in faults]
        told = Text("; ".join(one.en for one in texts), "；".join(one.zh for one in texts))
    elif isinstance(error, RecordFormatError):
        told = error.message
    else:
        reason = getattr(error, "strerror", None) or str(error)
        told = Text(f"it cannot be read ({reason}).", f"无法读取（{reason}）。")
    return Text(f"{path} does not list confirmations: {told.en}", f"{path} 不是确认清单：{told.zh}")


def read_confirmations(path: Path) -> list[Confirmation]:
    """Return the confirmations that a file proposes to sign.

    Raises:
        InputError: The file cannot be read or is not of that form.
    """
    try:
        value = parse_strict(path.read_bytes())
        return _LIST.validate_json(json.dumps(value))
    except (OSError, RecordFormatError, ValidationError) as error:
        raise InputError(
            "CRN-R-090",
            _why_unread(path, error),
            Text(
                "Expected a JSON list of {pack, parameter, source, reason: {en, zh}, officers:"
                " [..., ...], approved_on: YYYY-MM-DD}.",
                "应为 JSON 列表，每项为 {pack, parameter, source, reason: {en, zh}, officers:"
                " [..., ...], approved_on: YYYY-MM-DD}。",
            ),
        ) from error


def _subject(pack_id: str, parameter_id: str) -> str:
    return f"{pack_id}/parameters/{parameter_id}"


def _refuse(confirmation: Confirmation, en: str, zh: str) -> InputError:
    name = f"{confirmation.pack}/{confirmation.parameter}"
    return InputError(
        "CRN-R-091",
        Text(f"{name} cannot be confirmed: {en}.", f"无法确认 {name}：{zh}。"),
        Text(
            "See `carnet pack check` and the pack's parameters.yaml and tables.",
            "请查看规则包的 parameters.yaml 和决策表。",
        ),
    )


def _confirmable(confirmation: Confirmation, packs: Mapping[str, Pack]) -> Confirmable:
    pack = packs.get(confirmation.pack)
    if pack is None:
        raise _refuse(confirmation, "there is no such pack", "没有该规则包")
    found = confirmable(pack).get(confirmation.parameter)
    if found is None:
        if confirmation.parameter in pack.parameters or _is_row(confirmation.parameter, pack):
            raise _refuse(confirmation, "its status is not U", "其状态不是 U")
        raise _refuse(
            confirmation,
            "the pack has no such parameter or table row",
            "规则包没有该参数或决策表行",
        )
    if confirmation.source not in found.sources:
        cited = ", ".join(found.sources)
        raise _refuse(
            confirmation,
            f"the source {confirmation.source} is named, the pack cites {cited}",
            f"所列来源为 {confirmation.source}，规则包引用 {cited}",
        )
    return found


def _is_row(name: str, pack: Pack) -> bool:
    table, _, row = name.partition(".")
    return table in pack.tables and any(one.id == row for one in pack.tables[table].rows)


def _document(confirmation: Confirmation, found: Confirmable, officer: str) -> dict[str, Any]:
    return {
        "v": 1,
        "kind": KIND,
        "pack": confirmation.pack,
        "parameter": confirmation.parameter,
        "parameterDigest": found.digest,
        "source": confirmation.source,
        "reason": confirmation.reason.model_dump(),
        "officer": officer,
        "approvedOn": confirmation.approved_on.isoformat(),
    }


def _confirmed_value(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return which value a document confirms: of what pack and parameter, by its digest."""
    return document["pack"], document["parameter"], document["parameterDigest"]


def sign_confirmations(
    workspace: Workspace,
    confirmations: Sequence[Confirmation],
    packs: Mapping[str, Pack],
    officer: str,
    clock: Clock,
) -> int:
    """Sign as one officer every confirmation that names the officer; return how many are new.

    Args:
        workspace: The workspace.
        confirmations: What is to be confirmed.
        packs: The packs, by id, in the version that is meant.
        officer: The officer's role id.
        clock: Gives the time of signing.

    Raises:
        InputError: A confirmation does not fit its pack, or none names the officer.
    """
    own = [each for each in confirmations if officer in each.officers]
    if not own:
        raise InputError(
            "CRN-R-092",
            Text(f"No confirmation names {officer!r}.", f"没有确认项指定 {officer!r}。"),
            Text(
                "Name an officer of the list with --officer.",
                "请用 --officer 指定清单中的合规专员。",
            ),
        )
    documents = [_document(each, _confirmable(each, packs), officer) for each in own]
    key = officer_key(workspace, officer, clock)
    with writing(workspace.engine, Lock.IMPORT) as connection:
        known = {
            _confirmed_value(each) for each in _documents(connection) if each["officer"] == officer
        }
        fresh = [each for each in documents if _confirmed_value(each) not in known]
        if fresh:
            rows = [_row(_signed(each, key, clock), clock) for each in fresh]
            connection.execute(insert(APPROVAL), rows)
    return len(fresh)


def _signed(document: dict[str, Any], key: Key, clock: Clock) -> dict[str, Any]:
    return add_proof(document, key.key_id, key.signer, clock.now())


def _row(signed: dict[str, Any], clock: Clock) -> dict[str, Any]:
    body = canonical(signed)
    return {
        "digest": sha256(body),
        "kind": KIND,
        "subject": _subject(signed["pack"], signed["parameter"]),
        "officer": signed["officer"],
        "approved_at": clock.now(),
        "body": body,
    }


def _documents(connection: Connection) -> list[dict[str, Any]]:
    """Return every stored confirmation, its signature checked under its officer's logged key."""
    keys = officer_key_history(connection)
    query = select(APPROVAL.c.digest, APPROVAL.c.body).where(APPROVAL.c.kind == KIND)
    rows = connection.execute(query.order_by(APPROVAL.c.subject, APPROVAL.c.officer))
    return [_checked(bytes(row.digest), bytes(row.body), keys) for row in rows]


def _check_signature(document: Mapping[str, Any], keys: OfficerKeys) -> None:
    key = key_of_act(keys.get(document["officer"], ()), document)
    if key is None:
        message = Text("its officer had no such key in the log", "该合规专员当时在日志中没有此密钥")
        raise VerificationError("CRN-R-093", message)
    verify_proof(document, key)


def _checked(digest: bytes, body: bytes, keys: OfficerKeys) -> dict[str, Any]:
    document: dict[str, Any] = parse_canonical(body)
    try:
        _check_signature(document, keys)
    except VerificationError as error:
        raise LedgerFatalError(
            "CRN-R-093",
            Text(
                f"The stored confirmation {digest.hex()} is not what an officer signed: "
                f"{error.message.en}",
                f"已存确认 {digest.hex()} 与合规专员所签不符：{error.message.zh}",
            ),
            Text("Restore the workspace from a backup.", "请从备份恢复工作区。"),
        ) from error
    return document


def confirmations_of(workspace: Workspace, packs: Collection[Pack]) -> list[Confirmed]:
    """Return who confirmed the present value of each U parameter and row of some packs.

    Raises:
        LedgerFatalError: A stored confirmation does not verify.
    """
    with reading(workspace.engine) as connection:
        documents = _documents(connection)
    found = []
    for pack in packs:
        for one in confirmable(pack).values():
            officers = {
                each["officer"]
                for each in documents
                if _confirmed_value(each) == (pack.id, one.id, one.digest)
                and each["source"] in one.sources
            }
            if officers:
                found.append(Confirmed(pack.id, one.id, tuple(sorted(officers))))
    return found


def confirmed_parameters(workspace: Workspace, pack: Pack) -> frozenset[str]:
    """Return the parameters and table rows of a pack that enough officers have confirmed."""
    found = confirmations_of(workspace, [pack])
    return frozenset(each.parameter for each in found if each.counts)

"""What officers do about findings: take note, waive with a second officer, take a waiver back.

Each act is signed with its officer's key and put behind the others (`carnet.services
.officer_events`). It names the finding by the whole hash of its key, and the decision it rests on.
What would not count is refused before it is signed.

Source: docs/spec/officer-acts.md, OA-8 and OA-9.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from carnet.core.clock import Clock
from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.lifecycle import WAIVABLE, WAIVER_DAYS_MAX, Waiver
from carnet.services.findings import (
    ACKNOWLEDGEMENT,
    APPROVAL,
    WAIVER,
    WITHDRAWAL,
    TrackedFinding,
    find_finding,
    pick,
    track_findings,
)
from carnet.services.officer_events import append_event
from carnet.services.officers import officer_key
from carnet.services.words import SEVERITIES
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.locks import Lock

TEXT_LENGTH_MAX: Final = 1000
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of Unicode that break lines or change what a reader sees of the rest."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Who acts, for which day, and the clock that tells when.

    Args:
        officer: The officer's role id.
        day: The day the act is for; decisions for later days are not looked at.
        clock: Gives the time of signing.
    """

    officer: str
    day: date
    clock: Clock


_Content = Callable[[TrackedFinding], Mapping[str, Any]]


def acknowledge(
    workspace: Workspace, name: str, signing: Signing, *, note: str, due: date | None = None
) -> TrackedFinding:
    """Take note of a finding, with the day by which it is put right where there is one.

    Raises:
        NotFoundError: There is no such finding on that day.
        InputError: It does not stand, or the note or the day cannot be used.
    """
    _require_text("note", "说明", note)

    def content(found: TrackedFinding) -> Mapping[str, Any]:
        _require_standing(found)
        if due is not None and due < signing.day:
            raise _refuse(
                found,
                f"the day {due} by which it is put right is over",
                f"整改期限 {due} 已过",
            )
        return {"note": note} | ({"due": due.isoformat()} if due else {})

    return _act(workspace, ACKNOWLEDGEMENT, name, signing, content)


def propose_waiver(
    workspace: Workspace, name: str, signing: Signing, *, until: date, reason: str
) -> TrackedFinding:
    """Ask that a finding be waived to a last day; it counts when another officer approves.

    Raises:
        NotFoundError: There is no such finding on that day.
        InputError: It does not stand or is blocking, or the reason or the day cannot be used.
    """
    _require_text("reason", "理由", reason)

    def content(found: TrackedFinding) -> Mapping[str, Any]:
        _require_standing(found)
        _require_waivable(found)
        _require_term(found, signing.day, until)
        return {"until": until.isoformat(), "reason": reason, "severity": found.life.severity}

    return _act(workspace, WAIVER, name, signing, content)


def approve_waiver(workspace: Workspace, name: str, signing: Signing) -> TrackedFinding:
    """Agree, as a second officer with another key, to the waiver that is proposed.

    Raises:
        NotFoundError: There is no such finding on that day.
        InputError: No waiver is proposed, or the same officer proposed it.
    """

    def content(found: TrackedFinding) -> Mapping[str, Any]:
        asked = found.life.proposal
        if asked is None:
            raise _no_waiver(found, "proposed", "待批准的")
        if asked.proposed_by == signing.officer:
            raise InputError(
                "CRN-R-124",
                Text(
                    f"{signing.officer} proposed this waiver and cannot approve it as well.",
                    f"{signing.officer} 是该豁免的申请人，不能同时批准。",
                ),
                Text(
                    "Another officer, with a key of their own, approves: --by officer-2.",
                    "须由另一名合规专员以其自己的密钥批准：--by officer-2。",
                ),
            )
        return {"waiver": asked.ref}

    return _act(workspace, APPROVAL, name, signing, content)


def withdraw_waiver(
    workspace: Workspace, name: str, signing: Signing, *, reason: str
) -> TrackedFinding:
    """Take back the waiver that is proposed, else the one that counts; one officer is enough.

    Raises:
        NotFoundError: There is no such finding on that day.
        InputError: There is no waiver, or the reason cannot be used.
    """
    _require_text("reason", "理由", reason)

    def content(found: TrackedFinding) -> Mapping[str, Any]:
        held: Waiver | None = found.life.proposal or found.life.waiver
        if held is None:
            raise _no_waiver(found, "in force or proposed", "生效或待批准的")
        return {"waiver": held.ref, "reason": reason}

    return _act(workspace, WITHDRAWAL, name, signing, content)


def _act(
    workspace: Workspace, kind: str, name: str, signing: Signing, content: _Content
) -> TrackedFinding:
    """Sign an act on a finding and return the finding after it."""
    # Looked at first without a lock, so that a refused act makes no key for its officer.
    content(find_finding(workspace, name, signing.day))
    key = officer_key(workspace, signing.officer, signing.clock)
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        found = pick(track_findings(connection, signing.day), name)
        _require_order(found, signing.day)
        signed = {"asOf": signing.day.isoformat(), "decision": found.newest.digest.hex()}
        append_event(
            connection,
            kind,
            found.key.digest,
            {**signed, **content(found)},
            officer=signing.officer,
            key=key,
            clock=signing.clock,
        )
        return pick(track_findings(connection, signing.day), found.key.digest)


# --- refusals -----------------------------------------------------------------------------------


def _refuse(found: TrackedFinding, en: str, zh: str, hint: Text | None = None) -> InputError:
    return InputError(
        "CRN-R-122",
        Text(
            f"Nothing was signed about the finding {found.id}: {en}.",
            f"未就发现项 {found.id} 签署任何操作：{zh}。",
        ),
        hint
        or Text(
            f"See `carnet findings show {found.id}`.", f"请查看 `carnet findings show {found.id}`。"
        ),
    )


def _require_text(en: str, zh: str, text: str) -> None:
    is_plain = all(unicodedata.category(each) not in _UNPRINTABLE for each in text)
    if not text.strip() or len(text) > TEXT_LENGTH_MAX or not is_plain:
        raise InputError(
            "CRN-R-125",
            Text(f"The {en} {text[:40]!r} cannot be used.", f"{zh} {text[:40]!r} 不可用。"),
            Text(
                f"Write 1 to {TEXT_LENGTH_MAX} characters on one line: it is signed and kept.",
                f"请写 1 至 {TEXT_LENGTH_MAX} 个字符，不换行：内容将被签名并保存。",
            ),
        )


def _require_standing(found: TrackedFinding) -> None:
    if found.life.state == "resolved":
        day = found.life.resolved_on
        raise _refuse(
            found,
            f"it is resolved since {day}, nothing stands",
            f"该项已于 {day} 解决，当前无须处理",
        )


def _require_waivable(found: TrackedFinding) -> None:
    if found.life.severity in WAIVABLE:
        return
    severity = SEVERITIES[found.life.severity]
    raise InputError(
        "CRN-R-123",
        Text(
            f"The finding {found.id} is {severity.en} and cannot be waived by anybody.",
            f"发现项 {found.id} 的严重程度为“{severity.zh}”，任何人不得豁免。",
        ),
        Text(
            f"Put it right: {found.raised['remedy']['en']}",
            f"请整改：{found.raised['remedy']['zh']}",
        ),
    )


def _require_term(found: TrackedFinding, day: date, until: date) -> None:
    last = day + timedelta(days=WAIVER_DAYS_MAX)
    if not day <= until <= last:
        raise _refuse(
            found,
            f"a waiver ends on {day} to {last}, not on {until}",
            f"豁免的截止日应在 {day} 至 {last} 之间，而不是 {until}",
            Text(
                f"Give --until a day at most {WAIVER_DAYS_MAX} days ahead.",
                f"--until 最多为 {WAIVER_DAYS_MAX} 天之后。",
            ),
        )


def _require_order(found: TrackedFinding, day: date) -> None:
    if found.last_act is not None and day < found.last_act:
        raise _refuse(
            found,
            f"it was acted on for {found.last_act}, which is after {day}",
            f"已有针对 {found.last_act} 的操作，晚于 {day}",
            Text("Act for that day or a later one.", "请针对该日或之后的日期操作。"),
        )


def _no_waiver(found: TrackedFinding, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-R-126",
        Text(
            f"No waiver of the finding {found.id} is {en}.",
            f"发现项 {found.id} 没有{zh}豁免。",
        ),
        Text(
            f"Propose one: `carnet findings waive {found.id} --until DATE --reason TEXT --by "
            "OFFICER`.",
            f"请先申请：`carnet findings waive {found.id} --until 日期 --reason 理由 --by 专员`。",
        ),
    )

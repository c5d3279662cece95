"""Changing which rule pack runs: propose, approve, activate, roll back; each act signed.

Source: docs/adr/0009-pack-governance.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from carnet.core.canonical import parse_canonical
from carnet.core.clock import Clock
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.check.inspect import analyse
from carnet.rules.check.places import Material
from carnet.rules.pack import load_pack, read_documents
from carnet.rules.shelf import find_pack
from carnet.rules.testing import run_tests
from carnet.services.officer_events import OfficerEvent, append_event
from carnet.services.officers import officer_key
from carnet.services.pack_history import (
    ACTIVATION,
    APPROVAL,
    NOT_APPROVED,
    PROPOSAL,
    ROLLBACK,
    BreachError,
    History,
    PackVersion,
    apply_event,
    check_not_past,
    rollback_of,
)
from carnet.services.packs import (
    REVIEWABLE,
    Installed,
    check_recorded,
    in_force,
    keep_pack,
    kept_pack,
    newest_on_shelf,
    pack_histories,
    packs_in_force,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import OFFICER_EVENT

REASON_MAX: Final = 1000
_PREFIX_MIN: Final = 12

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, why, and when.

    Args:
        officer: The officer's role id.
        reason: Why, in the officer's words.
        clock: Gives the time of signing.
    """

    officer: str
    reason: str
    clock: Clock


def propose(workspace: Workspace, folder: Path, act: Act) -> OfficerEvent:
    """Sign, as one officer, that a version of a pack should run; it is copied into the workspace.

    Raises:
        InputError: The pack has a defect, fails a test, is not released, or the act is not allowed.
    """
    installed = Installed(load_pack(folder), folder)
    pack = installed.pack
    _ready(workspace, installed, act.clock.now().date())
    with reading(workspace.engine) as connection:
        check_recorded(pack, pack_histories(connection).get(pack.id))
    keep_pack(workspace, installed)

    def content(_: History) -> Content:
        return {"version": pack.version, "packDigest": pack.digest.hex()}

    return _sign(workspace, PROPOSAL, pack.id, content, act)


def approve(workspace: Workspace, name: str, act: Act) -> OfficerEvent:
    """Sign, as another officer, a version that was proposed or a rollback that was asked for.

    Args:
        workspace: The workspace.
        name: ``ID``, ``ID@VERSION``, a folder with the very content, or 12 digits of a digest.
        act: Who signs, and why.

    Raises:
        InputError: The act is not allowed, or several wait that the name may mean.
        NotFoundError: Nothing of that name waits.
    """
    request = _choose(workspace, name, _requests)
    installed = kept_pack(workspace, request.content["packDigest"])
    _ready(workspace, installed, act.clock.now().date())

    def content(_: History) -> Content:
        return {**_version(request), "approves": request.digest.hex()}

    return _sign(workspace, APPROVAL, request.subject, content, act)


def activate(workspace: Workspace, name: str, effective: date, act: Act) -> OfficerEvent:
    """Sign that an approved version runs from a day on.

    Args:
        workspace: The workspace.
        name: As for `approve`.
        effective: The first day; not before the day of signing.
        act: Who signs: not the officer who approved it.

    Raises:
        InputError: The act is not allowed, the pack fails a test, or the day is outside its window.
        NotFoundError: No version of that name is approved.
    """
    approval = _choose(workspace, name, lambda history: iter(history.approvals.values()))
    installed = kept_pack(workspace, approval.content["packDigest"])
    _check_window(installed.pack, effective)
    _ready(workspace, installed, effective)

    def content(history: History) -> Content:
        replaced = _replaced(workspace, history, effective)
        return {
            **_version(approval),
            "effective": effective.isoformat(),
            "approval": approval.digest.hex(),
            "replaces": None if replaced is None else replaced.to_json(),
        }

    return _sign(workspace, ACTIVATION, approval.subject, content, act)


def roll_back(workspace: Workspace, pack_id: str, effective: date, act: Act) -> OfficerEvent:
    """Sign, as one officer, that the version before should run again from a day on.

    It takes effect when another officer approves it, and not before that day.

    Raises:
        InputError: There is no version before, or the act is not allowed.
    """

    def content(history: History) -> Content:
        check_not_past(effective, act.clock.now().date())
        current, target = rollback_of(history, effective)
        _check_window(kept_pack(workspace, target.version.digest).pack, effective)
        return {
            **target.version.to_json(),
            "effective": effective.isoformat(),
            "replaces": current.version.to_json(),
        }

    return _sign(workspace, ROLLBACK, pack_id, content, act)


def signed_document(workspace: Workspace, event: OfficerEvent) -> dict[str, Any]:
    """Return an act as it was signed, with its proof."""
    query = select(OFFICER_EVENT.c.body).where(OFFICER_EVENT.c.digest == event.digest)
    with reading(workspace.engine) as connection:
        body = connection.execute(query).scalar_one()
    document: dict[str, Any] = parse_canonical(bytes(body))
    return document


# --- checks -----------------------------------------------------------------------------------


def _refuse(pack: Pack, code: str, en: str, zh: str, hint: Text) -> InputError:
    name = f"{pack.id}@{pack.version}"
    return InputError(code, Text(f"{name} {en}.", f"{name} {zh}。"), hint)


def _ready(workspace: Workspace, installed: Installed, day: date) -> None:
    """Check that a pack may run: released, without defect, with tests that all pass.

    Args:
        workspace: The workspace, whose packs of earlier stages count.
        installed: The pack.
        day: The day for which the packs of earlier stages are taken.

    Raises:
        InputError: It may not.
    """
    pack, folder = installed.pack, installed.folder
    if pack.status != "released":
        raise _refuse(
            pack,
            "CRN-R-137",
            f"has the status {pack.status}, only a released version may run",
            f"状态为 {pack.status}，只有已发布的版本才能运行",
            Text(
                "Set `status: released` in pack.yaml: it is part of what is approved.",
                "请在 pack.yaml 中设为 `status: released`：这也是审批内容的一部分。",
            ),
        )
    found = analyse(Material(pack, read_documents(folder)))
    defect = next((each for each in found if each.severity == "error"), None)
    if defect is not None:
        raise _refuse(
            pack,
            "CRN-R-145",
            f"has a defect: {defect.code} {defect.message.en}",
            f"有缺陷：{defect.code} {defect.message.zh}",
            Text(f"See `carnet pack check {folder}`.", f"请查看 `carnet pack check {folder}`。"),
        )
    among = packs_in_force(workspace, day)
    results = run_tests(pack, "reference", lambda name: in_force(among, name, day))
    failed = [each.id for each in results if not each.is_passed]
    if failed or not results:
        raise _refuse(
            pack,
            "CRN-R-138",
            f"does not pass its tests: {', '.join(failed[:5])}" if failed else "carries no test",
            f"未通过测试：{'、'.join(failed[:5])}" if failed else "没有测试",
            Text(f"See `carnet pack test {folder}`.", f"请查看 `carnet pack test {folder}`。"),
        )


def _check_window(pack: Pack, effective: date) -> None:
    last = pack.effective_to
    if effective < pack.effective_from or (last is not None and effective > last):
        raise _refuse(
            pack,
            "CRN-R-139",
            f"decides from {pack.effective_from} to {last or '-'}, not on {effective}",
            f"的适用期为 {pack.effective_from} 至 {last or '-'}，不含 {effective}",
            Text("Name a day inside that window.", "请指定适用期内的日期。"),
        )


def _replaced(workspace: Workspace, history: History, effective: date) -> PackVersion | None:
    """Return what runs on a day before an activation; at the first one, what the shelf gave."""
    if history.is_managed:
        period = history.in_force(effective)
        return None if period is None else period.version
    found = newest_on_shelf(history.pack)
    if found is None or found.pack.status not in REVIEWABLE:
        return None
    keep_pack(workspace, found)
    return PackVersion(found.pack.version, found.pack.digest.hex())


# --- choosing ---------------------------------------------------------------------------------


def _version(event: OfficerEvent) -> Content:
    return {name: event.content[name] for name in ("version", "packDigest")}


def _requests(history: History) -> Iterator[OfficerEvent]:
    yield from history.proposals.values()
    if history.rollback is not None:
        yield history.rollback


def _is_meant(event: OfficerEvent, name: str, folder: Pack | None) -> bool:
    digest = event.content["packDigest"]
    if folder is not None:
        return event.subject == folder.id and digest == folder.digest.hex()
    if len(name) >= _PREFIX_MIN and (
        digest.startswith(name) or event.digest.hex().startswith(name)
    ):
        return True
    return name in {event.subject, f"{event.subject}@{event.content['version']}"}


def _choose(
    workspace: Workspace, name: str, among: Callable[[History], Iterator[OfficerEvent]]
) -> OfficerEvent:
    with reading(workspace.engine) as connection:
        histories = pack_histories(connection)
    folder: Pack | None = None
    if Path(name).is_dir():
        folder = load_pack(find_pack(name))
        check_recorded(folder, histories.get(folder.id))
    waiting = [event for history in histories.values() for event in among(history)]
    found = [event for event in waiting if _is_meant(event, name, folder)]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(name, found)
    if folder is not None:
        name = f"{folder.id}@{folder.version} ({folder.digest.hex()[:_PREFIX_MIN]})"
    raise _nothing_waits(name, waiting)


def _listed(events: list[OfficerEvent]) -> str:
    names = [
        f"{each.subject}@{each.content['version']} ({each.digest.hex()[:_PREFIX_MIN]})"
        for each in events
    ]
    return ", ".join(names) or "-"


def _ambiguous(name: str, found: list[OfficerEvent]) -> InputError:
    return InputError(
        "CRN-R-143",
        Text(
            f"{name} may mean several acts: {_listed(found)}.",
            f"{name} 可能指多项操作：{_listed(found)}。",
        ),
        Text("Name one by the digits in brackets.", "请用括号中的数字指定其一。"),
    )


def _nothing_waits(name: str, waiting: list[OfficerEvent]) -> NotFoundError:
    return NotFoundError(
        NOT_APPROVED,
        Text(
            f"Nothing waits for this as {name}; what waits: {_listed(waiting)}.",
            f"没有名为 {name} 的待办；待办：{_listed(waiting)}。",
        ),
        Text(
            "A version is proposed, then approved by another officer, then activated.",
            "版本须先提议，再由另一名合规专员批准，然后启用。",
        ),
    )


# --- signing ----------------------------------------------------------------------------------


def _check_reason(reason: str) -> str:
    text = reason.strip()
    if not text or len(text) > REASON_MAX:
        raise InputError(
            "CRN-R-144",
            Text(
                f"The reason has {len(text)} characters; expected 1 to {REASON_MAX}.",
                f"理由有 {len(text)} 个字符；应为 1 至 {REASON_MAX} 个。",
            ),
            Text("Say why, with --reason.", "请用 --reason 说明理由。"),
        )
    return text


def _sign(
    workspace: Workspace,
    kind: str,
    pack_id: str,
    content_of: Callable[[History], Content],
    act: Act,
) -> OfficerEvent:
    """Sign an act that is allowed, also after what others did meanwhile."""
    reason = _check_reason(act.reason)

    def checked(connection: Connection) -> Content:
        history = pack_histories(connection).get(pack_id, History(pack_id))
        try:
            content = content_of(history) | {"reason": reason}
            seq = history.events[-1].seq + 1 if history.events else 1
            draft = OfficerEvent(seq, b"", kind, pack_id, act.officer, act.clock.now(), content)
            apply_event(history, draft)
        except BreachError as error:
            raise InputError(error.code, error.message, error.hint) from error
        return content

    with reading(workspace.engine) as connection:
        # Checked once before a key is made for somebody who may not sign this.
        checked(connection)
    key = officer_key(workspace, act.officer, act.clock)
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        content = checked(connection)
        return append_event(
            connection, kind, pack_id, content, officer=act.officer, key=key, clock=act.clock
        )

"""Which pack runs: four eyes over one digest, from a day on; nothing else is believed."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import CarnetError, InputError, LedgerFatalError, NotFoundError
from carnet.ledger.keys import Key
from carnet.ledger.signer import Ed25519Signer
from carnet.rules import shelf
from carnet.services import pack_changing
from carnet.services.officer_events import append_event
from carnet.services.officers import officer_key
from carnet.services.pack_changing import Act
from carnet.services.pack_history import ACTIVATION, APPROVAL, PROPOSAL
from carnet.services.pack_listing import list_packs
from carnet.services.packs import (
    find_installed,
    kept_digests,
    kept_folder,
    pack_histories,
    packs_in_force,
)
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import OFFICER_EVENT
from tests.fixtures_rules import listing, product, rule, spell, write_pack

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = date(2027, 1, 1)
EUROPEAN = 'listing.market == "EU"'


def release(folder: Path, version: str, *, severity: str = "blocking", **changes: Any) -> Path:
    """Write a released version of the pack `sample` with a test that passes."""
    place = write_pack(
        folder / "sample" / version,
        rule(severity=severity, when=[EUROPEAN]),
        **{"version": version, "status": "released", **changes},
    )
    verdict = "nonconforming" if severity == "blocking" else "conforming"
    test = {
        "id": "one",
        "as_of": TODAY,
        "facts": [listing().to_json(), product().to_json()],
        "expect": [{"case": "L1", "conformity": verdict, "findings": ["rule-1"]}],
    }
    (place / "tests").mkdir()
    (place / "tests" / "all.yaml").write_text(spell({"tests": [test]}), encoding="utf-8")
    return place


@pytest.fixture(autouse=True)
def shelf_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf of the program that holds version 1 of `sample`."""
    folder = tmp_path / "shelf"
    release(folder, "1")
    monkeypatch.setattr(shelf, "SHELF", folder)
    return folder


@pytest.fixture
def versions(tmp_path: Path, shelf_folder: Path) -> dict[str, Path]:
    folders = {number: release(tmp_path / "new", number, severity="minor") for number in ("2", "3")}
    return folders | {"1": shelf_folder / "sample" / "1"}


def act(officer: str = "officer-1", at: datetime = NOON, reason: str = "It is the law.") -> Act:
    return Act(officer, reason, FixedClock(at))


def adopt(workspace: Workspace, folder: Path, effective: date, at: datetime = NOON) -> None:
    """Take a version through all three steps."""
    pack_changing.propose(workspace, folder, act(at=at))
    pack_changing.approve(workspace, str(folder), act("officer-2", at))
    pack_changing.activate(workspace, str(folder), effective, act(at=at))


def running(workspace: Workspace, day: date) -> str:
    return packs_in_force(workspace, day)["sample"].pack.version


def states(workspace: Workspace) -> dict[str, str]:
    return {each.pack.version: each.state for each in list_packs(workspace, TODAY)}


def refused(code: str, *, error: type[CarnetError] = InputError) -> Any:
    return pytest.raises(error, match=code)


# --- the way --------------------------------------------------------------------------------


def test_pack__runs_from_the_day_that_officers_named(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    assert running(workspace, TODAY) == "1"
    pack_changing.propose(workspace, versions["2"], act())
    assert states(workspace) == {"1": "shelf", "2": "proposed"}
    pack_changing.approve(workspace, "sample", act("officer-2"))
    assert states(workspace) == {"1": "shelf", "2": "approved"}
    pack_changing.activate(workspace, "sample", LATER, act())
    assert states(workspace) == {"1": "active", "2": "scheduled"}
    days = [TODAY, LATER - timedelta(days=1), LATER, LATER + timedelta(days=999)]
    assert [running(workspace, day) for day in days] == ["1", "1", "2", "2"]
    assert find_installed(workspace, "sample", LATER).pack.version == "2"
    assert find_installed(workspace, "sample@1", LATER).pack.version == "1"


def test_activation__runs_the_kept_copy_when_its_folder_is_gone(
    workspace: Workspace, versions: dict[str, Path], shelf_folder: Path
) -> None:
    digest = find_installed(workspace, str(versions["2"]), TODAY).pack.digest
    adopt(workspace, versions["2"], TODAY)
    shutil.rmtree(versions["2"])
    release(shelf_folder, "9")
    assert packs_in_force(workspace, TODAY)["sample"].pack.digest == digest
    found = find_installed(workspace, digest.hex()[:12], TODAY)
    assert found.folder == kept_folder(workspace, digest.hex())
    # What ran before the first activation is pinned too: a newer shelf changes no past day.
    assert running(workspace, TODAY - timedelta(days=1)) == "1"


def test_rollback__takes_two_officers_and_returns_to_the_version_before(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    pack_changing.roll_back(workspace, "sample", TODAY, act(reason="Too mild."))
    assert running(workspace, TODAY) == "2"
    with refused("CRN-R-130"):
        pack_changing.approve(workspace, "sample", act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    assert running(workspace, TODAY) == "1"


def test_rollback__that_is_approved_late_does_not_reach_back(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    pack_changing.roll_back(workspace, "sample", TODAY, act())
    pack_changing.approve(workspace, "sample", act("officer-2", NOON + timedelta(days=3)))
    days = [TODAY + timedelta(days=n) for n in range(5)]
    assert [running(workspace, day) for day in days] == ["2", "2", "2", "1", "1"]


def test_rollback_of_a_rollback__goes_further_back_and_never_forward(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    adopt(workspace, versions["3"], TODAY)
    for expected in ("2", "1"):
        pack_changing.roll_back(workspace, "sample", TODAY, act())
        pack_changing.approve(workspace, "sample", act("officer-2"))
        assert running(workspace, TODAY) == expected
    with refused("CRN-R-134"):
        pack_changing.roll_back(workspace, "sample", TODAY, act())


def test_rollback__of_what_is_scheduled_cancels_it(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], LATER)
    pack_changing.roll_back(workspace, "sample", LATER, act())
    assert states(workspace) == {"1": "active", "2": "scheduled"}
    pack_changing.approve(workspace, "sample", act("officer-2"))
    assert running(workspace, LATER) == "1"
    assert states(workspace) == {"1": "active", "2": "overtaken"}


def test_rolled_back_version__needs_both_officers_again(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    pack_changing.roll_back(workspace, "sample", TODAY, act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    with refused("CRN-R-131", error=NotFoundError):
        pack_changing.activate(workspace, "sample@2", TODAY, act())
    adopt(workspace, versions["2"], TODAY)
    assert running(workspace, TODAY) == "2"


def test_rollback__that_another_activation_overtook_is_refused(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    asked = pack_changing.roll_back(workspace, "sample", TODAY, act())
    adopt(workspace, versions["3"], TODAY)
    with refused("CRN-R-135"):
        pack_changing.approve(workspace, asked.digest.hex(), act("officer-2"))
    assert running(workspace, TODAY) == "3"


def test_earlier_version__takes_two_officers_like_any_other(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    adopt(workspace, versions["3"], TODAY)
    with refused("CRN-R-131", error=NotFoundError):
        pack_changing.activate(workspace, "sample@2", TODAY, act())


def test_first_activation__may_pin_the_version_of_the_shelf(
    workspace: Workspace, versions: dict[str, Path], shelf_folder: Path
) -> None:
    adopt(workspace, versions["1"], TODAY)
    release(shelf_folder, "9")
    assert running(workspace, TODAY) == "1"
    with refused("CRN-R-134"):
        pack_changing.roll_back(workspace, "sample", TODAY, act())


# --- refused ----------------------------------------------------------------------------------


def test_one_officer__can_neither_approve_nor_activate_alone(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.propose(workspace, versions["2"], act())
    with refused("CRN-R-130"):
        pack_changing.approve(workspace, "sample", act())
    with refused("CRN-R-131", error=NotFoundError):
        pack_changing.activate(workspace, "sample", TODAY, act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    with refused("CRN-R-130"):
        pack_changing.activate(workspace, "sample", TODAY, act("officer-2"))
    assert running(workspace, TODAY) == "1"


def test_refused_act__makes_no_key(workspace: Workspace, versions: dict[str, Path]) -> None:
    adopt(workspace, versions["2"], TODAY)
    before = sorted(workspace.keys_path.iterdir())
    with refused("CRN-R-136"):
        adopt(workspace, versions["2"], TODAY)
        pack_changing.propose(workspace, versions["3"], act("officer-7"))
        pack_changing.propose(workspace, versions["3"], act("officer-8"))
    assert len(sorted(workspace.keys_path.iterdir())) == len(before)


def test_folder__that_changed_after_the_approval_is_refused(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.propose(workspace, versions["2"], act())
    pack_changing.approve(workspace, str(versions["2"]), act("officer-2"))
    shutil.rmtree(versions["2"])
    release(versions["2"].parents[1], "2", severity="info")
    for doing in (
        lambda: pack_changing.activate(workspace, str(versions["2"]), TODAY, act()),
        lambda: pack_changing.propose(workspace, versions["2"], act()),
        lambda: find_installed(workspace, str(versions["2"]), TODAY),
    ):
        with refused("CRN-R-132"):
            doing()
    pack_changing.activate(workspace, "sample", TODAY, act())
    assert packs_in_force(workspace, TODAY)["sample"].pack.rules[0].severity == "minor"


def test_folder__that_changed_after_the_proposal_is_not_approved(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.propose(workspace, versions["2"], act())
    shutil.rmtree(versions["2"])
    release(versions["2"].parents[1], "2", severity="info")
    with refused("CRN-R-131", error=NotFoundError):
        pack_changing.approve(workspace, str(versions["2"]), act("officer-2"))
    # Nobody has approved it yet, so that the version may be proposed anew.
    pack_changing.propose(workspace, versions["2"], act())
    pack_changing.approve(workspace, "sample", act("officer-2"))


def test_activation__in_the_past_is_refused(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.propose(workspace, versions["2"], act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    with refused("CRN-R-133"):
        pack_changing.activate(workspace, "sample", TODAY - timedelta(days=1), act())
    pack_changing.activate(workspace, "sample", TODAY, act())
    with refused("CRN-R-133"):
        pack_changing.roll_back(workspace, "sample", TODAY - timedelta(days=1), act())
    with refused("CRN-R-133"):
        pack_changing.propose(workspace, versions["3"], act(at=NOON - timedelta(days=1)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "draft"}, "CRN-R-137"),
        ({"effective": {"from": date(2028, 1, 1)}}, "CRN-R-138"),
    ],
)
def test_proposal__of_what_may_not_run_is_refused(
    workspace: Workspace, tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    with refused(code):
        pack_changing.propose(workspace, release(tmp_path, "5", **changes), act())
    assert kept_digests(workspace) == []


def test_proposal__without_a_test_or_a_reason_is_refused(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    with refused("CRN-R-144"):
        pack_changing.propose(workspace, versions["2"], act(reason=" "))
    shutil.rmtree(versions["2"] / "tests")
    with refused("CRN-R-138"):
        pack_changing.propose(workspace, versions["2"], act())


def test_activation__outside_the_window_of_the_pack_is_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    window = {"from": date(2020, 1, 1), "to": date(2026, 12, 31)}
    pack_changing.propose(workspace, release(tmp_path, "5", effective=window), act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    with refused("CRN-R-139"):
        pack_changing.activate(workspace, "sample", LATER, act())


def test_names__that_mean_several_acts_or_none(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    first = pack_changing.propose(workspace, versions["2"], act())
    pack_changing.propose(workspace, versions["3"], act())
    with refused("CRN-R-143"):
        pack_changing.approve(workspace, "sample", act("officer-2"))
    with refused("CRN-R-131", error=NotFoundError):
        pack_changing.approve(workspace, "other", act("officer-2"))
    pack_changing.approve(workspace, first.digest.hex()[:12], act("officer-2"))
    pack_changing.approve(workspace, "sample@3", act("officer-2"))


def test_concurrent_activations__one_wins_and_the_other_is_told(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.propose(workspace, versions["2"], act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    officer_key(workspace, "officer-3", FixedClock(NOON))

    def attempt(officer: str) -> str:
        try:
            pack_changing.activate(workspace, "sample", TODAY, act(officer))
        except CarnetError as error:
            return error.code
        return "activated"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(attempt, ["officer-1", "officer-3"]))
    assert outcomes == ["CRN-R-131", "activated"]
    with reading(workspace.engine) as connection:
        assert len(pack_histories(connection)["sample"].periods) == 2


# --- not believed -----------------------------------------------------------------------------


@pytest.fixture
def approved(workspace: Workspace, versions: dict[str, Path]) -> Workspace:
    pack_changing.propose(workspace, versions["2"], act())
    pack_changing.approve(workspace, "sample", act("officer-2"))
    return workspace


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    with reading(workspace.engine) as connection:
        query = OFFICER_EVENT.select().order_by(OFFICER_EVENT.c.seq)
        return [dict(row) for row in connection.execute(query).mappings()]


def test_act__that_an_unknown_key_signed_is_not_believed(approved: Workspace) -> None:
    stranger = Key("officer", Ed25519Signer(b"\x41" * 32))
    approval = _rows(approved)[-1]
    content = parse_canonical(bytes(approval["body"]))["content"]
    with writing(approved.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection, APPROVAL, "sample", content,
            officer="officer-9", key=stranger, clock=FixedClock(NOON),
        )  # fmt: skip
    with pytest.raises(LedgerFatalError, match="CRN-R-110"):
        packs_in_force(approved, TODAY)


def test_act__that_was_edited_in_the_database_is_not_believed(approved: Workspace) -> None:
    last = _rows(approved)[-1]
    document = parse_canonical(bytes(last["body"]))
    document["seq"] = 3
    document["content"]["version"] = "3"
    body = canonical(document)
    with writing(approved.engine) as connection:
        forged = last | {"seq": 3, "body": body, "digest": sha256(body)}
        connection.execute(insert(OFFICER_EVENT), forged)
    with pytest.raises(LedgerFatalError, match="CRN-R-110"):
        packs_in_force(approved, TODAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"approves": sha256(b"nothing").hex()},
        {"packDigest": sha256(b"another").hex()},
        {"version": None},
        {"missing": True},
    ],
)
def test_act__that_is_signed_but_not_allowed_is_not_believed(
    workspace: Workspace, versions: dict[str, Path], changes: dict[str, Any]
) -> None:
    """An officer's key signs what the program would have refused."""
    proposal = pack_changing.propose(workspace, versions["2"], act())
    content = {**proposal.content, "approves": proposal.digest.hex(), **changes}
    content = {} if "missing" in changes else content
    key = officer_key(workspace, "officer-2", FixedClock(NOON))
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection, APPROVAL, "sample", content,
            officer="officer-2", key=key, clock=FixedClock(NOON),
        )  # fmt: skip
    with pytest.raises(LedgerFatalError, match="CRN-R-141"):
        packs_in_force(workspace, TODAY)


def sign_past_the_program(
    workspace: Workspace, kind: str, officer: str, content: dict[str, Any]
) -> None:
    """Sign with an officer's own key what the program would have refused."""
    key = officer_key(workspace, officer, FixedClock(NOON))
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection, kind, "sample", content, officer=officer, key=key, clock=FixedClock(NOON)
        )


def test_activation__that_hides_what_it_replaces_is_not_believed(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    pack_changing.propose(workspace, versions["3"], act())
    approval = pack_changing.approve(workspace, "sample@3", act("officer-2"))
    content = {
        "version": "3",
        "packDigest": approval.content["packDigest"],
        "effective": TODAY.isoformat(),
        "approval": approval.digest.hex(),
        "replaces": None,
        "reason": "x",
    }
    sign_past_the_program(workspace, ACTIVATION, "officer-1", content)
    with pytest.raises(LedgerFatalError, match="CRN-R-141"):
        packs_in_force(workspace, TODAY)


def test_proposal__of_another_content_as_an_approved_version_is_not_believed(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    adopt(workspace, versions["2"], TODAY)
    content = {"version": "2", "packDigest": sha256(b"another").hex(), "reason": "x"}
    sign_past_the_program(workspace, PROPOSAL, "officer-1", content)
    with pytest.raises(LedgerFatalError, match=r"CRN-R-141.*approved with the digest"):
        packs_in_force(workspace, TODAY)


def test_own_approval__signed_past_the_program_is_not_believed(
    workspace: Workspace, versions: dict[str, Path]
) -> None:
    proposal = pack_changing.propose(workspace, versions["2"], act())
    key = officer_key(workspace, "officer-1", FixedClock(NOON))
    content = {**proposal.content, "approves": proposal.digest.hex()}
    with writing(workspace.engine, Lock.OFFICER_EVENT) as connection:
        append_event(
            connection, APPROVAL, "sample", content,
            officer="officer-1", key=key, clock=FixedClock(NOON),
        )  # fmt: skip
    with pytest.raises(LedgerFatalError, match=r"CRN-R-141.*proposed this version"):
        packs_in_force(workspace, TODAY)


def test_kept_pack__that_was_edited_does_not_run(
    approved: Workspace, versions: dict[str, Path]
) -> None:
    pack_changing.activate(approved, "sample", TODAY, act())
    digest = packs_in_force(approved, TODAY)["sample"].pack.digest.hex()
    path = kept_folder(approved, digest) / "rules" / "all.yaml"
    path.write_text(path.read_text("utf-8").replace("minor", "info"), "utf-8")
    with pytest.raises(LedgerFatalError, match="CRN-R-140"):
        packs_in_force(approved, TODAY)
    shutil.rmtree(path.parent)
    with pytest.raises(LedgerFatalError, match="CRN-R-140"):
        find_installed(approved, "sample", TODAY)

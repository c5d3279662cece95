"""The keeper publishes the status lists that are due, whether or not there is a chain."""

import json
import os
from datetime import timedelta

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import ConflictError
from carnet.keeper.loop import Keeper, Tick
from carnet.ledger.reader import LogReader
from carnet.services.attesting import issue_attestations
from carnet.services.key_changing import revoke_key
from carnet.services.status_listing import due_lists
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import attest_and_append, decide
from tests.processes import run_carnet

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def attested(seller: Workspace, clock: FixedClock) -> Workspace:
    """Return a workspace with a record whose status no list tells, and a chain that is gone."""
    attest_and_append(seller, clock, [decide(seller)])
    return seller


@pytest.fixture(autouse=True)
def _no_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARNET_RPC_URL", NOWHERE)


def once(workspace: Workspace, clock: FixedClock, *, is_dry_run: bool = False) -> Tick:
    with Workspace.open(workspace.path) as opened:
        (tick,) = Keeper(opened, clock).run(interval_s=1.0, is_once=True, is_dry_run=is_dry_run)
    return tick


def kinds(workspace: Workspace) -> list[str]:
    return [kind for _, kind, _, _ in LogReader(workspace.engine).records()]


def test_keeper__publishes_what_is_due_once_though_the_chain_is_gone(
    attested: Workspace, clock: FixedClock
) -> None:
    (due,) = due_lists(attested, clock)
    looked = once(attested, clock, is_dry_run=True)
    assert (looked.lists, "status-list" in kinds(attested)) == ((due.urn,), False)
    first = once(attested, clock)
    assert first.lists == (due.urn,)
    assert str(first.error).startswith("CRN-H-002")
    assert kinds(attested)[-1] == "status-list"
    assert once(attested, clock).lists == ()
    assert kinds(attested).count("status-list") == 1


def test_keeper__publishes_again_when_half_of_the_time_is_over(
    attested: Workspace, clock: FixedClock
) -> None:
    keeper = Keeper(attested, clock)
    days: list[float] = []

    def wait(seconds: float) -> bool:
        days.append(seconds)
        clock.advance(timedelta(days=1))
        return len(days) == 9

    found = [len(tick.lists) for tick in keeper.run(interval_s=1.0, wait=wait)]
    assert found == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_keeper__goes_on_where_the_issuers_key_has_ended(
    attested: Workspace, clock: FixedClock
) -> None:
    issue_attestations(attested, [decide(attested, case="LST-2")], clock)
    revoke_key(attested, "issuer", None, "lost", clock)
    tick = once(attested, clock)
    assert isinstance(tick.error, ConflictError)
    assert tick.lists == ()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_command__tells_the_lists_in_both_languages(attested: Workspace) -> None:
    command = ("keeper", "run", "--once", "-w", attested.path)
    looked = run_carnet(*command, "--dry-run", env={**os.environ, "CARNET_LANG": "zh"})
    assert "状态列表到期" in looked.stdout
    done = run_carnet(*command, "--format", "json")
    assert done.returncode == 3, "the chain does not answer"
    told = json.loads(done.stdout)
    assert (told["error"], told["is_dry_run"], len(told["status_lists"])) == ("CRN-H-002", False, 1)
    assert "published" not in run_carnet(*command).stdout

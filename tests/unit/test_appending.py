"""Opening the log of a workspace."""

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import LedgerFatalError
from carnet.services.appending import open_log
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import attest_and_append, decide


def test_open_log__another_origin_is_refused(
    seller: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    monkeypatch.setenv("CARNET_LOG_ORIGIN", "other.example/log")
    with Workspace.open(seller.path) as other, pytest.raises(LedgerFatalError, match="CRN-L-004"):
        open_log(other, clock)

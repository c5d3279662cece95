"""The commands of the chain as a user types them, in one process for speed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from carnet.chain.anvil import AnvilNode
from carnet.cli.failure import exit_code_of
from carnet.cli.main import app
from carnet.core.errors import CarnetError
from carnet.services.workspace import Workspace
from tests.fixtures_chain import FACES_MINOR

FACE = FACES_MINOR["RCV-1"] * 10_000


class Carnet:
    def __init__(self, workspace: Workspace) -> None:
        self._end = ["--workspace", str(workspace.path)]
        self._runner = CliRunner()

    def run(self, *words: str) -> Result:
        return self._runner.invoke(app, [*words, *self._end])

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--format", "json")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return json.loads(result.stdout)

    def text(self, *words: str) -> str:
        result = self.run(*words)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    def fails(self, *words: str) -> tuple[int, str]:
        error = self.run(*words).exception
        assert isinstance(error, CarnetError)
        return exit_code_of(error), error.code


@pytest.fixture
def carnet(chain_workspace: Workspace) -> Iterator[Carnet]:
    command = Carnet(chain_workspace)
    command.json("chain", "up", "--as-of", "2026-11-23")
    yield command
    AnvilNode(chain_workspace.chain_path).stop()


def test_commands__from_an_empty_chain_to_a_repaid_receivable(carnet: Carnet) -> None:
    deployed = carnet.json("chain", "deploy")
    assert [each["is_new"] for each in deployed["contracts"]] == [True] * 4
    assert not any(each["is_new"] for each in carnet.json("chain", "deploy")["contracts"])
    assert carnet.json("anchor", "status")["state"] == "behind"
    assert carnet.json("anchor", "push")["is_new"]
    assert carnet.json("anchor", "status")["state"] == "anchored"

    confirmed = carnet.json("receivable", "confirm", "RCV-1", "--advance-bps", "7500")
    assert confirmed["state"] == "confirmed"
    assert carnet.fails("receivable", "fund", "RCV-1") == (3, "CRN-H-005")
    assert carnet.json("chain", "advance", "--to", "2026-11-24")["now"] == "2026-11-24T00:00:00Z"
    funded = carnet.json("receivable", "fund", "RCV-1")
    assert funded["chain"]["principal"] == str(FACE * 3 // 4)

    carnet.json("receivable", "pay", "RCV-1", "--amount-minor", "1000000", "--reference", "A")
    assert carnet.json("receivable", "sweep", "RCV-1")["chain"]["received"] == str(10**10)
    carnet.json("receivable", "pay", "RCV-1", "--amount-minor", "3250000", "--reference", "B")
    (tick,) = carnet.text("keeper", "run", "--once", "--format", "json").splitlines()
    assert len(json.loads(tick)["swept"]) == 1

    payments = carnet.json("receivable", "waterfall", "RCV-1")["payments"]
    assert [int(each["paid"]) for each in payments] == [10**10, FACE - 10**10]
    for each in payments:
        legs = [int(each[name]) for name in ("fee", "interest", "principal", "residual")]
        assert sum(legs) == int(each["paid"])
    assert carnet.json("receivable", "show", "RCV-1")["state"] == "settled"
    text = carnet.text("receivable", "waterfall", "RCV-1")
    assert "42,500.00 USD" in text.splitlines()[-1]
    assert "settled" in carnet.text("receivable", "list")
    assert "as built" in carnet.text("chain", "status")
    assert carnet.json("chain", "down") == {"stopped": True}
    assert carnet.json("chain", "status")["is_running"] is False


def test_commands__freeze_and_unfreeze(carnet: Carnet) -> None:
    carnet.json("chain", "deploy")
    carnet.json("receivable", "confirm", "RCV-2")
    evidence = ("--evidence", "ab" * 32)
    frozen = carnet.json("receivable", "freeze", "RCV-2", "--code", "7", *evidence)
    assert frozen["chain"]["is_frozen"]
    assert "(frozen)" in carnet.text("receivable", "list")
    lifted = carnet.json("receivable", "unfreeze", "RCV-2", *evidence)
    assert not lifted["chain"]["is_frozen"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("receivable", "show", "RCV-9"), (2, "CRN-H-033")),
        (("receivable", "pay", "RCV-1"), (2, "CRN-H-030")),
        (("receivable", "freeze", "RCV-1", "--code", "7", "--evidence", "xy"), (2, "CRN-H-038")),
        (("chain", "advance", "--to", "31/02/2026"), (2, "CRN-C-070")),
        (("chain", "advance", "--to", "20261124"), (2, "CRN-C-070")),
    ],
)
def test_commands__bad_input_is_refused(
    carnet: Carnet, words: tuple[str, ...], expected: tuple[int, str]
) -> None:
    carnet.json("chain", "deploy")
    assert carnet.fails(*words) == expected


def test_commands__before_deployment_say_what_to_do(carnet: Carnet) -> None:
    assert carnet.fails("anchor", "push") == (3, "CRN-H-014")
    assert carnet.fails("receivable", "list") == (3, "CRN-H-014")
    result = carnet.run("keeper", "run", "--once")
    assert result.exit_code == 3

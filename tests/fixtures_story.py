"""The story, told once in each test process for the tests that look at its workspace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes

CARNET = Path(sys.executable).parent / "carnet"


def plain_environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    return env | {name: os.environ[name] for name in ("CARNET_ANVIL",) if name in os.environ}


def run_installed(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command as it is installed, with an interpreter of its own."""
    command = [str(CARNET), *words]
    return subprocess.run(
        command, cwd=cwd, env=plain_environment(), capture_output=True, text=True, check=False
    )


def run_carnet(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return processes.run_carnet(*words, cwd=cwd, env=plain_environment())


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the story was told twice, the second time in Chinese."""
    folder = tmp_path_factory.mktemp("story")
    for language in ("en", "zh"):
        done = run_installed("demo", "--lang", language, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / f"{language}.txt").write_text(done.stdout, "utf-8")
    return folder


@pytest.fixture(scope="session")
def node_url(told: Path) -> Iterator[str]:
    """Return the address of the story's chain, started again from its state."""
    up = run_carnet("chain", "up", "-w", "carnet-demo", "--format", "json", cwd=told)
    assert up.returncode == 0, up.stderr
    yield str(json.loads(up.stdout)["url"])
    down = run_carnet("chain", "down", "-w", "carnet-demo", cwd=told)
    assert down.returncode == 0, down.stderr

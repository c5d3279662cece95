"""dev.py: the standard library alone, every name answers, what is not there yet says so."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("demo", "test", "coverage", "lint", "type", "bench", "differential", "docs", "contracts",
         "audit", "fuzz", "chaos")  # fmt: skip


def dev(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "dev.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_dev__imports_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text("utf-8"))
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules <= sys.stdlib_module_names


def test_dev__without_a_name_lists_them_all() -> None:
    done = dev()
    assert done.returncode == 2
    assert all(name in done.stderr for name in NAMES)


@pytest.mark.parametrize("name", ["audit", "fuzz", "chaos"])
def test_dev__says_what_is_not_there_yet(name: str) -> None:
    done = dev(name)
    assert done.returncode == 2
    assert "Not there yet" in done.stderr


def test_dev__lists_the_benchmarks() -> None:
    done = dev("bench", "no-such")
    assert done.returncode == 2
    assert "intake" in done.stderr


def test_makefile__has_the_same_names() -> None:
    targets = (ROOT / "Makefile").read_text("utf-8")
    assert all(f" {name}" in targets for name in NAMES)


def test_requirements__are_locked_by_hash_and_name_no_index() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text("utf-8")
        pinned = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
        assert pinned
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text


def test_ci__runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8").strip().splitlines()
    assert script[-1] == "python3 dev.py test"
    assert "python3 dev.py test" in (ROOT / "README.md").read_text("utf-8")

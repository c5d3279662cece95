"""Every trap of the live engine that the page lists has tests, and they exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "spec" / "safe-profile.md"
_NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_\w+)`")


def _rows() -> list[str]:
    lines = PAGE.read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("| ")][2:]


def _tests_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_traps__each_has_a_guard_and_a_test_that_exists() -> None:
    rows = _rows()
    assert len(rows) >= 20
    for row in rows:
        trap, guard, tests = row.strip("| ").split(" | ")
        assert trap
        assert guard
        named = _NAMED.findall(tests)
        assert named, trap
        for path, name in named:
            assert name in _tests_in(path), name


def test_traps__every_test_of_a_trap_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    for path in ("tests/faults/test_rules_worker.py", "tests/faults/test_rules_traps.py"):
        for name in _tests_in(path):
            if name.startswith("test_trap__"):
                assert f"`{path}::{name}`" in page

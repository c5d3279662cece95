"""Functions and modules stay small enough to read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src/carnet", "ledger", "rules", "chain", "contracts", "tests", "tools", "benchmarks")
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500


def modules() -> list[Path]:
    found = {path.resolve() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    return sorted([*found, ROOT / "dev.py"])


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module__is_short_and_so_are_its_functions(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.count("\n") <= MODULE_LINES_MAX
    assert long_functions(source) == []


def test_long_functions__are_seen() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION_LINES_MAX))
    assert long_functions(f"def long():\n{body}\n") == ["long (line 1)"]
    assert long_functions("def short():\n    pass\n") == []

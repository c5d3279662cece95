"""Every custom error has a place in the sources and a test that reaches it."""

import re
from pathlib import Path

import pytest

from carnet.contracts import build

SOURCES = build.PRODUCT.sources
ERRORS = re.findall(r"error (\w+)\(", (SOURCES / "libraries" / "Errors.sol").read_text("utf-8"))
TESTS = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_book_*.py"))
OTHER_TESTS = "".join(
    (Path(__file__).parent / f"test_{name}.py").read_text("utf-8")
    for name in ("anchor_registry", "compliance_gate")
)


@pytest.mark.parametrize("name", ERRORS)
def test_error__is_used_and_reached(name: str) -> None:
    used = [path for path in SOURCES.rglob("*.sol") if f"Errors.{name}(" in path.read_text("utf-8")]
    assert used
    assert f'"{name}"' in TESTS + OTHER_TESTS

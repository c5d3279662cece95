"""What is only ever added: no code of the product changes or deletes it.

The triggers of both databases refuse it as well (tests/unit/test_store_schema.py). This looks at
the source: at the statements that SQLAlchemy builds, and at SQL in texts.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet.store.tables import APPEND_ONLY

ROOT = Path(__file__).parents[2]
FOLDERS = ("src/carnet", "ledger", "rules", "chain", "contracts")
NEVER = {"record", "log_entry", "log_node", "checkpoint", "key_event", "officer_event"}
"""The log and what was signed: no module at all may change these."""

ALLOWED = {
    "src/carnet/store/erasing.py": {"fact", "decision", "sealed", "subject_key"},
    "src/carnet/store/outbox.py": {"outbox"},
    "chain/deployment.py": {"deployment"},
}
"""The modules that change rows, with the tables they change."""

STATEMENT = re.compile(
    r"\b(?:update|delete\s+from|truncate(?:\s+table)?|replace\s+into|insert\s+or\s+replace\s+into|"
    r"drop\s+table|alter\s+table|drop\s+trigger)\s+\"?(\w+)",
    re.IGNORECASE,
)
BUILDERS = {"update", "delete"}


def modules() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts and "packs" not in path.parts]


def table_of(node: ast.expr) -> str | None:
    """Return the table that an expression names: TABLE, or module.TABLE."""
    if isinstance(node, ast.Name):
        return node.id.lower()
    return node.attr.lower() if isinstance(node, ast.Attribute) else None


def built(tree: ast.AST) -> Iterator[str]:
    """Yield the tables that statements of SQLAlchemy change."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = table_of(node.func)
        if name in BUILDERS and isinstance(node.func, ast.Name):
            yield table_of(node.args[0]) or ast.unparse(node.args[0])
        # TABLE.update() and TABLE.delete(), the same statements in another spelling.
        is_method = isinstance(node.func, ast.Attribute) and name in BUILDERS
        if is_method and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id.isupper():
                yield owner.id.lower()


def spelled(tree: ast.AST) -> Iterator[str]:
    """Yield the tables that SQL in texts changes."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if id(node) in docstrings or not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, str):
            yield from (name.lower() for name in STATEMENT.findall(node.value))


def changed(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {*APPEND_ONLY, "outbox", "deployment"}
    return {name for name in (*built(tree), *spelled(tree)) if name in known}


def test_source__changes_no_row_but_where_it_says_so() -> None:
    found = {str(path.relative_to(ROOT)): changed(path) for path in modules()}
    assert len(found) > 200
    assert {name: tables for name, tables in found.items() if tables} == ALLOWED
    assert not any(tables & NEVER for tables in found.values())


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ("connection.execute(update(RECORD).values(body=b''))", "record"),
        ("connection.execute(delete(tables.LOG_ENTRY))", "log_entry"),
        ("connection.execute(CHECKPOINT.delete())", "checkpoint"),
        ("text('DELETE FROM log_node WHERE level = 1')", "log_node"),
        ("run('UPDATE \"record\" SET body = 1')", "record"),
        ("run('drop trigger record_no_update')", "record_no_update"),
    ],
)
def test_search__finds_each_spelling(source: str, table: str) -> None:
    tree = ast.parse(source)
    assert [*built(tree), *spelled(tree)] == [table]


def test_source__never_touches_a_trigger() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8").lower()
        assert "drop trigger" not in text, path
        assert "disable trigger" not in text, path
        assert "session_replication_role" not in text, path
        assert "writable_schema" not in text, path

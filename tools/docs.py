"""Write the generated documents, or with ``--check`` compare them with the committed ones.

docs/commands.md comes from the help of every command, docs/errors.md from the error codes in the
sources, docs/settings.md from the settings model, docs/facts.md from the fact types,
docs/spec/*.schema.json from the keys that the reader of rule packs declares.
"""

import ast
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import typer.main

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import facts_docs  # noqa: E402 - found beside this file, which runs as a script

SOURCES = ("src/carnet", "ledger", "rules", "chain", "contracts")
CODE = re.compile(r"CRN-[A-Z]-[0-9]{3}")


def command_paths() -> list[tuple[str, ...]]:
    """Return every command of the command line, groups before their members."""
    from carnet.cli.main import app

    def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, child in sorted(getattr(command, "commands", {}).items()):
            yield from walk(child, (*path, name))

    return list(walk(typer.main.get_command(app), ()))


HELPS = """
import contextlib, io, json, sys
from carnet.cli.main import main
texts = []
for path in json.load(sys.stdin):
    sys.argv = ["carnet", *path, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main()
    texts.append(text.getvalue())
print(json.dumps(texts))
"""


def helps_of(paths: list[tuple[str, ...]]) -> list[str]:
    """Return the English help of some commands as a terminal of 88 columns shows it."""
    env = {**os.environ, "COLUMNS": "88", "CARNET_LANG": "en", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", HELPS],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    texts: list[str] = json.loads(done.stdout)
    return ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in texts]


def commands_page() -> str:
    """Return docs/commands.md."""
    parts = ["# Commands", "", "Generated from the help texts by `python3 dev.py docs`.", ""]
    paths = command_paths()
    for path, text in zip(paths, helps_of(paths), strict=True):
        name = " ".join(("carnet", *path))
        parts += [f"## {name}", "", "```text", text, "```", ""]
    return "\n".join(parts)


def template_of(node: ast.expr) -> str:
    """Return the text of a string or an f-string, its values as their expressions in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{…}"
    return "…"


def errors_in(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each error code of a module with the English text that follows it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        words = [
            template_of(argument) for argument in node.args if isinstance(argument, ast.Constant)
        ]
        codes = [word for word in words if CODE.fullmatch(word)]
        texts = [
            template_of(argument.args[0])
            for argument in node.args
            if isinstance(argument, ast.Call)
            and getattr(argument.func, "id", "") == "Text"
            and argument.args
        ]
        for code in codes:
            yield code, texts[0] if texts else ""


def cell(texts: set[str]) -> str:
    """Return some texts as one cell of a Markdown table."""
    return "<br>".join(sorted(text for text in texts if text)).replace("|", "\\|")


def errors_page() -> str:
    """Return docs/errors.md: every code that the sources name, with its message."""
    found: dict[str, set[str]] = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code in CODE.findall(path.read_text("utf-8")):
                found.setdefault(code, set())
            for code, text in errors_in(path):
                found[code].add(text)
    rows = [f"| {code} | {cell(texts)} |" for code, texts in sorted(found.items())]
    head = [
        "# Error codes",
        "",
        "Generated from the sources by `python3 dev.py docs`.",
        "The letter names the part: C core and workspace, F facts and intake, R rules, L ledger,",
        "V verification, H chain.",
        "Exit codes: 1 not valid, 2 invalid input, 3 could not decide.",
        "",
        "| Code | Message |",
        "| --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])


def settings_page() -> str:
    """Return docs/settings.md: every setting with its variable, default and meaning."""
    from carnet.core.settings import Settings, variable_of

    rows = [
        f"| `{name}` | `{variable_of(name)}` | `{json.dumps(field.default)}` "
        f"| {str(field.description).replace('|', chr(92) + '|')} |"
        for name, field in Settings.model_fields.items()
    ]
    head = [
        "# Settings",
        "",
        "Generated from the settings model by `python3 dev.py docs`.",
        "A workspace keeps its settings in `carnet.toml`, one `name = value` a line;",
        "a variable of the environment comes before it.",
        "An unknown name, a value of another type or a password in the file is refused.",
        "",
        "| Name | Variable | Default | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    tail = [
        "",
        "Not settings, and never written to a file: `CARNET_PASSPHRASE` unlocks the keys of a",
        "workspace without a key file, `CARNET_WORKSPACE` names the workspace of a command.",
    ]
    return "\n".join([*head, *rows, *tail, ""])


def schema_page(name: str) -> str:
    """Return the JSON Schema of one kind of file of a rule pack."""
    from carnet.rules.format.schema import schema_of

    return json.dumps(schema_of(name), ensure_ascii=False, indent=2) + "\n"


SCHEMAS = ("law", "pack", "parameters", "rules", "tests")
PAGES: dict[str, Callable[[], str]] = {
    **{f"docs/spec/{name}.schema.json": partial(schema_page, name) for name in SCHEMAS},
    "docs/commands.md": commands_page,
    "docs/errors.md": errors_page,
    "docs/facts.md": facts_docs.render,
    "docs/settings.md": settings_page,
}


def difference(name: str, wanted: str) -> str:
    """Return how the committed page differs from the generated one."""
    path = ROOT / name
    found = path.read_text("utf-8") if path.is_file() else ""
    lines = difflib.unified_diff(
        found.splitlines(),
        wanted.splitlines(),
        f"{name} (committed)",
        f"{name} (generated)",
        "",
        "",
    )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write or compare all pages."""
    stale = 0
    for name, page in PAGES.items():
        text = page()
        if "--check" in arguments:
            change = difference(name, text)
            stale += bool(change)
            print(change, end="")
        else:
            (ROOT / name).write_text(text, "utf-8")
    if stale:
        print("\nRun: python3 dev.py docs", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

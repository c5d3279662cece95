"""Explanations as text for people."""

from collections.abc import Iterator
from typing import Any

from carnet.cli.language import say, t
from carnet.core.text import Text

_VERDICT = {
    "true": Text("holds", "成立"),
    "false": Text("does not hold", "不成立"),
    "unknown": Text("cannot be told", "无法判断"),
}
_OUTCOME = {
    "finding": Text("finding", "有发现项"),
    "clear": Text("clear", "无发现项"),
    "undetermined": Text("undetermined", "无法判定"),
    "not_applicable": Text("not applicable", "不适用"),
}


def _line(line: dict[str, Any], indent: str) -> str:
    values = ", ".join(f"{name} = {value}" for name, value in line["values"].items())
    mark = t("  <- decides", "  <- 决定项") if line["decides"] else ""
    shown = f" ({values})" if values else ""
    return f"{indent}{line['text']}: {say(_VERDICT[line['verdict']])}{shown}{mark}"


def explanation_lines(explanation: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the explanation of one case."""
    case = explanation["case"]
    yield f"{case['type']}/{case['id']}"
    for rule in explanation["rules"]:
        yield f"  {rule['rule']}: {say(_OUTCOME[rule['outcome']])}"
        for line in rule["scope"]:
            yield _line(line, "    ")
        for choice in rule["choices"]:
            facts = " ".join(f"{fact['type']}/{fact['id']}" for fact in choice["facts"]) or "-"
            yield f"    {facts}"
            for line in choice["lines"]:
                yield _line(line, "      ")

"""Decisions, findings and explanations as text for people."""

from typing import Any

import typer

from carnet.cli.language import current_language, say, t
from carnet.core.text import Text
from carnet.services.words import CONFORMITIES, SEVERITIES

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


def _said(text: dict[str, str]) -> str:
    return text[current_language()]


def _print_finding(finding: dict[str, Any]) -> None:
    facts = " ".join(f"{fact['type']}/{fact['id']}" for fact in finding["facts"])
    law = ", ".join(finding["citation"])
    typer.echo(
        f"  [{say(SEVERITIES[finding['severity']])}] {finding['rule']}: {_said(finding['message'])}"
    )
    typer.echo(
        t(
            f"      what to do: {_said(finding['remedy'])}",
            f"      处理：{_said(finding['remedy'])}",
        )
    )
    typer.echo(t(f"      law: {law}   facts: {facts}", f"      依据：{law}   事实：{facts}"))


def print_decision(decision: dict[str, Any]) -> None:
    """Print a decision with its findings, its errors and what officers confirmed."""
    case = decision["case"]
    typer.echo(f"{case['type']}/{case['id']}: {say(CONFORMITIES[decision['conformity']])}")
    for finding in decision["findings"]:
        _print_finding(finding)
    for error in decision["errors"]:
        typer.echo(f"  [?] {error['rule']}: {_said(error['cause'])}")
    if decision["officer_confirmed"]:
        names = ", ".join(decision["officer_confirmed"])
        typer.echo(t(f"  confirmed by officers: {names}", f"  经合规专员确认：{names}"))


def _print_line(line: dict[str, Any], indent: str) -> None:
    values = ", ".join(f"{name} = {value}" for name, value in line["values"].items())
    mark = t("  <- decides", "  <- 决定项") if line["decides"] else ""
    shown = f" ({values})" if values else ""
    typer.echo(f"{indent}{line['text']}: {say(_VERDICT[line['verdict']])}{shown}{mark}")


def _print_explanation(explanation: dict[str, Any]) -> None:
    case = explanation["case"]
    typer.echo(f"{case['type']}/{case['id']}")
    for rule in explanation["rules"]:
        typer.echo(f"  {rule['rule']}: {say(_OUTCOME[rule['outcome']])}")
        for line in rule["scope"]:
            _print_line(line, "    ")
        for choice in rule["choices"]:
            facts = " ".join(f"{fact['type']}/{fact['id']}" for fact in choice["facts"]) or "-"
            typer.echo(f"    {facts}")
            for line in choice["lines"]:
                _print_line(line, "      ")


def print_evaluation(document: dict[str, Any]) -> None:
    """Print a result with its findings, what is undetermined and what no path reached."""
    decisions = document["decisions"]
    for decision in decisions:
        print_decision(decision)
    for explanation in document.get("explanations", []):
        _print_explanation(explanation)
    if document["unreached"]:
        listed = [f"{fact['type']}/{fact['id']}" for fact in document["unreached"]]
        shown = " ".join(listed[:20]) + (" ..." if len(listed) > len(listed[:20]) else "")
        typer.echo(
            t(
                f"{len(listed)} facts belong to no case: {shown}",
                f"{len(listed)} 条事实不属于任何案件：{shown}",
            )
        )
    counts = dict.fromkeys(CONFORMITIES, 0)
    for decision in decisions:
        counts[decision["conformity"]] += 1
    summary = ", ".join(f"{count} {say(CONFORMITIES[name])}" for name, count in counts.items())
    pack = f"{document['pack']} {document['version']}"
    typer.echo(f"{pack} ({document['digest'][:12]}) {document['as_of']}: {summary}")

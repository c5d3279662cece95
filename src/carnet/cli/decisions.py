"""Explanations as text for people."""

from collections.abc import Iterator
from typing import Any

from carnet.cli.language import current_language, say, t
from carnet.core.text import Text

VERDICTS = {
    "true": Text("holds", "成立"),
    "false": Text("does not hold", "不成立"),
    "unknown": Text("cannot be told", "无法判断"),
}
OUTCOMES = {
    "finding": Text("applies", "触发"),
    "clear": Text("clear", "无发现项"),
    "undetermined": Text("undetermined", "无法判定"),
    "not_applicable": Text("not applicable", "不适用"),
}


def _said(text: dict[str, str]) -> str:
    return text[current_language()]


def spell_values(told: dict[str, Any], language: str) -> str:
    """Return the values that a line or condition read, with the reasons of derived fields."""
    shown = []
    for name, value in told["values"].items():
        reason = told["reasons"].get(name)
        behind = f" [{reason[language]}]" if reason else ""
        spelled = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
        shown.append(f"{name} = {spelled}{behind}")
    return ", ".join(shown)


def spell_row(row: dict[str, Any], language: str) -> str:
    """Return a row of a decision table that a line rests on, with its status and its law."""
    law = "; ".join(spell_citation(one) for one in row["citation"])
    standing = f"{row['status']}; {law}" if law else row["status"]
    head = {"en": "row", "zh": "决策表行"}[language]
    unsure = "" if row["is_sure"] else {"en": ", may hit", "zh": "，可能命中"}[language]
    return f"{head} {row['table']}.{row['row']} ({standing}){unsure}"


def spell_key(fact: dict[str, str]) -> str:
    """Return a fact as `type/id`."""
    return f"{fact['type']}/{fact['id']}"


def spell_law(parameter: dict[str, Any]) -> str:
    """Return the law of a parameter."""
    return spell_citation(parameter["citation"])


def spell_citation(cited: dict[str, str]) -> str:
    """Return where a law fact is written down."""
    return f"{cited['fact']}, {cited['title']}, {cited['article']}"


def _line(told: dict[str, Any], indent: str) -> Iterator[str]:
    values = spell_values(told, current_language())
    mark = t("  <- decides", "  <- 决定项") if told["decides"] else ""
    shown = f" ({values})" if values else ""
    yield f"{indent}{told['text']}: {say(VERDICTS[told['verdict']])}{shown}{mark}"
    if told["cause"]:
        yield f"{indent}  {_said(told['cause'])}"
    yield from (f"{indent}  {spell_row(row, current_language())}" for row in told["rows"])
    conditions = told.get("conditions", ())
    if len(conditions) > 1:
        for one in conditions:
            yield from _line(one, indent + "  | ")


def _block(block: dict[str, Any], indent: str) -> Iterator[str]:
    mark = t("  <- decides", "  <- 决定项") if block["decides"] else ""
    verdict = {
        "true": Text("finds no fact", "未找到事实"),
        "false": Text("finds a fact", "找到事实"),
        "unknown": VERDICTS["unknown"],
    }[block["verdict"]]
    yield f"{indent}without {block['alias']}: {block['type']}: {say(verdict)}{mark}"
    for fact in block["facts"]:
        yield f"{indent}  {spell_key(fact['fact'])}: {say(VERDICTS[fact['verdict']])}"
        for line in fact["lines"]:
            yield from _line(line, indent + "    ")


def _choice(choice: dict[str, Any]) -> Iterator[str]:
    named = [
        f"{alias} = {spell_key(fact)}"
        for alias, fact in zip(choice["aliases"], choice["facts"], strict=True)
    ]
    facts = ", ".join(named) or t("the case", "案件")
    yield f"    {facts}: {say(OUTCOMES[choice['outcome']])}"
    for line in choice["lines"]:
        yield from _line(line, "      ")
    for block in choice["without"]:
        yield from _block(block, "      ")
    if "message" in choice:
        yield f"      => {_said(choice['message'])}"


def _parameter(parameter: dict[str, Any]) -> Iterator[str]:
    status, confirmed = parameter["status"], ""
    if parameter["is_confirmed"]:
        confirmed = t(", confirmed by officers", "，经合规专员确认")
    elif status == "U":
        confirmed = t(", not confirmed: it does not count", "，未经确认：不予采用")
    value = t("none", "无") if parameter["value"] is None else parameter["value"]
    yield f"    param.{parameter['id']} = {value} ({status}{confirmed}; {spell_law(parameter)})"
    for one in parameter["values"]:
        mark = "*" if one["is_in_force"] else " "
        yield f"      {mark} {one['value']}: {_said(one['reason'])}"


def explanation_lines(explanation: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the explanation of one case."""
    yield spell_key(explanation["case"])
    for cause in explanation["causes"]:
        yield f"  {_said(cause)}"
    for rule in explanation["rules"]:
        yield f"  {rule['rule']}: {say(OUTCOMES[rule['outcome']])}"
        for cause in rule["causes"]:
            yield f"    {_said(cause)}"
        for line in rule["scope"]:
            yield from _line(line, "    ")
        for choice in rule["choices"]:
            yield from _choice(choice)
        if rule["has_more_choices"]:
            yield t("    ... and further facts", "    ……及其他事实")
    if explanation["parameters"]:
        yield t("  Parameters in force:", "  有效参数：")
        for parameter in explanation["parameters"]:
            yield from _parameter(parameter)

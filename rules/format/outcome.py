"""What follows from a rule: a finding, outputs that it sets, an action that it asks for.

Source: docs/spec/pack-format.md, PF-30 to PF-32.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from carnet.core.text import Text
from carnet.rules.ast import Combination, Output, Setting, Severity, Template
from carnet.rules.format.build import Defects
from carnet.rules.format.expression import parse_value
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import Names, suggest
from carnet.rules.format.section import NAME, Section, read_text
from carnet.rules.format.template import parse_template

SETTINGS_MAX = 16
COMBINATIONS: tuple[Combination, ...] = ("unique", "sum", "min", "max")
SEVERITIES: tuple[Severity, ...] = ("blocking", "major", "minor", "info")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows where a rule holds; at least one of its parts is there."""

    severity: Severity | None
    message: Template | None
    remedy: Template | None
    settings: tuple[Setting, ...]
    action: str | None


def read_outputs(sections: Iterable[Section], defects: Defects) -> dict[str, Output]:
    """Return the outputs that a pack declares, by name."""
    result: dict[str, Output] = {}
    for section in sections:
        with defects.collect():
            name = section.matching("name", NAME)
            combination = section.one_of("combination", COMBINATIONS)
            output = Output(name, section.text("title"), cast("Combination", combination))
            section.close()
            if name in result:
                raise section.fault(
                    Text(f"The output {name} stands twice.", f"输出项 {name} 重复。"),
                    line=section.line_of("name"),
                )
            result[name] = output
    return result


def _template(section: Section, key: str, names: Names) -> Template:
    inner = section.section(key)
    try:
        return parse_template(read_text(inner), names)
    except ExpressionError as fault:
        raise section.fault(fault.message, fault.hint, line=inner.line) from fault


def _setting(section: Section, name: str, names: Names, outputs: Mapping[str, Output]) -> Setting:
    line = section.line_of(name)
    raw = section.any(name)
    if name not in outputs:
        raise section.fault(
            Text(f"There is no output {name!r:.80}.", f"没有输出项 {name!r:.80}。"),
            suggest(name, outputs)
            if outputs
            else Text("Declare it under 'outputs'.", "请在 outputs 中声明。"),
            line=line,
        )
    try:
        # A bare boolean of YAML is spelled so that its kind is told below.
        value = parse_value(str(raw).lower() if isinstance(raw, bool) else str(raw), names)
    except ExpressionError as fault:
        raise section.fault(fault.message, fault.hint, line=line) from fault
    if value.kind != "integer":
        raise section.fault(
            Text(
                f"The output {name} is an integer, but {raw!r:.80} is {value.kind}.",
                f"输出项 {name} 须为整数，但 {raw!r:.80} 的类型为 {value.kind}。",
            ),
            line=line,
        )
    return Setting(name, value)


def _settings(section: Section, names: Names, outputs: Mapping[str, Output]) -> tuple[Setting, ...]:
    inner = section.section("set")
    if not 1 <= len(inner.data) <= SETTINGS_MAX:
        raise inner.fault(
            Text(
                f"'set' names 1 to {SETTINGS_MAX} outputs, not {len(inner.data)}.",
                f"set 须设置 1 至 {SETTINGS_MAX} 个输出项，而非 {len(inner.data)} 个。",
            )
        )
    return tuple(_setting(inner, name, names, outputs) for name in sorted(inner.data))


def read_outcome(section: Section, names: Names, outputs: Mapping[str, Output]) -> Outcome:
    """Return what follows from a rule.

    Raises:
        RulePackError: It is not well formed, or nothing follows.
    """
    severity, message, remedy = None, None, None
    if section.has("finding"):
        finding = section.section("finding")
        severity = cast("Severity", section.one_of("severity", SEVERITIES))
        message = _template(finding, "message", names)
        remedy = _template(finding, "remedy", names)
        finding.close()
    elif section.has("severity"):
        raise section.fault(
            Text(
                "A severity belongs to a finding, which this rule does not raise.",
                "severity 属于 finding，而该规则没有 finding。",
            ),
            Text("Add a finding or remove the severity.", "请添加 finding 或删除 severity。"),
            line=section.line_of("severity"),
        )
    settings = _settings(section, names, outputs) if section.has("set") else ()
    action = section.matching("action", NAME) if section.has("action") else None
    if message is None and not settings and action is None:
        raise section.fault(
            Text("Nothing follows from the rule.", "该规则没有任何后果。"),
            Text(
                "Give it at least one of 'finding', 'set' and 'action'.",
                "请至少写明 finding、set、action 之一。",
            ),
        )
    return Outcome(severity, message, remedy, settings, action)

"""What rules set and ask for beside findings: outputs combined over a case, actions.

Source: docs/spec/pack-format.md, PF-30 to PF-32.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from carnet.core.canonical import INTEGER_MAX
from carnet.core.text import Text
from carnet.rules.ast import Output, Rule
from carnet.rules.case import Bindings, Case
from carnet.rules.parameters import Unknown
from carnet.rules.values import value_of


@dataclass(frozen=True, slots=True)
class Given:
    """What a rule gave to an output for one choice of facts."""

    output: str
    rule: str
    value: int


def settings_of(rule: Rule, bindings: Bindings, case: Case) -> Iterator[Given | Unknown]:
    """Yield what a rule sets for some bound facts, or why a value of it cannot be told."""
    for setting in rule.settings:
        value = value_of(setting.value, bindings, case)
        if isinstance(value, Unknown):
            yield value
        else:
            assert isinstance(value, int), "the format lets only integers be set"
            yield Given(setting.output, rule.id, value)


def _conflict(output: str, given: Iterable[Given]) -> Text:
    """Return which rules disagree: one that gave the least value and one that gave the greatest."""
    ordered = sorted(given, key=lambda one: (one.value, one.rule))
    low = ordered[0]
    high = next(one for one in ordered if one.value == ordered[-1].value)
    return Text(
        f"The output {output} is set to {low.value} by {low.rule} and to {high.value} by"
        f" {high.rule}.",
        f"输出项 {output} 被规则 {low.rule} 设为 {low.value}，又被规则 {high.rule} 设为"
        f" {high.value}。",
    )


def _combine(output: Output, given: list[Given]) -> int | Text:
    values = [one.value for one in given]
    if output.combination == "min":
        return min(values)
    if output.combination == "max":
        return max(values)
    if output.combination == "sum":
        total = sum(values)
        if abs(total) <= INTEGER_MAX:
            return total
        name = output.name
        return Text(f"The sum {name} is beyond 2^53 - 1.", f"合计 {name} 超出 2^53-1。")
    return values[0] if len(set(values)) == 1 else _conflict(output.name, given)


def combine_outputs(
    outputs: Mapping[str, Output],
    rules: Iterable[Rule],
    given: Iterable[Given],
    undetermined: frozenset[str],
) -> tuple[dict[str, int], list[Text]]:
    """Return the outputs of a case by name, and why some could not be combined.

    An output that an undetermined rule might have set is absent: a part of a sum is no sum.

    Args:
        outputs: Those that the pack declares.
        rules: The rules of the pack.
        given: What the rules set, for every choice of facts.
        undetermined: The rules that could not be evaluated.
    """
    open_outputs = {
        setting.output for rule in rules if rule.id in undetermined for setting in rule.settings
    }
    by_output: defaultdict[str, list[Given]] = defaultdict(list)
    for one in given:
        by_output[one.output].append(one)
    result: dict[str, int] = {}
    causes: list[Text] = []
    for name in sorted(by_output.keys() - open_outputs):
        combined = _combine(outputs[name], by_output[name])
        if isinstance(combined, Text):
            causes.append(combined)
        else:
            result[name] = combined
    return result, causes

"""The elements of all rule files of a pack, bounded and not yet typed.

Source: docs/spec/pack-format.md, section 4 and PF-19.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from carnet.core.text import Text
from carnet.rules.format.build import Defects
from carnet.rules.format.hostile import TOKENS_MAX, count_tokens
from carnet.rules.format.section import Section, defect

RULES_MAX = 2_000
RULE_LINES_MAX = 20_000
"""Lines of all rules of a pack; what reading a pack takes grows with them."""
DEFINITIONS_MAX = 500
OUTPUTS_MAX = 100
CLOSURES_MAX = 16


@dataclass(frozen=True, slots=True)
class RawRules:
    """The mappings of all rule files, not yet typed."""

    derived: list[Section]
    measures: list[Section]
    outputs: list[Section]
    closures: list[Section]
    rules: list[Section]


def collect_raw(roots: Iterable[Section], defects: Defects) -> RawRules:
    """Return the elements of all rule files in order.

    Raises:
        RulePackError: The pack has more than RULES_MAX rules or RULE_LINES_MAX lines in them.
    """
    result = RawRules([], [], [], [], [])
    for root in roots:
        for key, target, most in (
            ("derived", result.derived, DEFINITIONS_MAX),
            ("measures", result.measures, DEFINITIONS_MAX),
            ("outputs", result.outputs, OUTPUTS_MAX),
            ("closures", result.closures, CLOSURES_MAX),
            ("rules", result.rules, RULES_MAX),
        ):
            for raw, line in root.items(key, most):
                with defects.collect():
                    target.append(Section(raw, root.file, line, f"an element of {key!r}"))
        with defects.collect():
            root.close()
    _check_size(result)
    _check_expressions(result)
    return result


def _check_size(raw: RawRules) -> None:
    lines = sum(_line_count(rule.data) for rule in raw.rules)
    last = raw.rules[min(len(raw.rules) - 1, RULES_MAX)] if raw.rules else None
    for count, most, en, zh in (
        (len(raw.rules), RULES_MAX, "rules", "条规则"),
        (lines, RULE_LINES_MAX, "lines in its rules", "行规则条件"),
    ):
        if count > most:
            assert last is not None, "what is counted is there"
            raise defect(
                "CRN-R-003",
                last.file,
                last.line,
                Text(
                    f"The pack has {count} {en}; at most {most} are allowed.",
                    f"规则包有 {count} {zh}；最多 {most} {zh[0]}。",
                ),
                Text("Divide it into several packs.", "请将其拆分为多个规则包。"),
            )


def _check_expressions(raw: RawRules) -> None:
    size = 0
    for section in (*raw.derived, *raw.measures, *raw.rules):
        size += count_tokens(section.data)
        if size > TOKENS_MAX:
            raise defect(
                "CRN-R-003",
                section.file,
                section.line,
                Text(
                    f"The lines and values hold more than {TOKENS_MAX} words and signs.",
                    f"规则包的条件行和取值超过 {TOKENS_MAX} 个词和符号。",
                ),
                Text("Divide it into several packs.", "请将其拆分为多个规则包。"),
            )


def _line_count(rule: Mapping[str, object]) -> int:
    """Return how many lines a rule has, which may still be of any shape."""
    blocks = rule.get("without")
    listed_blocks = blocks if isinstance(blocks, list) else []
    holders = [block for block in listed_blocks if isinstance(block, dict)]
    listed = [rule.get("scope"), rule.get("when"), *(block.get("when") for block in holders)]
    return sum(len(lines) for lines in listed if isinstance(lines, list))

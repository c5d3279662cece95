"""Rules that find nothing another rule of the same severity does not find already.

Source: docs/spec/pack-format.md, PF-53.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from carnet.core.text import Text
from carnet.rules.ast import Line, Pack, Rule
from carnet.rules.check.report import Defect, warning
from carnet.rules.renaming import rename_condition

COMPARED_MAX = 200_000
"""Pairs of rules that are compared; a pack of this size has other troubles."""
_Key = object


def _line(line: Line, names: Mapping[str, str]) -> _Key:
    return frozenset(rename_condition(condition, names) for condition in line.conditions)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a rule asks, spelled without its aliases."""

    rule: Rule
    keys: frozenset[_Key]


def _asked(rule: Rule) -> _Asked:
    names = {alias: f"m{number}" for number, (alias, _) in enumerate(rule.match)}
    keys: set[_Key] = {_line(line, names) for line in rule.when}
    keys |= {_line(one.line, names) for one in rule.scope}
    for block in rule.without:
        inner = {**names, block.alias: "w"}
        lines = frozenset(_line(line, inner) for line in block.when)
        keys.add(("without", block.fact_type, lines))
    return _Asked(rule, frozenset(keys))


def _groups(pack: Pack) -> Iterator[list[_Asked]]:
    """Yield the rules that could stand for one another, in the order of the pack."""
    groups: dict[object, list[_Asked]] = defaultdict(list)
    for rule in pack.rules:
        if rule.message is not None and not rule.settings and rule.action is None:
            types = tuple(kind for _, kind in rule.match)
            groups[rule.severity, types].append(_asked(rule))
    yield from groups.values()


def _covering(one: _Asked, others: list[_Asked]) -> Rule | None:
    """Return a rule that finds whatever a rule finds; of two equal ones the first covers."""
    position = next(n for n, other in enumerate(others) if other is one)
    for number, other in enumerate(others):
        is_before = number < position
        if other.keys < one.keys or (is_before and other.keys == one.keys):
            return other.rule
    return None


def overlap_defects(pack: Pack) -> Iterator[Defect]:
    """Yield rules that another rule makes needless."""
    for group in _groups(pack):
        compared = group if len(group) ** 2 <= COMPARED_MAX else _shrunk(group)
        for one in compared:
            cover = _covering(one, compared)
            if cover is not None:
                yield _defect(one.rule, cover)


def _shrunk(group: list[_Asked]) -> list[_Asked]:
    """Return the rules of a large group that ask the same as another one."""
    seen: dict[frozenset[_Key], list[_Asked]] = defaultdict(list)
    for one in group:
        seen[one.keys].append(one)
    return [one for same in seen.values() if len(same) > 1 for one in same][:400]


def _defect(rule: Rule, cover: Rule) -> Defect:
    return warning(
        "CRN-R-206",
        (rule.file, rule.number),
        Text(
            f"The rule {rule.id} finds nothing that {cover.id} ({cover.file}:{cover.number}) does "
            "not find: the same facts, the same severity, no line less.",
            f"规则 {rule.id} 的发现项均已由 {cover.id}（{cover.file}:{cover.number}）覆盖："
            "匹配相同、级别相同、条件不少于后者。",
        ),
        Text(
            "Merge the two, or add the line that tells them apart.",
            "请合并两条规则，或补充区分二者的条件。",
        ),
    )

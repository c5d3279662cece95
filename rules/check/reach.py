"""Rules that can never find anything, lines that say nothing, alternatives that never decide.

Source: docs/spec/pack-format.md, PF-52.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from carnet.core.text import Text
from carnet.rules.ast import (
    Aggregation,
    Choice,
    Definition,
    FieldRef,
    Line,
    Lines,
    MeasureRef,
    Pack,
    Presence,
    Rule,
    fields_of,
    parts_of,
    values_of,
)
from carnet.rules.check.constraints import System
from carnet.rules.check.places import Material
from carnet.rules.check.possible import (
    Budget,
    can_hold,
    can_hold_in_window,
    parameters_of,
    reads_as_of,
)
from carnet.rules.check.report import Defect, fault, warning


def _distinct_facts(aliases: Sequence[tuple[str, str]]) -> System:
    """Return that two aliases of one type are two facts."""
    system = System()
    for (one, kind), (other, other_kind) in combinations(aliases, 2):
        if kind == other_kind:
            left = FieldRef(one, (), kind, "id", "string", is_certain=True)
            right = FieldRef(other, (), kind, "id", "string", is_certain=True)
            system.distinct.append((left, right))
    return system


def _core(lines: Sequence[Line], system: System, budget: Budget) -> list[Line]:
    """Return lines of which none can be left out without the rest becoming possible."""
    core = list(lines)
    for line in lines:
        rest = [one for one in core if one is not line]
        if not can_hold(rest, system, budget):
            core = rest
    return core


def _spelled(lines: Sequence[Line]) -> str:
    return "; ".join(line.text for line in lines) or "-"


def _place(rule: Rule, lines: Sequence[Line]) -> tuple[str, int]:
    own = [*(one.line for one in rule.scope), *rule.when]
    own += [line for block in rule.without for line in block.when]
    numbers = [line.number for line in lines if any(line is one for one in own)]
    return rule.file, max(numbers, default=rule.number)


def _all_lines(pack: Pack, rule: Rule) -> list[Line]:
    return [*pack.case.when, *(one.line for one in rule.scope), *rule.when]


def _unreachable(pack: Pack, rule: Rule, budget: Budget) -> Iterator[Defect]:
    lines = _all_lines(pack, rule)
    system = _distinct_facts(rule.match)
    if not can_hold(lines, system, budget):
        core = _core(lines, system, budget)
        shown = _spelled(core)
        yield fault(
            "CRN-R-200",
            _place(rule, core),
            Text(
                f"The rule {rule.id} can never find anything: no fact satisfies {shown}",
                f"规则 {rule.id} 永远不会有结果：没有事实能同时满足 {shown}",
            ),
            Text(
                "Take one of these lines out, or join them with || where either should do.",
                "请删除其中一行；若满足其一即可，请用 || 连接。",
            ),
        )
    elif not can_hold_in_window(pack, lines, system, budget):
        dated = [line for line in lines if parameters_of([line]) or reads_as_of(line)]
        shown = _spelled(dated)
        until = pack.effective_to or "..."
        yield warning(
            "CRN-R-201",
            _place(rule, dated),
            Text(
                f"The rule {rule.id} applies on no day from {pack.effective_from} to {until} with "
                f"the values that the parameters have: {shown}",
                f"按参数的现有取值，规则 {rule.id} 在 {pack.effective_from} 至 {until} 期间任何一天"
                f"都不适用：{shown}",
            ),
            Text(
                "Check the dated values of the parameters and the pack's window.",
                "请检查参数的各时段取值和规则包的适用期。",
            ),
        )


def _empty_blocks(pack: Pack, rule: Rule, budget: Budget) -> Iterator[Defect]:
    before = _all_lines(pack, rule)
    for block in rule.without:
        system = _distinct_facts([*rule.match, (block.alias, block.fact_type)])
        lines = [*before, *block.when]
        if not can_hold(lines, system, budget):
            core = [one for one in _core(lines, system, budget) if one in block.when]
            yield warning(
                "CRN-R-202",
                _place(rule, core or block.when),
                Text(
                    f"The block 'without {block.alias}: {block.fact_type}' of {rule.id} never "
                    f"finds a fact: {_spelled(core)}",
                    f"规则 {rule.id} 的 without 块（{block.alias}: {block.fact_type}）"
                    f"永远找不到事实：{_spelled(core)}",
                ),
                Text("Take the block or one of its lines out.", "请删除该块或其中一行。"),
            )


# --- lines that say nothing ------------------------------------------------------------------


def _may_be_unknown(line: Line, others: Sequence[Line]) -> bool:
    """Return whether a line may be undetermined although it is never false."""
    known = System()
    for other in others:
        if len(other.conditions) == 1:
            known.add(other.conditions[0])
    for condition in line.conditions:
        for value in values_of(condition):
            parts = list(parts_of(value))
            if any(isinstance(part, MeasureRef) or hasattr(part, "table") for part in parts):
                return True
            for one in fields_of(value):
                if not (one.is_certain or one in known.present):
                    return True
    return False


def _is_never_false(line: Line, others: Sequence[Line], budget: Budget) -> bool:
    if budget.is_spent or parameters_of([line]) or reads_as_of(line):
        # The law may give parameters other values and the clock runs: such a line is meant.
        return False
    if any(isinstance(condition, Presence) for condition in line.conditions):
        # A guard makes false what would be undetermined, so it is never idle.
        return False
    system = System()
    for condition in line.conditions:
        system.add(condition, holds=False)
    return not can_hold(others, system, budget) and not _may_be_unknown(line, others)


def _idle_lines(pack: Pack, rule: Rule, budget: Budget) -> Iterator[Defect]:
    before = list(pack.case.when)
    if not can_hold(_all_lines(pack, rule), _distinct_facts(rule.match), budget):
        return
    for scope in rule.scope:
        yield from _idle_line(rule, scope.line, before, budget)
        before.append(scope.line)
    kept = list(rule.when)
    for line in rule.when:
        others = [*before, *(one for one in kept if one is not line)]
        found = list(_idle_line(rule, line, others, budget))
        if found and found[0].code == "CRN-R-205":
            kept = [one for one in kept if one is not line]
        yield from found


def _idle_line(rule: Rule, line: Line, others: Sequence[Line], budget: Budget) -> Iterator[Defect]:
    if _is_never_false(line, others, budget):
        yield warning(
            "CRN-R-205",
            (rule.file, line.number),
            Text(
                f"The line {line.text} of {rule.id} is always true beside the others.",
                f"规则 {rule.id} 的条件 {line.text} 在其他条件下恒为真。",
            ),
            Text("Take it out, or ask what was meant.", "请删除，或核对本意。"),
        )
    elif len(line.conditions) > 1:
        yield from _dead_alternatives(rule, line, others, budget)


def _dead_alternatives(
    rule: Rule, line: Line, others: Sequence[Line], budget: Budget
) -> Iterator[Defect]:
    for number, condition in enumerate(line.conditions, start=1):
        system = System()
        system.add(condition)
        if not can_hold(others, system, budget):
            yield warning(
                "CRN-R-204",
                (rule.file, line.number),
                Text(
                    f"Alternative {number} of the line {line.text} of {rule.id} is never true.",
                    f"规则 {rule.id} 的条件 {line.text} 中第 {number} 个备选永不成立。",
                ),
                Text("Take the alternative out.", "请删除该备选条件。"),
            )


# --- definitions -----------------------------------------------------------------------------


def _lists_of(definition: Definition) -> Iterator[tuple[str, Lines]]:
    body = definition.body
    if isinstance(body, Choice):
        for number, candidate in enumerate(body.candidates, start=1):
            yield f"candidate {number}", candidate.when
    elif isinstance(body, Aggregation):
        yield f"'over' {body.alias}", body.when


def _idle_definitions(material: Material, budget: Budget) -> Iterator[Defect]:
    pack = material.pack
    for definition in (*pack.derived.values(), *pack.measures.values()):
        place = material.definition(definition)
        for what, lines in _lists_of(definition):
            if not can_hold(lines, System(), budget):
                yield _never_chosen(definition, what, _spelled(lines), place, lines)
        body = definition.body
        if isinstance(body, Choice) and body.choose == "first":
            open_ones = [n for n, one in enumerate(body.candidates) if not one.when]
            if open_ones and open_ones[0] + 1 < len(body.candidates):
                what = f"candidate {open_ones[0] + 2}"
                before = f"candidate {open_ones[0] + 1} has no lines and comes first"
                yield _never_chosen(definition, what, before, place, ())


def _never_chosen(
    definition: Definition, what: str, why: str, place: tuple[str, int], lines: Lines
) -> Defect:
    file, line = place
    at = max((one.number for one in lines), default=line)
    return warning(
        "CRN-R-203",
        (file, at),
        Text(
            f"{definition.name}: {what} never applies ({why}).",
            f"{definition.name}：{what} 永不适用（{why}）。",
        ),
        Text("Take it out or correct its lines.", "请删除或更正其条件行。"),
    )


def reach_defects(material: Material, budget: Budget) -> Iterator[Defect]:
    """Yield rules, blocks, candidates and lines that can never decide anything."""
    pack = material.pack
    for rule in pack.rules:
        yield from _unreachable(pack, rule, budget)
        yield from _empty_blocks(pack, rule, budget)
        yield from _idle_lines(pack, rule, budget)
    yield from _idle_definitions(material, budget)

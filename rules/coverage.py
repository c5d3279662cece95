"""How much of a pack its tests try: rules both ways, conditions both ways, candidates, table rows.

The cases of every test are evaluated once more, apart from the engines, and what each condition
came to is noted. A line counts where an engine would ask it: after the lines before it held. What
cannot happen on any day of the pack's window is not asked for.

Source: docs/spec/pack-format.md, PF-57.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carnet.core.errors import CarnetError
from carnet.core.money import BPS_ONE
from carnet.core.text import Text
from carnet.rules.ast import (
    Aggregation,
    Choice,
    Condition,
    Definition,
    Line,
    Lines,
    Pack,
    Rule,
    Without,
)
from carnet.rules.case import Bindings, Case, assemble
from carnet.rules.check.constraints import System
from carnet.rules.check.places import Material, Place
from carnet.rules.check.possible import (
    Budget,
    can_hold_in_window,
    parameters_of,
    reads_as_of,
    worlds_of,
)
from carnet.rules.choices import choices_of
from carnet.rules.evaluate import evaluate_rule
from carnet.rules.finding import bind, prepare
from carnet.rules.functions import ratio_bps_down
from carnet.rules.pack import Resolve, load_shipped
from carnet.rules.parameters import Unknown
from carnet.rules.run import start_run
from carnet.rules.testing import PackTest, read_tests, stages_of
from carnet.rules.values import Verdict, bindings_of, computed, decide, verdict_of

CHOICES_MAX = 2_000
"""Choices of facts looked at for one rule of one case."""
Mark = tuple[object, ...]
"""What may be seen: a rule, a condition, a block, a candidate or a row, and how."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that no test tries."""

    file: str
    line: int
    what: Text

    def to_json(self) -> dict[str, Any]:
        """Return it as published."""
        return {"file": self.file, "line": self.line, "what": self.what.to_json()}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much the tests of a pack try.

    Args:
        rules: Rules that some test makes find and some other leave alone.
        rules_all: Rules of the pack.
        conditions: Ways that conditions, blocks, candidates and table rows went.
        conditions_all: Ways that they can go.
        missing: What no test tries, by file and line.
    """

    rules: int
    rules_all: int
    conditions: int
    conditions_all: int
    missing: tuple[Missing, ...]

    @property
    def rules_bps(self) -> int:
        """Covered rules in basis points, rounded down."""
        return _bps(self.rules, self.rules_all)

    @property
    def conditions_bps(self) -> int:
        """Covered ways of conditions in basis points, rounded down."""
        return _bps(self.conditions, self.conditions_all)

    def reaches(self, percent: int) -> bool:
        """Return whether both are at least a whole percentage."""
        return min(self.rules_bps, self.conditions_bps) >= percent * (BPS_ONE // 100)

    def to_json(self) -> dict[str, Any]:
        """Return the coverage as published."""
        return {
            "rules": {"covered": self.rules, "all": self.rules_all, "bps": self.rules_bps},
            "conditions": {
                "covered": self.conditions,
                "all": self.conditions_all,
                "bps": self.conditions_bps,
            },
            "missing": [one.to_json() for one in self.missing],
        }


def _bps(part: int, whole: int) -> int:
    found = ratio_bps_down(part, whole)
    return BPS_ONE if found is None else found


# --- what can be seen -------------------------------------------------------------------------

_TRUE, _FALSE = Text("true", "成立"), Text("false", "不成立")


@dataclass(slots=True)
class _Plan:
    """Every mark that tests should make, with where it stands and what it is."""

    material: Material
    budget: Budget = field(default_factory=Budget)
    wanted: dict[Mark, Missing] = field(default_factory=dict)

    def want(self, mark: Mark, place: Place, en: str, zh: str) -> None:
        self.wanted[mark] = Missing(*place, Text(en, zh))

    def _can(self, condition: Condition, *, holds: bool) -> bool:
        """Return whether a condition that reads the date or a parameter can go one way."""
        alone = Line("", (condition,))
        if not parameters_of([alone]) and not reads_as_of(alone):
            return True
        if holds:
            return can_hold_in_window(self.material.pack, [alone], System(), self.budget)
        return self._can_fail(condition, alone)

    def _can_fail(self, condition: Condition, alone: Line) -> bool:
        for world in worlds_of(self.material.pack, parameters_of([alone])):
            system = world.system()
            system.add(condition, holds=False)
            if self.budget.ask(system):
                return True
        return False

    def lines(self, lines: Lines, owner: str, file: str) -> None:
        for line in lines:
            for number, condition in enumerate(line.conditions):
                shown = line.text
                if len(line.conditions) > 1:
                    shown += f" [{number + 1}]"
                for holds, word in ((True, _TRUE), (False, _FALSE)):
                    if self._can(condition, holds=holds):
                        self.want(
                            (id(condition), holds),
                            (file, line.number),
                            f"{owner}: {shown} is never {word.en}",
                            f"{owner}：{shown} 从未{word.zh}",
                        )

    def rule(self, rule: Rule) -> None:
        place = (rule.file, rule.number)
        self.want(("raised", rule.id), place, f"{rule.id} never applies", f"{rule.id} 从未触发")
        self.want(("quiet", rule.id), place, f"{rule.id} is never clear", f"{rule.id} 从未通过")
        self.lines((*(one.line for one in rule.scope), *rule.when), rule.id, rule.file)
        for block in rule.without:
            at = (rule.file, min((one.number for one in block.when), default=rule.number))
            shown = f"{rule.id}: without {block.alias}: {block.fact_type}"
            self.want(("none", id(block)), at, f"{shown} never finds none", f"{shown} 从未落空")
            self.want(("some", id(block)), at, f"{shown} never finds a fact", f"{shown} 从未找到")
            self.lines(block.when, f"{rule.id} (without {block.alias})", rule.file)

    def definition(self, definition: Definition) -> None:
        file, line = self.material.definition(definition)
        body = definition.body
        if isinstance(body, Aggregation):
            self.lines(body.when, definition.name, file)
        if not isinstance(body, Choice):
            return
        for number, candidate in enumerate(body.candidates, start=1):
            at = min((one.number for one in candidate.when), default=line)
            self.want(
                ("chosen", id(candidate)),
                (file, at),
                f"{definition.name}: candidate {number} never decides",
                f"{definition.name}：第 {number} 个候选项从未起决定作用",
            )
            self.lines(candidate.when, definition.name, file)


def _plan_of(material: Material) -> dict[Mark, Missing]:
    plan, pack = _Plan(material), material.pack
    plan.lines(pack.case.when, "case", "pack.yaml")
    for rule in pack.rules:
        plan.rule(rule)
    for definition in (*pack.derived.values(), *pack.measures.values()):
        plan.definition(definition)
    for closure in pack.closures.values():
        plan.lines(closure.when, closure.name, material.named("closures", closure.name)[0])
    for table in pack.tables.values():
        for row in table.rows:
            shown = f"{table.id}: {row.id}"
            place = (table.file, row.number)
            plan.want(("row", table.id, row.id), place, f"{shown} never hits", f"{shown} 从未命中")
    return plan.wanted


# --- what is seen -----------------------------------------------------------------------------


class _Recorder:
    """Notes what the conditions of a pack come to in the cases of its tests."""

    def __init__(self) -> None:
        self.seen: Counter[Mark] = Counter()

    def lines(self, lines: Lines, bindings: Bindings, case: Case) -> Verdict:
        """Note the lines of a list as far as one is false, and return what they come to."""
        result: Verdict = True
        for line in lines:
            verdict = self._line(line, bindings, case)
            if verdict is False:
                return False
            if isinstance(verdict, Unknown):
                result = verdict
        return result

    def _line(self, line: Line, bindings: Bindings, case: Case) -> Verdict:
        found = [verdict_of(condition, bindings, case) for condition in line.conditions]
        for condition, verdict in zip(line.conditions, found, strict=True):
            if not isinstance(verdict, Unknown):
                self.seen[id(condition), verdict] += 1
        if any(verdict is True for verdict in found):
            return True
        return next((one for one in found if isinstance(one, Unknown)), False)

    def block(
        self, block: Without, bindings: Bindings, taken: Iterable[object], case: Case
    ) -> None:
        others = [fact for fact in case.facts_of(block.fact_type) if fact not in taken]
        found = [self.lines(block.when, {**bindings, block.alias: fact}, case) for fact in others]
        if any(verdict is True for verdict in found):
            self.seen["some", id(block)] += 1
        elif all(verdict is False for verdict in found):
            self.seen["none", id(block)] += 1

    def rule(self, rule: Rule, case: Case, *, is_asked: bool) -> None:
        """Note a rule in a case; `is_asked` says whether engines were asked it at all."""
        if self.lines(tuple(one.line for one in rule.scope), case.named, case) is False:
            self.seen["quiet", rule.id] += 1
            return
        if is_asked:
            found = evaluate_rule(rule, case)
            if found.sure:
                self.seen["raised", rule.id] += 1
            elif not found.unsure:
                self.seen["quiet", rule.id] += 1
        for count, choice in enumerate(choices_of(rule, case)):
            if count == CHOICES_MAX:
                return
            bindings = bind(rule, choice, case)
            if self.lines(rule.when, bindings, case) is not False:
                for block in rule.without:
                    self.block(block, bindings, choice, case)

    def definition(self, definition: Definition, case: Case) -> None:
        """Note a derived field of every fact of its type, or a measure."""
        owner = definition.fact_type
        facts = [None] if owner is None else case.facts_of(owner)
        for fact in facts:
            bindings, body = bindings_of(fact, case), definition.body
            computed(definition, fact, case)
            if isinstance(body, Aggregation):
                for one in case.facts_of(body.fact_type):
                    self.lines(body.when, {**bindings, body.alias: one}, case)
            if isinstance(body, Choice):
                for candidate in body.candidates:
                    self.lines(candidate.when, bindings, case)
                decided = decide(definition, body, bindings, case)
                if not isinstance(decided, Unknown):
                    self.seen["chosen", id(decided[0])] += 1

    def case(self, case: Case) -> None:
        """Note everything that is asked about one case."""
        if case.broken:
            return
        pack = case.run.pack
        self.lines(pack.case.when, case.named, case)
        prepared = prepare(case)
        if prepared is None or case.broken:
            return
        for index, rule in enumerate(pack.rules):
            self.rule(rule, case, is_asked=index in prepared.rules)
        for definition in (*pack.derived.values(), *pack.measures.values()):
            self.definition(definition, case)
        for closure in pack.closures.values():
            for link in case.facts_of(closure.fact_type):
                self.lines(closure.when, {**case.named, closure.alias: link}, case)
            case.facts_of(closure.name)
        for table in pack.tables.values():
            if table.has_hits:
                case.facts_of(table.id)

    def test(self, pack: Pack, test: PackTest, resolve: Resolve) -> None:
        """Note everything that one test tries; what cannot be evaluated tries nothing."""
        try:
            earlier = stages_of(pack, test, "reference", resolve).earlier(pack)
            run = start_run(pack, test.as_of, test.confirmed)
            cases, _ = assemble(run, test.facts, earlier.facts)
        except CarnetError:
            return
        for case in cases:
            self.case(case)
        for name, table in run.tables.items():
            for row in table.rows_hit():
                self.seen["row", name, row] += 1


def _rules_covered(pack: Pack, seen: Counter[Mark]) -> int:
    return sum(bool(seen["raised", rule.id] and seen["quiet", rule.id]) for rule in pack.rules)


def coverage_of(material: Material, resolve: Resolve = load_shipped) -> Coverage:
    """Return how much the tests of a pack try; `resolve` gives the packs that it comes after."""
    pack = material.pack
    recorder = _Recorder()
    for test in read_tests(pack):
        if isinstance(test, PackTest):
            recorder.test(pack, test, resolve)
    wanted = _plan_of(material)
    missing = [one for mark, one in wanted.items() if not recorder.seen[mark]]
    conditions = [mark for mark in wanted if mark[0] not in {"raised", "quiet"}]
    return Coverage(
        rules=_rules_covered(pack, recorder.seen),
        rules_all=len(pack.rules),
        conditions=sum(bool(recorder.seen[mark]) for mark in conditions),
        conditions_all=len(conditions),
        missing=tuple(sorted(missing, key=lambda one: (one.file, one.line, one.what.en))),
    )

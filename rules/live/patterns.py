"""Conditions as the live engine tests them: flat conjunctions over integers that are always there.

Every value that a condition compares becomes a property of a message: an integer. Dates are day
numbers, booleans 0 and 1, texts numbers given for one case, so that equal texts and only those have
equal numbers. A value that may be unknown has three companions: a flag (1 known, 0 absent,
2 undetermined) and a lowest and a highest value it could have, both itself where it is known. So
both forms of a comparison are flat: *sure* asks that both sides be known and the comparison hold,
*maybe* asks whether it could hold, `a < b` being `lowest(a) < highest(b)`.

Most cases know all that their rules ask. For them there is a *plain* form, in which each property
is known and a comparison is one test; whether something is present is then a property of its own.

Conditions with alternatives come out as several conjunctions. Nested junctions are never given to
the engine: it was seen to answer them wrongly.

Source: docs/adr/0006-durable-rules-safe-profile.md; docs/spec/pack-format.md, PF-12.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from math import prod
from typing import Any, Literal

from carnet.core.clock import day_number
from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import (
    Comparison,
    Condition,
    Constant,
    FieldRef,
    Line,
    Lookup,
    MeasureRef,
    Membership,
    Operator,
    ParameterRef,
    Presence,
    Rule,
    Truth,
    Value,
    fields_of,
    parts_of,
    values_of,
)
from carnet.rules.case import Bindings, Case, Run, field_of
from carnet.rules.format.section import defect
from carnet.rules.parameters import Known, Unknown
from carnet.rules.renaming import rename_condition, rename_value
from carnet.rules.values import is_stored, line_holds, value_of, verdict_of

CASE = "case"
CASE_TYPE = ""
"""The fact type under which the anchor's own properties are kept."""
OWN = "$"
"""The alias under which a term names the fact that it is a property of."""
LOWEST, HIGHEST = -(2**53), 2**53
"""Below and above every integer that a fact may hold."""
ITEMS_MAX = 16
"""Items of a list that the engine tests one by one; a longer list is one property."""

PATTERNS_MAX = 64
"""Patterns that the alternatives of one rule may multiply out to."""

Form = Literal["plain", "kleene", "widest"]
"""The forms that a rule is compiled to; the widest is never run, it bounds the others."""
Conjunction = tuple[dict[str, Any], ...]
Alternatives = tuple[Conjunction, ...]
"""One of several conjunctions; none is never true, an empty one always."""
Pair = tuple[Alternatives, Alternatives]
"""The sure and the maybe form."""

ALWAYS: Alternatives = ((),)
NEVER: Alternatives = ()
_FLIPPED: dict[Operator, Operator] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_ENGINE_OPERATORS: dict[Operator, str] = {
    "!=": "$neq",
    "<": "$lt",
    "<=": "$lte",
    ">": "$gt",
    ">=": "$gte",
}


class NotPlainError(Exception):
    """A rule reads what is unknown in every case, so it has no plain form."""


def too_many_patterns(rule: Rule) -> RulePackError:
    """Return that the alternatives of a rule multiply out to too many patterns."""
    return refusal(
        rule,
        f"has more than {PATTERNS_MAX} combinations of alternatives",
        f"的备选条件组合超过 {PATTERNS_MAX} 种",
        "CRN-R-003",
    )


def refusal(rule: Rule, en: str, zh: str, code: str = "CRN-R-012") -> RulePackError:
    """Return that a rule cannot be brought into the safe profile."""
    return defect(
        code,
        rule.file,
        rule.number,
        Text(f"The rule {rule.id} {en}.", f"规则 {rule.id} {zh}。"),
        Text("Compute a part of it as a derived field.", "请将其中一部分定义为派生字段。"),
    )


def compare(operator: Operator, name: str, other: Any) -> dict[str, Any]:
    """Return a test of the engine."""
    return {name: other} if operator == "==" else {_ENGINE_OPERATORS[operator]: {name: other}}


def _merged(choice: Iterable[Conjunction]) -> Conjunction:
    tests: list[dict[str, Any]] = []
    for conjunction in choice:
        tests += [test for test in conjunction if test not in tests]
    return tuple(tests)


def every(parts: Iterable[Alternatives]) -> Alternatives:
    """Return that all of some alternatives hold, multiplied out."""
    return tuple(_merged(choice) for choice in product(*parts))


@dataclass(frozen=True, slots=True)
class Term:
    """One property of the messages of a fact type.

    Args:
        source: The value it holds, or the line whose verdict it holds (1, 0; 2 unknown).
        is_certain: Whether it is always known, so that it has no companions.
    """

    source: Value | Line
    is_certain: bool

    def worth(self, bindings: Bindings, case: Case) -> tuple[Known, int]:
        """Return the value and its flag for one fact."""
        if isinstance(self.source, Line):
            verdict = line_holds(self.source, bindings, case)
            return (2 if isinstance(verdict, Unknown) else int(verdict)), 1
        if is_stored(self.source):
            value: Any = field_of(bindings[self.source.alias], self.source.name)
            return (0, 0) if value is None else (value, 1)
        found = value_of(self.source, bindings, case)
        if isinstance(found, Unknown):
            return 0, 0 if found.is_absent else 2
        return found, 1


@dataclass(slots=True)
class Layout:
    """The properties of the messages of each fact type, and the numbers of constant texts."""

    terms: dict[str, dict[Term, int]] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    users: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """The rules that ask for each property."""
    joined: set[tuple[str, int]] = field(default_factory=set)
    """The properties that are compared with other properties, and not with constants alone."""
    rule: int = 0
    """The rule that is being compiled."""

    def number(self, fact_type: str, term: Term) -> int:
        """Return the number of a property, adding it where it is new."""
        known = self.terms.setdefault(fact_type, {})
        number = known.setdefault(term, len(known))
        self.users.setdefault((fact_type, number), set()).add(self.rule)
        return number

    def encode(self, value: Known) -> int:
        """Return a constant as the engine compares it."""
        if isinstance(value, str):
            return self.texts.setdefault(value, len(self.texts) + 1)
        assert not isinstance(value, tuple), "a list never reaches the engine"
        return day_number(value) if isinstance(value, date) else int(value)


# --- terms ------------------------------------------------------------------------------------


def is_certain(value: Value) -> bool:
    """Return whether a value is known for every fact."""
    return value.is_certain if isinstance(value, FieldRef) else isinstance(value, Constant)


def constant_of(value: Value, run: Run) -> Known | Unknown | None:
    """Return what a value is worth in every case of a run; None where that differs."""
    if any(isinstance(part, FieldRef | MeasureRef) for part in parts_of(value)):
        return None
    return value_of(value, {}, Case(run, Fact("", "", {})))


# --- sides of comparisons ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison as seen from the message it is placed on.

    Args:
        holder: The alias that has the property; empty for the message itself.
        number: The property's number; -1 for a constant.
        constant: The constant.
        is_certain: Whether it is always known.
        fact_type: The type of the message that has the property.
    """

    holder: str
    number: int
    constant: int = 0
    is_certain: bool = True
    fact_type: str = CASE_TYPE

    @property
    def is_own(self) -> bool:
        """Whether it is a property of the message itself."""
        return not self.holder and self.number >= 0

    @property
    def is_constant(self) -> bool:
        """Whether it is the same for every case."""
        return self.number < 0

    def name(self, bound: str = "p") -> str:
        """Return the property, or its lowest (`l`) or highest (`h`) value."""
        return f"{'p' if self.is_certain else bound}{self.number}"

    def operand(self, bound: str = "p") -> Any:
        """Return what stands on the right of a test."""
        return self.constant if self.is_constant else {self.holder or "$m": self.name(bound)}

    def known(self) -> Conjunction:
        """Return the tests that the side is known."""
        if self.is_certain:
            return ()
        if self.holder:
            return (compare("==", "k", {self.holder: f"k{self.number}"}),)
        return (compare("==", f"k{self.number}", 1),)


def _may_hold(operator: Operator, own: Side, other: Side) -> Alternatives:
    """Return whether a comparison could hold, given the lowest and highest values of its sides."""
    below = compare("<=" if operator == "==" else "<", own.name("l"), other.operand("h"))
    above = compare(">=" if operator == "==" else ">", own.name("h"), other.operand("l"))
    if operator == "==":
        return ((below, above),)
    if operator == "!=":
        return ((below,), (above,))
    low = operator in {"<", "<="}
    return (
        (compare(operator, own.name("l" if low else "h"), other.operand("h" if low else "l")),),
    )


# --- lines ------------------------------------------------------------------------------------


class Placer:
    """Compiles the lines of the messages of one rule.

    Args:
        rule: The rule, under aliases that the compiler assigned.
        run: The run, whose date and parameters are constants.
        layout: Where properties are noted.
        types: Fact type of every matched alias.
        form: In the plain form both forms of the pairs are the same. In the widest, what is
            constant in a run is taken to be known and to leave the rest open, so that a rule has
            as many alternatives as it can have on any date and whatever is confirmed.
    """

    def __init__(
        self, rule: Rule, run: Run, layout: Layout, types: Mapping[str, str], form: Form
    ) -> None:
        self._is_plain = form == "plain"
        self._is_widest = form == "widest"
        self._rule = rule
        self._run = run
        self._layout = layout
        self._types = types

    def lines(self, lines: Iterable[Line], at: str) -> Pair:
        """Return both forms of some lines on the message of an alias.

        Raises:
            RulePackError: Their alternatives multiply out to more than PATTERNS_MAX.
        """
        pairs = [self._line(line, at) for line in lines]
        for form in (0, 1):
            # Counted before they are multiplied out: a few lines could make millions.
            if prod(len(pair[form]) for pair in pairs) > PATTERNS_MAX:
                raise too_many_patterns(self._rule)
        return every(pair[0] for pair in pairs), every(pair[1] for pair in pairs)

    def _line(self, line: Line, at: str) -> Pair:
        if len(line.conditions) == 1:
            return self._condition(line.conditions[0], at, line)
        if not line.aliases & self._types.keys() - {at}:
            return self._verdict(line.conditions, at, at)
        pairs = [self._condition(one, at, line) for one in line.conditions]
        return (
            tuple(conjunction for pair in pairs for conjunction in pair[0]),
            tuple(conjunction for pair in pairs for conjunction in pair[1]),
        )

    def _condition(self, condition: Condition, at: str, line: Line) -> Pair:
        if isinstance(condition, Truth):
            wanted = Constant(not condition.is_negated, "boolean")
            return self._comparison(Comparison("==", condition.value, wanted), at, line)
        if isinstance(condition, Comparison):
            return self._comparison(condition, at, line)
        if isinstance(condition, Presence):
            return self._presence(condition, at)
        return self._membership(condition, at)

    # -- verdicts worked out beforehand --

    def _verdict(self, conditions: tuple[Condition, ...], holder: str, at: str) -> Pair:
        """Return tests of a verdict that is a property of the message or of another one."""
        own = tuple(rename_condition(one, {holder: OWN}) for one in conditions)
        certain = all(
            is_certain(value) or self._is_known_constant(value)
            for one in own
            for value in values_of(one)
        )
        fact_type = CASE_TYPE if holder == CASE else self._types[holder]
        number = self._layout.number(fact_type, Term(Line("", own), is_certain=True))
        if holder == at:
            sure, maybe = compare("==", f"p{number}", 1), compare("!=", f"p{number}", 0)
        else:
            sure = compare("==", "k", {holder: f"p{number}"})
            maybe = compare("!=", "z", {holder: f"p{number}"})
        return ((sure,),), ((sure if certain or self._is_plain else maybe,),)

    def _is_known_constant(self, value: Value) -> bool:
        constant = constant_of(value, self._run)
        return constant is not None and not isinstance(constant, Unknown)

    # -- membership and presence --

    def _membership(self, condition: Membership, at: str) -> Pair:
        items: Any = condition.items
        if isinstance(items, ParameterRef):
            items = self._run.parameters[items.id]
        holder = self._holder_of(condition)
        listed: tuple[Any, ...] = () if isinstance(items, Unknown | Lookup) else tuple(items)
        is_listed = 0 < len(listed) <= ITEMS_MAX
        is_known = is_certain(condition.value) or (
            self._is_plain and isinstance(condition.value, FieldRef)
        )
        if not is_listed or holder != at or not is_known:
            return self._verdict((condition,), at if holder == CASE else holder, at)
        side = self._side(condition.value, at)
        assert isinstance(side, Side), "a certain value is known"
        numbers = [self._layout.encode(item) for item in listed]
        if condition.is_negated:
            tests = tuple(compare("!=", side.name(), number) for number in numbers)
            return (tests,), (tests,)
        choices = [compare("==", side.name(), number) for number in numbers]
        test = choices[0] if len(choices) == 1 else {"$or": choices}
        return ((test,),), ((test,),)

    def _presence(self, condition: Presence, at: str) -> Pair:
        if condition.field.is_certain:
            settled = NEVER if condition.is_negated else ALWAYS
            return settled, settled
        if self._is_plain:
            # An absent field is no reason to give up the plain form where only this is asked.
            return self._verdict((condition,), self._alias_of(condition.field), at)
        side = self._side(condition.field, at)
        assert isinstance(side, Side), "a field is never a constant"
        known: tuple[str, Any] = (f"k{side.number}", 1)
        absent: tuple[str, Any] = (f"k{side.number}", 0)
        if side.holder:
            flag = {side.holder: f"k{side.number}"}
            known, absent = ("k", flag), ("z", flag)
        if condition.is_negated:
            return ((compare("==", *absent),),), ((compare("!=", *known),),)
        return ((compare("==", *known),),), ((compare("!=", *absent),),)

    # -- comparisons --

    def _alias_of(self, value: Value) -> str:
        """Return the matched alias that a value reads; `case` where it reads none."""
        return min({one.alias for one in fields_of(value)} & self._types.keys(), default=CASE)

    def _holder_of(self, condition: Condition) -> str:
        """Return the one matched alias that a condition reads; `case` where it reads none."""
        read = {one.alias for value in values_of(condition) for one in fields_of(value)}
        matched = read & self._types.keys()
        if len(matched) > 1:
            raise refusal(self._rule, "looks up one fact by another", "以另一事实查询决策表")
        return min(matched, default=CASE)

    def _side(self, value: Value, at: str, *, own: bool = False) -> Side | Unknown:
        """Return a side; `own` makes one that reads no matched fact a property of the message."""
        constant = constant_of(value, self._run)
        if isinstance(constant, Unknown):
            if not self._is_widest:
                return constant
            constant = 0
        if constant is not None and not own:
            return Side("", -1, self._layout.encode(constant))
        if constant is not None:
            assert not isinstance(constant, tuple), "no list stands in a comparison"
            value = Constant(constant, value.kind)
        holder = self._alias_of(value)
        if own and holder == CASE:
            holder = at
        fact_type = CASE_TYPE if holder == CASE else self._types[holder]
        certain = is_certain(value)
        number = self._layout.number(fact_type, Term(rename_value(value, {holder: OWN}), certain))
        return Side("" if holder == at else holder, number, 0, certain, fact_type)

    def _comparison(self, condition: Comparison, at: str, line: Line) -> Pair:
        left, right = self._side(condition.left, at), self._side(condition.right, at)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            if self._is_plain:
                raise NotPlainError
            return NEVER, ALWAYS
        if left.is_constant and right.is_constant:
            if self._is_widest:
                return ALWAYS, ALWAYS
            verdict = verdict_of(condition, {}, Case(self._run, Fact("", "", {})))
            return (ALWAYS, ALWAYS) if verdict is True else (NEVER, NEVER)
        if left.is_own:
            return self._tests(condition.operator, left, right)
        if right.is_own:
            return self._tests(_FLIPPED[condition.operator], right, left)
        return self._detached(condition, at, line)

    def _tests(self, operator: Operator, own: Side, other: Side) -> Pair:
        if not other.is_constant:
            self._layout.joined |= {(one.fact_type, one.number) for one in (own, other)}
        test = compare(operator, own.name(), other.operand())
        if self._is_plain or (own.is_certain and other.is_certain):
            return ((test,),), ((test,),)
        sure = (*own.known(), *other.known(), test)
        return (sure,), _may_hold(operator, own, other)

    def _detached(self, condition: Comparison, at: str, line: Line) -> Pair:
        """Compile a comparison of which neither side is a property of the message.

        The side that reads no matched fact becomes one. Where both read the same fact, the
        verdict becomes a property of that fact.
        """
        operator, left, right = condition.operator, condition.left, condition.right
        if self._alias_of(left) != CASE:
            operator, left, right = _FLIPPED[operator], right, left
        if self._alias_of(left) == CASE:
            own, other = self._side(left, at, own=True), self._side(right, at)
            assert isinstance(own, Side), "a known value stays known"
            assert isinstance(other, Side), "a known value stays known"
            return self._tests(operator, own, other)
        holder = self._alias_of(left)
        if holder != self._alias_of(right):
            raise defect(
                "CRN-R-012",
                self._rule.file,
                line.number or self._rule.number,
                Text(
                    f"The line {line.text!r} compares two facts beside the one it stands for.",
                    f"条件行 {line.text!r} 比较的是另外两个事实。",
                ),
                Text("Move the line to 'when'.", "请将该行移到 when。"),
            )
        return self._verdict((condition,), holder, at)

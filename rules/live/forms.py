"""From the typed form of a pack to durable-rules, within the safe profile.

What reaches the engine is only this: messages whose every property is a present integer; flat
conjunctions that compare a property with a constant or with a property of another message; joins
that end in one that is always true; negations behind an anchor that is asserted last.

A rule is compiled to three forms. The *plain* form serves cases that know every value it reads; in
it a line either holds or does not. The *sure* form asks that everything be known and hold, with
`without` blocks that forbid whatever might hold; the *maybe* form asks that nothing be known to
fail, with blocks that forbid only what certainly holds. What matches the third and not the second
is undetermined. Where the two are the same, one is enough. Alternatives become several patterns, of
which one must match, or several negations, of which none may.

Source: docs/adr/0006-durable-rules-safe-profile.md; docs/spec/pack-format.md, PF-10 and PF-12.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from carnet.rules.ast import Line, Rule, Without
from carnet.rules.case import Run
from carnet.rules.live.patterns import (
    CASE,
    CASE_TYPE,
    PATTERNS_MAX,
    Alternatives,
    Conjunction,
    Form,
    Layout,
    Pair,
    Placer,
    compare,
    refusal,
    too_many_patterns,
)
from carnet.rules.renaming import rename_line

JOINS_MAX = 24
NEGATIONS_MAX = 16


# --- rules ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One pattern of the engine.

    Its name is `s` (sure or plain) or `m` (maybe), the rule's index and a count.
    """

    name: str
    pattern: list[dict[str, Any]]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Message:
    """One message of a pattern, in both forms."""

    alias: str
    fact_type: str
    is_negated: bool
    head: Conjunction
    body: Pair


def _engine_aliases(rule: Rule) -> tuple[Rule, dict[str, str]]:
    """Return the rule under aliases that the compiler assigns, and their fact types.

    Names of authors never reach the engine, so none can collide in its 32-bit hashes.
    """
    names = {alias: f"m{index}" for index, (alias, _) in enumerate(rule.match)}
    types = {names[alias]: fact_type for alias, fact_type in rule.match}
    blocks = []
    for index, block in enumerate(rule.without):
        name = f"w{index}"
        types[name] = block.fact_type
        inner = {**names, block.alias: name}
        when = tuple(rename_line(line, inner) for line in block.when)
        blocks.append(Without(name, block.fact_type, when))
    renamed = replace(
        rule,
        match=tuple((names[alias], fact_type) for alias, fact_type in rule.match),
        when=tuple(rename_line(line, names) for line in rule.when),
        without=tuple(blocks),
    )
    return renamed, types


def _surely_there(alternatives: Alternatives) -> Alternatives:
    """Return alternatives that also ask that the fact be there for certain."""
    return tuple((*conjunction, compare("==", "s", 1)) for conjunction in alternatives)


class RuleCompiler:
    """Compiles one rule into its plain form, or into its sure and its maybe form.

    Args:
        index: The rule's number in the pack.
        rule: The rule.
        run: The run, whose date and parameters are constants.
        layout: Where properties are noted.
        tags: The number of each fact type.
        form: `plain`, or `kleene` for the other two, or `widest`: those with as many alternatives
            as they have on any date and whatever is confirmed.

    Raises:
        RulePackError: The rule cannot be brought into the safe profile.
        NotPlainError: It has no plain form.
    """

    def __init__(
        self,
        index: int,
        rule: Rule,
        run: Run,
        layout: Layout,
        tags: Mapping[str, int],
        form: Form,
    ) -> None:
        self._index = index
        self._rule, types = _engine_aliases(rule)
        self._is_plain = form == "plain"
        self._placer = Placer(self._rule, run, layout, types, form)
        self._tags = tags
        self._computing = run.computing

    def _placed(self) -> dict[str, list[Line]]:
        """Return each line of `when` under the last alias that it reads."""
        order = [CASE, *(alias for alias, _ in self._rule.match)]
        result: dict[str, list[Line]] = {alias: [] for alias in order}
        for line in self._rule.when:
            result[max(line.aliases & set(order), key=order.index, default=CASE)].append(line)
        return result

    def _head(self, alias: str, fact_type: str) -> Conjunction:
        """Return the tests of a message's type, and that it is none of those matched before."""
        before = []
        for other, kind in self._rule.match:
            if other == alias:
                break
            if kind == fact_type:
                before.append(compare("!=", "n", {other: "n"}))
        return ({"t": self._tags[fact_type]}, *before)

    def _messages(self) -> Iterator[_Message]:
        placed = self._placed()
        flag = {f"a{self._index}": 1}
        body = self._placer.lines(placed[CASE], CASE)
        yield _Message(CASE, CASE_TYPE, False, ({"t": 0}, flag), body)  # noqa: FBT003  # a field
        for alias, fact_type in self._rule.match:
            sure, maybe = self._placer.lines(placed[alias], alias)
            if self._may_be_unsure(fact_type):
                sure = _surely_there(sure)
            body = sure, maybe
            yield _Message(alias, fact_type, False, self._head(alias, fact_type), body)  # noqa: FBT003  # a field
        for block in self._rule.without:
            sure, maybe = self._placer.lines(block.when, block.alias)
            if self._may_be_unsure(block.fact_type):
                sure = _surely_there(sure)
            head = self._head(block.alias, block.fact_type)
            # Nothing may hold for certain that might hold: the forms change places.
            yield _Message(block.alias, block.fact_type, True, head, (maybe, sure))  # noqa: FBT003  # a field

    def _may_be_unsure(self, fact_type: str) -> bool:
        """Return whether messages of a type say if their fact is there for certain."""
        return not self._is_plain and fact_type in self._computing

    def _patterns(self, messages: list[_Message], form: int) -> list[list[dict[str, Any]]]:
        """Return the patterns of one form: one for each choice of alternatives."""
        positive = [message for message in messages if not message.is_negated]
        negative: list[dict[str, Any]] = []
        for message in messages:
            if message.is_negated:
                for count, tests in enumerate(message.body[form]):
                    alias = f"{message.alias}x{count}$not"
                    negative.append({alias: self._conjunction(message, tests)})
        if len(negative) > NEGATIONS_MAX:
            raise refusal(
                self._rule,
                f"has more than {NEGATIONS_MAX} alternatives in 'without'",
                f"的 without 中备选条件超过 {NEGATIONS_MAX} 个",
            )
        # Counted before they are multiplied out: a few lines could make millions.
        if prod(len(message.body[form]) for message in positive) > PATTERNS_MAX:
            raise too_many_patterns(self._rule)
        choices = product(*(message.body[form] for message in positive))
        return [
            [
                *(
                    {message.alias: self._conjunction(message, tests)}
                    for message, tests in zip(positive, choice, strict=True)
                ),
                *negative,
            ]
            for choice in choices
        ]

    def _conjunction(self, message: _Message, tests: Conjunction) -> dict[str, Any]:
        """Return the tests of one message: lists after joins, and a join at the end that is true.

        The engine leaves out a join by inequality that stands behind a list whose item was found.
        A false inequality that stands last reads beyond its memory (issue 381 of durable-rules), so
        something true always stands behind.
        """
        guards = [{"$ex": {name: 1}} for name in _own_names(tests)]
        joins = [test for test in tests if _is_join(test)]
        if len(joins) + len(message.head) > JOINS_MAX:
            raise refusal(
                self._rule,
                f"joins one fact by more than {JOINS_MAX} comparisons",
                f"对同一事实的关联比较超过 {JOINS_MAX} 个",
            )
        tail = [] if message.alias == CASE else [{"k": {CASE: "k"}}]
        return {"$and": [*message.head, *guards, *sorted(tests, key=_is_list), *tail]}

    def compile(self) -> Iterator[CompiledRule]:
        """Yield the patterns of the rule, the sure ones first."""
        messages = list(self._messages())
        types = tuple(
            fact_type
            for message in messages
            for fact_type in [message.fact_type] * max(1, *map(len, message.body))
        )
        sure, maybe = self._patterns(messages, 0), self._patterns(messages, 1)
        forms = [("s", sure)] if self._is_plain or sure == maybe else [("s", sure), ("m", maybe)]
        for letter, patterns in forms:
            for count, pattern in enumerate(patterns):
                yield CompiledRule(f"{letter}{self._index}_{count}", pattern, types)


def _is_join(test: Mapping[str, Any]) -> bool:
    """Return whether a test compares with a property of another message, or of the same one.

    >>> _is_join({"$lt": {"p0": 5}}), _is_join({"p0": 5}), _is_join({"$or": [{"p0": 5}]})
    (False, False, False)
    >>> _is_join({"$lt": {"p0": {"m0": "p1"}}}), _is_join({"k": {"case": "k"}})
    (True, True)
    """
    ((key, value),) = test.items()
    if key.startswith("$") and isinstance(value, dict):
        (value,) = value.values()
    return isinstance(value, dict)


def _is_list(test: Mapping[str, Any]) -> bool:
    """Return whether a test asks for one of several values."""
    return "$or" in test


def _own_names(tests: Conjunction) -> list[str]:
    """Return the properties of the message itself that some tests name, each once."""
    names: dict[str, None] = {}
    for test in tests:
        ((key, value),) = test.items()
        if key == "$or":
            names.update(dict.fromkeys(name for choice in value for name in choice))
        elif key.startswith("$"):
            names.update(dict.fromkeys(value))
        else:
            names[key] = None
    return list(names)

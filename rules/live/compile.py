"""From the typed form of a pack to durable-rules, within the safe profile.

What reaches the engine is only this: messages whose every property is a present integer; flat
conjunctions that compare a property with a constant or with a property of another message; joins
that end in one that is always true; negations behind an anchor that is asserted last.

A rule is compiled twice. The *sure* form asks that everything be known and hold, with `without`
blocks that forbid whatever might hold; the *maybe* form asks that nothing be known to fail, with
blocks that forbid only what certainly holds. What matches the second and not the first is
undetermined. Where the two are the same, one is enough. Alternatives become several patterns, of
which one must match, or several negations, of which none may.

Source: docs/adr/0006-durable-rules-safe-profile.md; docs/spec/pack-format.md, PF-10 and PF-12.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from math import prod
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.ast import Line, Pack, Rule, Without
from carnet.rules.case import Run
from carnet.rules.live.patterns import (
    CASE,
    CASE_TYPE,
    PATTERNS_MAX,
    Conjunction,
    Layout,
    Pair,
    Placer,
    Term,
    compare,
    refusal,
    rename_line,
    too_many_patterns,
)
from carnet.rules.live.protocol import RAN
from carnet.rules.run import start_run

SHARD_LOAD_MAX = 48
"""durable-rules fails at the 65th condition that one message matches; this stays clear of it."""
JOINS_MAX = 24
NEGATIONS_MAX = 16


# --- rules ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One pattern of the engine: `s` (sure) or `m` (maybe), the rule's index and a count."""

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


class _RuleCompiler:
    """Compiles one rule into its sure and its maybe form."""

    def __init__(
        self, index: int, rule: Rule, run: Run, layout: Layout, tags: Mapping[str, int]
    ) -> None:
        self._index = index
        self._rule, types = _engine_aliases(rule)
        self._placer = Placer(self._rule, run, layout, types)
        self._tags = tags

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
            body = self._placer.lines(placed[alias], alias)
            yield _Message(alias, fact_type, False, self._head(alias, fact_type), body)  # noqa: FBT003  # a field
        for block in self._rule.without:
            sure, maybe = self._placer.lines(block.when, block.alias)
            head = self._head(block.alias, block.fact_type)
            # Nothing may hold for certain that might hold: the forms change places.
            yield _Message(block.alias, block.fact_type, True, head, (maybe, sure))  # noqa: FBT003  # a field

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
        """Return the tests of one message; the join at their end is always true.

        A false inequality that stands last reads beyond its memory in the engine (issue 381 of
        durable-rules), so something true always stands behind.
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
        return {"$and": [*message.head, *guards, *tests, *tail]}

    def compile(self) -> Iterator[CompiledRule]:
        """Yield the patterns of the rule, the sure ones first."""
        messages = list(self._messages())
        types = tuple(
            fact_type
            for message in messages
            for fact_type in [message.fact_type] * max(1, *map(len, message.body))
        )
        sure, maybe = self._patterns(messages, 0), self._patterns(messages, 1)
        forms = [("s", sure)] if sure == maybe else [("s", sure), ("m", maybe)]
        for letter, patterns in forms:
            for count, pattern in enumerate(patterns):
                yield CompiledRule(f"{letter}{self._index}_{count}", pattern, types)


def _is_join(test: Mapping[str, Any]) -> bool:
    ((_, value),) = test.items()
    inner = next(iter(value.values())) if isinstance(value, dict) else value
    return isinstance(inner if not isinstance(value, dict) else value, dict)


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


# --- plans ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """A pack compiled for a date and a set of confirmed parameters.

    Args:
        name: The digest of its rulesets, by which a worker keeps it.
        rulesets: The rulesets as the engine reads them.
        tags: The number of each fact type whose facts are asserted.
        terms: The properties of each fact type, the anchor's under the empty name.
        texts: The numbers of the texts that rules name.
        rule_count: Rules of the pack, each of which has a flag on the anchor.
    """

    name: str
    rulesets: tuple[str, ...]
    tags: Mapping[str, int]
    terms: Mapping[str, tuple[Term, ...]]
    texts: Mapping[str, int]
    rule_count: int


def _has_room(load: Mapping[str, int], weight: Mapping[str, int]) -> bool:
    return all(load.get(kind, 0) + count <= SHARD_LOAD_MAX for kind, count in weight.items())


def _shards(rules: Iterable[CompiledRule]) -> list[list[CompiledRule]]:
    """Return the rules in groups in which no message meets too many conditions."""
    shards: list[tuple[list[CompiledRule], Counter[str]]] = []
    # Loads only grow: a group that had no room for a weight never has again.
    first_open: dict[frozenset[tuple[str, int]], int] = {}
    for rule in rules:
        weight = Counter(rule.types)
        key = frozenset(weight.items())
        position = first_open.get(key, 0)
        while position < len(shards) and not _has_room(shards[position][1], weight):
            position += 1
        first_open[key] = position
        if position == len(shards):
            shards.append(([], Counter()))
        members, load = shards[position]
        members.append(rule)
        load.update(weight)
    return [members for members, _ in shards]


def _seen(tags: Mapping[str, int]) -> dict[str, Any]:
    """Return rules that know every type of message and never match, and one that always does.

    A message that no rule knows makes the engine drop the whole batch. The rule `ran` matches the
    anchor, which comes last: the worker asks for exactly one such match, so that a message the
    engine dropped on the way cannot go unnoticed. It has a second use: the engine frees memory it
    never set when a state is deleted for which no action was ever started.
    """
    seen = {
        f"seen{tag}": {"all": [{"a": {"t": tag}}, {"b": {"t": -1}}]} for tag in (0, *tags.values())
    }
    return {RAN: {"all": [{CASE: {"t": 0}}]}, **seen}


def _fnv1a(name: str) -> int:
    """Return the 32-bit FNV-1a hash by which the engine tells names apart."""
    result = 0x811C9DC5
    for byte in name.encode("utf-8"):
        result = ((result ^ byte) * 0x01000193) & 0xFFFFFFFF
    return result


def check_names(names: Iterable[str]) -> None:
    """Refuse names that the engine could not tell apart.

    Raises:
        RulePackError: Two of them have the same hash.
    """
    seen: dict[int, str] = {}
    for name in names:
        other = seen.setdefault(_fnv1a(name), name)
        if other != name:
            raise RulePackError(
                "CRN-R-012",
                Text(
                    f"The names {other!r} and {name!r} collide in the live engine.",
                    f"名称 {other!r} 与 {name!r} 在实时引擎中发生哈希冲突。",
                ),
            )


def _all_names(plan: Plan, aliases: Iterable[str]) -> Iterator[str]:
    yield from ("id", "sid", "t", "k", "z", "n", CASE)
    yield from sorted(set(aliases))
    for prefix in "pklh":
        yield from (f"{prefix}{n}" for n in range(max(map(len, plan.terms.values()), default=0)))
    yield from (f"a{n}" for n in range(plan.rule_count))


def compile_plan(run: Run) -> Plan:
    """Return the plan of a run.

    Raises:
        RulePackError: A rule cannot be brought into the safe profile.
    """
    rules = run.pack.rules
    used = sorted({fact_type for rule in rules for _, fact_type in rule.aliases})
    tags = {fact_type: number for number, fact_type in enumerate(used, start=1)}
    layout = Layout({CASE_TYPE: {}, **{fact_type: {} for fact_type in used}})
    compiled: list[CompiledRule] = []
    for index, rule in enumerate(rules):
        compiled += _RuleCompiler(index, rule, run, layout, tags).compile()
    rulesets = tuple(
        json.dumps({**{rule.name: {"all": rule.pattern} for rule in shard}, **_seen(tags)})
        for shard in _shards(compiled)
    )
    terms = {fact_type: tuple(known) for fact_type, known in layout.terms.items()}
    name = sha256("\n".join(rulesets).encode()).hexdigest()
    plan = Plan(name, rulesets, tags, terms, layout.texts, len(rules))
    check_names(_all_names(plan, (key for one in compiled for m in one.pattern for key in m)))
    return plan


def check_compiles(pack: Pack) -> None:
    """Refuse a pack that the live engine could not run.

    Raises:
        RulePackError: A rule cannot be brought into the safe profile.
    """
    compile_plan(start_run(pack, pack.effective_from, frozenset(pack.parameters)))

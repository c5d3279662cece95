"""A pack compiled for the live engine: rulesets small enough for it, and what to tell each of them.

The rules of a pack are spread over groups, so that no message of a group meets more conditions than
the engine can bear. A group has one ruleset of plain forms, for cases that know every value its
rules read, and one or more of sure and maybe forms for the others. Each ruleset has a layout of
its own: a case tells it only what its rules ask.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from carnet.core.errors import RulePackError
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.case import Run
from carnet.rules.live.forms import CompiledRule, RuleCompiler
from carnet.rules.live.patterns import CASE, CASE_TYPE, Form, Layout, NotPlainError, Term
from carnet.rules.live.protocol import RAN
from carnet.rules.run import start_run, unverified_of

SHARD_LOAD_MAX = 48
"""durable-rules fails at the 65th condition that one message matches; this stays clear of it."""
PROPERTIES_MAX = 240
"""durable-rules fails at the 255th property of one message; this stays clear of it."""
_FIXED_PROPERTIES = 7
_COMPANIONS = 3


@dataclass(frozen=True, slots=True)
class Shard:
    """One ruleset of the engine.

    Args:
        number: Its number in the plan.
        ruleset: It, as the engine reads it.
        rules: The numbers of the rules in it; each has a flag on the anchor.
        terms: The properties of each fact type, the anchor's under the empty name.
        users: The rules that ask for each property.
        joined: The properties that are compared with other ones.
        is_plain: Whether its messages hold values alone, all of them known.
    """

    number: int
    ruleset: str
    rules: tuple[int, ...]
    terms: Mapping[str, tuple[Term, ...]]
    users: Mapping[tuple[str, int], frozenset[int]]
    joined: frozenset[tuple[str, int]]
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Some rules of a pack, with the rulesets that decide them.

    Args:
        rules: Their numbers.
        types: The fact types that each of them reads.
        tags: The number of each fact type whose facts are asserted.
        plain: The ruleset of their plain forms.
        plain_rules: Those that have a plain form.
        kleene: The rulesets of their sure and maybe forms.
    """

    rules: tuple[int, ...]
    types: Mapping[int, frozenset[str]]
    tags: Mapping[str, int]
    plain: Shard
    plain_rules: frozenset[int]
    kleene: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A pack compiled for a date and a set of confirmed parameters.

    Args:
        name: The digest of its rulesets, by which a worker keeps it.
        groups: Its rules.
        shards: All rulesets, by number.
        texts: The numbers of the texts that rules name.
    """

    name: str
    groups: tuple[Group, ...]
    shards: tuple[Shard, ...]
    texts: Mapping[str, int]

    @property
    def rulesets(self) -> tuple[str, ...]:
        """The rulesets as the engine reads them."""
        return tuple(shard.ruleset for shard in self.shards)


# --- rulesets ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Draft:
    """A ruleset that is being filled."""

    form: Form
    texts: dict[str, int]
    rules: list[int] = field(default_factory=list)
    compiled: list[CompiledRule] = field(default_factory=list)
    load: Counter[str] = field(default_factory=Counter)
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(texts=self.texts)

    def add(self, index: int, run: Run, tags: Mapping[str, int]) -> bool:
        """Add a rule; return False where there is no room, which leaves the draft of no use.

        Raises:
            RulePackError: The rule cannot be brought into the safe profile.
            NotPlainError: It has no plain form.
        """
        self.layout.rule = index
        rule = run.pack.rules[index]
        compiled = list(RuleCompiler(index, rule, run, self.layout, tags, self.form).compile())
        weight = Counter(kind for one in compiled for kind in one.types)
        self.rules.append(index)
        self.compiled += compiled
        self.load.update(weight)
        return len(self.rules) == 1 or self._has_room()

    def _has_room(self) -> bool:
        # A rule that is too large for any ruleset still gets one of its own; the engine refuses it
        # there, and its cases are undetermined.
        if any(count > SHARD_LOAD_MAX for count in self.load.values()):
            return False
        return all(
            self._properties(fact_type, terms) <= PROPERTIES_MAX
            for fact_type, terms in self.layout.terms.items()
        )

    def _properties(self, fact_type: str, terms: Mapping[Term, int]) -> int:
        flags = len(self.rules) if fact_type == CASE_TYPE else 0
        uncertain = 0 if self.form == "plain" else sum(not term.is_certain for term in terms)
        return _FIXED_PROPERTIES + flags + len(terms) + _COMPANIONS * uncertain

    def shard(self, number: int, tags: Mapping[str, int]) -> Shard:
        """Return the ruleset."""
        rules = {rule.name: {"all": rule.pattern} for rule in self.compiled}
        return Shard(
            number,
            json.dumps({**rules, **_seen(tags)}),
            tuple(self.rules),
            {fact_type: tuple(known) for fact_type, known in self.layout.terms.items()},
            {key: frozenset(users) for key, users in self.layout.users.items()},
            frozenset(self.layout.joined),
            self.form == "plain",
        )


def _seen(tags: Mapping[str, int]) -> dict[str, Any]:
    """Return rules that know every type of fact and never match, and one that always does.

    A message that no rule knows makes the engine drop the whole batch. The rule `ran` knows the
    anchor and matches it; the anchor comes last: the worker asks for exactly one such match, so
    that a message the engine dropped on the way cannot go unnoticed. It has a third use: the engine
    frees memory it never set when a state is deleted for which no action was ever started.
    """
    seen = {f"seen{tag}": {"all": [{"a": {"t": tag}}, {"b": {"t": -1}}]} for tag in tags.values()}
    return {RAN: {"all": [{CASE: {"t": 0}}]}, **seen}


# --- names ------------------------------------------------------------------------------------


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


def _names(shard: Shard, aliases: Iterable[str]) -> Iterator[str]:
    yield from ("id", "sid", "t", "k", "z", "n", "s", CASE)
    yield from sorted(set(aliases))
    for prefix in "pklh":
        yield from (f"{prefix}{n}" for n in range(max(map(len, shard.terms.values()), default=0)))
    yield from (f"a{n}" for n in shard.rules)


# --- plans ------------------------------------------------------------------------------------


class _Planner:
    """Spreads the rules of a run over groups and rulesets."""

    def __init__(self, run: Run) -> None:
        self._run = run
        rules = run.pack.rules
        used = sorted({fact_type for rule in rules for _, fact_type in rule.aliases})
        self._tags = {fact_type: number for number, fact_type in enumerate(used, start=1)}
        self._texts: dict[str, int] = {}
        self._shards: list[Shard] = []

    def _fill(self, form: Form, indexes: Sequence[int]) -> Iterator[tuple[_Draft, frozenset[int]]]:
        """Yield rulesets that hold some rules in their order, with those that are in them."""
        draft, held = _Draft(form, self._texts), list[int]()
        for index in indexes:
            try:
                has_room = draft.add(index, self._run, self._tags)
            except (NotPlainError, RulePackError):
                if form != "plain":
                    raise
                # What is wrong with the rule, if anything, its other forms tell.
                draft.rules.append(index)
                continue
            if not has_room:
                yield self._again(form, draft.rules[:-1], held)
                draft, held = _Draft(form, self._texts), []
                draft.add(index, self._run, self._tags)
            held.append(index)
        yield draft, frozenset(held)

    def _again(
        self, form: Form, rules: Sequence[int], held: Sequence[int]
    ) -> tuple[_Draft, frozenset[int]]:
        """Return a ruleset anew, without the rule for which it had no room."""
        draft = _Draft(form, self._texts)
        for index in held:
            draft.add(index, self._run, self._tags)
        draft.rules = list(rules)
        return draft, frozenset(held)

    def _add(self, draft: _Draft, tags: Mapping[str, int]) -> Shard:
        shard = draft.shard(len(self._shards), tags)
        aliases = (key for one in draft.compiled for message in one.pattern for key in message)
        check_names(_names(shard, aliases))
        self._shards.append(shard)
        return shard

    def check(self) -> None:
        """Compile the widest form of every rule, which bounds what the others can become."""
        for draft, _ in self._fill("widest", range(len(self._run.pack.rules))):
            self._add(draft, self._tags)

    def plan(self) -> Plan:
        """Return the plan."""
        groups = []
        rules = self._run.pack.rules
        for draft, held in self._fill("plain", range(len(rules))):
            types = {n: frozenset(kind for _, kind in rules[n].aliases) for n in draft.rules}
            used = frozenset().union(*types.values())
            tags = {fact_type: tag for fact_type, tag in self._tags.items() if fact_type in used}
            plain = self._add(draft, tags)
            kleene = tuple(self._add(one, tags) for one, _ in self._fill("kleene", draft.rules))
            groups.append(Group(tuple(draft.rules), types, tags, plain, held, kleene))
        name = sha256("\n".join(shard.ruleset for shard in self._shards).encode()).hexdigest()
        return Plan(name, tuple(groups), tuple(self._shards), self._texts)


def compile_plan(run: Run) -> Plan:
    """Return the plan of a run.

    Raises:
        RulePackError: A rule cannot be brought into the safe profile.
    """
    return _Planner(run).plan()


def check_compiles(pack: Pack) -> None:
    """Refuse a pack that the live engine could not run, on any date and whatever is confirmed.

    Raises:
        RulePackError: A rule cannot be brought into the safe profile.
    """
    _Planner(start_run(pack, pack.effective_from, unverified_of(pack))).check()

"""Cases as messages of the live engine, and its answers as matches.

The ids and numbers of messages are given by this module and the anchor comes last, so that neither
the names of facts nor the order in which they were imported can change a decision.

A rule is asked in its plain form as long as the case knows every value that it reads, and in its
sure and maybe forms otherwise. Each rule is asked in one way alone: the anchor has a flag for it.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from carnet.facts.fact import Fact
from carnet.rules.case import Case
from carnet.rules.finding import Choice, Matches, Prepared
from carnet.rules.live.compile import Group, Plan, Shard
from carnet.rules.live.patterns import CASE_TYPE, OWN
from carnet.rules.live.writing import GAP, KleeneWriter, PlainWriter, Texts

_HEADS_MAX = 4096
_SELECTIONS_MAX = 512
_ALIKE_FACTS_MAX = 32
"""Facts of a case up to which what its messages have in common with others is kept."""
_ZERO = ',"z":0'
"""What the flags of sure and maybe forms are compared with."""


def _head(number: int, tag: int) -> str:
    return f'{{"id":"{number:06d}","sid":"1","t":{tag},"k":1,"n":{number}'


class _Heads:
    """The heads of messages, which are the same in every case; the first ones are kept."""

    def __init__(self) -> None:
        self._kept: dict[int, list[str]] = {}

    def of(self, tag: int, first: int, count: int) -> list[str]:
        """Return the heads of some messages of a type, from a number on."""
        end = first + count
        if end > _HEADS_MAX:
            return [_head(number, tag) for number in range(first, end)]
        kept = self._kept.setdefault(tag, [])
        while len(kept) < end:
            kept.append(_head(len(kept), tag))
        return kept[first:end]


@dataclass(slots=True)
class _Plain:
    """The plain ruleset of a group as some rules that are asked need it.

    Args:
        shard: The ruleset.
        asked: The rules.
        writers: Each type of the group with its number and what writes its messages; None for one
            that none of the rules reads.
        anchor: What writes the anchor.
        flags: The flags of the anchor, by the rules that are asked after all.
        patterns: What cases with as many facts of each type have in common, parted at their values.
        types: The types of the group.
        append: What appends the values of each of them that are known.
    """

    shard: Shard
    asked: frozenset[int]
    writers: tuple[tuple[str, int, PlainWriter | None], ...]
    anchor: PlainWriter
    flags: dict[frozenset[int], str] = field(default_factory=dict)
    patterns: dict[tuple[int, ...], list[str]] = field(default_factory=dict)
    types: tuple[str, ...] = field(init=False)
    append: tuple[Callable[[Iterable[Fact], list[str]], None] | None, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.types = tuple(fact_type for fact_type, _, _ in self.writers)
        self.append = tuple(None if one is None else one.known for _, _, one in self.writers)

    def known(self, case: Case) -> str | None:
        """Return a case whose values were all spelled before; None where one was not.

        Cases with as many facts of each type differ by these values alone.
        """
        listed = list(map(case.facts_of, self.types))
        counts = tuple(map(len, listed))
        pattern = self.patterns.get(counts)
        if pattern is None:
            if sum(counts) > _ALIKE_FACTS_MAX:
                return None
            _make_room(self.patterns)
            pattern = self.patterns[counts] = self._pattern(counts)
        values: list[str] = []
        try:
            for known, facts in zip(self.append, listed, strict=True):
                if known is not None:
                    known(facts, values)
            self.anchor.known((case.anchor,), values)
        except KeyError:
            return None
        parts = pattern.copy()
        parts[1::2] = values
        return "".join(parts)

    def _pattern(self, counts: Sequence[int]) -> list[str]:
        """Return the messages of a case with so many facts of each type, parted at its values."""
        number = 1
        messages: list[str] = []
        for (_, tag, writer), count in zip(self.writers, counts, strict=True):
            if writer is not None:
                messages += (_head(n, tag) + writer.pattern for n in range(number, number + count))
            number += count
        messages.append(_head(number, 0) + self.flags_of(self.asked) + self.anchor.pattern)
        parts = f"{self.shard.number}[{','.join(messages)}]".split(GAP)
        # Between two parts stands what the values are put in for.
        return [one for part in parts for one in (part, "")][:-1]

    def flags_of(self, active: frozenset[int]) -> str:
        """Return the flags of the anchor for some rules."""
        found = self.flags.get(active)
        if found is None:
            _make_room(self.flags)
            found = self.flags[active] = _flags(self.shard, active)
        return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What some rules that are asked need of one group.

    Args:
        group: The group.
        rules: Those of the rules that are in it.
        not_plain: Those among them that have no plain form.
        plain: What asks the others.
    """

    group: Group
    rules: frozenset[int]
    not_plain: frozenset[int]
    plain: _Plain | None


@dataclass(frozen=True, slots=True)
class _Kleene:
    """A ruleset of sure and maybe forms, likewise."""

    shard: Shard
    writers: tuple[tuple[str, int, KleeneWriter | None], ...]
    anchor: KleeneWriter
    flags: str


def _flags(shard: Shard, active: frozenset[int]) -> str:
    return "".join(f',"a{n}":{int(n in active)}' for n in shard.rules)


class _Names(dict[str, tuple[bool, int]]):
    """Whether a row is of a sure form, and its rule, by the name of the pattern that matched."""

    def __missing__(self, name: str) -> tuple[bool, int]:
        found = self[name] = (name[0] == "s", int(name[1:].partition("_")[0]))
        return found


class Encoder:
    """Writes the messages of cases and reads the engine's answers back."""

    def __init__(self, plan: Plan, computed_types: Sequence[str] = ()) -> None:
        self._plan = plan
        self._texts = Texts(plan.texts)
        self._computed = frozenset(computed_types)
        self._asked: dict[tuple[int, ...], list[_Asked]] = {}
        self._plains: dict[tuple[int, frozenset[int]], _Plain] = {}
        self._kleenes: dict[tuple[int, frozenset[int]], _Kleene] = {}
        self._tags_of = {index: g.tags for g in plan.groups for index in g.rules}
        self._names = _Names()
        self._heads = _Heads()

    # -- what is asked --

    def _asked_of(self, rules: Sequence[int]) -> list[_Asked]:
        """Return what some rules need, group by group."""
        key = tuple(rules)
        found = self._asked.get(key)
        if found is None:
            _make_room(self._asked)
            chosen = frozenset(rules)
            pairs = ((group, chosen.intersection(group.rules)) for group in self._plan.groups)
            found = [self._asked_in(group, asked) for group, asked in pairs if asked]
            self._asked[key] = found
        return found

    def _asked_in(self, group: Group, asked: frozenset[int]) -> _Asked:
        plain = asked & group.plain_rules
        chosen = self._plain_of(group, plain) if plain else None
        return _Asked(group, asked, asked - plain, chosen)

    def _plain_of(self, group: Group, asked: frozenset[int]) -> _Plain:
        shard = group.plain
        found = self._plains.get((shard.number, asked))
        if found is None:
            _make_room(self._plains)
            read = frozenset[str]().union(*(group.types[n] for n in asked))
            writers = tuple(
                (kind, tag, PlainWriter(shard, kind, asked, self._texts) if kind in read else None)
                for kind, tag in group.tags.items()
            )
            anchor = PlainWriter(shard, CASE_TYPE, asked, self._texts)
            found = self._plains[shard.number, asked] = _Plain(shard, asked, writers, anchor)
        return found

    def _kleene_of(self, group: Group, shard: Shard, asked: frozenset[int]) -> _Kleene:
        found = self._kleenes.get((shard.number, asked))
        if found is None:
            _make_room(self._kleenes)
            read = frozenset[str]().union(*(group.types[n] for n in asked))
            writers = tuple(
                (kind, tag, KleeneWriter(shard, kind, asked, self._texts) if kind in read else None)
                for kind, tag in group.tags.items()
            )
            anchor = KleeneWriter(shard, CASE_TYPE, asked, self._texts)
            found = _Kleene(shard, writers, anchor, _flags(shard, asked))
            self._kleenes[shard.number, asked] = found
        return found

    def _unsure(self, group: Group, asked: frozenset[int], case: Case) -> set[int]:
        """Return the rules that read a type of computed facts that may or may not be there."""
        for fact_type in self._computed.intersection(group.tags):
            case.facts_of(fact_type)
        unsure = {fact_type for fact_type, _ in case.unsure}
        return {n for n in asked if not unsure.isdisjoint(group.types[n])}

    # -- writing --

    def _plain(
        self, chosen: _Plain, case: Case, own: dict[str, int], unknown: set[int]
    ) -> str | None:
        """Return a case for plain forms, None where no rule is left.

        The rules that ask for what is not known are added to `unknown`, and not asked here.
        """
        number = 1
        messages: list[str] = []
        for fact_type, tag, writer in chosen.writers:
            facts = case.facts_of(fact_type)
            if writer is not None:
                heads = self._heads.of(tag, number, len(facts))
                messages += writer.messages(heads, facts, case, own, unknown)
            number += len(facts)
        # The flags stand behind the values, which tell what may be asked.
        anchor = chosen.anchor.messages([""], [case.anchor], case, own, unknown)[0]
        active = chosen.asked - unknown if unknown else chosen.asked
        if not active:
            return None
        (head,) = self._heads.of(0, number, 1)
        messages.append(head + chosen.flags_of(active) + anchor)
        return f"{chosen.shard.number}[{','.join(messages)}]"

    def _kleene(self, chosen: _Kleene, case: Case, own: dict[str, int]) -> str:
        """Return a case for sure and maybe forms."""
        number = 0
        messages: list[str] = []
        for fact_type, tag, writer in chosen.writers:
            facts = case.facts_of(fact_type)
            if writer is None:
                number += len(facts)
                continue
            for fact in facts:
                number += 1
                head = _head(number, tag) + _ZERO
                if fact_type in self._computed:
                    head += f',"s":{int((fact_type, fact.id) not in case.unsure)}'
                messages.append(head + writer.write({**case.named, OWN: fact}, case, own))
        anchor = chosen.anchor.write(case.named, case, own)
        messages.append(_head(number + 1, 0) + _ZERO + chosen.flags + anchor)
        return f"{chosen.shard.number}[{','.join(messages)}]"

    def encode(self, prepared: Prepared) -> str:
        """Return the messages of one case for each ruleset it needs, the anchor last.

        Each ruleset's messages are a JSON array after its number; tabs stand between them.
        """
        case = prepared.case
        own: dict[str, int] = {}
        parts: list[str] = []
        for one in self._asked_of(prepared.rules):
            if one.plain is not None and not one.not_plain and not self._computed:
                part = one.plain.known(case)
                if part is not None:
                    parts.append(part)
                    continue
            parts += self._parts(one, case, own)
        return "\t".join(parts)

    def _parts(self, one: _Asked, case: Case, own: dict[str, int]) -> Iterator[str]:
        """Yield the messages for each ruleset of a group that a case needs."""
        group, unknown = one.group, set(one.not_plain)
        if self._computed:
            unknown |= self._unsure(group, one.rules, case)
        asked = one.rules - unknown
        if asked:
            part = self._plain(self._plain_of(group, asked), case, own, unknown)
            if part is not None:
                yield part
        for shard in group.kleene if unknown else ():
            rest = unknown.intersection(shard.rules)
            if rest:
                yield self._kleene(self._kleene_of(group, shard, frozenset(rest)), case, own)

    # -- reading --

    def decode(self, prepared: Prepared, rows: list[list[Any]]) -> dict[int, Matches]:
        """Return what the engine matched: sure choices, and those that only might hold."""
        result: dict[int, Matches] = {}
        if not rows:
            return result
        names = self._names
        sure: _Rows = {}
        maybe: _Rows = {}
        for row in rows:
            is_sure, index = names[row[0]]
            found = sure if is_sure else maybe
            if index not in found:
                found[index] = set()
            found[index].add(tuple(row[1:]))
        listed: list[Fact] = []
        tags: Mapping[str, int] | None = None
        for index in sure.keys() | maybe.keys() if maybe else sure:
            if self._tags_of[index] is not tags:
                tags = self._tags_of[index]
                listed = [fact for kind in tags for fact in prepared.case.facts_of(kind)]
            certain = sure.get(index, _NONE)
            unsure = maybe[index] - certain if index in maybe else _NONE
            result[index] = Matches(_choices(listed, certain), _choices(listed, unsure))
        return result


def _make_room(cache: dict[Any, Any]) -> None:
    """Empty a cache that has grown to its bound."""
    if len(cache) >= _SELECTIONS_MAX:
        cache.clear()


_Rows = dict[int, set[tuple[int, ...]]]
"""The numbers of facts matched, by rule."""
_NONE: frozenset[tuple[int, ...]] = frozenset()


def _choices(facts: Sequence[Fact], rows: AbstractSet[tuple[int, ...]]) -> list[Choice]:
    if not rows:
        return []
    ordered = sorted(rows) if len(rows) > 1 else rows
    return [tuple([facts[number - 1] for number in numbers]) for numbers in ordered]

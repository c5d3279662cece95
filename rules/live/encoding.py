"""Cases as messages of the live engine: every property present, ids assigned here.

The ids and numbers of messages are given by this module and the anchor comes last, so that neither
the names of facts nor the order in which they were imported can change a decision. A message is
written from a pattern made once for its type: all that varies are integers.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from carnet.core.clock import day_number, second_number
from carnet.facts.fact import Fact
from carnet.rules.ast import FieldRef, Line
from carnet.rules.case import Bindings, Case
from carnet.rules.finding import Choice, Matches, Prepared
from carnet.rules.live.compile import Group, Plan, Shard
from carnet.rules.live.patterns import CASE_TYPE, HIGHEST, LOWEST, OWN, Term
from carnet.rules.parameters import Known

_Read = Callable[[Fact, Bindings, Case, dict[str, int]], int | None]
"""Returns a value as the engine compares it, None where it is not known."""
_UNDETERMINED = 2
_HEADS_MAX = 4096
_SELECTIONS_MAX = 4096


class _Texts:
    """The numbers of texts: those of the pack, then for each case those it adds.

    Texts that no rule names are numbered case by case, so that equal ones and only those are equal
    and nothing is kept from one case to the next.
    """

    def __init__(self, known: Mapping[str, int]) -> None:
        self.known = known
        self.first = len(known) + 1

    def number(self, value: str, own: dict[str, int]) -> int:
        """Return the number of a text."""
        number = self.known.get(value)
        return own.setdefault(value, self.first + len(own)) if number is None else number

    def encode(self, value: Known, own: dict[str, int]) -> int:
        """Return a value as the engine compares it."""
        if isinstance(value, str):
            return self.number(value, own)
        assert not isinstance(value, tuple), "a list never reaches the engine"
        if isinstance(value, datetime):
            return second_number(value)
        return day_number(value) if isinstance(value, date) else int(value)


# --- reading values ---------------------------------------------------------------------------


def _field_reader(name: str, kind: str, texts: _Texts) -> _Read:
    """Return a reader of a field that a fact has itself, without the detour of an evaluator."""
    known, first = texts.known, texts.first

    def read_text(fact: Fact, _bindings: Bindings, _case: Case, own: dict[str, int]) -> int | None:
        value: Any = fact.fields.get(name)
        number = known.get(value)
        if number is None and value is not None:
            number = own.setdefault(value, first + len(own))
        return number

    def read_day(fact: Fact, _bindings: Bindings, _case: Case, _own: dict[str, int]) -> int | None:
        value = fact.fields.get(name)
        return None if value is None else day_number(value)  # type: ignore[arg-type]  # a date by its kind

    def read_second(fact: Fact, _b: Bindings, _case: Case, _own: dict[str, int]) -> int | None:
        value = fact.fields.get(name)
        return None if value is None else second_number(value)  # type: ignore[arg-type]  # an instant by its kind

    def read_number(fact: Fact, _b: Bindings, _case: Case, _own: dict[str, int]) -> int | None:
        return fact.fields.get(name)  # type: ignore[return-value]  # an integer or a boolean by its kind

    def read_id(fact: Fact, _bindings: Bindings, _case: Case, own: dict[str, int]) -> int:
        return texts.number(fact.id, own)

    if name == "id":
        return read_id
    readers = {"string": read_text, "date": read_day, "instant": read_second}
    return readers.get(kind, read_number)


def _reader(term: Term, texts: _Texts) -> _Read:
    source = term.source
    is_own = isinstance(source, FieldRef) and source.alias == OWN and not source.references
    if isinstance(source, FieldRef) and is_own and not source.is_derived:
        return _field_reader(source.name, source.kind, texts)
    is_verdict = isinstance(source, Line)

    def read(_fact: Fact, bindings: Bindings, case: Case, own: dict[str, int]) -> int | None:
        value, known = term.worth(bindings, case)
        if known != 1 or (is_verdict and value == _UNDETERMINED):
            return None
        return texts.encode(value, own)

    return read


def _needs_bindings(term: Term) -> bool:
    source = term.source
    if not isinstance(source, FieldRef):
        return True
    return source.alias != OWN or bool(source.references) or source.is_derived


# --- writing messages -------------------------------------------------------------------------


def _head(number: int, tag: int) -> str:
    return f'{{"id":"{number:06d}","sid":"1","t":{tag},"k":1,"z":0,"n":{number}'


_kept_head = lru_cache(_HEADS_MAX)(_head)


class _Writer:
    """Writes the messages of the facts of one type for one ruleset."""

    def __init__(self, plan: Plan, shard: Shard, fact_type: str, *, may_be_unsure: bool) -> None:
        texts = _Texts(plan.texts)
        terms = shard.terms.get(fact_type, ())
        self._terms = terms
        self._reads = [_reader(term, texts) for term in terms]
        self._encode = texts.encode
        self._users = [shard.users[fact_type, n] for n in range(len(terms))]
        self.needs_bindings = any(map(_needs_bindings, terms))
        self.says_sure = may_be_unsure and not shard.is_plain
        parts = [f',"p{n}":%d' for n in range(len(terms))]
        if not shard.is_plain:
            for n, term in enumerate(terms):
                if not term.is_certain:
                    parts[n] += f',"k{n}":%d,"l{n}":%d,"h{n}":%d'
        self._tail = "".join(parts) + "}"

    def plain(
        self,
        fact: Fact,
        bindings: Bindings,
        case: Case,
        own: dict[str, int],
        applicable: frozenset[int],
    ) -> str | None:
        """Return the properties of a message, None where a value is not known that is asked for."""
        values = [read(fact, bindings, case, own) for read in self._reads]
        if None in values:
            for n, value in enumerate(values):
                if value is None:
                    if not self._users[n].isdisjoint(applicable):
                        return None
                    values[n] = 0
        return self._tail % tuple(values)

    def kleene(self, bindings: Bindings, case: Case, own: dict[str, int]) -> str:
        """Return the properties of a message with their companions."""
        values: list[int] = []
        for term in self._terms:
            value, known = term.worth(bindings, case)
            encoded = self._encode(value, own) if known == 1 else 0
            values.append(encoded)
            if not term.is_certain:
                values.append(known)
                values += (encoded, encoded) if known == 1 else (LOWEST, HIGHEST)
        return self._tail % tuple(values)


@dataclass(frozen=True, slots=True)
class _Selection:
    """A group as the applicable rules of some cases need it.

    Args:
        group: The group.
        applicable: Those of its rules that apply.
        is_plain: Whether all of these have a plain form.
        plain: The ruleset of the plain forms, with the flags of its anchor.
        writers: For each of its types the type, its number and what writes its messages.
        kleene: The other rulesets, likewise.
    """

    group: Group
    applicable: frozenset[int]
    is_plain: bool
    plain: tuple[Shard, str]
    writers: tuple[tuple[str, int, _Writer], ...]
    kleene: tuple[tuple[Shard, str], ...]


class Encoder:
    """Writes the messages of cases and reads the engine's answers back."""

    def __init__(self, plan: Plan, computed_types: Sequence[str] = ()) -> None:
        self._plan = plan
        self._writers: dict[tuple[int, str], _Writer] = {}
        for group in plan.groups:
            for shard in (group.plain, *group.kleene):
                for fact_type in (CASE_TYPE, *group.tags):
                    writer = _Writer(
                        plan, shard, fact_type, may_be_unsure=fact_type in computed_types
                    )
                    self._writers[shard.number, fact_type] = writer
        self._selections: dict[tuple[int, ...], list[_Selection]] = {}
        self._types_of = {index: g.tags for g in plan.groups for index in g.rules}
        self._names: dict[str, tuple[bool, int]] = {}

    # -- writing --

    def _select(self, rules: Sequence[int]) -> list[_Selection]:
        """Return the groups that some applicable rules need; worked out once for each set."""
        key = tuple(rules)
        found = self._selections.get(key)
        if found is None:
            if len(self._selections) >= _SELECTIONS_MAX:
                self._selections.clear()
            found = self._selections[key] = self._selected(frozenset(rules))
        return found

    def _selected(self, rules: frozenset[int]) -> list[_Selection]:
        result = []
        for group in self._plan.groups:
            applicable = rules.intersection(group.rules)
            if not applicable:
                continue

            def flagged(shard: Shard, chosen: frozenset[int] = applicable) -> tuple[Shard, str]:
                return shard, "".join(f',"a{n}":{int(n in chosen)}' for n in shard.rules)

            kleene = [flagged(shard) for shard in group.kleene if applicable & set(shard.rules)]
            result.append(
                _Selection(
                    group,
                    applicable,
                    applicable <= group.plain_rules,
                    flagged(group.plain),
                    tuple(
                        (kind, tag, self._writers[group.plain.number, kind])
                        for kind, tag in (*group.tags.items(), (CASE_TYPE, 0))
                    ),
                    tuple(kleene),
                )
            )
        return result

    def _plain(self, selection: _Selection, case: Case, own: dict[str, int]) -> str | None:
        """Return a case for the plain forms of a group, None where something is not known."""
        shard, flags = selection.plain
        applicable, named = selection.applicable, case.named
        number = 0
        messages: list[str] = []
        *others, (_, _, anchor) = selection.writers
        for fact_type, tag, writer in others:
            facts = case.facts_of(fact_type)
            head = _kept_head if len(facts) < _HEADS_MAX else _head
            bindings: Bindings = named
            needs_bindings, write = writer.needs_bindings, writer.plain
            for fact in facts:
                number += 1
                if needs_bindings:
                    bindings = {**named, OWN: fact}
                tail = write(fact, bindings, case, own, applicable)
                if tail is None:
                    return None
                messages.append(head(number, tag) + tail)
        tail = anchor.plain(case.anchor, named, case, own, applicable)
        if tail is None:
            return None
        messages.append(_kept_head(number + 1, 0) + flags + tail)
        return f"{shard.number}[{','.join(messages)}]"

    def _kleene(
        self, group: Group, shard: Shard, flags: str, case: Case, own: dict[str, int]
    ) -> str:
        """Return a case for the sure and maybe forms of a ruleset."""
        number = 0
        messages: list[str] = []
        for fact_type, tag in group.tags.items():
            writer = self._writers[shard.number, fact_type]
            for fact in case.facts_of(fact_type):
                number += 1
                head = _head(number, tag)
                if writer.says_sure:
                    head += f',"s":{int((fact.type, fact.id) not in case.unsure)}'
                messages.append(head + writer.kleene({**case.named, OWN: fact}, case, own))
        anchor = self._writers[shard.number, CASE_TYPE].kleene(case.named, case, own)
        messages.append(_head(number + 1, 0) + flags + anchor)
        return f"{shard.number}[{','.join(messages)}]"

    def encode(self, prepared: Prepared) -> str:
        """Return the messages of one case for each ruleset it needs, the anchor last.

        Each ruleset's messages are a JSON array after its number; tabs stand between them.
        """
        case = prepared.case
        own: dict[str, int] = {}
        parts: list[str] = []
        for selection in self._select(prepared.rules):
            part = None
            if selection.is_plain and not self._is_unsure(selection.group, case):
                part = self._plain(selection, case, own)
            if part is not None:
                parts.append(part)
                continue
            for shard, flags in selection.kleene:
                parts.append(self._kleene(selection.group, shard, flags, case, own))
        return "\t".join(parts)

    @staticmethod
    def _is_unsure(group: Group, case: Case) -> bool:
        """Return whether a fact of a group's types may be there or not."""
        if not case.run.computing:
            return False
        for fact_type in group.tags:
            case.facts_of(fact_type)
        return any(fact_type in group.tags for fact_type, _ in case.unsure)

    # -- reading --

    def _named(self, name: str) -> tuple[bool, int]:
        """Return whether a row is of a sure form, and its rule."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = (name[0] == "s", int(name[1:].partition("_")[0]))
        return found

    def decode(self, prepared: Prepared, rows: list[list[str | int]]) -> dict[int, Matches]:
        """Return what the engine matched: sure choices, and those that only might hold."""
        found: tuple[_Rows, _Rows] = ({}, {})
        names = self._names
        for name, *numbers in rows:
            is_sure, index = names.get(name) or self._named(name)  # type: ignore[arg-type]  # the first of a row is a name
            found[not is_sure].setdefault(index, set()).add(tuple(numbers))  # type: ignore[arg-type]  # the others are numbers
        sure, maybe = found
        result = {}
        listed: list[Fact] = []
        tags: Mapping[str, int] | None = None
        for index in sure.keys() | maybe.keys() if maybe else sure:
            if self._types_of[index] is not tags:
                tags = self._types_of[index]
                listed = [fact for kind in tags for fact in prepared.case.facts_of(kind)]
            certain = sure.get(index, _NONE)
            unsure = maybe[index] - certain if index in maybe else _NONE
            result[index] = Matches(_choices(listed, certain), _choices(listed, unsure))
        return result


_Rows = dict[int, set[tuple[int, ...]]]
"""The numbers of facts matched, by rule."""
_NONE: frozenset[tuple[int, ...]] = frozenset()


def _choices(facts: Sequence[Fact], rows: AbstractSet[tuple[int, ...]]) -> list[Choice]:
    ordered = sorted(rows) if len(rows) > 1 else rows
    return [tuple([facts[number - 1] for number in numbers]) for numbers in ordered]

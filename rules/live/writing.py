"""What a message of the live engine holds: every property present, every value an integer.

A message is written from a pattern made once for its type, its ruleset and the rules that are
asked: all that varies are the values these rules read.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import add, getitem, itemgetter
from typing import Any

from carnet.core.clock import day_number, second_number
from carnet.facts.fact import Fact
from carnet.rules.ast import FieldRef, Line
from carnet.rules.case import Bindings, Case
from carnet.rules.live.compile import Shard
from carnet.rules.live.patterns import CASE_TYPE, HIGHEST, LOWEST, OWN, Term
from carnet.rules.parameters import Known

_Read = Callable[[Fact, Bindings, Case, dict[str, int]], int | None]
"""Returns a value as the engine compares it, None where it is not known."""
_UNDETERMINED = 2
_UNNAMED = 0
"""The number of all texts that no rule names, where a text is compared with named ones alone."""
GAP = "\0"
"""Stands in a pattern for a property."""
_SPELLED_MAX = 4096
"""Values of one field that are kept as they were spelled."""


class Texts:
    """The numbers of texts: those of the pack from 1, then for each case those it adds.

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


def _field_reader(name: str, kind: str, texts: Texts, *, is_joined: bool) -> _Read:
    """Return a reader of a field that a fact has itself, without the detour of an evaluator."""
    known, first = texts.known, texts.first

    def read_text(fact: Fact, _bindings: Bindings, _case: Case, own: dict[str, int]) -> int | None:
        value: Any = fact.fields.get(name)
        number = known.get(value)
        if number is None and value is not None:
            number = own.setdefault(value, first + len(own))
        return number

    def read_named_text(fact: Fact, _b: Bindings, _case: Case, _own: dict[str, int]) -> int | None:
        value: Any = fact.fields.get(name)
        return None if value is None else known.get(value, _UNNAMED)

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
    text = read_text if is_joined else read_named_text
    readers = {"string": text, "date": read_day, "instant": read_second}
    return readers.get(kind, read_number)


def _reader(term: Term, texts: Texts, *, is_joined: bool) -> _Read:
    source = term.source
    if isinstance(source, FieldRef) and not _needs_bindings(term):
        return _field_reader(source.name, source.kind, texts, is_joined=is_joined)
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


def _kept_field(
    term: Term, texts: Texts, *, is_joined: bool
) -> tuple[str, Callable[[object], bool]]:
    """Return the field whose values may be kept as they were spelled, and which of them.

    Any other property has a name that no field has, so that nothing is ever kept of it.
    """
    source = term.source
    if not isinstance(source, FieldRef) or source.name == "id" or _needs_bindings(term):
        return "", lambda _value: False
    if source.kind == "string" and is_joined:
        return source.name, texts.known.__contains__
    return source.name, lambda _value: True


# --- writing properties -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Property:
    """One property of a plain message that some rule that is asked reads.

    Values come back over and over: dates, kinds, flags. How each is spelled is kept, so that most
    messages are put together from texts that are there already.

    Args:
        number: Its number.
        read: Returns its value.
        users: The rules that read it.
        name: The field that holds the value; empty where it is no field of the fact.
        keeps: Whether a value is the same number in every case, which texts of a case are not.
        spelled: How values of the field were spelled.
    """

    number: int
    read: _Read
    users: frozenset[int]
    name: str
    keeps: Callable[[object], bool]
    spelled: dict[Any, str] = field(default_factory=dict)

    def spell(self, value: int | None, raw: object) -> str:
        """Return the property, and keep how a value of the field is spelled."""
        text = f',"p{self.number}":{int(value or 0)}'
        if raw is not None and self.keeps(raw) and len(self.spelled) < _SPELLED_MAX:
            self.spelled[raw] = text
        return text


_Known = Callable[[Iterable[Fact], list[str]], None]
"""Appends the properties of some facts, one by one."""


def _known(properties: Sequence[_Property]) -> _Known:
    """Return what appends the properties of facts that were all spelled before.

    It raises KeyError where one was not, or is absent. No field has the empty name, which stands
    for what is no field. Most types have few properties that are asked for: these are written out,
    which takes half of the time.
    """
    names = [one.name for one in properties]
    memos = [one.spelled for one in properties]

    def one_each(facts: Iterable[Fact], values: list[str]) -> None:
        (name,), (memo,) = names, memos
        for fact in facts:
            values.append(memo[fact.fields[name]])  # noqa: PERF401  # the list is the caller's

    def two_each(facts: Iterable[Fact], values: list[str]) -> None:
        (name, other), (memo, second) = names, memos
        for fact in facts:
            fields = fact.fields
            values.append(memo[fields[name]])
            values.append(second[fields[other]])

    def many_each(facts: Iterable[Fact], values: list[str]) -> None:
        values_of = itemgetter(*names)
        for fact in facts:
            values += map(getitem, memos, values_of(fact.fields))

    if not names:
        return lambda _facts, _values: None
    return {1: one_each, 2: two_each}.get(len(names), many_each)


class PlainWriter:
    """Writes the messages of one type for plain forms.

    Args:
        shard: The ruleset.
        fact_type: The type, empty for the anchor.
        asked: The rules that are to be decided; what only others read is written as 0.
        texts: The numbers of texts.
    """

    def __init__(self, shard: Shard, fact_type: str, asked: frozenset[int], texts: Texts) -> None:
        self._properties: list[_Property] = []
        self._needs_own = False
        unread = []
        for n, term in enumerate(shard.terms.get(fact_type, ())):
            users = shard.users[fact_type, n] & asked
            if users:
                is_joined = (fact_type, n) in shard.joined
                read = _reader(term, texts, is_joined=is_joined)
                kept = _kept_field(term, texts, is_joined=is_joined)
                self._properties.append(_Property(n, read, users, *kept))
                self._needs_own |= fact_type != CASE_TYPE and _needs_bindings(term)
            else:
                unread.append(f',"p{n}":0')
        self._end = "".join(unread) + "}"
        self.known = _known(self._properties)
        """Appends the properties of facts, as `_known` says."""
        self.pattern = GAP * len(self._properties) + self._end
        """What stands behind the head of a message, with a gap for each property."""

    def messages(
        self,
        heads: Iterable[str],
        facts: Iterable[Fact],
        case: Case,
        own: dict[str, int],
        unknown: set[int],
    ) -> list[str]:
        """Return the messages of some facts; rules that ask what is not known go to `unknown`."""
        spelled = (self._spelled(fact, case, own, unknown) + self._end for fact in facts)
        return list(map(add, heads, spelled))

    def _spelled(self, fact: Fact, case: Case, own: dict[str, int], unknown: set[int]) -> str:
        """Return the properties of a fact one by one."""
        bindings: Bindings = {**case.named, OWN: fact} if self._needs_own else case.named
        parts = []
        for one in self._properties:
            value = one.read(fact, bindings, case, own)
            if value is None:
                unknown |= one.users
            parts.append(one.spell(value, fact.fields.get(one.name)))
        return "".join(parts)


class KleeneWriter:
    """Writes the properties, with their companions, for sure and maybe forms; likewise."""

    def __init__(self, shard: Shard, fact_type: str, asked: frozenset[int], texts: Texts) -> None:
        self._terms: list[Term] = []
        self._encode = texts.encode
        pattern = []
        for n, term in enumerate(shard.terms.get(fact_type, ())):
            is_asked = bool(shard.users[fact_type, n] & asked)
            names = "p" if term.is_certain else "pklh"
            value = "%d" if is_asked else "0"
            pattern.append("".join(f',"{name}{n}":{value}' for name in names))
            if is_asked:
                self._terms.append(term)
        self._pattern = "".join(pattern) + "}"

    def write(self, bindings: Bindings, case: Case, own: dict[str, int]) -> str:
        """Return the properties."""
        values: list[int] = []
        for term in self._terms:
            value, known = term.worth(bindings, case)
            encoded = self._encode(value, own) if known == 1 else 0
            values.append(encoded)
            if not term.is_certain:
                values.append(known)
                values += (encoded, encoded) if known == 1 else (LOWEST, HIGHEST)
        return self._pattern % tuple(values)

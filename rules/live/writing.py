"""What a message of the live engine holds: every property present, every value an integer.

A message is written from a pattern made once for its type, its ruleset and the rules that are
asked: all that varies are the values these rules read.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from carnet.core.clock import day_number, second_number
from carnet.facts.fact import Fact
from carnet.rules.ast import FieldRef, Line
from carnet.rules.case import Bindings, Case
from carnet.rules.live.compile import Shard
from carnet.rules.live.patterns import HIGHEST, LOWEST, OWN, Term
from carnet.rules.parameters import Known

_Read = Callable[[Fact, Bindings, Case, dict[str, int]], int | None]
"""Returns a value as the engine compares it, None where it is not known."""
_UNDETERMINED = 2


class Texts:
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


def _field_reader(name: str, kind: str, texts: Texts) -> _Read:
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


def _reader(term: Term, texts: Texts) -> _Read:
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


# --- writing properties -----------------------------------------------------------------------


class PlainWriter:
    """Writes the properties of the messages of one type for plain forms.

    Args:
        shard: The ruleset.
        fact_type: The type, empty for the anchor.
        asked: The rules that are to be decided; what only others read is written as 0.
        texts: The numbers of texts.
    """

    def __init__(self, shard: Shard, fact_type: str, asked: frozenset[int], texts: Texts) -> None:
        self._reads: list[_Read] = []
        self._users: list[frozenset[int]] = []
        self.needs_bindings = False
        pattern = []
        for n, term in enumerate(shard.terms.get(fact_type, ())):
            users = shard.users[fact_type, n] & asked
            pattern.append(f',"p{n}":%d' if users else f',"p{n}":0')
            if users:
                self._reads.append(_reader(term, texts))
                self._users.append(users)
                self.needs_bindings |= _needs_bindings(term)
        self._pattern = "".join(pattern) + "}"

    def write(
        self, fact: Fact, bindings: Bindings, case: Case, own: dict[str, int], unknown: set[int]
    ) -> str:
        """Return the properties; rules that ask for what is not known go to `unknown`."""
        values = [read(fact, bindings, case, own) for read in self._reads]
        if None in values:
            for place, value in enumerate(values):
                if value is None:
                    unknown |= self._users[place]
                    values[place] = 0
        return self._pattern % tuple(values)


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

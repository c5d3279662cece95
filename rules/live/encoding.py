"""Cases as messages of the live engine: every property present, ids assigned here.

The ids and numbers of messages are given by this module and the anchor comes last, so that neither
the names of facts nor the order in which they were imported can change a decision.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import orjson

from carnet.core.clock import day_number
from carnet.facts.fact import Fact
from carnet.rules.ast import FieldRef
from carnet.rules.case import Bindings, Case
from carnet.rules.finding import Choice, Matches, Prepared
from carnet.rules.live.compile import Plan
from carnet.rules.live.patterns import CASE_TYPE, HIGHEST, LOWEST, OWN, Term

_Read = Callable[[Fact, Bindings, Case], tuple[Any, int]]


def _plain_reader(name: str) -> _Read:
    """Return a reader of a field that a fact has itself, without the detour of an evaluator."""

    def read(fact: Fact, bindings: Bindings, case: Case) -> tuple[Any, int]:
        del bindings, case
        value = fact.fields.get(name)
        return (0, 0) if value is None else (value, 1)

    return read


def _reader(term: Term) -> _Read:
    source = term.source
    if isinstance(source, FieldRef) and source.alias == OWN and not source.references:
        if source.name == "id":
            return lambda fact, _bindings, _case: (fact.id, 1)
        if not source.is_derived:
            return _plain_reader(source.name)
    return lambda _fact, bindings, case: term.worth(bindings, case)


class _Numbers:
    """The numbers of the texts of one case: those of the pack, then new ones."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = known
        self._own: dict[str, int] = {}

    def of(self, value: Any) -> int:
        """Return a value as the engine compares it."""
        if isinstance(value, str):
            number = self._known.get(value)
            if number is None:
                number = self._own.setdefault(value, len(self._known) + len(self._own) + 1)
            return number
        return day_number(value) if isinstance(value, date) else int(value)


class Encoder:
    """Writes the messages of cases and reads the engine's answers back."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._readers: Mapping[str, list[tuple[int, bool, _Read]]] = {
            fact_type: [(n, term.is_certain, _reader(term)) for n, term in enumerate(terms)]
            for fact_type, terms in plan.terms.items()
        }
        self._no_flags = {f"a{n}": 0 for n in range(plan.rule_count)}

    def _message(
        self, number: int, tag: int, fact: Fact, bindings: Bindings, case: Case, numbers: _Numbers
    ) -> dict[str, Any]:
        message: dict[str, Any] = {
            "id": f"{number:06d}",
            "sid": "1",
            "t": tag,
            "k": 1,
            "z": 0,
            "n": number,
        }
        for n, is_certain, read in self._readers[fact.type if tag else CASE_TYPE]:
            value, known = read(fact, bindings, case)
            encoded = numbers.of(value) if known == 1 else 0
            message[f"p{n}"] = encoded
            if not is_certain:
                message[f"k{n}"] = known
                message[f"l{n}"] = encoded if known == 1 else LOWEST
                message[f"h{n}"] = encoded if known == 1 else HIGHEST
        return message

    def facts_of(self, prepared: Prepared) -> list[Fact]:
        """Return the facts of a case that are asserted, in the order of their numbers."""
        return [fact for fact_type in self._plan.tags for fact in prepared.case.facts_of(fact_type)]

    def encode(self, prepared: Prepared) -> bytes:
        """Return the messages of one case, the anchor last."""
        case = prepared.case
        numbers = _Numbers(self._plan.texts)
        messages = []
        facts = self.facts_of(prepared)
        for number, fact in enumerate(facts, start=1):
            bindings = {**case.named, OWN: fact}
            tag = self._plan.tags[fact.type]
            messages.append(self._message(number, tag, fact, bindings, case, numbers))
        anchor = self._message(len(facts) + 1, 0, case.anchor, case.named, case, numbers)
        anchor |= self._no_flags | {f"a{index}": 1 for index in prepared.rules}
        messages.append(anchor)
        return orjson.dumps(messages)

    def decode(self, prepared: Prepared, rows: list[list[Any]]) -> dict[int, Matches]:
        """Return what the engine matched: sure choices, and those that only might hold."""
        facts = self.facts_of(prepared)
        sure: dict[int, set[tuple[int, ...]]] = {}
        maybe: dict[int, set[tuple[int, ...]]] = {}
        for name, *numbers in rows:
            target = sure if name[0] == "s" else maybe
            target.setdefault(int(name[1:].partition("_")[0]), set()).add(tuple(numbers))
        result = {}
        for index in sure.keys() | maybe.keys():
            certain = sure.get(index, set())

            def choice(numbers: tuple[int, ...]) -> Choice:
                return tuple(facts[number - 1] for number in numbers)

            result[index] = Matches(
                sure=[choice(one) for one in sorted(certain)],
                unsure=[choice(one) for one in sorted(maybe.get(index, set()) - certain)],
            )
        return result

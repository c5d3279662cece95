"""What a pack computes of the facts of a case, told as values: the calendar of a certificate.

A decision says what is wrong. This says what the rules read on the way: each derived field of each
fact with the reason that decided it, and the rows of the decision tables that hold for the case.
It is the reference that tells, so that nothing is worked out a second time elsewhere.

Source: docs/spec/pack-format.md, PF-7, PF-14, PF-45 and PF-75.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Choice, Definition, Pack, Reason
from carnet.rules.case import Case, each_case
from carnet.rules.decision import NOTHING_EARLIER, Earlier
from carnet.rules.given import FactKey
from carnet.rules.parameters import Known, Unknown
from carnet.rules.run import start_run
from carnet.rules.unverified import rests_of_field
from carnet.rules.values import bindings_of, computed, day_or_value, decide, holds


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived field of one fact.

    Args:
        value: Its value; None where it has none, or where that cannot be told.
        reason: Why the value is this one, where the pack says so.
        cause: Why it cannot be told; None where there is a value, or surely none.
        rests_on: What officers must confirm for it, or have confirmed, by name.
    """

    value: Known | None
    reason: Reason | None = None
    cause: Text | None = None
    rests_on: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether it is known: as a value, or as the lack of one."""
        return self.cause is None

    def to_json(self) -> dict[str, Any]:
        """Return the field as JSON; what it rests on stands once for all fields of a fact."""
        reason = self.reason and {"id": self.reason.id, **self.reason.text.to_json()}
        return {
            "value": None if self.value is None else day_or_value(self.value),
            "reason": reason,
            "cause": self.cause and self.cause.to_json(),
        }


@dataclass(frozen=True, slots=True)
class DerivedCase:
    """What a pack computes for one case.

    Args:
        key: Type and id of the fact it is about.
        named: The facts bound by name in every rule.
        facts: Every given fact of the case.
        derived: The derived fields by fact and name; none where the case is broken.
        rows: For each decision table whose rows are facts, the rows that hit by their id, with why
            it cannot be told whether they do; None where they do.
        untold_tables: Why it cannot be told which rows of a table hit.
        broken: Why nothing of the case can be told.
    """

    key: FactKey
    named: Mapping[str, Fact]
    facts: Mapping[FactKey, Fact]
    derived: Mapping[FactKey, Mapping[str, Derived]]
    rows: Mapping[str, Mapping[str, Text | None]]
    untold_tables: Mapping[str, Text]
    broken: tuple[Text, ...] = ()


def _reason(definition: Definition, fact: Fact, case: Case) -> Reason | None:
    body = definition.body
    if not isinstance(body, Choice) or all(one.reason is None for one in body.candidates):
        return None
    decided = decide(definition, body, bindings_of(fact, case), case)
    return None if isinstance(decided, Unknown) else decided[0].reason


def derived_field(definition: Definition, fact: Fact, case: Case) -> Derived:
    """Return a derived field of a fact of a case."""
    found = computed(definition, fact, case)
    rests_on = tuple(sorted(rests_of_field(definition, fact, case)))
    if isinstance(found, Unknown):
        return Derived(None, cause=None if found.is_absent else found.cause, rests_on=rests_on)
    return Derived(found, _reason(definition, fact, case), rests_on=rests_on)


def _derived(
    case: Case, fields: Mapping[str, list[Definition]]
) -> dict[FactKey, dict[str, Derived]]:
    return {
        (kind, fact.id): {one.name: derived_field(one, fact, case) for one in definitions}
        for kind, definitions in fields.items()
        for fact in case.facts_of(kind)
    }


def _rows(case: Case) -> tuple[dict[str, dict[str, Text | None]], dict[str, Text]]:
    rows: dict[str, dict[str, Text | None]] = {}
    untold: dict[str, Text] = {}
    for name, one in case.run.tables.items():
        if not one.table.has_hits:
            continue
        unknown = case.unknown_of(name)
        if unknown is not None:
            untold[name] = unknown.cause
            continue
        presence = ((fact.id, case.presence_of(fact)) for fact in case.facts_of(name))
        rows[name] = {
            row: found.cause if isinstance(found, Unknown) else None for row, found in presence
        }
    return rows, untold


def _told(case: Case, fields: Mapping[str, list[Definition]]) -> DerivedCase | None:
    """Return what is computed for a case, None where the pack says it is no case of its own."""
    lines = case.run.pack.case.when
    if lines and not case.broken:
        verdict = holds(lines, case.named, case)
        if verdict is False:
            return None
        if isinstance(verdict, Unknown):
            case.broken.append(verdict.cause)
    is_broken = bool(case.broken)
    derived = {} if is_broken else _derived(case, fields)
    rows, untold = ({}, {}) if is_broken else _rows(case)
    return DerivedCase(
        (case.anchor.type, case.anchor.id),
        case.named,
        case.by_key,
        derived,
        rows,
        untold,
        tuple(case.broken),
    )


def derive(
    pack: Pack,
    facts: Iterable[Fact],
    as_of: date,
    confirmed: frozenset[str] = frozenset(),
    earlier: Earlier = NOTHING_EARLIER,
    names: Collection[str] | None = None,
) -> Iterator[DerivedCase]:
    """Yield what a pack computes for each of its cases, in the order of their ids.

    Args:
        pack: A checked pack.
        facts: The facts, in any order.
        as_of: The date that decides.
        confirmed: What officers have confirmed of this pack.
        earlier: What the packs that it comes after decided.
        names: The derived fields that are wanted; all unless some are named.

    Raises:
        InputError: The date is outside the pack's window, or a fact cannot be used.
    """
    fields: defaultdict[str, list[Definition]] = defaultdict(list)
    for (kind, name), definition in pack.derived.items():
        if names is None or name in names:
            fields[kind].append(definition)
    cases, _ = each_case(start_run(pack, as_of, confirmed), facts, earlier.facts)
    for case in cases:
        told = _told(case, fields)
        if told is not None:
            yield told

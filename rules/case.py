"""Cases: one fact of the pack's case type with every fact that reaches it by a reference path.

Source: docs/spec/pack-format.md, PF-4 and PF-5.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from operator import attrgetter, lt

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.schema import FACT_TYPES
from carnet.rules.ast import Pack, Path
from carnet.rules.given import FactKey, check_facts, refuse_twice
from carnet.rules.parameters import Known, Unknown
from carnet.rules.reads import Reads
from carnet.rules.tables import CompiledTable

Bindings = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class ComputedFacts:
    """Facts of a case that the pack computes.

    Args:
        facts: The facts, sorted by id.
        unsure: Why it cannot be told whether some of them are there, by their id.
    """

    facts: tuple[Fact, ...]
    unsure: Mapping[str, Unknown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComputedType:
    """A type of facts that are computed for a case when they are first asked for.

    Args:
        name: The name of the type, which is no fact type.
        compute: Returns the facts of a case, or why they cannot be told.
        rests: Returns the U parameters that they rest on, whichever of them a rule takes.
        rests_of: Returns those that one of the facts rests on beyond these.
    """

    name: str
    compute: Callable[["Case"], ComputedFacts | Unknown]
    rests: Callable[["Case"], frozenset[str]]
    rests_of: Callable[["Case", Fact], frozenset[str]] = lambda _case, _fact: frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """What all cases of one evaluation share."""

    pack: Pack
    as_of: date
    parameters: Mapping[str, Known | Unknown]
    confirmed: frozenset[str]
    reads: Reads
    resting: dict[str, object] = field(default_factory=dict)
    """By rule, what `unverified.py` worked out once."""
    open_rules: list[tuple[Sequence[int], frozenset[int], int]] = field(default_factory=list)
    """What `finding.py` worked out once about rules that every case needs."""
    tables: Mapping[str, CompiledTable] = field(default_factory=dict)
    computing: Mapping[str, ComputedType] = field(default_factory=dict)
    """The types of computed facts by their name."""


class Case:
    """One case.

    Attributes:
        run: The evaluation it belongs to.
        anchor: The fact it is about.
        named: The facts bound by name in every rule, the anchor among them.
        by_type: Its facts by type, each list sorted by id.
        broken: Why no rule can be evaluated, if so.
        computed: Derived fields and measures computed so far.
        rests: The U parameters that each of them rests on.
        unknown_types: Why the facts of a computed type cannot be told, as far as asked.
        unsure: Why it cannot be told whether a computed fact is there.
    """

    __slots__ = (
        "_by_key",
        "anchor",
        "broken",
        "by_type",
        "computed",
        "named",
        "rests",
        "run",
        "unknown_types",
        "unsure",
    )

    def __init__(self, run: Run, anchor: Fact) -> None:
        # Written out, and no dataclass: its factories take twice the time, and cases are many.
        self.run = run
        self.anchor = anchor
        self.named: dict[str, Fact] = {}
        self.by_type: dict[str, list[Fact]] = {anchor.type: [anchor]}
        self.broken: list[Text] = []
        self.computed: dict[tuple[str, str, str], object] = {}
        self.rests: dict[tuple[str, str, str], frozenset[str]] = {}
        self.unknown_types: dict[str, Unknown] = {}
        self.unsure: dict[FactKey, Unknown] = {}
        self._by_key: dict[FactKey, Fact] | None = None

    @property
    def by_key(self) -> Mapping[FactKey, Fact]:
        """Its facts by type and id, but for those that are computed."""
        if self._by_key is None:
            self._by_key = {
                (kind, fact.id): fact
                for kind, facts in self.by_type.items()
                if kind not in self.run.computing
                for fact in facts
            }
        return self._by_key

    def facts_of(self, fact_type: str) -> list[Fact]:
        """Return the facts of a type, sorted by id; computed ones when first asked for."""
        found = self.by_type.get(fact_type)
        if found is None:
            found = self._compute(fact_type)
        return found

    def _compute(self, fact_type: str) -> list[Fact]:
        one = self.run.computing.get(fact_type)
        result = one.compute(self) if one else ComputedFacts(())
        if isinstance(result, Unknown):
            self.unknown_types[fact_type] = result
            result = ComputedFacts(())
        self.unsure.update(((fact_type, name), why) for name, why in result.unsure.items())
        self.by_type[fact_type] = list(result.facts)
        return self.by_type[fact_type]

    def unknown_of(self, fact_type: str) -> Unknown | None:
        """Return why the facts of a type cannot be told; None where they can."""
        self.facts_of(fact_type)
        return self.unknown_types.get(fact_type)

    def presence_of(self, fact: Fact) -> bool | Unknown:
        """Return whether a fact of the case is there for certain."""
        return self.unsure.get((fact.type, fact.id), True)


# --- assembly ---------------------------------------------------------------------------------


_id_of = attrgetter("id")


def _in_order_once(facts: list[Fact]) -> bool:
    """Return whether facts of a type stand in the order of their ids, each once."""
    ids = list(map(_id_of, facts))
    return all(map(lt, ids, islice(ids, 1, None)))


class _Index:
    """Facts by the value of one field, built for the fields that paths use; all sorted by id.

    Raises:
        InputError: A fact that was given stands twice.
    """

    def __init__(
        self, given: Sequence[Fact], earlier: Iterable[Fact], paths: Iterable[Path]
    ) -> None:
        self._by_type: dict[str, list[Fact]] = defaultdict(list)
        for fact in given:
            self._by_type[fact.type].append(fact)
        if not all(map(_in_order_once, self._by_type.values())):
            refuse_twice(given)
        for fact in earlier:
            self._by_type[fact.type].append(fact)
        for listed in self._by_type.values():
            listed.sort(key=_id_of)
        self._by_value: dict[tuple[str, str], dict[object, list[Fact]]] = {}
        for path in paths:
            near = path.fact_type
            for link in path.links:
                if (near, link.near_field) not in self._by_value:
                    self._by_value[near, link.near_field] = self._grouped(near, link.near_field)
                near = link.far_type

    def _grouped(self, fact_type: str, name: str) -> dict[object, list[Fact]]:
        found: dict[object, list[Fact]] = defaultdict(list)
        if name == "id":
            for fact in self._by_type.get(fact_type, ()):
                found[fact.id].append(fact)
            return found
        for fact in self._by_type.get(fact_type, ()):
            value = fact.fields.get(name)
            if value is not None:
                found[value].append(fact)
        return found

    def of_type(self, fact_type: str) -> list[Fact]:
        return self._by_type.get(fact_type, [])

    def by_value(self, fact_type: str, name: str) -> Mapping[object, list[Fact]]:
        """Return the facts of a type by the value of a field that a path uses."""
        return self._by_value[fact_type, name]

    def pointing(self, fact_type: str, name: str, value: object) -> list[Fact]:
        return self._by_value[fact_type, name].get(value, [])


def field_of(fact: Fact, name: str) -> object:
    """Return the value of a field, `id` included; None where it is absent."""
    return fact.id if name == "id" else fact.fields.get(name)


def _walk(path: Path, case: Case, index: _Index) -> list[Fact]:
    """Return the facts that reach the case by one path, sorted by id, walking it from its end."""
    if not path.links:
        return index.of_type(path.fact_type)
    near_types = [path.fact_type, *(link.far_type for link in path.links[:-1])]
    reached = case.facts_of(path.links[-1].far_type)
    for near_type, link in zip(reversed(near_types), reversed(path.links), strict=True):
        values = (field_of(far, link.far_field) for far in reached)
        groups = [index.pointing(near_type, link.near_field, v) for v in values if v is not None]
        reached = groups[0] if len(groups) == 1 else _merged(groups)
    return reached


def _merged(groups: Iterable[list[Fact]]) -> list[Fact]:
    """Return the facts of some lists of one type, each once, sorted by id."""
    found = {fact.id: fact for group in groups for fact in group}
    return [found[name] for name in sorted(found)]


_Direct = tuple[str, Mapping[object, list[Fact]]]
_Step = tuple[str, Sequence[Path], _Direct | None]
"""A type, its paths, and for one that is a step from the anchor: its field, and facts by value."""


def _steps(pack: Pack, index: _Index) -> list[_Step]:
    """Return the types in the order to find their facts.

    Several paths of one type are their union, found where its last one stands.
    """
    last = {path.fact_type: position for position, path in enumerate(pack.paths)}
    result: list[_Step] = []
    for kind in sorted(last, key=lambda kind: last[kind]):
        paths = [one for one in pack.paths if one.fact_type == kind]
        direct = None
        links = paths[0].links
        is_step = len(paths) == len(links) == 1 and links[0].far_type == pack.case.fact_type
        if is_step and kind != pack.case.fact_type and links[0].far_type not in last:
            direct = (links[0].far_field, index.by_value(kind, links[0].near_field))
        result.append((kind, paths, direct))
    return result


def _fill(case: Case, steps: Sequence[_Step], index: _Index) -> None:
    by_type = case.by_type
    for kind, paths, direct in steps:
        if direct is not None:
            found = direct[1].get(field_of(case.anchor, direct[0]), [])
        else:
            groups = [_walk(path, case, index) for path in paths]
            if kind in by_type:
                groups.append(by_type[kind])
            found = groups[0] if len(groups) == 1 else _merged(groups)
        by_type[kind] = found


def _name(case: Case) -> None:
    definition = case.run.pack.case
    case.named[definition.alias] = case.anchor
    for alias, reference, fact_type in definition.named:
        holder = case.named.get(reference.alias)
        value = field_of(holder, reference.name) if holder else None
        found = case.by_key.get((fact_type, str(value))) if value is not None else None
        if found is None:
            shown = "nothing" if value is None else f"{fact_type}/{value}"
            case.broken.append(
                Text(
                    f"{reference.text} leads to {shown}, which is not among the facts.",
                    f"{reference.text} 指向{'空值' if value is None else shown}，"
                    "事实中没有对应记录。",
                )
            )
            return
        case.named[alias] = found


INCOMPLETE_TYPES = ("finding", "finding_fact", "decision_value")
"""The types whose facts are not all known where a decision of an earlier stage is not complete."""


def _mark_incomplete(case: Case) -> None:
    """Note that a decision with errors may have further findings and values."""
    for decision in case.facts_of("decision"):
        if not decision.fields["is_complete"]:
            shown = f"{decision.fields['case_type']}/{decision.fields['case_id']}"
            cause = Text(
                f"The decision of {decision.fields['pack']} on {shown} is not complete: some of its"
                " rules could not be evaluated.",
                f"规则包 {decision.fields['pack']} 对 {shown} 的判定不完整：部分规则无法评估。",
            )
            case.unknown_types.update(dict.fromkeys(INCOMPLETE_TYPES, Unknown(cause)))
            return


def each_case(
    run: Run, facts: Iterable[Fact], earlier: Iterable[Fact] = ()
) -> tuple[Iterator[Case], Sequence[Fact]]:
    """Return the cases one after another, by id, and all given facts.

    Args:
        run: The evaluation that the cases belong to.
        facts: The given facts, in any order.
        earlier: What decisions of earlier stages are as facts.

    Raises:
        InputError: From the iterator: a fact stands twice, or holds what no engine can compare
            safely.
    """
    given = tuple(facts)
    return _checked_cases(run, given, earlier), given


_CASES_AT_ONCE = 100
"""Cases whose facts are checked together."""


def _checked_cases(run: Run, given: Sequence[Fact], earlier: Iterable[Fact]) -> Iterator[Case]:
    """Yield the cases, each after its facts were checked.

    Facts that belong to one case alone, which most of them do, are checked as the cases come: an
    engine works on the first ones meanwhile. All others are checked before the first case.
    """
    try:
        index = _Index(given, earlier, run.pack.paths)
        steps = _steps(run.pack, index)
        own = {run.pack.case.fact_type, *_of_one_case(run.pack, steps, index)}
        check_facts((fact for fact in given if fact.type not in own), given)
        source = (_case(run, one, steps, index) for one in index.of_type(run.pack.case.fact_type))
        while some := list(islice(source, _CASES_AT_ONCE)):
            found = (case.by_type[kind] for kind in own for case in some)
            check_facts(chain.from_iterable(found), given)
            yield from some
    except TypeError:
        # No path finds facts by a value of such a kind: the check says what it is.
        check_facts(given, given)
        raise


def _of_one_case(pack: Pack, steps: Sequence[_Step], index: _Index) -> Iterator[str]:
    """Yield the types of which each fact belongs to one case, by the id that it names."""
    ids = {anchor.id for anchor in index.of_type(pack.case.fact_type)}
    for kind, _, direct in steps:
        if direct is None or direct[0] != "id" or kind not in FACT_TYPES:
            continue
        groups = direct[1]
        if groups.keys() <= ids and sum(map(len, groups.values())) == len(index.of_type(kind)):
            yield kind


def _case(run: Run, anchor: Fact, steps: Sequence[_Step], index: _Index) -> Case:
    case = Case(run, anchor)
    _fill(case, steps, index)
    if run.pack.after:
        _mark_incomplete(case)
    _name(case)
    return case


def assemble(
    run: Run, facts: Iterable[Fact], earlier: Iterable[Fact] = ()
) -> tuple[list[Case], Sequence[Fact]]:
    """Return what `each_case` does, with the cases as a list; everything is checked by then."""
    cases, given = each_case(run, facts, earlier)
    return list(cases), given


def types_read(packs: Iterable[Pack]) -> frozenset[str]:
    """Return the types of the given facts that the cases of some packs are made of."""
    found: set[str] = set()
    for pack in packs:
        found |= {pack.case.fact_type, *(fact_type for _, _, fact_type in pack.case.named)}
        for path in pack.paths:
            found |= {path.fact_type, *(link.far_type for link in path.links)}
    return frozenset(found & FACT_TYPES.keys())


class CaseFinder:
    """Finds single cases among facts that were checked when they were decided.

    What packs of earlier stages decided is not among these facts: a pack that comes after others
    has no case here.

    Args:
        packs: The packs whose cases are asked for.
        facts: The facts, in any order.
    """

    def __init__(self, packs: Iterable[Pack], facts: Iterable[Fact]) -> None:
        paths = [path for pack in packs for path in pack.paths]
        self._index = _Index(tuple(facts), (), paths)

    def cases(self, run: Run, ids: Collection[str]) -> list[Case]:
        """Return those cases of a pack that have one of some ids, by id."""
        if run.pack.after:
            return []
        steps = _steps(run.pack, self._index)
        anchors = self._index.of_type(run.pack.case.fact_type)
        return [_case(run, one, steps, self._index) for one in anchors if one.id in ids]


def on_other_day(case: Case, run: Run) -> Case:
    """Return a case with the same given facts in a run of the same pack on another date."""
    computing = case.run.computing
    other = Case(run, case.anchor)
    other.by_type = {kind: found for kind, found in case.by_type.items() if kind not in computing}
    if run.pack.after:
        _mark_incomplete(other)
    _name(other)
    return other

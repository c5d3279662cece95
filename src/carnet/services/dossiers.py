"""What stands behind a review, for a bounded number of listings: the matrix and the expiry strips.

Nothing is decided here. Which documents are asked for and which of them are there is read off the
rules (`carnet.rules.evidence`); the status of a certificate and its dates are fields that the packs
derive, on the day of the review and at the end of each of the months that follow.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.case import Case, CaseFinder, Run, on_other_day
from carnet.rules.decision import Decision
from carnet.rules.derivation import Derived, derived_field
from carnet.rules.evidence import Requirement, requirements_of
from carnet.rules.given import FactKey
from carnet.rules.parameters import Known, Unknown
from carnet.rules.run import start_run
from carnet.rules.values import computed

MONTHS: Final = 12
Confirmed = Callable[[Pack], frozenset[str]]
_DECISIVE: Final = frozenset({"blocking", "major"})
STRIPS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """One pack's decision on one listing for one date.

    Args:
        pack: The pack.
        as_of: The date.
        decision: What it decided.
    """

    pack: Pack
    as_of: date
    decision: Decision


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """Where a document stands.

    Args:
        key: The document.
        kind: What it is, as a code.
        status: One of `carnet.services.words.DOCUMENT_STATUSES`.
        cause: Why it cannot be told, if so.
    """

    key: FactKey
    kind: str
    status: str
    cause: Text | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One requirement of one listing, with the documents under it.

    Args:
        pack: The pack that asks.
        requirement: What it asks for.
        documents: Those that meet it, and others of the product under the same act.
    """

    pack: Pack
    requirement: Requirement
    documents: tuple[DocumentStatus, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """The status of a certificate at the end of a month; None where its pack decides no more."""

    last: date
    status: str | None


@dataclass(frozen=True, slots=True)
class Strip:
    """A certificate over the months that follow, if nothing else is filed.

    Args:
        certificate: The certificate.
        pack: The pack that tells.
        now: Its status on the day of the review.
        ends: The last day on which it counts.
        opens: The first day of its renewal window.
        closes: The last day of its renewal window.
        months: Its status at the end of each month.
    """

    certificate: Fact
    pack: Pack
    now: DocumentStatus
    ends: Derived
    opens: Derived
    closes: Derived
    months: tuple[Month, ...]


@dataclass(frozen=True, slots=True)
class Dossiers:
    """What stands behind the decisions on some listings.

    Args:
        cells: The requirements, by listing.
        strips: Certificates that end, or whose status is not valid throughout; the first that ends
            first.
        further: How many more of these there are.
        steady: How many other certificates have no end and stay valid.
    """

    cells: Mapping[str, tuple[Cell, ...]]
    strips: tuple[Strip, ...]
    further: int
    steady: int


def month_ends(day: date, count: int) -> list[date]:
    """Return the last day of the month of a day and of those that follow.

    >>> month_ends(date(2026, 11, 23), 2)
    [datetime.date(2026, 11, 30), datetime.date(2026, 12, 31)]
    """
    ends = []
    first = day.replace(day=1)
    for _ in range(count):
        first = (first + timedelta(days=31)).replace(day=1)
        ends.append(first - timedelta(days=1))
    return ends


def packs_of(judged: Mapping[str, Sequence[Judged]]) -> tuple[Pack, ...]:
    """Return every pack that decided, in the order of their ids and versions."""
    found = {(one.pack.id, one.pack.version): one.pack for each in judged.values() for one in each}
    return tuple(found[name] for name in sorted(found))


def dossiers_of(
    judged: Mapping[str, Sequence[Judged]],
    facts: Collection[Fact],
    confirmed: Confirmed,
    as_of: date,
    strips_max: int = STRIPS_MAX,
) -> Dossiers:
    """Return what stands behind decisions on listings.

    Args:
        judged: The decisions, by listing.
        facts: The facts that decided.
        confirmed: Returns what officers confirmed of a pack.
        as_of: The day of the review, from which the months count.
        strips_max: How many strips are drawn.
    """
    cells: defaultdict[str, list[Cell]] = defaultdict(list)
    outlooks: dict[str, _Outlook] = {}
    ends = month_ends(as_of, MONTHS)
    finder = CaseFinder(packs_of(judged), facts)
    for pack, day, decisions in _by_pack(judged):
        trusted = confirmed(pack)
        later = _Months(pack, ends, trusted)
        for case in finder.cases(start_run(pack, day, trusted), decisions):
            cells[case.anchor.id] += _cells(case, decisions[case.anchor.id])
            for one in _outlooks(case, later, outlooks):
                outlooks[one.certificate.id] = one
    moving = sorted(
        (one for one in outlooks.values() if not one.is_steady), key=lambda one: one.urgency
    )
    return Dossiers(
        {name: tuple(found) for name, found in cells.items()},
        tuple(one.strip() for one in moving[:strips_max]),
        further=max(len(moving) - strips_max, 0),
        steady=len(outlooks) - len(moving),
    )


def _by_pack(
    judged: Mapping[str, Sequence[Judged]],
) -> Iterator[tuple[Pack, date, dict[str, Decision]]]:
    groups: dict[tuple[str, date], tuple[Pack, dict[str, Decision]]] = {}
    for listing, decisions in judged.items():
        for one in decisions:
            _, found = groups.setdefault((one.pack.id, one.as_of), (one.pack, {}))
            found[listing] = one.decision
    for key in sorted(groups):
        yield groups[key][0], key[1], groups[key][1]


# --- the matrix -------------------------------------------------------------------------------


def _cells(case: Case, decision: Decision) -> Iterator[Cell]:
    for requirement in requirements_of(case):
        keys = dict.fromkeys(requirement.documents)
        if requirement.act is not None:
            keys |= dict.fromkeys(_under(requirement.act, case))
        found = [case.by_key[key] for key in keys if key in case.by_key]
        documents = [document_status(fact, case, decision) for fact in found]
        shown = tuple(one for one in documents if one.status != "not_applicable")
        yield Cell(case.run.pack, requirement, shown)


def _under(act: str, case: Case) -> Iterator[FactKey]:
    """Yield the certificates of the product under an act."""
    for fact in case.facts_of("certificate"):
        if fact.fields.get("act") == act:
            yield fact.type, fact.id


def document_status(fact: Fact, case: Case, decision: Decision | None = None) -> DocumentStatus:
    """Return where a document stands: as the pack derives it, and by the findings that name it."""
    kind = str(fact.fields.get("kind", fact.type))
    key = (fact.type, fact.id)
    definition = case.run.pack.derived.get((fact.type, "standing"))
    status = "on_file"
    if definition is not None:
        found = computed(definition, fact, case)
        if isinstance(found, Unknown):
            return DocumentStatus(key, kind, "undetermined", found.cause)
        status = str(found)
    naming = decision.findings if decision is not None else ()
    is_faulted = any(each.severity in _DECISIVE and key in each.facts for each in naming)
    is_good = status in {"on_file", "valid"}
    return DocumentStatus(key, kind, "found" if is_faulted and is_good else status)


# --- the strips -------------------------------------------------------------------------------


class _Months:
    """The runs of one pack at the end of each month, None where it decides no more."""

    def __init__(self, pack: Pack, ends: Sequence[date], confirmed: frozenset[str]) -> None:
        self.runs = [(end, self._run(pack, end, confirmed)) for end in ends]

    @staticmethod
    def _run(pack: Pack, day: date, confirmed: frozenset[str]) -> Run | None:
        try:
            return start_run(pack, day, confirmed)
        except InputError:
            return None

    def cases(self, case: Case) -> list[tuple[date, Case | None]]:
        """Return a case at the end of each month."""
        return [(end, on_other_day(case, run) if run else None) for end, run in self.runs]


@dataclass(frozen=True, slots=True)
class _Outlook:
    """A certificate of a case today and at the end of the months, told as far as it is asked."""

    certificate: Fact
    case: Case
    now: DocumentStatus
    later: Sequence[tuple[date, Case | None]]

    def _value(self, name: str) -> Known | Unknown | None:
        definition = self.case.run.pack.derived.get((self.certificate.type, name))
        return None if definition is None else computed(definition, self.certificate, self.case)

    def _month(self, end: date, case: Case | None) -> Month:
        return Month(end, document_status(self.certificate, case).status if case else None)

    @property
    def is_steady(self) -> bool:
        """Whether it has no end, and is valid today and at the end of the period."""
        end = self._value("effective_end")
        if self.now.status != "valid" or not (isinstance(end, Unknown) and end.is_absent):
            return False
        return self._month(*self.later[-1]).status == "valid"

    @property
    def urgency(self) -> tuple[date, str]:
        """What sorts certificates: those that end first, then those whose end is not known."""
        end = self._value("effective_end")
        return (end if isinstance(end, date) else date.max, self.certificate.id)

    def _date(self, name: str) -> Derived:
        pack, fact = self.case.run.pack, self.certificate
        definition = pack.derived.get((fact.type, name))
        return Derived(None) if definition is None else derived_field(definition, fact, self.case)

    def strip(self) -> Strip:
        """Return the strip that is drawn."""
        return Strip(
            self.certificate,
            self.case.run.pack,
            self.now,
            self._date("effective_end"),
            self._date("window_opens"),
            self._date("window_closes"),
            tuple(self._month(end, case) for end, case in self.later),
        )


def _outlooks(case: Case, months: _Months, known: Collection[str]) -> Iterator[_Outlook]:
    """Yield the certificates of a case that the pack tells of and no other case has told."""
    if ("certificate", "standing") not in case.run.pack.derived or case.broken:
        return
    later: Sequence[tuple[date, Case | None]] = ()
    for fact in case.facts_of("certificate"):
        now = document_status(fact, case)
        if fact.id not in known and now.status != "not_applicable":
            later = later or months.cases(case)
            yield _Outlook(fact, case, now, later)

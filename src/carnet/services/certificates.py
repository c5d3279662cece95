"""The certificates of a workspace as the packs judge them: status, effective end, renewal window.

Every date and status is what a pack derives (docs/spec/pack-format.md, PF-75): nothing is worked
out a second time here. One certificate has one line for each pack that judges it, and more where
its listings differ. A certificate that no pack judges, such as one of a product that is not listed,
has a line without a pack.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from carnet.core.clock import add_months
from carnet.facts.fact import Fact, scalar_to_json
from carnet.rules.ast import Pack
from carnet.rules.decision import NOTHING_EARLIER
from carnet.rules.derivation import Derived, DerivedCase, derive
from carnet.services.approvals import confirmed_parameters
from carnet.services.decisions import LISTING
from carnet.services.packs import packs_in_force
from carnet.services.reviewing import of_erased_sellers, stages_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import current_facts

CERTIFICATE: Final = "certificate"
STATUS: Final = "standing"
NAMES: Final = (
    STATUS,
    "effective_end",
    "window_opens",
    "window_closes",
    "window",
    "review_due",
    "successor_count",
)
"""The derived fields of certificates that a calendar reads, as far as a pack has them."""

NOTHING: Final = Derived(None)
"""A field that surely has no value."""

DATES: Final = ("window_opens", "window_closes", "review_due", "effective_end")
_OVERDUE: Final = ("effective_end", "review_due")
_CERTIFICATE_FIELDS: Final = (
    *("kind", "act", "number", "issued_on", "printed_valid_until", "last_tested_on"),
    *("is_verified", "evidence_sha256"),
)
_PLAN_FIELDS: Final = ("planned_application_on", "lab_lead_days", "applied_on")


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A certificate as one pack judges it on a day.

    Args:
        certificate: The certificate.
        product: Its product.
        as_of: The day.
        pack: The pack, None where none judges it.
        values: The derived fields that the pack has, out of `NAMES`.
        plans: The renewal plans for it, by id.
        listings: The listings that it is judged for.
        confirmed: What officers confirmed and the values rest on.
    """

    certificate: Fact
    product: Fact
    as_of: date
    pack: Pack | None = None
    values: Mapping[str, Derived] = field(default_factory=dict)
    plans: tuple[Fact, ...] = ()
    listings: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()

    def derived(self, name: str) -> Derived:
        """Return a derived field; one that the pack does not have is surely absent."""
        return self.values.get(name, NOTHING)

    def day(self, name: str) -> date | None:
        """Return a derived date; None where there is none or it cannot be told."""
        value = self.derived(name).value
        return value if isinstance(value, date) else None

    @property
    def status(self) -> str | None:
        """The status by the pack; None where no pack judges the certificate."""
        found = self.derived(STATUS)
        if not found.is_told:
            return "undetermined"
        return None if found.value is None else str(found.value)

    @property
    def is_applicable(self) -> bool:
        """Whether the certificate counts for the product under the law of the pack."""
        return self.status not in {None, "not_applicable"}

    @property
    def is_replaced(self) -> bool:
        """Whether a later certificate of the kind and act is on file."""
        count = self.derived("successor_count").value
        return isinstance(count, int) and count > 0

    @property
    def plan(self) -> Fact | None:
        """The plan to apply next; where every application was made, the latest one made."""
        still_open = [one for one in self.plans if "applied_on" not in one.fields]
        if still_open:
            return min(still_open, key=lambda one: (_on(one, "planned_application_on"), one.id))
        return max(self.plans, key=lambda one: (_on(one, "applied_on"), one.id), default=None)

    @property
    def last_day(self) -> Derived:
        """The last day for the application: the end of the window, else that of the certificate."""
        closes = self.derived("window_closes")
        has_window = closes.value is not None or not closes.is_told
        return closes if has_window else self.derived("effective_end")

    @property
    def latest_start(self) -> date | None:
        """The last day to begin so that the laboratory is done on the last day.

        None where the end of the window, or the time that the laboratory needs, is not known.
        """
        plan, last = self.plan, self.last_day.value
        lead = plan.fields["lab_lead_days"] if plan is not None else None
        if not isinstance(lead, int) or not isinstance(last, date):
            return None
        return last - timedelta(days=lead)

    @property
    def causes(self) -> tuple[str, ...]:
        """The fields that cannot be told."""
        return tuple(name for name, one in self.values.items() if not one.is_told)

    def to_json(self) -> dict[str, Any]:
        """Return the line as JSON."""
        fields = self.certificate.fields
        latest = self.latest_start
        return {
            "certificate": self.certificate.id,
            **{name: _json(fields.get(name)) for name in _CERTIFICATE_FIELDS},
            "product": {"id": self.product.id, "model": self.product.fields["model"]},
            "pack": self.pack and self.pack.id,
            "version": self.pack and self.pack.version,
            "status": self.derived(STATUS).to_json() | {"value": self.status},
            **{name: self.derived(name).to_json() for name in NAMES if name != STATUS},
            "last_day": self.last_day.to_json(),
            "latest_start": latest and latest.isoformat(),
            "plan": plan_json(self.plan),
            "plans": [plan_json(one) for one in self.plans],
            "listings": list(self.listings),
            "officer_confirmed": list(self.confirmed),
        }


def _on(plan: Fact, name: str) -> date:
    day = plan.fields[name]
    assert isinstance(day, date), "the schema says so"
    return day


def _json(value: Any) -> Any:
    return None if value is None else scalar_to_json(value)


def plan_json(plan: Fact | None) -> dict[str, Any] | None:
    """Return a renewal plan as JSON."""
    if plan is None:
        return None
    return {"id": plan.id, **{name: _json(plan.fields.get(name)) for name in _PLAN_FIELDS}}


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which certificates are wanted; an empty field leaves nothing out."""

    market: str | None = None
    statuses: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def takes(self, line: CertificateLine) -> bool:
        """Return whether a line is among them."""
        return (
            (self.market is None or bool(line.listings))
            and (not self.statuses or line.status in self.statuses)
            and (not self.products or line.product.id in self.products)
        )


ALL: Final = Wanted()


def listed_facts(workspace: Workspace, market: str | None = None) -> list[Fact]:
    """Return the facts of a workspace without the listings of erased sellers and other markets."""
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
        erased = of_erased_sellers(connection, facts)
    return [
        one
        for one in facts
        if one.type != LISTING
        or (one.id not in erased and (market is None or one.fields["market"] == market))
    ]


def judging_packs(packs: Iterable[Pack]) -> list[Pack]:
    """Return the packs that judge certificates: those that derive their status or their end."""
    return [
        pack
        for pack in packs
        if pack.case.fact_type == LISTING
        and any((CERTIFICATE, name) in pack.derived for name in (STATUS, "effective_end"))
    ]


_Key = tuple[str, tuple[tuple[str, Derived], ...]]


def _of_pack(
    pack: Pack, cases: Iterable[DerivedCase], as_of: date, confirmed: frozenset[str]
) -> Iterator[CertificateLine]:
    """Yield the lines of a pack: a certificate has one for all cases that judge it alike."""
    listings: defaultdict[_Key, list[str]] = defaultdict(list)
    found: dict[_Key, tuple[DerivedCase, Mapping[str, Derived]]] = {}
    for case in cases:
        for (kind, name), values in case.derived.items():
            if kind == CERTIFICATE:
                key = (name, tuple(values.items()))
                listings[key].append(case.key[1])
                found.setdefault(key, (case, values))
    for key, (case, values) in found.items():
        certificate = case.facts[CERTIFICATE, key[0]]
        rests = {name for one in values.values() for name in one.rests_on}
        yield CertificateLine(
            certificate,
            case.facts["product", str(certificate.fields["product_id"])],
            as_of,
            pack,
            values,
            _plans_of(key[0], case),
            tuple(sorted(listings[key])),
            tuple(sorted(rests & confirmed)),
        )


def _plans_of(certificate: str, case: DerivedCase) -> tuple[Fact, ...]:
    return tuple(
        fact
        for (kind, _), fact in sorted(case.facts.items())
        if kind == "renewal_plan" and fact.fields["certificate_id"] == certificate
    )


def _unjudged(
    facts: Collection[Fact], lines: Iterable[CertificateLine], as_of: date
) -> Iterator[CertificateLine]:
    judged = {line.certificate.id for line in lines}
    products = {fact.id: fact for fact in facts if fact.type == "product"}
    plans: defaultdict[object, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.type == "renewal_plan":
            plans[fact.fields["certificate_id"]].append(fact)
    for fact in facts:
        product = products.get(str(fact.fields.get("product_id")))
        if fact.type == CERTIFICATE and fact.id not in judged and product is not None:
            own = tuple(sorted(plans[fact.id], key=lambda plan: plan.id))
            yield CertificateLine(fact, product, as_of, plans=own)


def certificate_lines(
    workspace: Workspace, as_of: date, wanted: Wanted = ALL
) -> list[CertificateLine]:
    """Return the certificates of a workspace as they stand on a day, by their ids.

    A pack for which a certificate does not count has no line of it, unless no pack does otherwise.

    Raises:
        InputError: A pack cannot decide for the day, or a fact cannot be used.
        LedgerFatalError: An act of an officer, or a pack that is kept, is not what was signed.
    """
    facts = listed_facts(workspace, wanted.market)
    installed = packs_in_force(workspace, as_of)
    stages = stages_of(workspace, installed, facts, as_of, "reference")
    lines: list[CertificateLine] = []
    for pack in judging_packs(each.pack for each in installed.values()):
        confirmed = confirmed_parameters(workspace, pack)
        earlier = stages.earlier(pack) if pack.after else NOTHING_EARLIER
        cases = derive(pack, facts, as_of, confirmed, earlier, NAMES)
        lines += _of_pack(pack, cases, as_of, confirmed)
    lines += _unjudged(facts, lines, as_of)
    shown = [line for line in _without_others(lines) if wanted.takes(line)]
    return sorted(shown, key=lambda one: (one.certificate.id, one.pack.id if one.pack else ""))


def _without_others(lines: Collection[CertificateLine]) -> Iterator[CertificateLine]:
    """Yield the lines but for those of packs that a certificate is no document of."""
    applicable = {line.certificate.id for line in lines if line.is_applicable}
    shown: set[str] = set()
    for line in lines:
        name = line.certificate.id
        if line.is_applicable or (name not in applicable and name not in shown):
            shown.add(name)
            yield line


# --- the calendar -------------------------------------------------------------------------------


def dates_of(line: CertificateLine) -> dict[str, date]:
    """Return the dates of a line that a calendar shows, by name."""
    found = {name: day for name in DATES if (day := line.day(name)) is not None}
    latest = line.latest_start
    return found if latest is None else found | {"latest_start": latest}


def next_date(line: CertificateLine) -> date | None:
    """Return the date of a line that matters next: what is overdue, else the first one ahead."""
    days = dates_of(line)
    overdue = [days[name] for name in _OVERDUE if name in days and days[name] < line.as_of]
    ahead = [day for day in days.values() if day >= line.as_of]
    return min(overdue or ahead, default=None)


def is_in_calendar(line: CertificateLine, until: date) -> bool:
    """Return whether something of a line falls between its day and a later one, or is overdue.

    What cannot be told is in the calendar; what a later certificate replaced is not.
    """
    if not line.is_applicable or line.is_replaced:
        return False
    if any(name in DATES for name in line.causes):
        return True
    day = next_date(line)
    return day is not None and day <= until


def calendar_of(
    lines: Iterable[CertificateLine], as_of: date, months: int
) -> list[CertificateLine]:
    """Return the lines of a calendar of some months, by their next dates; the unknown ones last."""
    until = add_months(as_of, months)
    shown = [line for line in lines if is_in_calendar(line, until)]
    return sorted(shown, key=lambda line: (next_date(line) or date.max, line.certificate.id))

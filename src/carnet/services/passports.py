"""Credit passports: a seller's four indices and tier of one quarter, as one signed record.

The pack `credit-passport` computes the figures from data points that are recorded, and from listing
decisions that are attested; the record names the hashes of those records for each figure. A figure
that cannot be told has no value and names the rules that could not decide. A passport replaces the
one before of the same seller.

Source: docs/spec/credit-passport.md, CP-5 to CP-10.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from carnet.core.canonical import canonical
from carnet.core.clock import Clock
from carnet.core.crash import crash_point
from carnet.core.digests import sha256
from carnet.core.errors import InputError
from carnet.core.quarters import Quarter, parse_quarter
from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.ledger.kinds import PASSPORT
from carnet.ledger.kinds.credit import FIGURE_RECORDS_MAX
from carnet.ledger.record import Record, Validity
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision, Earlier
from carnet.rules.engine import evaluate
from carnet.rules.parameters import value_in_force
from carnet.services.approvals import confirmed_parameters
from carnet.services.data_points import (
    FACT_TYPE,
    SELLER_TYPE,
    DataPoint,
    data_points,
    keep,
    opened_members,
    require_seller,
)
from carnet.services.issuing import Issued, Statement, open_issuer, stage_statement, standing_record
from carnet.services.packs import Installed, in_force, keep_pack, packs_in_force
from carnet.services.passport_sources import attestation_of, is_revoked, passports_of
from carnet.services.reviewing import stages_of
from carnet.services.vault import PSEUDONYM_URN, Subject, Vault, open_vault, pseudonym_of
from carnet.services.workspace import Workspace
from carnet.store.engine import reading, writing
from carnet.store.facts import current_facts
from carnet.store.locks import Lock

PACK: Final = "credit-passport"
REPORTING_DAYS: Final = "reporting_days"
GRACE_DAYS: Final = "grace_days"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the passport.

    Args:
        member: What the record calls it.
        title: What people call it.
        output: What the pack calls it.
        action: The action by which the pack names what counts for it; none for what is made of
            other figures.
        rules: The rules that set it.
    """

    member: str
    title: Text
    output: str
    action: str | None
    rules: tuple[str, ...]


FIGURES: Final = (
    Figure("tier", Text("Tier", "等级"), "tier", None, ("tier", "tier-lowest")),
    Figure(
        "overallIndex",
        Text("Average of the four indices", "四项指数平均值"),
        "overall_bps",
        None,
        ("tier", "tier-lowest"),
    ),
    Figure(
        "multiChannelSalesHealth",
        Text("Multi-channel sales health", "多渠道销售健康度"),
        "sales_health_bps",
        "count_for_sales_health",
        ("sales-health-sound", "sales-health-weak"),
    ),
    Figure(
        "userQualityIndex",
        Text("User quality index", "用户质量指数"),
        "user_quality_bps",
        "count_for_user_quality",
        ("user-quality-sound", "user-quality-weak"),
    ),
    Figure(
        "supplyChainStability",
        Text("Supply-chain stability", "供应链稳定性"),
        "supply_stability_bps",
        "count_for_supply_stability",
        ("supply-stability-sound", "supply-stability-weak"),
    ),
    Figure(
        "complianceStanding",
        Text("Compliance standing", "合规状况"),
        "compliance_bps",
        "count_for_compliance",
        ("compliance-sound", "compliance-weak"),
    ),
)
"""The figures of a passport, in the order in which people read them."""


@dataclass(frozen=True, slots=True)
class PassportIssued:
    """A passport that was issued.

    Args:
        record: The record.
        decision: What the pack decided, with the causes of what cannot be told.
        is_new: Whether it was made now; the same content keeps its record.
    """

    record: Record
    decision: Decision
    is_new: bool


def _refuse(code: str, en: str, zh: str, hint_en: str, hint_zh: str) -> InputError:
    return InputError(code, Text(en, zh), Text(hint_en, hint_zh))


def days_of(pack: Pack, confirmed: Collection[str], name: str, as_of: date) -> int:
    """Return a parameter of the pack in days.

    Raises:
        InputError: Officers have not confirmed it, or none is in force.
    """
    parameter = pack.parameters[name]
    value = value_in_force(parameter, as_of)
    if value is None:
        raise _refuse(
            "CRN-L-076",
            f"{pack.id} {pack.version} draws no passports for {as_of}: {name} had no value then.",
            f"{pack.id} {pack.version} 不能为 {as_of} 计算护照：{name} 当时没有取值。",
            "Name a later quarter.",
            "请指定之后的季度。",
        )
    if parameter.status == "U" and name not in confirmed:
        raise _refuse(
            "CRN-L-073",
            f"The parameter {name} of {pack.id} {pack.version} is not confirmed, so nobody can say "
            "how long a passport counts.",
            f"规则包 {pack.id} {pack.version} 的参数 {name} 尚未确认，无法确定护照有效期。",
            f"Two officers confirm it: carnet pack confirm (source {parameter.citation.fact}).",
            f"请由两名合规专员确认：carnet pack confirm（来源 {parameter.citation.fact}）。",
        )
    assert isinstance(value.value, int), "the pack declares it as an integer"
    return value.value


def _day_of(
    quarter: Quarter, pack: Pack, confirmed: Collection[str], today: date, asked: date | None
) -> date:
    """Return the day that the figures are drawn for: today, as far as the quarter is still open."""
    if today < quarter.start:
        raise _refuse(
            "CRN-L-074",
            f"{quarter} begins on {quarter.start}, today is {today}.",
            f"{quarter} 自 {quarter.start} 开始，今天是 {today}。",
            "Name a quarter that has begun.",
            "请指定已开始的季度。",
        )
    closes = quarter.end + timedelta(
        days=days_of(pack, confirmed, REPORTING_DAYS, min(today, quarter.end))
    )
    day = min(today, closes) if asked is None else asked
    if not quarter.start <= day <= min(today, closes):
        raise _refuse(
            "CRN-L-074",
            f"A passport of {quarter} is drawn for a day from {quarter.start} to "
            f"{min(today, closes)}, not {day}.",
            f"{quarter} 的护照所依据的日期应在 {quarter.start} 至 {min(today, closes)} 之间，"
            f"而非 {day}。",
            "Leave out --as-of, or name such a day.",
            "请省略 --as-of，或指定该范围内的日期。",
        )
    return day


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What the pack decided, and what the decision rests on."""

    pack: Installed
    earlier: Earlier
    installed: Mapping[str, Installed]
    decision: Decision
    points: Mapping[str, DataPoint]


def _of_seller(facts: Collection[Fact], seller: str) -> list[Fact]:
    """Return the facts among which the seller is the only case."""
    return [fact for fact in facts if fact.type != SELLER_TYPE or fact.id == seller]


def _decide(workspace: Workspace, seller: str, as_of: date, engine: str) -> _Drawn:
    installed = packs_in_force(workspace, as_of)
    pack = in_force(installed, PACK, as_of)
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
        points = {point.version.fact_id: point for point in data_points(connection, seller)}
    stages = stages_of(workspace, installed, facts, as_of, engine)
    earlier = stages.earlier(pack)
    confirmed = confirmed_parameters(workspace, pack)
    result = evaluate(pack, _of_seller(facts, seller), as_of, engine, confirmed, earlier)
    (decision,) = (each for each in result.decisions if each.case == (SELLER_TYPE, seller))
    return _Drawn(installed[PACK], earlier, installed, decision, points)


def _require_recorded(points: Collection[DataPoint], as_of: date) -> None:
    """Check that nothing counts that is not recorded, and that nothing is passed over."""
    missing = [
        point.version.fact_id
        for point in points
        if point.record is None and str(point.fact.to_json()["observed_on"]) <= as_of.isoformat()
    ]
    if missing:
        raise _refuse(
            "CRN-L-075",
            f"{len(missing)} data points are not recorded as they stand, such as {missing[0]}.",
            f"有 {len(missing)} 个数据点尚未按现状登记，例如 {missing[0]}。",
            "Record them first: carnet data-point record.",
            "请先登记：carnet data-point record。",
        )


def _rests_on(connection: Connection, drawn: _Drawn, figure: Figure, as_of: date) -> list[str]:
    """Return the hashes of the records that a figure rests on, sorted."""
    found: set[str] = set()
    for action in drawn.decision.actions:
        if figure.action in {None, action.action}:
            for fact_type, fact_id in action.facts:
                if fact_type == FACT_TYPE:
                    record = drawn.points[fact_id].record
                    assert record is not None, "only recorded points were taken"
                    found.add(record.digest.hex())
                elif fact_type == "decision":
                    found.add(_attestation(connection, drawn, fact_id, as_of))
    return sorted(found)


def _attestation(connection: Connection, drawn: _Drawn, decision_id: str, as_of: date) -> str:
    (fact,) = (each for each in drawn.earlier.facts if each.id == decision_id)
    return attestation_of(connection, fact, as_of).hex()


def _figure_value(
    connection: Connection, drawn: _Drawn, figure: Figure, as_of: date
) -> dict[str, Any]:
    value = drawn.decision.outputs.get(figure.output)
    records = _rests_on(connection, drawn, figure, as_of)
    found: dict[str, Any] = {
        "recordCount": len(records),
        "recordsDigest": sha256(canonical(records)).hex(),
    }
    if len(records) <= FIGURE_RECORDS_MAX:
        found["records"] = records
    if value is not None:
        return {**found, "value": value}
    undecided = {error.rule for error in drawn.decision.errors}
    causes = sorted(undecided & {*figure.rules, "case"}) or sorted(figure.rules)
    return {**found, "causes": causes}


def _members(
    connection: Connection, drawn: _Drawn, seller: str, quarter: Quarter, as_of: date
) -> dict[str, Any]:
    pack = drawn.pack.pack
    figures = {figure.member: _figure_value(connection, drawn, figure, as_of) for figure in FIGURES}
    return {
        "quarter": str(quarter),
        "asOf": as_of.isoformat(),
        "pack": {"id": pack.id, "version": pack.version, "digest": pack.digest.hex()},
        "seller": seller,
        "officerConfirmed": sorted(set(drawn.decision.officer_confirmed)),
        **figures,
    }


def issue_passport(
    workspace: Workspace,
    seller: str,
    quarter: str,
    clock: Clock,
    *,
    as_of: date | None = None,
    engine: str = "live",
) -> PassportIssued:
    """Sign the passport of a seller for a quarter; it waits for the next append.

    Args:
        workspace: The workspace.
        seller: The id of the seller.
        quarter: Such as ``2026Q3``.
        clock: Tells what day it is, and the time of signing.
        as_of: The day that the figures are drawn for; by default today, or the last day on which
            figures of the quarter come in.
        engine: The engine, as for `evaluate`.

    Raises:
        NotFoundError: There is no such seller, or the pack is not in force.
        InputError: The quarter has not begun or a later one stands, the term of passports is not
            confirmed, a data point is not recorded, or a listing is not attested as it is decided.
        ConflictError: The seller was erased, or the issuer's key has ended.
    """
    wanted, today = parse_quarter(quarter), clock.now().date()
    with reading(workspace.engine) as connection:
        require_seller(connection, seller)
    first_day = max(wanted.start, min(today, wanted.end))
    pack = in_force(packs_in_force(workspace, first_day), PACK, first_day)
    confirmed = confirmed_parameters(workspace, pack)
    day = _day_of(wanted, pack, confirmed, today, as_of)
    until = wanted.end + timedelta(days=days_of(pack, confirmed, GRACE_DAYS, day))
    drawn = _decide(workspace, seller, day, engine)
    _require_recorded(drawn.points.values(), day)
    issuer, vault = open_issuer(workspace, clock), open_vault(workspace)
    keep_pack(workspace, drawn.pack)
    for one in drawn.earlier.packs:
        keep_pack(workspace, drawn.installed[one.id])
    about = Subject(SELLER_TYPE, seller)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        pseudonym = pseudonym_of(connection, about, clock)
        standing = standing_record(connection, PASSPORT, pseudonym)
        if standing is not None:
            _require_not_earlier(standing, wanted)
        members = _members(connection, drawn, seller, wanted, day)
        number = 1
        if standing is not None:
            if not is_revoked(connection, standing) and _says(connection, vault, standing, members):
                return PassportIssued(standing, drawn.decision, is_new=False)
            number = len(passports_of(connection, pseudonym)) + 1
        statement = Statement(
            kind=PASSPORT,
            subject={"id": f"{PSEUDONYM_URN}{pseudonym.hex()}", **members},
            source=f"passport/{pseudonym.hex()}/{wanted}/{number}",
            validity=Validity(_start(day), _end(until)),
            supersedes=standing.digest if standing else None,
        )
        issued: Issued = stage_statement(connection, issuer, statement, clock)
        keep(connection, vault, about, issued, clock)
        crash_point("passport.before-commit")
    return PassportIssued(issued.record, drawn.decision, is_new=True)


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _end(day: date) -> datetime:
    return _start(day + timedelta(days=1)) - timedelta(seconds=1)


def _require_not_earlier(standing: Record, wanted: Quarter) -> None:
    found = parse_quarter(standing.subject["quarter"])
    if found > wanted:
        raise _refuse(
            "CRN-L-077",
            f"A passport of {found} stands; one of {wanted} cannot replace it.",
            f"已有 {found} 的护照；{wanted} 的护照不能取代它。",
            f"Issue for {found} or a later quarter.",
            f"请签发 {found} 或之后季度的护照。",
        )


def _says(
    connection: Connection, vault: Vault, standing: Record, members: Mapping[str, Any]
) -> bool:
    """Return whether the standing passport says the same already."""
    open_members = {
        name: value for name, value in standing.subject.items() if name not in {"id", "salt", "_sd"}
    }
    hidden = opened_members(vault.disclosures(connection, standing.digest))
    return {**open_members, **hidden} == dict(members)

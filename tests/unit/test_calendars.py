"""Certificates, renewals and the law in the months to come, on the sample seller."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from carnet.cli.commands.certificates import StatusName
from carnet.cli.main import app
from carnet.cli.render import certificates as render
from carnet.cli.render import law as render_law
from carnet.cli.render.paper import Paper
from carnet.core.clock import FixedClock
from carnet.core.text import Language
from carnet.facts.types.conformity import CertificateKind
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack
from carnet.services import certificates, renewals
from carnet.services import law_calendar as laws
from carnet.services.approvals import read_confirmations, sign_confirmations
from carnet.services.certificates import (
    CertificateLine,
    Wanted,
    calendar_of,
    certificate_lines,
    next_date,
)
from carnet.services.demo.sample import sample_folder
from carnet.services.importing import import_files
from carnet.services.law_calendar import LawCalendar, law_calendar
from carnet.services.pack_history import History, PackVersion, Period
from carnet.services.packs import Installed, newest_on_shelf
from carnet.services.renewals import end_of_month, renewals_of
from carnet.services.reviewing import newest_packs
from carnet.services.words import CERTIFICATE_KINDS, DOCUMENT_STATUSES, RENEWAL_STATES
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading
from carnet.store.facts import current_facts
from tests.fixtures_calendars import END, NOT_TOLD, PACK, line

AS_OF = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@pytest.fixture(scope="module")
def unconfirmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the sample seller in which officers confirmed nothing."""
    folder = tmp_path_factory.mktemp("unconfirmed") / "workspace"
    create(folder, clock=FixedClock(NOW))
    with Workspace.open(folder) as opened:
        import_files(opened, sorted((sample_folder() / "seller").iterdir()), FixedClock(NOW))
    return folder


@pytest.fixture(scope="module")
def folder(unconfirmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same after officers confirmed what they do; only read."""
    folder = tmp_path_factory.mktemp("confirmed") / "workspace"
    shutil.copytree(unconfirmed, folder)
    proposed = read_confirmations(sample_folder() / "approvals.json")
    with Workspace.open(folder) as opened:
        for officer in ("officer-1", "officer-2"):
            sign_confirmations(opened, proposed, newest_packs(), officer, FixedClock(NOW))
    return folder


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def lines(workspace: Workspace) -> list[CertificateLine]:
    return certificate_lines(workspace, AS_OF)


@pytest.fixture(scope="module")
def law(workspace: Workspace) -> LawCalendar:
    return law_calendar(workspace, AS_OF, 3, "EU")


def of(lines: list[CertificateLine], name: str) -> CertificateLine:
    (line,) = [one for one in lines if one.certificate.id == name]
    return line


# --- what stands --------------------------------------------------------------------------------


def test_lines__has_every_certificate_with_what_its_pack_says(
    workspace: Workspace, lines: list[CertificateLine]
) -> None:
    with reading(workspace.engine) as connection:
        stored = {fact.id for fact in current_facts(connection) if fact.type == "certificate"}
    assert {one.certificate.id for one in lines} == stored
    helmet = of(lines, "CRT-025")
    assert helmet.status == "expired"
    assert helmet.day("effective_end") == date(2026, 6, 15)
    assert helmet.certificate.fields["printed_valid_until"] == date(2027, 6, 14)
    end = helmet.derived("effective_end")
    assert end.reason is not None
    assert end.reason.id == "ppe_cap"
    assert helmet.listings == ("LST-HEL-02-EU",)
    assert "ppe_renewal_opens_months" in helmet.confirmed


def test_lines__judges_documents_of_the_united_states_by_their_packs(
    lines: list[CertificateLine],
) -> None:
    kinds = {"fcc_grant", "fcc_sdoc"}
    grants = [one for one in lines if one.certificate.fields["kind"] in kinds]
    assert {one.pack.id for one in grants if one.pack} == {"us-fcc"}
    assert {one.status for one in grants} >= {"valid", "revoked", "wrong_body"}
    tests = [one for one in lines if one.certificate.fields["kind"] == "cpc"]
    assert {one.pack.id for one in tests if one.pack} == {"us-cpsc"}
    reasons = [one.derived("effective_end").reason for one in tests]
    assert {reason.id for reason in reasons if reason} == {"next_test"}


def test_lines__says_what_the_findings_say(
    workspace: Workspace, lines: list[CertificateLine]
) -> None:
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
    confirmed = of(lines, "CRT-026").confirmed
    result = evaluate(PACK, facts, AS_OF, "reference", frozenset(confirmed))
    told = [
        (finding.values, finding.facts)
        for decision in result.decisions
        for finding in decision.findings
        if finding.rule in {"certificate-expired", "renewal-plan-late"}
    ]
    assert len(told) == 2
    for values, keys in told:
        (name,) = [fact for kind, fact in keys if kind == "certificate"]
        line = of(lines, name)
        assert values["c.effective_end"] == str(line.day("effective_end"))
        if "c.window_closes" in values:
            assert values["c.window_closes"] == str(line.day("window_closes"))


def test_lines__takes_one_market_and_status(workspace: Workspace) -> None:
    found = certificate_lines(workspace, AS_OF, Wanted("US", ("valid",)))
    assert found
    assert {one.status for one in found} == {"valid"}
    assert all(name.split("-")[3] == "US" for one in found for name in one.listings)
    assert certificate_lines(workspace, AS_OF, Wanted(products=("PRD-NONE",))) == []


def test_lines__tells_why_dates_are_not_known_before_officers_confirm(unconfirmed: Path) -> None:
    with Workspace.open(unconfirmed) as opened:
        found = certificate_lines(opened, AS_OF, Wanted("EU"))
    line = of(found, "CRT-026")
    assert line.status == "undetermined"
    assert line.day("effective_end") == date(2027, 7, 10), "what needs no confirmation is told"
    assert line.last_day.cause is not None
    assert "ppe_renewal_closes_months" in line.last_day.cause.en
    assert line.latest_start is None
    assert line in calendar_of(found, AS_OF, 1)
    (renewal,) = [one for one in renewals_of([line], AS_OF) if one.action == "renew"]
    assert (renewal.state, renewal.start_by) == ("undetermined", None)


# --- the calendar -------------------------------------------------------------------------------


def test_calendar__has_what_falls_into_it_in_order(lines: list[CertificateLine]) -> None:
    found = calendar_of(lines, AS_OF, 2)
    dated = [(str(next_date(one)), one.certificate.id) for one in found]
    assert dated == sorted(dated)
    assert dated[-1] == ("2027-01-15", "CRT-029")
    assert ("2026-11-26", "CRT-026") in dated
    assert ("2026-06-15", "CRT-025") in dated
    assert "CRT-039" not in [name for _, name in dated]
    assert "CRT-039" in [one.certificate.id for one in calendar_of(lines, AS_OF, 12)]


# --- renewals -----------------------------------------------------------------------------------


def test_renewals__start_where_the_rule_finds_the_laboratory_late(
    workspace: Workspace, lines: list[CertificateLine]
) -> None:
    latest = of(lines, "CRT-026").latest_start
    assert latest is not None
    assert latest == date(2026, 11, 26)
    with reading(workspace.engine) as connection:
        facts = list(current_facts(connection))
    confirmed = frozenset(of(lines, "CRT-026").confirmed)
    late = []
    for day in (latest, latest + timedelta(days=1)):
        found = evaluate(PACK, facts, day, "reference", confirmed).decisions
        rules = [f for d in found for f in d.findings if f.rule == "renewal-lab-late"]
        late.append([name for f in rules for kind, name in f.facts if kind == "certificate"])
    assert late == [[], ["CRT-026"]]


# --- the law ------------------------------------------------------------------------------------


def test_law__tells_what_touches_the_seller(law: LawCalendar) -> None:
    touching = {
        (str(one.change.day), one.change.name): {effect.case[1] for effect in one.effects}
        for one in law.changes
        if one.effects
    }
    assert touching["2026-12-11", "exemptions.6a"] == {"LST-LED-02-EU"}
    assert touching["2027-01-20", "machinery_regulation_from"] == {"LST-DRL-01-EU"}
    assert "LST-PWB-01-EU" in touching["2027-02-18", "obligations.battery_qr"]
    assert {day for day, _ in touching} == {"2026-12-10", "2026-12-11", "2027-01-20", "2027-02-18"}
    assert law.until == date(2027, 2, 23)
    assert law.versions == ()


def softened(base: Installed, place: Path) -> Installed:
    """Return a version of a pack in which nothing is grave, and which decides for a while only."""
    shutil.copytree(base.folder, place)
    header = place / "pack.yaml"
    text = header.read_text("utf-8").replace(f'version: "{base.pack.version}"', 'version: "99"')
    text = text.replace("{from: 2026-01-01}", "{from: 2026-06-01, to: 2027-01-31}")
    header.write_text(text, "utf-8")
    for path in (place / "rules").iterdir():
        rules = path.read_text("utf-8").replace(": blocking", ": info").replace(": major", ": info")
        path.write_text(rules, "utf-8")
    return Installed(load_pack(place), place)


def test_law__tells_where_another_version_takes_over(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2027, 1, 1)
    base = newest_on_shelf("eu-ce")
    assert base is not None
    other = softened(base, tmp_path / "eu-ce" / "99")
    periods = [
        Period(PackVersion(one.pack.version, one.pack.digest.hex()), begins, number, None)
        for number, (one, begins) in enumerate([(base, date(2026, 1, 1)), (other, day)])
    ]
    history = History("eu-ce", tuple(periods))
    monkeypatch.setattr(laws, "pack_histories", lambda _: {"eu-ce": history})
    monkeypatch.setattr(laws, "kept_pack", lambda *_: other)
    monkeypatch.setattr(
        laws, "foresee", lambda *given: told.append((given[0].id, *given[2:4])) or []
    )
    told: list[tuple[str, date, date]] = []
    found = law_calendar(workspace, AS_OF, 3, "EU")
    (version,) = found.versions
    assert (version.day, version.before.version, version.after.version) == (day, PACK.version, "99")
    assert {one.direction for one in version.cases} == {"milder"}
    assert all(one.case[1].split("-")[3] == "EU" for one in version.cases)
    # Until the day the one version tells of the law, from then on the other.
    spans = [(first, last) for name, first, last in told if name == "eu-ce"]
    assert spans == [(AS_OF, date(2026, 12, 31)), (day, date(2027, 2, 23))]
    assert [one.pack for one in found.untold] == ["eu-ce"]
    assert "2027-01-31" in found.untold[0].reason.en
    english = text_of(render_law.calendar_lines(found, "en", Paper()))
    assert "version 99 takes over from 0.2.0" in english
    assert "! eu-ce 99 decides until 2027-01-31 only." in english
    rows = csv_rows(render_law.calendar_csv(found, "en"))
    assert {(one["kind"], one["before"], one["after"]) for one in rows} == {
        ("version", "0.2.0", "99")
    }


# --- as people and programs read it -------------------------------------------------------------


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def text_of(found: Iterable[str]) -> str:
    return "\n".join(found)


def test_list__is_a_table_and_csv_in_both_languages(lines: list[CertificateLine]) -> None:
    table = text_of(render.list_lines(lines, AS_OF, "en", Paper()))
    assert "CRT-025      expired" not in table, "the words of the pack stand for the status"
    assert "2026-06-15 (longest validity under the PPE Regulation" in table
    assert "1 expired" in table
    row = next(
        one for one in csv_rows(render.lines_csv(lines, "zh")) if one["certificate"] == "CRT-025"
    )
    assert (row["status"], row["effective_end"]) == ("expired", "2026-06-15")
    assert row["end_reason"].startswith("《个人防护装备法规》")
    assert row["listings"] == "LST-HEL-02-EU"


def test_calendar__is_told_in_both_languages(lines: list[CertificateLine]) -> None:
    found = calendar_of(lines, AS_OF, 3)
    english = text_of(render.calendar_lines(found, AS_OF, "en", Paper()))
    chinese = text_of(render.calendar_lines(found, AS_OF, "zh", Paper()))
    assert english.index("Overdue") < english.index("2026-11\n") < english.index("2027-01\n")
    assert "application 2026-07-10 to 2027-01-10" in english
    assert "plan RNP-01: apply on 2027-03-01, laboratory 45 days; begin by 2026-11-26" in english
    assert "listings: LST-HEL-03-EU-L" in english
    assert "续期申请 2026-07-10 至 2027-01-10" in chinese
    assert "计划 RNP-01：拟于 2027-03-01 申请，实验室周期 45 天；最迟 2026-11-26 开始" in chinese


def test_calendar__tells_the_cause_of_what_cannot_be_told() -> None:
    found = [line(effective_end=END, window_closes=NOT_TOLD)]
    english = text_of(render.calendar_lines(found, AS_OF, "en", Paper()))
    assert "undetermined" in english
    assert "not confirmed" in english
    (row,) = csv_rows(render.lines_csv(found, "zh"))
    assert row["undetermined"] == "未确认"


def test_renewals__are_told_in_both_languages(lines: list[CertificateLine]) -> None:
    found = renewals_of(lines, AS_OF)
    until = end_of_month(AS_OF)
    assert "THE PLAN IS OUTSIDE THE WINDOW" in text_of(
        render.renewal_lines(found, until, "en", Paper())
    )
    assert "计划不在允许期间内" in text_of(render.renewal_lines(found, until, "zh", Paper()))
    told = {(one.line.certificate.id, one.state) for one in found}
    assert told >= {("CRT-026", "due"), ("CRT-028", "planned"), ("CRT-038", "unplanned")}
    rows = csv_rows(render.renewals_csv(found, "en"))
    row = next(one for one in rows if one["certificate"] == "CRT-026")
    assert (row["start_by"], row["last_day"], row["is_plan_in_time"]) == (
        "2026-11-26",
        "2027-01-10",
        "false",
    )


def test_renewals__say_that_there_are_none() -> None:
    told = text_of(render.renewal_lines([], end_of_month(AS_OF), "en", Paper()))
    assert told == "Until 2026-11-30: nothing to start"


def test_law__is_told_in_both_languages(law: LawCalendar) -> None:
    english = text_of(render_law.calendar_lines(law, "en", Paper()))
    assert "The text first published said 14 January 2027." in english
    assert "Regulation (EU) 2023/1230, Articles 51 and 54" in english
    assert "becomes NONCONFORMING" in english
    assert "(--all shows them)" in english
    assert "trade zone" not in english
    chinese = text_of(render_law.calendar_lines(law, "zh", Paper(), is_all=True))
    assert "新增要求：第 (EU) 2023/1230 号法规（机械）" in chinese
    assert "不影响这些上架商品" in chinese


def test_law__has_a_row_for_each_thing_that_changes(law: LawCalendar) -> None:
    rows = csv_rows(render_law.calendar_csv(law, "en"))
    missing = [one for one in rows if one["rule"] == "declaration-act-missing"]
    assert [(one["listing"], one["from"], one["status"]) for one in missing] == [
        ("LST-DRL-01-EU", "2027-01-20", "S")
    ]
    assert (missing[0]["verdict_before"], missing[0]["verdict_after"]) == (
        "conforming",
        "nonconforming",
    )
    assert {"added", "required", "not_required", "output", "none"} <= {
        one["effect"] for one in rows
    }


# --- on the command line ------------------------------------------------------------------------


def test_commands__write_what_the_services_say(folder: Path, lines: list[CertificateLine]) -> None:
    document = json.loads(call(folder, "certificates", "list", "--format", "json"))
    assert document == {"as_of": "2026-11-23", "certificates": [one.to_json() for one in lines]}
    document = json.loads(call(folder, "renewals", "--market", "EU", "--format", "json", code=1))
    assert document["until"] == "2026-11-30"
    assert "CRT-026" in {one["certificate"] for one in document["renewals"]}
    calendar = call(folder, "certificates", "calendar", "--months", "1", language="zh")
    assert calendar.startswith("已逾期")


def test_commands__end_with_3_where_last_days_cannot_be_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_unknown(*_: object) -> list[CertificateLine]:
        return [line(effective_end=NOT_TOLD)]

    monkeypatch.setattr(certificates, "certificate_lines", only_unknown)
    assert "not confirmed" in call(folder, "certificates", "renewals", code=3)
    monkeypatch.setattr(certificates, "certificate_lines", lambda *_: [])
    assert call(folder, "renewals") == "Until 2026-11-30: nothing to start\n"


def call(folder: Path, *words: str, code: int = 0, language: str = "en") -> str:
    done = CliRunner().invoke(
        app,
        [*words, "-w", str(folder), "--as-of", "2026-11-23"],
        env={"CARNET_LANG": language},
        catch_exceptions=False,
    )
    assert done.exit_code == code, done.output
    return done.stdout


def test_words__name_every_kind_status_and_state() -> None:
    assert CERTIFICATE_KINDS.keys() == set(get_args(CertificateKind))
    assert RENEWAL_STATES.keys() == set(get_args(renewals.State))
    assert {one.value for one in StatusName} <= DOCUMENT_STATUSES.keys()

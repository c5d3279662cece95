"""Records of what a workspace holds: what they say, what they withhold, and how often."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import InputError, NotFoundError, VerificationError
from carnet.ledger.disclosure import reveal
from carnet.ledger.reader import LogReader
from carnet.ledger.record import Record
from carnet.ledger.verify import verify_bundle
from carnet.services.bundling import export_bundle
from carnet.services.importing import import_files
from carnet.services.policies import make_policy
from carnet.services.recording import RECORDABLE, publish_file, record_fact
from carnet.services.status_listing import publish_lists
from carnet.services.vault import open_vault
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

EXAMPLES = Path(__file__).parents[2] / "examples" / "seller"
IDS = {
    "certificate": "CRT-001",
    "trace-evidence": "UNT-E1-2603-0001",
    "agreement": "AGR-FAIRWIND",
    "deposit-adjustment": "DEP-MERIDIAN",
}


@pytest.fixture
def stocked(workspace: Workspace, clock: FixedClock) -> Workspace:
    """Return a workspace with the facts of the example."""
    import_files(workspace, sorted(path for path in EXAMPLES.iterdir() if path.is_file()), clock)
    return workspace


def told(workspace: Workspace, record: Record) -> dict[str, object]:
    """Return the subject of a record with all that it withholds."""
    with reading(workspace.engine) as connection:
        kept = open_vault(workspace).disclosures(connection, record.digest)
    return reveal(record.subject, [item.text for item in kept])


@pytest.mark.parametrize("kind", RECORDABLE)
def test_record__is_whole_and_verifies(stocked: Workspace, clock: FixedClock, kind: str) -> None:
    issued = record_fact(stocked, kind, IDS[kind], clock)
    record = issued.record
    assert record.kind == kind
    assert record.subject.keys() & record.record_kind.withheld.keys() == set()
    fields = told(stocked, record)
    record.record_kind.check_disclosed(fields)
    assert fields.keys() >= {"salt", "id"}
    assert IDS[kind] in fields.values(), "it names the fact to whom it is disclosed"
    publish_lists(stocked, clock)
    bundle = replace(
        export_bundle(stocked, record.record_id),
        disclosures=tuple(item.text for item in issued.disclosures),
    )
    found = verify_bundle(bundle.to_bytes(), make_policy(stocked), today=clock.now().date())
    assert found.verdict == "valid", [(step.name, step.cause.en) for step in found.steps]


@pytest.mark.parametrize("kind", RECORDABLE)
def test_record__once_for_the_same_versions(
    stocked: Workspace, clock: FixedClock, kind: str
) -> None:
    first = record_fact(stocked, kind, IDS[kind], clock)
    again = record_fact(stocked, kind, IDS[kind], clock)
    assert (again.is_new, again.record) == (False, first.record)


def change(workspace: Workspace, clock: FixedClock, folder: Path, text: str) -> None:
    clock.advance(timedelta(minutes=1))
    path = folder / "deposit_account.csv"
    path.write_text(text, encoding="utf-8")
    import_files(workspace, [path], clock, is_replacing=True)


HEADER = (
    "id,seller_id,platform_id,category,base_bps,current_bps,balance_minor,currency,changed_on\n"
)


def test_deposit__a_change_replaces_the_record(
    stocked: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    name = IDS["deposit-adjustment"]
    first = record_fact(stocked, "deposit-adjustment", name, clock).record
    assert "previousBps" not in first.subject
    assert first.subject["currentBps"] == 450
    line = "DEP-MERIDIAN,EHM,MERIDIAN,earphones,500,400,4320000,USD,2026-11-01\n"
    change(stocked, clock, tmp_path, HEADER + line)
    second = record_fact(stocked, "deposit-adjustment", name, clock).record
    assert (second.subject["previousBps"], second.subject["currentBps"]) == (450, 400)
    assert second.entry.supersedes == first.digest
    assert second.entry.subject == first.entry.subject
    assert told(stocked, second)["balanceMinor"] == 4_320_000


def test_agreement__tells_its_terms(stocked: Workspace, clock: FixedClock) -> None:
    fields = told(stocked, record_fact(stocked, "agreement", IDS["agreement"], clock).record)
    covenants = fields["covenants"]
    assert isinstance(covenants, list)
    assert covenants
    assert {"measure", "at", "testedOn"} <= covenants[0].keys()


def test_trace__of_a_unit_counts_what_leads_to_it(stocked: Workspace, clock: FixedClock) -> None:
    fields = told(
        stocked, record_fact(stocked, "trace-evidence", IDS["trace-evidence"], clock).record
    )
    assert (fields["nodeType"], fields["isComplete"]) == ("unit", True)
    assert fields["nodes"] == 4, "the unit, its batch and two lots"
    other = told(stocked, record_fact(stocked, "trace-evidence", "BAT-E1-2603", clock).record)
    assert other["chainDigest"] != fields["chainDigest"]


def test_record__names_are_not_guessed_from_the_log(stocked: Workspace, clock: FixedClock) -> None:
    record = record_fact(stocked, "certificate", IDS["certificate"], clock).record
    for text in (IDS["certificate"], "EHM", "PRD-EAR-01", "EH-EAR-01-001"):
        assert text.encode() not in record.body
    assert record.record_id[len("urn:uuid:") + 14] == "4", "a random identifier"


def test_record__what_cannot_be(stocked: Workspace, clock: FixedClock) -> None:
    with pytest.raises(InputError, match="CRN-L-043"):
        record_fact(stocked, "passport", "X", clock)
    with pytest.raises(NotFoundError, match="CRN-L-042"):
        record_fact(stocked, "certificate", "NO-SUCH", clock)
    with pytest.raises(NotFoundError, match="CRN-F-090"):
        record_fact(stocked, "trace-evidence", "NO-SUCH", clock)
    assert LogReader(stocked.engine).records() == []


def test_publication__a_new_content_replaces_the_old(
    workspace: Workspace, clock: FixedClock
) -> None:
    first = publish_file(workspace, "verify.html", b"one", clock)
    again = publish_file(workspace, "verify.html", b"one", clock)
    second = publish_file(workspace, "verify.html", b"two", clock)
    other = publish_file(workspace, "other.html", b"one", clock)
    assert (first.is_new, again.is_new, second.is_new) == (True, False, True)
    assert second.record.entry.supersedes == first.record.digest
    assert other.record.entry.supersedes is None
    assert first.record.subject["size"] == 3
    with pytest.raises(VerificationError, match="name"):
        publish_file(workspace, "two words", b"x", clock)


def test_publication__an_old_content_again_is_a_new_record(
    workspace: Workspace, clock: FixedClock
) -> None:
    first = publish_file(workspace, "verify.html", b"one", clock).record
    second = publish_file(workspace, "verify.html", b"two", clock).record
    third = publish_file(workspace, "verify.html", b"one", clock).record
    assert third.digest != first.digest
    assert third.entry.supersedes == second.digest

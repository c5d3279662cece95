"""Erasing a subject: what goes, what stays, who decides, and that nothing of it comes back."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import ConflictError, InputError, NotFoundError
from carnet.facts.schema import FACT_TYPES
from carnet.ledger.reader import LogReader
from carnet.ledger.verify import verify_bundle
from carnet.services import reviewing
from carnet.services.appending import append_records
from carnet.services.attesting import issue_attestations
from carnet.services.bundling import export_bundle
from carnet.services.data_points import list_data_points, record_data_points
from carnet.services.decisions import read_decisions
from carnet.services.erasing import (
    Act,
    approve_erasure,
    propose_erasure,
    withdraw_erasure,
)
from carnet.services.erasure_scope import OWNED, RETAINED, SUBJECT_TYPES
from carnet.services.erasure_standing import Standing, list_erasures, standing
from carnet.services.importing import import_files
from carnet.services.packs import Installed
from carnet.services.passport_views import passports
from carnet.services.policies import make_policy
from carnet.services.reviewing import review
from carnet.services.vault import open_vault
from carnet.services.workspace import Workspace
from carnet.store import facts as stored
from carnet.store.engine import reading
from carnet.store.tables import DECISION, OFFICER_EVENT
from tests.fixtures_chain import FACTS, SELLER
from tests.fixtures_decisions import DAY, attest_and_append, decide
from tests.fixtures_erasing import SECRET_NAME, SELLER_FACTS, issue_withheld


@pytest.fixture
def told(seller: Workspace, tmp_path: Path, clock: FixedClock) -> Workspace:
    """Return a workspace with facts that describe the seller."""
    path = tmp_path / "seller.json"
    path.write_text(json.dumps({"facts": SELLER_FACTS}), encoding="utf-8")
    import_files(seller, [path], clock, is_replacing=True)
    return seller


def erase(workspace: Workspace, clock: FixedClock, name: str = SELLER) -> Standing:
    propose_erasure(workspace, Act(name, "officer-1", clock), "subject_request")
    return approve_erasure(workspace, Act(name, "officer-2", clock))


def facts_of(workspace: Workspace) -> set[tuple[str, str]]:
    with reading(workspace.engine) as connection:
        return {(fact.type, fact.id) for fact in stored.all_versions(connection)}


def test_scope__every_type_of_fact_goes_or_stays() -> None:
    assert OWNED.keys() | RETAINED.keys() | {"party"} == FACT_TYPES.keys()
    assert not OWNED.keys() & RETAINED.keys()
    for name, field in OWNED.items():
        assert FACT_TYPES[name].fields[field].refers_to == ("party",)
    assert set(SUBJECT_TYPES) <= FACT_TYPES.keys()


def test_plan__lists_what_goes_and_what_stays_and_changes_nothing(
    told: Workspace, clock: FixedClock
) -> None:
    issue_withheld(told, clock)
    before = facts_of(told)
    found = standing(told, SELLER)
    assert found.state == "planned"
    assert found.plan is not None
    assert set(found.plan.facts) == {
        ("party", SELLER),
        *((each["type"], each["id"]) for each in SELLER_FACTS if each["type"] in OWNED),
    }
    assert found.plan.facts["party", SELLER] == 2
    assert found.plan.has_key
    assert len(found.plan.records) == 1
    assert found.plan.retained == {"agreement": 1, "listing": 2, "product": 1, "receivable": 2}
    assert facts_of(told) == before


def test_erasure__removes_what_describes_the_seller_and_leaves_the_rest(
    told: Workspace, clock: FixedClock
) -> None:
    record, disclosures = issue_withheld(told, clock)
    before = facts_of(told)
    plan = standing(told, SELLER).plan
    assert plan is not None
    done = erase(told, clock)
    assert done.state == "erased"
    assert done.erased is not None
    assert done.erased.is_purged
    assert before - facts_of(told) == set(plan.facts)
    with reading(told.engine) as connection, pytest.raises(NotFoundError, match="CRN-L-091"):
        open_vault(told).disclosures(connection, record.digest)
    subject = done.erased.record.subject
    assert (subject["facts"], subject["records"]) == (len(plan.facts), 1)
    assert subject["retained"] == 6
    assert subject["reason"] == "subject_request"
    assert disclosures


def test_erasure__its_record_is_in_the_log_and_names_the_pseudonym_alone(
    told: Workspace, clock: FixedClock
) -> None:
    done = erase(told, clock).erased
    assert done is not None
    assert done.index is not None
    assert LogReader(told.engine).index_of(done.record.digest) == done.index
    assert done.record.kind == "erasure"
    assert SELLER.encode() not in done.record.body
    assert SELLER.encode() not in LogReader(told.engine).entry(done.index)
    with reading(told.engine) as connection:
        bodies = [
            bytes(body) for body in connection.execute(select(OFFICER_EVENT.c.body)).scalars()
        ]
    assert len(bodies) == 2
    assert all(SELLER.encode() not in body for body in bodies)
    data = export_bundle(told, done.record.record_id).to_bytes()
    assert verify_bundle(data, make_policy(told), today=DAY).verdict == "valid"


def test_erasure__log_and_bundles_made_before_still_verify(
    told: Workspace, clock: FixedClock
) -> None:
    (record,) = attest_and_append(told, clock, [decide(told)])
    withheld, disclosures = issue_withheld(told, clock)
    append_records(told, clock)
    old = [export_bundle(told, each.record_id).to_bytes() for each in (record, withheld)]
    policy, head = make_policy(told), LogReader(told.engine).checkpoint()
    erase(told, clock)
    for data in old:
        assert verify_bundle(data, policy, today=DAY).verdict == "valid"
    for each in (record, withheld):
        data = export_bundle(told, each.record_id).to_bytes()
        assert verify_bundle(data, policy, today=DAY).verdict == "valid"
    reader = LogReader(told.engine)
    assert reader.consistency_proof(head.checkpoint.size, reader.size()) is not None
    assert disclosures


def test_erasure__again_says_so_and_changes_nothing(told: Workspace, clock: FixedClock) -> None:
    first = erase(told, clock)
    size = LogReader(told.engine).size()
    for act in (
        lambda: propose_erasure(told, Act(SELLER, "officer-1", clock), "legal_order"),
        lambda: approve_erasure(told, Act(SELLER, "officer-1", clock)),
        lambda: standing(told, SELLER),
    ):
        assert act() == first
    assert LogReader(told.engine).size() == size
    assert list_erasures(told) == [first.erased]


def test_erasure__one_officer_is_not_enough(told: Workspace, clock: FixedClock) -> None:
    with pytest.raises(NotFoundError, match="CRN-L-100"):
        approve_erasure(told, Act(SELLER, "officer-2", clock))
    found = propose_erasure(told, Act(SELLER, "officer-1", clock), "subject_request")
    assert found.state == "proposed"
    before = facts_of(told)
    with pytest.raises(InputError, match="CRN-L-101"):
        approve_erasure(told, Act(SELLER, "officer-1", clock))
    assert facts_of(told) == before
    withdraw_erasure(told, Act(SELLER, "officer-3", clock))
    assert standing(told, SELLER).state == "planned"
    with pytest.raises(NotFoundError, match="CRN-L-100"):
        approve_erasure(told, Act(SELLER, "officer-2", clock))
    with pytest.raises(NotFoundError, match="CRN-L-100"):
        withdraw_erasure(told, Act(SELLER, "officer-2", clock))
    with pytest.raises(InputError, match="CRN-L-099"):
        propose_erasure(told, Act(SELLER, "officer-1", clock), "whim")


def test_erasure__of_nobody(told: Workspace) -> None:
    with pytest.raises(NotFoundError, match="CRN-L-097"):
        standing(told, "SELLER-9")
    with pytest.raises(NotFoundError, match="CRN-L-097"):
        standing(told, SELLER, "responsible_person")


def test_erasure__of_one_of_two_that_share_an_id(
    told: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    person = {
        "type": "responsible_person",
        "id": SELLER,
        "product_id": "PRD-1",
        "market": "EU",
        "name": SECRET_NAME,
        "postal_address": "1 Quay, Cork",
        "email": "rp@example.com",
        "valid_from": "2026-01-01",
    }
    path = tmp_path / "rp.json"
    path.write_text(json.dumps({"facts": [person]}), encoding="utf-8")
    import_files(told, [path], clock)
    with pytest.raises(InputError, match="CRN-L-098"):
        standing(told, SELLER)
    act = Act(SELLER, "officer-1", clock, "responsible_person")
    propose_erasure(told, act, "subject_request")
    approve_erasure(told, Act(SELLER, "officer-2", clock, "responsible_person"))
    left = facts_of(told)
    assert ("responsible_person", SELLER) not in left
    assert ("party", SELLER) in left


def refused(workspace: Workspace, path: Path, clock: FixedClock, facts: list[Any]) -> InputError:
    path.write_text(json.dumps({"facts": facts}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_files(workspace, [path], clock, is_replacing=True)
    return caught.value


def test_import__erased_facts_do_not_come_back(
    told: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    erase(told, clock)
    before, path = facts_of(told), tmp_path / "again.json"
    error = refused(told, path, clock, FACTS)
    assert error.code == "CRN-L-094"
    assert SELLER in error.message.en
    assert "已于" in error.message.zh
    product = next(each for each in FACTS if each["type"] == "product")
    other = {**product, "id": "PRD-2"}
    assert "seller_id" in refused(told, path, clock, [other]).message.en
    assert facts_of(told) == before
    # What stays by law can be imported again as it is.
    kept = [each for each in FACTS if (each["type"], each["id"]) != ("party", SELLER)]
    path.write_text(json.dumps({"facts": kept}), encoding="utf-8")
    assert import_files(told, [path], clock).import_id is None


def test_review__listings_of_an_erased_seller_are_not_decided(
    told: Workspace, clock: FixedClock
) -> None:
    assert review(told, as_of=DAY, clock=clock, engine="reference").reviewed
    erase(told, clock)
    found = review(told, as_of=DAY, clock=clock, engine="reference")
    assert found.reviewed == ()
    assert {each.reason.en for each in found.not_reviewed} == {"The data of its seller was erased."}


def test_review__nothing_is_kept_of_what_was_erased_meanwhile(
    told: Workspace, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = reviewing.keep_pack

    def erase_first(workspace: Workspace, installed: Installed) -> None:
        monkeypatch.setattr(reviewing, "keep_pack", keep)
        erase(told, clock)
        keep(workspace, installed)

    monkeypatch.setattr(reviewing, "keep_pack", erase_first)
    with pytest.raises(ConflictError, match="CRN-L-095"):
        review(told, as_of=DAY, clock=clock, engine="reference")
    with reading(told.engine) as connection:
        assert read_decisions(connection, DECISION.c.digest.is_not(None)) == {}


def test_decisions__lose_what_they_quoted_and_stay_readable(
    told: Workspace, clock: FixedClock
) -> None:
    fact = {"type": "sales", "id": "SALES-1"}
    quoting = decide(
        told,
        findings=[
            {
                "rule": "eu-ce-001",
                "severity": "minor",
                "facts": [fact],
                "message": {"en": f"{SECRET_NAME} sold 77", "zh": "77"},
                "remedy": {"en": "Ask.", "zh": "询问。"},
                "values": {"amount": 77},
            },
            {"rule": "eu-ce-002", "severity": "minor", "facts": []},
        ],
    )
    other = decide(told, case="LST-2")
    about = decide(told, case=SELLER, case_type="party")
    erase(told, clock)
    with reading(told.engine) as connection:
        found = read_decisions(connection, DECISION.c.digest.is_not(None))
        bodies = {
            bytes(row.digest): bytes(row.body)
            for row in connection.execute(select(DECISION.c.digest, DECISION.c.body))
        }
    assert sha256(bodies[other]) == other
    assert sha256(bodies[quoting]) != quoting
    assert SECRET_NAME.encode() not in bodies[quoting]
    first, second = found[quoting].content["findings"]
    assert (first["rule"], first["facts"], first["values"]) == ("eu-ce-001", [fact], {})
    assert first["message"]["zh"].startswith("已连同")
    assert second == {"rule": "eu-ce-002", "severity": "minor", "facts": []}
    assert found[quoting].content["measures"] == {"days_left": 12}
    assert found[about].content["measures"] == {}
    assert found[about].content["conformity"] == "conforming"


def test_attestation__withholds_and_reveals_until_erased(
    told: Workspace, clock: FixedClock
) -> None:
    names = ("listing", "measures", "seller")
    (record,) = issue_attestations(told, [decide(told)], clock, withhold=names)
    append_records(told, clock)
    assert not record.subject.keys() & set(names)
    assert SELLER.encode() not in record.body
    policy = make_policy(told)
    hidden = export_bundle(told, record.record_id)
    assert hidden.disclosures == ()
    shown = export_bundle(told, record.record_id, disclose=names)
    assert len(shown.disclosures) == 3
    for bundle in (hidden, shown):
        found = verify_bundle(bundle.to_bytes(), policy, today=DAY)
        assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
    with pytest.raises(InputError, match="CRN-L-103"):
        export_bundle(told, record.record_id, disclose=["outputs"])
    erase(told, clock)
    with pytest.raises(NotFoundError, match="CRN-L-091"):
        export_bundle(told, record.record_id, disclose=["measures"])
    for data in (shown.to_bytes(), export_bundle(told, record.record_id).to_bytes()):
        assert verify_bundle(data, policy, today=DAY).verdict == "valid"


def test_attestation__of_an_erased_seller_is_refused(told: Workspace, clock: FixedClock) -> None:
    erase(told, clock)
    with pytest.raises(ConflictError, match="CRN-L-090"):
        issue_attestations(told, [decide(told)], clock)


def test_data_pool__of_an_erased_seller_says_so(
    told: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    point = {
        "type": "data_point",
        "id": "DP-1",
        "seller_id": SELLER,
        "kind": "own_site_sales",
        "provider": SECRET_NAME,
        "provenance": "self_declared",
        "period_start": "2026-07-01",
        "period_end": "2026-09-30",
        "value": 55555,
        "unit": "minor",
        "currency": "EUR",
        "observed_on": "2026-10-02",
    }
    path = tmp_path / "points.json"
    path.write_text(json.dumps({"facts": [point]}), encoding="utf-8")
    import_files(told, [path], clock)
    record_data_points(told, clock, seller=SELLER)
    (before,) = list_data_points(told, SELLER)
    assert before.record is not None
    append_records(told, clock)
    bundle = export_bundle(told, before.record.record_id, disclose=["value", "provider"])
    erase(told, clock)
    for act in (
        lambda: list_data_points(told, SELLER),
        lambda: record_data_points(told, clock, seller=SELLER),
        lambda: passports(told, SELLER, clock),
    ):
        with pytest.raises(NotFoundError, match="CRN-L-106"):
            act()
    with pytest.raises(NotFoundError, match="CRN-L-091"):
        export_bundle(told, before.record.record_id, disclose=["value"])
    found = verify_bundle(bundle.to_bytes(), make_policy(told), today=DAY)
    assert found.step("disclosures").verdict == "valid"

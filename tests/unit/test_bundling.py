"""Bundles of records, verified by the policy of their workspace."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import NotFoundError
from carnet.ledger.policy import parse_policy
from carnet.ledger.verify import verify_bundle
from carnet.services.attesting import issue_attestations
from carnet.services.bundling import export_bundle
from carnet.services.keys import ensure_key
from carnet.services.policies import make_policy, write_policy
from carnet.services.workspace import Workspace
from tests.fixtures_decisions import DAY, attest_and_append, decide


def test_export__a_bundle_that_its_policy_verifies(
    seller: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    (record,) = attest_and_append(seller, clock, [decide(seller)])
    data = export_bundle(seller, record.record_id).to_bytes()
    assert export_bundle(seller, record.digest.hex()).to_bytes() == data
    path = tmp_path / "policy.toml"
    policy = write_policy(seller, path)
    assert parse_policy(path.read_bytes()) == policy
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid", [(step.name, str(step.cause)) for step in found.steps]
    assert found.step("witnesses").verdict == "not_checked"
    assert found.step("anchor").verdict == "not_checked"
    needed = replace(policy, required=policy.required | {"anchor"})
    assert verify_bundle(data, needed, today=DAY).verdict == "not_checked"


def test_export__with_a_witness(seller: Workspace, clock: FixedClock) -> None:
    ensure_key(seller, "witness", clock)
    (record,) = attest_and_append(seller, clock, [decide(seller)])
    policy = make_policy(seller)
    assert policy.quorum == 1
    assert "witnesses" in policy.required
    data = export_bundle(seller, record.record_id).to_bytes()
    found = verify_bundle(data, policy, today=DAY)
    assert found.verdict == "valid"
    assert found.step("witnesses").verdict == "valid"


def test_export__every_record_of_a_log(seller: Workspace, clock: FixedClock) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    records = []
    for day in days:
        records += attest_and_append(seller, clock, [decide(seller, as_of=day)])
    policy = make_policy(seller)
    for record, day in zip(records, days, strict=True):
        data = export_bundle(seller, record.record_id).to_bytes()
        assert verify_bundle(data, policy, today=day).verdict == "valid"


def test_export__what_is_notattest_and_append(seller: Workspace, clock: FixedClock) -> None:
    attest_and_append(seller, clock, [decide(seller)])
    (record,) = issue_attestations(seller, [decide(seller, as_of=date(2026, 12, 1))], clock)
    with pytest.raises(NotFoundError, match="CRN-L-012"):
        export_bundle(seller, record.record_id)
    with pytest.raises(NotFoundError, match="CRN-L-005"):
        export_bundle(seller, "urn:uuid:none")

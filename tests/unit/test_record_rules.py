"""What the members of a policy and of an attestation say of one another."""

from dataclasses import replace

import pytest

from carnet.core.errors import InputError, VerificationError
from carnet.ledger.note import COSIGNATURE_V1, VerifierKey
from carnet.ledger.policy import parse_policy
from carnet.ledger.record import check_shape
from tests.fixtures_ledger import LedgerWorld, attestation


def test_policy__a_witness_is_no_log_and_no_other_witness(ledger_world: LedgerWorld) -> None:
    policy = ledger_world.policy
    for public_key in (policy.witnesses[0].public_key, policy.logs[0].public_key):
        twin = VerifierKey("witness.example/w2", COSIGNATURE_V1, public_key)
        text = replace(policy, witnesses=(*policy.witnesses, twin), quorum=2).to_toml()
        with pytest.raises(InputError, match="another witness"):
            parse_policy(text.encode())


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"asOf": "2026-11-22"}, "asOf"),
        ({"findings": [{"rule": "r", "severity": "major"}]}, "findings"),
        ({"findings": [{"rule": "r", "severity": "blocking"}]}, "findings"),
    ],
)
def test_attestation__contradicts_itself(changes: dict[str, object], member: str) -> None:
    document = dict(attestation(1).document)
    check_shape(document)
    document["credentialSubject"] = {**document["credentialSubject"], **changes}
    with pytest.raises(VerificationError, match=member):
        check_shape(document)

"""Facts that describe a seller, and a record that withholds members about one."""

from typing import Any

from carnet.core.clock import FixedClock
from carnet.ledger.append import stage_records
from carnet.ledger.disclosure import Disclosure, withhold
from carnet.ledger.record import ATTESTATION_TYPE, Record, Validity, sign_record, urn_of_digest
from carnet.services.keys import ensure_key
from carnet.services.vault import Subject, open_vault
from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from carnet.store.locks import Lock
from tests.fixtures_chain import SELLER
from tests.fixtures_ledger import attestation

SECRET_NAME = "Ningbo Example Lighting Works"
SELLER_FACTS: list[dict[str, Any]] = [
    {"type": "party", "id": SELLER, "name": SECRET_NAME, "country": "CN"},
    {
        "type": "sales",
        "id": "SALES-1",
        "seller_id": SELLER,
        "channel_id": "CH-A",
        "market": "EU",
        "period_start": "2026-07-01",
        "period_end": "2026-09-30",
        "amount_minor": 987654321,
        "currency": "EUR",
    },
    {
        "type": "reserve",
        "id": "RSV-1",
        "seller_id": SELLER,
        "kind": "cash",
        "balance_minor": 1234567,
        "currency": "EUR",
        "as_of": "2026-09-30",
    },
]


def issue_withheld(
    workspace: Workspace, clock: FixedClock, number: int = 1, subject: str = SELLER
) -> tuple[Record, list[Disclosure]]:
    """Return a staged attestation that withholds members about a seller, kept in the vault."""
    plain = attestation(number)
    fields = {**plain.subject, "measures": {"secret_measure": 424242}}
    fields, disclosures = withhold(fields, ["listing", "seller", "measures"])
    record = sign_record(
        ATTESTATION_TYPE,
        fields,
        record_id=urn_of_digest(plain.digest),
        issuer=ensure_key(workspace, "issuer", clock).issuer,
        validity=Validity(plain.valid_from, plain.valid_until),
        created=clock.now(),
    )
    vault = open_vault(workspace)
    with writing(workspace.engine, Lock.LOG_HEAD) as connection:
        stage_records(connection, [record], clock)
        vault.seal(connection, Subject("party", subject), record.digest, disclosures, clock)
    return record, disclosures

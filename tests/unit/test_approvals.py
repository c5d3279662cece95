"""Officers' confirmations: two signatures over the value as it stands, checked on every read."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.canonical import canonical, parse_canonical
from carnet.core.clock import FixedClock
from carnet.core.digests import sha256
from carnet.core.errors import CarnetError, InputError, LedgerError, LedgerFatalError
from carnet.ledger.append import stage_records
from carnet.ledger.keys import Key, add_key, key_event_record
from carnet.ledger.record import KEY_EVENT_TYPE, Issuer, Validity, sign_record
from carnet.ledger.signer import Ed25519Signer
from carnet.rules.ast import Pack
from carnet.services import approvals
from carnet.services.appending import append_records
from carnet.services.keys import ensure_key
from carnet.services.officers import officer_key
from carnet.services.reviewing import newest_packs
from carnet.services.workspace import Workspace, create
from carnet.store.engine import reading, writing
from carnet.store.locks import Lock
from carnet.store.tables import APPROVAL, KEY_EVENT
from tests.fixtures_tables import table_pack, table_text

CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
PACK = "eu-ce"
PARAMETER = "operator_verifies_from"


@pytest.fixture(scope="module")
def packs() -> dict[str, Pack]:
    return newest_packs()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    create(tmp_path / "w", clock=CLOCK)
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


def confirmation(**changes: object) -> approvals.Confirmation:
    values = {
        "pack": PACK,
        "parameter": PARAMETER,
        "source": "EU-MSR-ART4",
        "reason": {"en": "Read.", "zh": "已查阅。"},
        "officers": ["officer-1", "officer-2"],
        "approved_on": "2026-11-16",
    }
    return approvals.Confirmation.model_validate_json(json.dumps(values | changes))


def sign(workspace: Workspace, packs: dict[str, Pack], *officers: str) -> None:
    for officer in officers:
        approvals.sign_confirmations(workspace, [confirmation()], packs, officer, CLOCK)


def test_confirmation__counts_with_two_officers_not_with_one(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    sign(workspace, packs, "officer-1", "officer-1")
    assert approvals.confirmed_parameters(workspace, packs[PACK]) == frozenset()
    sign(workspace, packs, "officer-2")
    assert approvals.confirmed_parameters(workspace, packs[PACK]) == {PARAMETER}


def test_officers__sign_with_keys_of_their_own(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    with reading(workspace.engine) as connection:
        bodies = [
            parse_canonical(bytes(b))
            for b in connection.execute(
                APPROVAL.select().with_only_columns(APPROVAL.c.body)
            ).scalars()
        ]
    assert len({body["proof"]["verificationMethod"] for body in bodies}) == 2


def test_signing_again__adds_nothing(workspace: Workspace, packs: dict[str, Pack]) -> None:
    again = [
        approvals.sign_confirmations(workspace, [confirmation()], packs, "officer-1", CLOCK)
        for _ in range(2)
    ]
    assert again == [1, 0]


def test_confirmation__ends_when_the_pack_changes_the_value(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    pack = packs[PACK]
    old = pack.parameters[PARAMETER]
    dated = dataclasses.replace(old.values[0], value=date(2020, 1, 1))
    changed = dataclasses.replace(old, values=(dated,))
    edited = dataclasses.replace(pack, parameters={**pack.parameters, PARAMETER: changed})
    assert approvals.confirmed_parameters(workspace, edited) == frozenset()


ROW_TABLE = table_text(
    "F", "in n integer,out x integer,citation,status", "a,> 5,1,LAW-1,U", "b,-,2,,U", "c,-,3,,V"
)


def _row_confirmation(row: str, source: str) -> approvals.Confirmation:
    return confirmation(pack="sample", parameter=f"steps.{row}", source=source)


def test_confirmation__of_a_table_row_ends_when_the_row_changes(
    workspace: Workspace, tmp_path: Path
) -> None:
    pack = table_pack(tmp_path / "one", {"steps.csv": ROW_TABLE}, parameters=[])
    wanted = [_row_confirmation("a", "LAW-1"), _row_confirmation("b", "steps")]
    for officer in ("officer-1", "officer-2"):
        approvals.sign_confirmations(workspace, wanted, {"sample": pack}, officer, CLOCK)
    assert approvals.confirmed_parameters(workspace, pack) == {"steps.a", "steps.b"}
    changed = ROW_TABLE.replace("a,> 5", "a,> 6")
    other = table_pack(tmp_path / "other", {"steps.csv": changed}, parameters=[])
    assert approvals.confirmed_parameters(workspace, other) == {"steps.b"}


@pytest.mark.parametrize(
    ("row", "source", "what"),
    [("c", "steps", "status is not U"), ("z", "steps", "no such"), ("a", "steps", "cites LAW-1")],
)
def test_confirmation__of_a_table_row_that_does_not_fit_is_refused(
    workspace: Workspace, tmp_path: Path, row: str, source: str, what: str
) -> None:
    pack = table_pack(tmp_path / "one", {"steps.csv": ROW_TABLE}, parameters=[])
    wanted = [_row_confirmation(row, source)]
    with pytest.raises(InputError, match=what):
        approvals.sign_confirmations(workspace, wanted, {"sample": pack}, "officer-1", CLOCK)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"pack": "no-such"}, "no such pack"),
        ({"parameter": "no_such"}, "no such parameter"),
        ({"source": "EU-EMC"}, "the pack cites EU-MSR-ART4"),
        ({"parameter": "cra_bodies_from", "source": "EU-CRA-NB"}, "status is not U"),
    ],
)
def test_signing__refuses_what_does_not_fit_the_pack(
    workspace: Workspace, packs: dict[str, Pack], changes: dict[str, object], what: str
) -> None:
    with pytest.raises(InputError, match=what):
        approvals.sign_confirmations(
            workspace, [confirmation(**changes)], packs, "officer-1", CLOCK
        )


def test_signing__refuses_an_officer_whom_no_confirmation_names(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    with pytest.raises(InputError, match="officer-9"):
        sign(workspace, packs, "officer-9")


def test_reading__stops_at_a_confirmation_that_no_officer_signed(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    with writing(workspace.engine) as connection:
        row = connection.execute(APPROVAL.select().limit(1)).mappings().one()
        document = parse_canonical(bytes(row["body"]))
        body = canonical(document | {"parameter": "toy_review_years"})
        forged = dict(row) | {"digest": sha256(body), "body": body}
        connection.execute(insert(APPROVAL), forged)
    with pytest.raises(LedgerFatalError, match="CRN-R-093"):
        approvals.confirmed_parameters(workspace, packs[PACK])


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", '[{"pack": "eu-ce"}]', '[{"pack": 1.5}]'],
)
def test_reading_a_file__refuses_what_is_no_list_of_confirmations(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "approvals.json"
    path.write_text(text)
    with pytest.raises(InputError, match="CRN-R-090"):
        approvals.read_confirmations(path)


def test_reading_a_file__tells_the_keys_and_no_address_of_a_library(tmp_path: Path) -> None:
    path = tmp_path / "approvals.json"
    path.write_text('[{"pack": "eu-ce", "date": "2026-11-23"}]')
    with pytest.raises(InputError) as refused:
        approvals.read_confirmations(path)
    assert "entry 1, approved_on is missing; entry 1, date is not known" in refused.value.message.en
    assert "第 1 项 的 approved_on缺失；第 1 项 的 date不是此处的键" in refused.value.message.zh
    assert "pydantic" not in str(refused.value)
    assert "approved_on: YYYY-MM-DD" in refused.value.hint.zh


@pytest.mark.parametrize(
    ("changes", "zh"),
    [
        ({"officers": ["officer-1"]}, "officers条目过少"),
        ({"officers": "officer-1"}, "officers须为列表"),
        ({"reason": {"en": "", "zh": "甲"}}, "reason 的 en不得为空"),
        ({"reason": "x"}, "reason须为对象"),
        ({"pack": "x" * 65}, "pack过长"),
        ({"pack": 1}, "pack须为文本"),
        ({"approved_on": "31/02/2026"}, "approved_on须为日期"),
        ({"approved_on": "2026-02-31"}, "approved_on须为日期"),
    ],
)
def test_reading_a_file__tells_every_fault_in_chinese(
    tmp_path: Path, changes: dict[str, Any], zh: str
) -> None:
    path = tmp_path / "approvals.json"
    path.write_text(json.dumps([confirmation().model_dump(mode="json") | changes]))
    with pytest.raises(InputError) as refused:
        approvals.read_confirmations(path)
    assert zh in refused.value.message.zh
    assert "取值不符合要求" not in refused.value.message.zh


def test_reading_a_file__needs_two_officers(tmp_path: Path) -> None:
    path = tmp_path / "approvals.json"
    item = confirmation().model_dump(mode="json") | {"officers": ["officer-1"]}
    path.write_text(json.dumps([item]))
    with pytest.raises(InputError, match="officers"):
        approvals.read_confirmations(path)


def test_confirm_command__prints_who_confirmed_what_as_json(tmp_path: Path) -> None:
    create(tmp_path / "w", clock=CLOCK)
    path = tmp_path / "approvals.json"
    path.write_text(json.dumps([confirmation().model_dump(mode="json")]))
    command = ["pack", "confirm", str(path), "-w", str(tmp_path / "w"), "--format", "json"]

    def shown(officer: str) -> object:
        done = CliRunner().invoke(app, [*command, "--officer", officer], catch_exceptions=False)
        return json.loads(done.stdout)

    row = {"pack": PACK, "parameter": PARAMETER}
    first = {**row, "officers": ["officer-1"], "counts": False}
    both = {**row, "officers": ["officer-1", "officer-2"], "counts": True}
    assert shown("officer-1") == {"officer": "officer-1", "signed": 1, "confirmed": [first]}
    assert shown("officer-2") == {"officer": "officer-2", "signed": 1, "confirmed": [both]}
    assert shown("officer-2") == {"officer": "officer-2", "signed": 0, "confirmed": [both]}


def _state(connection: Connection, key: Key, name: str, issuer: Issuer) -> None:
    """Insert the event of an officer's key, as whoever can write to the database could."""
    record = key_event_record(key, name, issuer, CLOCK)
    stage_records(connection, [record], CLOCK)
    _note(connection, key, record.digest)


def _note(connection: Connection, key: Key, record_hash: bytes, kind: str = "add") -> None:
    row = {"kind": kind, "role": "officer", "key_id": key.key_id, "at": CLOCK.now()}
    row |= {"public_key": key.signer.public_key, "record_hash": record_hash}
    connection.execute(insert(KEY_EVENT), row)


OWN = Key("officer", Ed25519Signer(b"\x41" * 32))
STRANGER = Key("issuer", Ed25519Signer(b"\x63" * 32)).issuer


@pytest.mark.parametrize("has_issuer", [True, False])
def test_officers__a_key_that_a_stranger_stated_is_not_believed(
    workspace: Workspace, packs: dict[str, Pack], *, has_issuer: bool
) -> None:
    if has_issuer:
        sign(workspace, packs, "officer-1")
    with writing(workspace.engine) as connection:
        _state(connection, OWN, "officer-2", STRANGER)
    with pytest.raises(LedgerFatalError, match="CRN-R-101"):
        approvals.confirmed_parameters(workspace, packs[PACK])
    with pytest.raises(LedgerFatalError, match="CRN-L-017"):
        append_records(workspace, CLOCK)


def test_officers__one_key_a_name(workspace: Workspace, packs: dict[str, Pack]) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    issuer = ensure_key(workspace, "issuer", CLOCK).issuer
    with writing(workspace.engine) as connection:
        _state(connection, OWN, "officer-1", issuer)
    with pytest.raises(LedgerFatalError, match="stands twice"):
        approvals.confirmed_parameters(workspace, packs[PACK])


def test_officers__one_name_a_key(workspace: Workspace, packs: dict[str, Pack]) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    issuer = ensure_key(workspace, "issuer", CLOCK).issuer
    held = officer_key(workspace, "officer-2", CLOCK)
    again = key_event_record(held, "officer-3", issuer, CLOCK)
    with (
        pytest.raises(LedgerError, match="CRN-L-008"),
        writing(workspace.engine, Lock.LOG_HEAD) as connection,
    ):
        stage_records(connection, [again], CLOCK)
    odd = sign_record(
        KEY_EVENT_TYPE,
        again.subject,
        record_id="urn:uuid:00000000-0000-8000-8000-000000000001",
        issuer=issuer,
        validity=Validity(CLOCK.now()),
        created=CLOCK.now(),
    )
    with writing(workspace.engine) as connection:
        stage_records(connection, [odd], CLOCK)
        _note(connection, held, odd.digest)
    with pytest.raises(LedgerFatalError, match="identifier does not follow"):
        approvals.confirmed_parameters(workspace, packs[PACK])


def test_officers__an_issuer_planted_before_the_first_is_not_believed(
    workspace: Workspace, packs: dict[str, Pack]
) -> None:
    """Whoever writes to the database before the first key cannot become its root."""
    planted = Key("issuer", Ed25519Signer(b"\x63" * 32))
    with writing(workspace.engine) as connection:
        add_key(connection, planted, "issuer", STRANGER, CLOCK)
        add_key(connection, OWN, "officer-2", STRANGER, CLOCK)
    with pytest.raises(LedgerFatalError, match="CRN-L-021"):
        approvals.confirmed_parameters(workspace, packs[PACK])
    with pytest.raises(CarnetError, match=r"CRN-C-041|CRN-L-021"):
        append_records(workspace, CLOCK)


@pytest.mark.parametrize("kind", ["add", "revoke"])
def test_officers__a_row_that_its_record_does_not_state(
    workspace: Workspace, packs: dict[str, Pack], kind: str
) -> None:
    sign(workspace, packs, "officer-1", "officer-2")
    held = officer_key(workspace, "officer-2", CLOCK)
    with writing(workspace.engine) as connection:
        (digest,) = connection.execute(
            select(KEY_EVENT.c.record_hash).where(KEY_EVENT.c.public_key == held.signer.public_key)
        ).scalars()
        _note(connection, OWN if kind == "add" else held, digest, kind)
    with pytest.raises(LedgerFatalError, match="its record says something else"):
        approvals.confirmed_parameters(workspace, packs[PACK])

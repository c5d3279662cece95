"""Evidence files: kept as they are under their digest; what is missing or altered is told."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import CarnetError, InputError, NotFoundError, VerificationError
from carnet.services import evidence
from carnet.services.evidence import Attached
from carnet.services.importing import import_files
from carnet.services.status import workspace_status
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.facts import find_fact, history
from tests.credentials import PRODUCT, assessment, credential
from tests.processes import run_python

CONTENT = b"%PDF-1.4 a report"
PRODUCT_FLAGS = (
    *("is_radio", "is_mains_powered", "has_battery", "is_internet_connected"),
    *("processes_personal_data", "transfers_value", "is_toy", "is_childrens_product", "is_ppe"),
    "is_machinery",
)
FACTS: list[dict[str, Any]] = [
    {"type": "party", "id": "S", "name": "Seller", "country": "CN"},
    {
        "type": "product",
        "id": "P",
        "seller_id": "S",
        "model": "M",
        "category": "earphones",
        "gtin": "9521357000013",
        **dict.fromkeys(PRODUCT_FLAGS, False),
    },
    {
        "type": "certificate",
        "id": "C",
        "product_id": "P",
        "kind": "eu_doc",
        "act": "red",
        "issued_on": "2026-01-02",
        "status": "active",
        "is_verified": True,
    },
]
MAP = """version = 1
[[issuers]]
id = "did:web:lab.example"
issued_on = "assessment_date"
"""


@pytest.fixture(scope="module")
def database_kind() -> str:
    """One kind of database: the table is tested on both with the schema."""
    return "sqlite"


@pytest.fixture
def held(workspace: Workspace, tmp_path: Path, clock: FixedClock) -> Workspace:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": FACTS}), encoding="utf-8")
    import_files(workspace, [path], clock)
    (tmp_path / "report.pdf").write_bytes(CONTENT)
    return workspace


@pytest.fixture
def attached(held: Workspace, tmp_path: Path, clock: FixedClock) -> Attached:
    return evidence.attach(held, "C", tmp_path / "report.pdf", clock)


def test_attach__keeps_the_file_and_makes_a_version(
    held: Workspace, attached: Attached, tmp_path: Path, clock: FixedClock
) -> None:
    stored = evidence.path_of(held, attached.digest)
    assert stored.read_bytes() == CONTENT
    assert stored.stat().st_mode & 0o777 == 0o600
    with reading(held.engine) as connection:
        first, second = history(connection, "certificate", "C")
    assert second.fact().to_json() == first.fact().to_json() | {
        "evidence_sha256": attached.digest.hex()
    }
    clock.advance(timedelta(days=1))
    again = evidence.attach(held, "C", tmp_path / "report.pdf", clock)
    assert (again.is_stored, again.is_new_version, again.version) == (False, False, 2)
    assert workspace_status(held).evidence == {"attached": 1, "missing": 0, "altered": 0}


def test_attach__another_file_only_on_request(
    held: Workspace, attached: Attached, tmp_path: Path, clock: FixedClock
) -> None:
    other = tmp_path / "other.pdf"
    other.write_bytes(b"another")
    with pytest.raises(InputError, match="CRN-F-072"):
        evidence.attach(held, "C", other, clock)
    assert len(evidence.check_files(held)) == 1
    made = evidence.attach(held, "C", other, clock, is_replacing=True)
    assert made.version == 3
    # What was attached before stays, for the version that names it.
    states = {each.file.name: each.certificates for each in evidence.check_files(held)}
    assert states == {"report.pdf": (), "other.pdf": ("C",)}
    assert evidence.path_of(held, attached.digest).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(CONTENT + b" "), "altered"),
        (lambda path: path.write_bytes(CONTENT[:-1]), "altered"),
    ],
)
def test_check__tells_what_became_of_a_file(
    held: Workspace,
    attached: Attached,
    tmp_path: Path,
    clock: FixedClock,
    change: Any,
    state: str,
) -> None:
    change(evidence.path_of(held, attached.digest))
    assert evidence.check_evidence(held, "C").state == state
    assert [each.state for each in evidence.check_files(held)] == [state]
    assert workspace_status(held).evidence[state] == 1
    with pytest.raises(VerificationError, match="CRN-F-074"):
        evidence.read_evidence(held, evidence.find_evidence(held, "C"))
    assert evidence.attach(held, "C", tmp_path / "report.pdf", clock).is_stored
    assert evidence.check_evidence(held, "C").state == "intact"


def test_check__sees_a_change_that_keeps_the_size(held: Workspace, attached: Attached) -> None:
    evidence.path_of(held, attached.digest).write_bytes(CONTENT[:-1] + b"T")
    assert evidence.check_evidence(held, "C").state == "altered"


def test_attach__refuses_what_is_no_file(
    held: Workspace, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "large").write_bytes(b"x" * 100)
    small = held.settings.model_copy(update={"evidence_file_size_max": 99})
    monkeypatch.setattr(held, "settings", small)
    for name in ("empty", "large", "none", ""):
        with pytest.raises(InputError, match="CRN-F-071"):
            evidence.attach(held, "C", tmp_path / name, clock)
    assert evidence.check_files(held) == []


@pytest.mark.parametrize(("certificate", "code"), [("nobody", "CRN-F-070"), ("C", "CRN-F-073")])
def test_find__nothing(held: Workspace, certificate: str, code: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        evidence.find_evidence(held, certificate)
    assert caught.value.code == code


def _import_credential(
    held: Workspace, folder: Path, clock: FixedClock, **members: Any
) -> list[int]:
    document = credential(assessment(PRODUCT))
    document["credentialSubject"] |= members
    (folder / "dcc.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "map.toml").write_text(MAP, encoding="utf-8")
    report = import_files(held, [folder / "dcc.json"], clock, credential_map=folder / "map.toml")
    assert [note.cause for note in report.credentials] == ["unsigned"]
    return [report.total.new, report.total.known]


def test_credential__imported_twice_and_its_document_attached(
    held: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    digest = evidence.sha256(CONTENT).hex()
    link = {"hashDigest": digest.upper(), "hashMethod": "SHA-256"}
    assert _import_credential(held, tmp_path, clock, conformityCertificate=link) == [2, 0]
    assert _import_credential(held, tmp_path, clock, conformityCertificate=link) == [0, 2]
    with reading(held.engine) as connection:
        rows = connection.exec_driver_sql(
            "SELECT fact_id FROM fact WHERE type = 'certificate' AND fact_id LIKE 'DCC-%'"
        )
        (name,) = rows.scalars()
        found = find_fact(connection, "certificate", name)
    assert found is not None
    assert found.fields["product_id"] == "P"
    (tmp_path / "wrong.pdf").write_bytes(b"wrong")
    with pytest.raises(InputError, match="CRN-F-072"):
        evidence.attach(held, name, tmp_path / "wrong.pdf", clock)
    made = evidence.attach(held, name, tmp_path / "report.pdf", clock)
    assert (made.is_stored, made.is_new_version) == (True, False)


def test_credential_map__with_a_key_that_is_none(
    held: Workspace, tmp_path: Path, clock: FixedClock
) -> None:
    (tmp_path / "dcc.json").write_text(json.dumps(credential()), encoding="utf-8")
    for key in ("z" + "1" * 50, "z6Mk" + "1" * 44):
        (tmp_path / "map.toml").write_text(f'{MAP}keys = ["{key}"]\n', encoding="utf-8")
        with pytest.raises(CarnetError, match="CRN-F-062"):
            import_files(held, [tmp_path / "dcc.json"], clock, credential_map=tmp_path / "map.toml")


KILLED = """
import sys
from pathlib import Path
from carnet.core.clock import SystemClock
from carnet.services.evidence import attach
from carnet.services.workspace import Workspace
with Workspace.open(Path(sys.argv[1])) as opened:
    attach(opened, "C", Path(sys.argv[2]), SystemClock())
"""


@pytest.mark.parametrize("point", ["evidence.after-file", "evidence.before-commit"])
def test_attach__killed_and_run_again(
    held: Workspace, tmp_path: Path, clock: FixedClock, point: str
) -> None:
    words = (str(held.path), str(tmp_path / "report.pdf"))
    done = run_python(KILLED, *words, env={"CARNET_CRASH_AT": point})
    assert done.returncode == -9, done.stderr
    assert evidence.check_files(held) == []
    made = evidence.attach(held, "C", tmp_path / "report.pdf", clock)
    assert (made.is_stored, made.version) == (False, 2)
    assert evidence.check_evidence(held, "C").state == "intact"

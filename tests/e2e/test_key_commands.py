"""`carnet key` and a verifier that remembers, from the first key to the last, as users run them."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from carnet.cli.failure import exit_code_of
from carnet.cli.main import app
from carnet.core.errors import CarnetError

ROOT = Path(__file__).parents[2]
DAY = "2026-11-23"
FILES: Final = (".json", ".toml", "seen")
ROLES = ["issuer", "log", "officer", "witness"]


class Company:
    """A workspace and a lender beside it, driven by commands of processes of their own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.lender = folder.parent / f"{folder.name}-lender"
        self.lender.mkdir()
        self.environment = environment

    def run(self, *words: str, code: int = 0, **environment: str) -> str:
        """Return what a command prints; files that it names lie with the lender."""
        placed = [str(self.lender / word) if word.endswith(FILES) else word for word in words]
        known = {"CARNET_LANG": "en", "CARNET_WORKSPACE": str(self.folder)}
        done = CliRunner().invoke(app, placed, env=known | self.environment | environment)
        error = done.exception
        said = done.stdout or (str(error) if isinstance(error, CarnetError) else done.stderr)
        found = exit_code_of(error) if isinstance(error, CarnetError) else done.exit_code
        assert found == code, (words, said, error)
        return said

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--format", "json"))

    def bundle(self, name: str, index: int) -> None:
        """Write the bundle of an attestation, named by its place among them."""
        records = [
            each for each in self.json("record", "list")["records"] if "attest" in each["kind"]
        ]
        self.run("bundle", records[index]["id"], "-o", name)

    def verify(self, name: str, *words: str, code: int = 0) -> dict[str, Any]:
        """Return the steps of a verification by the lender, who remembers."""
        policy = ("--policy", "policy.toml", "--state", "seen", "--offline", "--as-of", DAY)
        said = self.run("verify", name, *policy, *words, "--format", "json", code=code)
        return {step["step"]: step for step in json.loads(said)["steps"]}


def begin(company: Company, *options: str) -> None:
    company.run("init", str(company.folder), *options)
    files = sorted(str(path) for path in (ROOT / "examples" / "seller").glob("*.*"))
    company.run("import", *files)
    company.run("review", "--all", "--as-of", DAY, code=1)


@pytest.fixture(scope="module", params=["key-file", "passphrase"])
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Return a reviewed workspace whose keys are locked with each kind of secret."""
    folder = tmp_path_factory.mktemp("keys") / "company"
    if request.param == "key-file":
        made = Company(folder)
        begin(made)
    else:
        made = Company(folder, CARNET_PASSPHRASE="correct horse battery staple")
        begin(made, "--passphrase")
    return made


def test_keys__from_the_first_to_the_last(company: Company) -> None:
    company.run("key", "new", "officer", "--name", "officer-1")
    company.run("key", "new", "witness")
    company.run("record", "issue", "LST-PWB-01-US-L", "--as-of", DAY)
    company.run("log", "append")
    company.run("log", "policy", "-o", "policy.toml")
    company.bundle("first.json", 0)
    assert company.verify("first.json")["consistency"]["verdict"] == "not_checked"

    for role in ROLES:
        name = ("--name", "officer-1") if role == "officer" else ()
        before = company.run("key", "export", role, *name)
        line = company.json("key", "rotate", role, *name)
        assert line["isCurrent"] is True
        assert (line["verifierKey"] or line["did"]) != before.strip()
        assert company.run("key", "export", role, *name).strip() in {
            line["verifierKey"],
            line["did"],
        }
    keys = company.json("key", "list")["keys"]
    assert [(key["role"], key["isCurrent"]) for key in keys] == [
        (role, is_current) for role in ROLES for is_current in (False, True)
    ]
    assert all(key["hasFile"] for key in keys)

    # What was signed before stays valid, and the lender who saw it follows to what came after.
    company.run("record", "issue", "--as-of", DAY)
    company.run("log", "append")
    company.bundle("second.json", 1)
    company.bundle("again.json", 0)
    stale = company.verify("second.json", code=1)
    assert stale["issuer"]["verdict"] == "valid"
    assert stale["checkpoint"]["verdict"] == "not_valid"
    company.run("log", "policy", "-o", "policy.toml")
    for name in ("second.json", "again.json"):
        steps = company.verify(name)
        assert steps["key"]["verdict"] == steps["witnesses"]["verdict"] == "valid"
    # The witness's old key is not in the new policy; the record is bundled anew, nothing else.
    steps = company.verify("first.json", code=1)
    assert [name for name in steps if steps[name]["verdict"] == "not_valid"] == ["witnesses"]

    for role in ("officer", "witness", "issuer"):
        name = ("--name", "officer-1") if role == "officer" else ()
        line = company.json("key", "revoke", role, *name, "--reason", "retired")
        assert line["isCurrent"] is False
        assert "CRN-L-025" in company.run("key", "export", role, *name, code=2)
        if role == "witness":
            # No witness cosigns any more: the policy of today asks for none.
            company.run("log", "policy", "-o", "policy.toml")
    assert "CRN-L-028" in company.run("key", "revoke", "log", "--reason", "lost", code=3)
    assert "CRN-L-025" in company.run("key", "rotate", "issuer", code=2)
    company.bundle("ended.json", 0)
    assert company.verify("ended.json")["key"]["verdict"] == "valid"


def test_keys__another_secret_opens_nothing(company: Company) -> None:
    files = sorted((company.folder / "keys").glob("*.key"))
    envelopes = [json.loads(path.read_bytes()) for path in files if path.name != "workspace.key"]
    assert envelopes
    if company.environment:
        assert {each["kdf"]["name"] for each in envelopes} == {"scrypt"}
        assert {each["kdf"]["n"] for each in envelopes} == {2**17}
        said = company.run("key", "rotate", "log", code=2, CARNET_PASSPHRASE="correct horse")
    else:
        assert {each["kdf"]["name"] for each in envelopes} == {"hkdf-sha256"}
        other = company.lender / "other.key"
        other.write_bytes(os.urandom(32))
        other.chmod(0o600)
        said = company.run("key", "rotate", "log", code=2, CARNET_KEY_FILE=str(other))
    assert "CRN-C-046" in said

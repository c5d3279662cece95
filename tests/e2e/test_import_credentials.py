"""Conformity credentials and the documents behind them, as the page for readers tells it."""

import json
from pathlib import Path

from tests.pages import EXAMPLES, run_page
from tests.processes import run_carnet

UNTP = EXAMPLES / "untp"


def test_page__its_commands_do_what_it_says(tmp_path: Path) -> None:
    done = run_page("import-credentials", tmp_path)
    assert "at $.proof: found a signature that does not verify" in done.stderr
    assert "test-report.json: did:web:lab-north.example; signature valid" in done.stderr
    assert "not read, unknown to version 0.6: $.renderTemplate" in done.stderr
    assert "0 new, 10 already there." in done.stdout
    # As JSON and in Chinese, in the workspace that the page leaves.
    words = ("--credential-map", UNTP / "credential-map.toml", "-w", tmp_path / "company")
    again = run_carnet("import", UNTP / "type-examination.json", *words, "--format", "json")
    (note,) = json.loads(again.stdout)["credentials"]
    assert (note["signature"], note["revocation"]) == ("valid", "not_checked")
    told = run_carnet("import", UNTP / "declaration.json", *words, "--lang", "zh")
    assert "签名未核验：凭证未签名" in told.stderr
    status = run_carnet("status", "-w", tmp_path / "company", "--format", "json")
    assert json.loads(status.stdout)["evidence"] == {"attached": 1, "missing": 0, "altered": 0}

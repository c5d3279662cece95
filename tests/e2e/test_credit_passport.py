"""The page on credit passports, run as it stands: from a statement to a revoked passport."""

import json
from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("credit-passport", tmp_path)
    assert "7 new, 0 already there." in done.stdout
    assert "0 new, 7 already there." in done.stdout
    assert "Compliance standing          52.63 %" in done.stdout
    assert "status        NOT VALID" in done.stdout
    bundle = json.loads((tmp_path / "bundle.json").read_text("utf-8"))
    assert len(bundle["disclosures"]) == 2
    assert bundle["record"]["credentialSubject"].keys() == {
        *("id", "quarter", "asOf", "pack", "salt", "_sd"),
    }
    assert "EHM" in (tmp_path / "passport.html").read_text("utf-8")

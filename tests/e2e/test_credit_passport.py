"""The page on credit passports, run as it stands: from a statement to a revoked passport."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.test_step_by_step import ROOT, script_of

PAGE = ROOT / "docs" / "howto" / "credit-passport.md"


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    script, count = script_of(PAGE.read_text("utf-8"))
    assert count > 20
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    env |= {
        "SAMPLE": str(ROOT / "examples"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-x"],
        input=script,
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
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

"""The commands of the page about changing a rule, run one after another as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.test_step_by_step import ROOT, script_of

PAGE = ROOT / "docs" / "howto" / "change-a-rule.md"


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
        input=script, cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "offer-language  severity: changed" in done.stdout
    assert "stricter" in done.stdout
    assert "CRN-R-130" in done.stderr
    assert not (tmp_path / "packs").exists()

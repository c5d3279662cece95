"""The commands of the page on large runs, run one after another, as a reader would."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "large-runs.md"
COMMAND = re.compile(r"^\$ (.*?)(?:\s+# exit code (\d))?$", re.MULTILINE)


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    commands = [found for block in blocks for found in COMMAND.findall(block)]
    assert len(commands) == 3
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    env |= {
        "SAMPLE": str(ROOT / "examples"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
    }
    for command, code in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(code or 0), done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    assert len(json.loads((tmp_path / "result.json").read_text("utf-8"))["decisions"]) == 14
    assert len(list((tmp_path / "result").glob("*.parquet"))) == 9

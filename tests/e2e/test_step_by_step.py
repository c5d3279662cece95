"""The commands of the step-by-step page, run one after another in one shell, as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "step-by-step.md"
EXIT_CODE = re.compile(r"# exit code (\d)$")


def script_of(page: str) -> tuple[str, int]:
    """Return a shell script of the page's commands that stops at the first unexpected exit code."""
    lines = ["set -u"]
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    commands = [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]
    for command in commands:
        found = EXIT_CODE.search(command)
        expected = int(found.group(1)) if found else 0
        lines += [
            command,
            f'code=$?; [ "$code" = {expected} ] || {{ echo "exit $code" >&2; exit 9; }}',
        ]
    return "\n".join(lines), len(commands)


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    script, count = script_of(PAGE.read_text("utf-8"))
    assert count > 20
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    env |= {
        "SAMPLE": str(ROOT / "examples"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
    }
    # A page that stops half-way must not leave its node running.
    script = f"trap 'carnet chain down > /dev/null 2>&1' EXIT\n{script}"
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
    assert "6.36 USD" in done.stdout

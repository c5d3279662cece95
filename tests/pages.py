"""Running the commands that a page of the documentation shows, one after another, as a reader."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import command_folder

ROOT = Path(__file__).resolve().parents[1]
HOWTO = ROOT / "docs" / "howto"
EXAMPLES = ROOT / "examples"
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
EXIT_CODE = re.compile(r"# exit code (\d)$")


def commands_of(page: Path) -> list[tuple[str, int]]:
    """Return the commands of a page, each with the exit code that the page tells, or else 0."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    found = [(command, EXIT_CODE.search(command)) for command in commands]
    return [(command, int(code.group(1)) if code else 0) for command, code in found]


def reader_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a reader: no settings, the examples, and `carnet` on the path.

    What is remembered for a user is remembered in the folder.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    path = os.pathsep.join([str(command_folder()), str(Path(sys.executable).parent), env["PATH"]])
    return env | {"SAMPLE": str(EXAMPLES), "PATH": path, "XDG_STATE_HOME": str(folder / "state")}


def run_page(name: str, folder: Path, *, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the commands of a howto page in one shell in a folder.

    Args:
        name: The page, without its ending.
        folder: Where the reader stands.
        before: Lines of shell that prepare what the page takes for granted.

    Raises:
        AssertionError: A command ended with another exit code than the page tells.
    """
    lines = ["set -u", before]
    for command, code in commands_of(HOWTO / f"{name}.md"):
        lines += [command, f'code=$?; [ "$code" = {code} ] || {{ echo "exit $code" >&2; exit 9; }}']
    done = subprocess.run(
        ["bash", "-x"],
        input="\n".join(lines),
        cwd=folder,
        env=reader_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done

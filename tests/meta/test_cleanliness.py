"""The repository speaks of itself alone: no registry host, no path of a machine, no secret."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOSTS = "|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.", "deb" + r"ian\.org"))
FORBIDDEN = {
    "a registry's host name": re.compile(HOSTS),
    "a path of one machine": re.compile(r"(?<![\w.$}])/(?:root|home/\w+|tmp/\w+)/"),
    "a private key": re.compile(r"BEGIN (?:EC |OPENSSH |RSA )?PRIVATE KEY"),
}


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_repository__does_not_hold(what: str) -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in FORBIDDEN[what].finditer(text)]
    assert found == []

"""The page of facts is generated from the schema and current."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_facts_page__is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "facts_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

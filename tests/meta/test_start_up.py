"""The command line starts at once: help loads none of the heavy packages."""

import subprocess
import sys

HEAVY = ("web3", "sqlmodel", "sqlalchemy", "pydantic", "fastapi", "lark", "yaml", "cryptography")


def test_help__loads_nothing_heavy() -> None:
    code = (
        "import sys; from carnet.cli import main; sys.argv = ['carnet', '--help']\n"
        "try: main.main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert done.stderr.strip() == "[]"

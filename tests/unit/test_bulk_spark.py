"""What is said where Spark cannot start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from carnet.rules.bulk.spark import spark_session
with spark_session(Path(sys.argv[1])):
    pass
"""


@pytest.mark.parametrize("script", [None, "#!/bin/sh\necho 'version too old' >&2\nexit 1\n"])
def test_spark__java_is_missing_or_too_old(tmp_path: Path, script: str | None) -> None:
    java = tmp_path / "bin" / "java"
    if script is not None:
        java.parent.mkdir()
        java.write_text(script)
        java.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "CRN-R-162" in done.stderr
    assert "openjdk-17-jre-headless" in done.stderr

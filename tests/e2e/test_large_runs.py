"""The commands of the page on large runs, run one after another, as a reader would."""

import json
from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("large-runs", tmp_path)
    assert "Traceback" not in done.stderr, done.stderr
    assert len(json.loads((tmp_path / "result.json").read_text("utf-8"))["decisions"]) == 14
    assert len(list((tmp_path / "result").glob("*.parquet"))) == 9

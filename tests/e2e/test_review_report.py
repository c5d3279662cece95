"""Review reports and what-if at the command line: the page as it stands."""

import json
import re
from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("review-report", tmp_path)
    english = (tmp_path / "review.html").read_text("utf-8")
    chinese = (tmp_path / "review-zh.html").read_text("utf-8")
    listings = set(re.findall(r"LST-[\w-]+", english))
    assert {name.split("-")[3] for name in listings} == {"EU"}
    assert listings == set(re.findall(r"LST-[\w-]+", chinese))
    assert '<html lang="zh-Hans">' in chinese
    assert "counts until 2026-06-15 (longest validity under the PPE Regulation" in english
    # Only the reviews were kept; what was tried is told, in the words of each form.
    assert done.stdout.count("What-if: this is no decision.") == 2
    assert json.loads((tmp_path / "what-if.json").read_text("utf-8"))["is_decision"] is False
    assert "What-if, no decision" in (tmp_path / "what-if.html").read_text("utf-8")
    kept = {each.name for each in (tmp_path / "company" / "packs").iterdir()}
    tried = json.loads((tmp_path / "what-if.json").read_text("utf-8"))["what_if"]
    assert kept
    assert not kept & {each["digest"] for each in tried}

"""The page on renewals and the law to come, run as it stands."""

import csv
import json
from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("renew-certificates", tmp_path)
    assert "cannot be told" in done.stdout, "before officers confirm the window"
    plan = "plan RNP-01: apply on 2027-03-01, laboratory 45 days; begin by 2026-11-26"
    assert plan in done.stdout
    assert "THE PLAN IS OUTSIDE THE WINDOW" in done.stdout
    found = json.loads((tmp_path / "renewals.json").read_text("utf-8"))["renewals"]
    plans = {one["certificate"]: one for one in found}
    assert plans["CRT-026"]["start_by"] == "2026-12-01"
    with (tmp_path / "law.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    cyber = {one["listing"] for one in rows if one["day"] == "2027-12-11" and one["rule"]}
    assert "LST-EAR-01-EU" in cyber
    assert "新增要求：第 (EU) 2023/1230 号法规（机械）" in done.stdout

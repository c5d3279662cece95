"""The page on importing facts says what the code does."""

import re
from pathlib import Path

import pytest

from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.intake.xlsx_file import PARTS_MAX
from carnet.facts.issue import PROBLEMS_READ_MAX
from carnet.facts.types.base import TEXT_SIZE_MAX

ROOT = Path(__file__).resolve().parents[2]


def test_import_page__shows_the_answer_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "howto" / "import.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(csv|text)\n(.*?)\n```", page, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    Path("reserve.csv").write_text(blocks["csv"], encoding="utf-8")
    with pytest.raises(IntakeError) as caught:
        read_files([Path("reserve.csv")])
    assert caught.value.message.en == blocks["text"]


def test_import_page__names_the_limits_that_hold() -> None:
    page = (ROOT / "docs" / "howto" / "import.md").read_text(encoding="utf-8")
    limits = IntakeLimits()
    for told in (
        f"{limits.file_size_max >> 20} MiB; the setting",
        f"{limits.rows_max:,}",
        f"| {limits.line_size_max >> 20} MiB |",
        f"{limits.unpacked_size_max >> 20} MiB in {PARTS_MAX} parts",
        f"{limits.workbook_memory_max >> 30} GiB of memory, {limits.workbook_seconds_max} seconds",
        f"| {TEXT_SIZE_MAX} bytes |",
        f"At most {limits.issues_max} problems",
        f"after {PROBLEMS_READ_MAX:,} problems",
    ):
        assert told in page

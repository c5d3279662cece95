"""The commands of the step-by-step page, run one after another in one shell, as a reader would."""

from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    # A page that stops half-way must not leave its node running.
    before = "trap 'carnet chain down > /dev/null 2>&1' EXIT"
    done = run_page("step-by-step", tmp_path, before=before)
    assert "6.36 USD" in done.stdout

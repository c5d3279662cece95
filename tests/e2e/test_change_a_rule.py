"""The commands of the page about changing a rule, run one after another as a reader would."""

from pathlib import Path

from tests.pages import run_page


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("change-a-rule", tmp_path)
    assert "offer-language  severity: changed" in done.stdout
    assert "stricter" in done.stdout
    assert "CRN-R-130" in done.stderr
    assert not (tmp_path / "packs").exists()

"""Working through findings at the command line: the page as it stands, and two officers by hand."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from carnet.cli.main import app
from carnet.core.errors import CarnetError, InputError
from tests.pages import EXAMPLES, run_page

DAY = "2026-11-23"
RULE = "offer-language"
MESSAGE = "Offer LST-LED-01-EU-L shows its warnings in the language zh"


def test_page__runs_as_it_stands(tmp_path: Path) -> None:
    done = run_page("work-through-findings", tmp_path)
    assert "resolved since 2026-11-25" in done.stdout
    assert "CRN-R-123" in done.stderr
    assert "CRN-R-124" in done.stderr
    assert (tmp_path / "review.csv").read_bytes().startswith(b"\xef\xbb\xbfpack,")


class Seller:
    """The sample seller's workspace, driven by commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, language: str = "en") -> Result:
        environment = {"CARNET_WORKSPACE": str(self.folder), "CARNET_LANG": language}
        return CliRunner().invoke(app, list(words), env=environment)

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--format", "json").stdout)

    def found(self, *words: str, day: str = DAY) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.json("findings", "list", "--as-of", day, *words)[
            "findings"
        ]
        return listed


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Seller:
    """Return a seller with a review; the tests of this module only read it or act on their own."""
    seller = Seller(tmp_path_factory.mktemp("findings") / "workspace")
    assert seller.run("init", str(seller.folder)).exit_code == 0
    files = sorted(str(path) for path in (EXAMPLES / "seller").iterdir())
    assert seller.run("import", *files).exit_code == 0
    assert seller.run("review", "--all", "--as-of", DAY).exit_code == 1
    return seller


def refusal(done: Result) -> CarnetError:
    assert isinstance(done.exception, CarnetError), done.output
    return done.exception


def test_list__tells_what_stands_and_the_exit_code_says_so(reviewed: Seller) -> None:
    done = reviewed.run("findings", "list", "--as-of", DAY)
    assert done.exit_code == 1
    assert MESSAGE in done.stdout
    assert "listing/LST-LED-01-EU-L" in done.stdout
    none = reviewed.run("findings", "list", "--as-of", "2026-11-22")
    assert (none.exit_code, none.stdout) == (
        0,
        "2026-11-22: 0 open, 0 acknowledged, 0 waived, 0 resolved\n",
    )


def test_list__as_csv_has_a_row_for_each(reviewed: Seller) -> None:
    done = reviewed.run("findings", "list", "--as-of", DAY, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert [row["finding"] for row in rows] == [each["id"] for each in reviewed.found()]
    assert {row["state"] for row in rows} <= {"open", "waived", "acknowledged"}


def test_show__in_both_languages_names_law_and_remedy(reviewed: Seller) -> None:
    (found,) = reviewed.found("--rule", "rohs-exemption-ending")
    english = reviewed.run("findings", "show", found["id"], "--as-of", DAY)
    chinese = reviewed.run("findings", "show", found["id"], "--as-of", DAY, language="zh")
    law = reviewed.json("findings", "show", found["id"], "--as-of", DAY)["law"]
    assert (english.exit_code, chinese.exit_code) == (0, 0)
    for cited in law:
        assert cited["link"].startswith("https://")
        assert f"{cited['title']}, {cited['article']}" in english.stdout
        assert cited["link"] in chinese.stdout
    assert found["remedy"]["en"] in english.stdout
    assert found["remedy"]["zh"] in chinese.stdout
    assert found["decision"] in english.stdout
    assert "历史" in chinese.stdout


def test_show__of_what_is_not_there(reviewed: Seller) -> None:
    error = refusal(reviewed.run("findings", "show", "0123456789abcdef", "--as-of", DAY))
    assert error.code == "CRN-R-120"


def test_waiver__two_officers_then_its_end(reviewed: Seller) -> None:
    (found,) = reviewed.found("--rule", RULE)
    name, day = found["id"], ("--as-of", DAY)
    term = ("--until", "2026-12-31", "--reason", "Paused.")
    asked = reviewed.run("findings", "waive", name, *term, "--by", "officer-1", *day)
    assert asked.exit_code == 0
    assert "waiver proposed by officer-1" in asked.stdout
    same = refusal(reviewed.run("findings", "approve-waiver", name, "--by", "officer-1", *day))
    assert (same.code, isinstance(same, InputError)) == ("CRN-R-124", True)
    done = reviewed.run("findings", "approve-waiver", name, "--by", "officer-2", *day)
    assert "waived until 2026-12-31" in done.stdout
    assert reviewed.found("--state", "waived", day="2026-12-31")[0]["id"] == name
    assert reviewed.found("--overdue", day="2027-01-01")[0]["id"] == name

    review = reviewed.run("review", "LST-LED-01-EU-L", *day)
    assert review.exit_code == 1
    assert "NONCONFORMING" in review.stdout
    assert f"{name}  waived until 2026-12-31" in review.stdout
    beside = reviewed.json("review", "LST-LED-01-EU-L", *day)["findings"]
    assert [(each["id"], each["waiver"]["until"]) for each in beside] == [(name, "2026-12-31")]
    sarif = json.loads(reviewed.run("review", "--all", *day, "--format", "sarif").stdout)
    waived = [
        result for run in sarif["runs"] for result in run["results"] if result.get("suppressions")
    ]
    assert [result["ruleId"] for result in waived] == [RULE]
    events = reviewed.json("findings", "history", name, *day)["history"]
    assert [event["officer"] for event in events] == ["", "officer-1", "officer-2"]


def test_waiver__of_a_blocking_finding_is_refused_with_what_to_do(reviewed: Seller) -> None:
    (found,) = reviewed.found("--rule", "cyber-body-missing")
    term = ("--until", "2026-12-31", "--reason", "Please.", "--by", "officer-1", "--as-of", DAY)
    error = refusal(reviewed.run("findings", "waive", found["id"], *term))
    assert error.code == "CRN-R-123"
    assert found["remedy"]["en"] in error.hint.en


def test_acknowledge__then_withdraw_what_was_only_proposed(reviewed: Seller) -> None:
    (found,) = reviewed.found("--rule", "rohs-exemption-ending")
    name, day = found["id"], ("--as-of", DAY)
    done = reviewed.run(
        *("findings", "acknowledge", name, "--by", "officer-1", "--note", "Seen."),
        *("--due", "2026-12-01", *day),
    )
    assert "acknowledged, due 2026-12-01" in done.stdout
    term = ("--until", "2026-12-31", "--reason", "Paused.", "--by", "officer-2")
    reviewed.run("findings", "waive", name, *term, *day)
    back = reviewed.run(
        *("findings", "withdraw-waiver", name, "--by", "officer-1", "--reason", "No.", *day)
    )
    assert back.exit_code == 0
    assert reviewed.found("--rule", "rohs-exemption-ending")[0]["state"] == "acknowledged"


@pytest.fixture
def facts_file(tmp_path: Path) -> Path:
    """Return the facts of one listing that does not conform, as one file."""
    product = {"type": "product", "id": "P-1", "seller_id": "S-1", "model": "X", "category": "toy"}
    flags = (
        *("is_radio", "is_mains_powered", "has_battery", "is_internet_connected"),
        *("processes_personal_data", "transfers_value", "is_toy", "is_childrens_product"),
        *("is_ppe", "is_machinery"),
    )
    listing = {"type": "listing", "id": "L-1", "product_id": "P-1", "market": "EU"}
    facts = [
        {"type": "party", "id": "S-1", "name": "=Seller", "country": "CN"},
        product | dict.fromkeys(flags, False),
        {"type": "channel", "id": "C-1", "name": "Shop", "kind": "own_site"},
        listing | {"channel_id": "C-1", "status": "live"},
    ]
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": facts}), encoding="utf-8")
    return path


def evaluated(reviewed: Seller, facts_file: Path, *words: str) -> Result:
    command = ("eval", "eu-ce", "--facts", str(facts_file), "--as-of", DAY)
    return reviewed.run(*command, "--engine", "reference", *words)


def test_eval__in_every_form_with_the_same_exit_code(
    reviewed: Seller, facts_file: Path, tmp_path: Path
) -> None:
    codes = set()
    for form in ("table", "json", "csv", "sarif", "junit"):
        out = tmp_path / f"out.{form}"
        written = evaluated(reviewed, facts_file, "--format", form, "-o", str(out))
        shown = evaluated(reviewed, facts_file, "--format", form)
        assert written.stdout == ""
        assert out.read_bytes().removeprefix(b"\xef\xbb\xbf") == shown.stdout_bytes
        codes |= {written.exit_code, shown.exit_code}
    assert codes == {1}
    ET.fromstring((tmp_path / "out.junit").read_bytes())
    assert json.loads((tmp_path / "out.sarif").read_text("utf-8"))["version"] == "2.1.0"


def test_eval__explains_beside_the_table(
    reviewed: Seller, facts_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.txt"
    evaluated(reviewed, facts_file, "--explain", "fails", "-o", str(out))
    assert "listing/L-1" in out.read_text("utf-8")


def test_eval__into_a_folder_that_is_not_there(reviewed: Seller, facts_file: Path) -> None:
    error = refusal(evaluated(reviewed, facts_file, "-o", "/no/such/folder/out.txt"))
    assert error.code == "CRN-C-041"

"""carnet eval and carnet pack: output, exit codes, refusals."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.errors import CarnetError, InputError, NotFoundError
from carnet.facts.fact import Fact
from carnet.rules.shelf import find_pack, find_packs, shelved_packs
from tests.fixtures_rules import certificate, header, listing, product, rule, spell, write_pack

ENDED = rule(match=[{"c": "certificate"}], when=["c.printed_valid_until < as_of"])


def _run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if isinstance(result.exception, CarnetError):
        raise result.exception
    return result.exit_code, result.stdout


def _file(folder: Path, *facts: Fact) -> str:
    path = folder / "facts.json"
    path.write_text(json.dumps({"facts": [fact.to_json() for fact in facts]}))
    return str(path)


@pytest.mark.parametrize(
    ("until", "code", "conformity"),
    [
        ("2027-01-01", 0, "conforming"),
        ("2026-01-01", 1, "nonconforming"),
        (None, 3, "undetermined"),
    ],
)
@pytest.mark.parametrize("engine", ["reference", "live"])
def test_eval__publishes_decisions_and_exit_code(
    tmp_path: Path, until: str | None, code: int, conformity: str, engine: str
) -> None:
    folder = str(write_pack(tmp_path / "pack", ENDED))
    held = {"printed_valid_until": until} if until else {}
    facts = _file(tmp_path, listing(), product(), certificate(**held))
    common = ("--facts", facts, "--as-of", "2026-11-23", "--engine", engine)
    exit_code, output = _run("eval", folder, *common, "--format", "json")
    document = json.loads(output)
    assert exit_code == code
    assert list(document) == [
        "pack", "version", "digest", "as_of", "engine", "decisions", "unreached",
    ]  # fmt: skip
    assert document["engine"] == engine
    assert document["decisions"][0]["conformity"] == conformity
    assert list(document["decisions"][0]) == [
        "case", "conformity", "officer_confirmed", "measures", "outputs", "findings",
        "not_applicable", "errors",
    ]  # fmt: skip
    assert _run("eval", folder, *common)[0] == code


@pytest.mark.parametrize("engine", ["reference", "live", "bulk"])
@pytest.mark.parametrize("output_format", ["table", "json", "csv", "sarif", "junit"])
@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([product()], "there is no listing among the facts"),
        ([product(), listing(market="US")], "none of the facts of type listing (1) is a case"),
    ],
)
def test_eval__without_any_case_is_not_clean(
    tmp_path: Path, engine: str, output_format: str, facts: list[Fact], told: str
) -> None:
    case = header()["case"] | {"when": ['listing.market == "EU"']}
    folder = str(write_pack(tmp_path / "pack", ENDED, case=case))
    arguments = ("--facts", _file(tmp_path, *facts), "--as-of", "2026-11-23")
    form = ("--engine", engine, "--format", output_format)
    result = CliRunner().invoke(app, ["eval", folder, *arguments, *form])
    assert result.exit_code == 3
    assert told in (result.stdout if output_format == "table" else result.stderr)
    if output_format == "json":
        assert json.loads(result.stdout)["decisions"] == []
    else:
        assert told in result.stdout


def test_eval__reads_stdin_and_explains(tmp_path: Path) -> None:
    folder = str(write_pack(tmp_path / "pack", ENDED))
    lines = "\n".join(json.dumps(fact.to_json()) for fact in (listing(), product(), certificate()))
    arguments = ("--facts", "-", "--as-of", "2026-11-23", "--explain", "full", "--format", "json")
    code, output = _run("eval", folder, *arguments, stdin=lines)
    (told,) = json.loads(output)["explanations"]
    assert code == 3
    assert told["rules"][0]["choices"][0]["lines"][0]["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"engine": "prolog"}, InputError),
        ({"as_of": "31/02/2026"}, InputError),
        ({"as_of": "2019-01-01"}, InputError),
        ({"pack": "nothing"}, NotFoundError),
        ({"pack": "../../nothing"}, NotFoundError),
        ({"pack": "x" * 5_000}, NotFoundError),
    ],
)
def test_eval__refuses_what_it_cannot_use(
    tmp_path: Path, changes: dict[str, Any], error: type[CarnetError]
) -> None:
    given = {
        "pack": str(write_pack(tmp_path / "pack", ENDED)), "engine": "live", "as_of": "2026-11-23",
    } | changes  # fmt: skip
    facts = _file(tmp_path, listing(), product())
    with pytest.raises(error):
        _run(
            "eval", given["pack"], "--facts", facts, "--engine", given["engine"],
            "--as-of", given["as_of"],
        )  # fmt: skip


def test_check__counts_defects(tmp_path: Path) -> None:
    good = write_pack(tmp_path / "good", ENDED)
    bad = write_pack(tmp_path / "bad", rule(when=["product.is_raido"]))
    assert _run("pack", "check", str(good))[0] == 0
    code, output = _run("pack", "check", str(bad), "--format", "json")
    ((defect,),) = [pack["defects"] for pack in json.loads(output)["packs"]]
    assert (code, defect["file"], defect["line"]) == (1, "rules/all.yaml", 1)
    assert "is_radio" in defect["hint"]["en"]


@pytest.mark.parametrize(
    ("place", "code", "severity"),
    [
        ("sample/1", None, None),
        ("sample/2", "CRN-R-180", "warning"),
        ("other/1", "CRN-R-180", "warning"),
        ("pack", None, None),
    ],
)
def test_check__tells_a_folder_that_is_not_named_after_the_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, code: str, severity: str
) -> None:
    folder = write_pack(tmp_path / place, ENDED)
    monkeypatch.chdir(folder)
    for name in (str(folder), "."):
        exit_code, output = _run("pack", "check", name, "--format", "json")
        (pack,) = json.loads(output)["packs"]
        found = [(one["code"], one["severity"]) for one in pack["defects"]]
        assert exit_code == 0
        assert [one for one in found if one[0] == "CRN-R-180"] == (
            [(code, severity)] if code else []
        )


def test_check__passes_over_no_version_of_a_folder_of_packs(tmp_path: Path) -> None:
    write_pack(tmp_path / "sample" / "1", ENDED)
    (tmp_path / "sample" / "2").mkdir()
    os.mkfifo(write_pack(tmp_path / "piped" / "1", ENDED) / "x")
    (tmp_path / "piped" / "1" / "pack.yaml").unlink()
    (tmp_path / "piped" / "1" / "x").rename(tmp_path / "piped" / "1" / "pack.yaml")
    code, output = _run("pack", "check", str(tmp_path), "--format", "json")
    found = [[one["code"] for one in pack["defects"]] for pack in json.loads(output)["packs"]]
    assert (code, found[0], found[2]) == (2, ["CRN-R-002"], ["CRN-R-001"])
    assert "CRN-R-002" not in found[1]


def test_check__tells_why_a_folder_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name, told in ((".", "no pack.yaml"), ("loop", "no pack.yaml")):
        code, output = _run("pack", "check", str(tmp_path / name))
        assert (code, told in output) == (2, True)


@pytest.mark.parametrize("words", [("--since", "2026-01-01"), ("--engine", "live")])
def test_diff__takes_options_of_the_impact_with_it_alone(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    folder = str(write_pack(tmp_path / "pack", ENDED))
    assert _run("pack", "diff", folder, folder)[0] == 0
    with pytest.raises(InputError, match="CRN-R-182"):
        _run("pack", "diff", folder, folder, *words)


def test_pack_test__never_stops_at_the_first_failure(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, ENDED)
    (folder / "tests").mkdir()
    facts = [listing().to_json(), product().to_json()]
    cases = [
        {
            "id": f"test-{n}", "as_of": "DAY", "facts": facts,
            "expect": [{"case": "L1", "conformity": conformity}],
        }
        for n, conformity in enumerate(["nonconforming", "conforming", "undetermined"])
    ]  # fmt: skip
    text = spell({"tests": cases}).replace('"DAY"', "2026-11-23")
    (folder / "tests" / "all.yaml").write_text(text)
    code, output = _run("pack", "test", str(folder), "--format", "json")
    (pack,) = json.loads(output)["packs"]
    assert code == 1
    assert [test["is_passed"] for test in pack["tests"]] == [False, True, False]
    assert pack["tests"][0]["differences"] == [
        {
            "case": "L1", "what": "conformity",
            "expected": "nonconforming", "actual": "conforming",
        }
    ]  # fmt: skip


def test_shelf__newest_version_unless_named(tmp_path: Path) -> None:
    for version in ("2", "10", "9.5"):
        write_pack(tmp_path / "sample" / version, ENDED)
    assert find_pack("sample", tmp_path).name == "10"
    assert find_pack("sample@9.5", tmp_path).name == "9.5"
    assert [pack.version for pack in shelved_packs(tmp_path)] == ["2", "9.5", "10"]
    assert len(find_packs(str(tmp_path))) == 3
    with pytest.raises(NotFoundError):
        find_pack("sample@11", tmp_path)

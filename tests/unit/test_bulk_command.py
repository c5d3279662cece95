"""carnet eval on large inputs: every source, JSON and Parquet, the same text and exit code."""

import json
import shutil
from pathlib import Path

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.clock import FixedClock
from carnet.core.errors import CarnetError, InputError
from carnet.facts.fact import Fact
from carnet.services.importing import import_files
from carnet.services.workspace import Workspace
from tests.fixtures_rules import certificate, listing, product, rule, write_pack

ENDED = rule(match=[{"c": "certificate"}], when=["c.printed_valid_until < as_of"])
FACTS = [
    listing(),
    listing("L2", product_id="P2", source="given"),
    product(),
    product("P2"),
    certificate(printed_valid_until="2026-01-01"),
    certificate("K2", product_id="P2", printed_valid_until="2027-01-01"),
]
AS_OF = ("--as-of", "2026-11-23")


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if isinstance(result.exception, CarnetError):
        raise result.exception
    return result.exit_code, result.stdout


def ndjson(facts: list[Fact]) -> str:
    return "".join(json.dumps(fact.to_json()) + "\n" for fact in facts)


@pytest.fixture
def pack(tmp_path: Path) -> str:
    return str(write_pack(tmp_path / "pack", ENDED))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "facts"
    path.mkdir()
    (path / "facts.ndjson").write_text(ndjson(FACTS), encoding="utf-8")
    return path


def test_eval__bulk_writes_the_text_of_the_reference(pack: str, folder: Path) -> None:
    texts = {}
    for engine in ("reference", "bulk"):
        for facts in (folder, folder / "facts.ndjson"):
            options = ("--facts", str(facts), "--engine", engine, "--format", "json", *AS_OF)
            code, text = run("eval", pack, *options)
            assert code == 1
            texts[engine, facts] = text.replace(f'"engine": "{engine}"', '"engine": ""')
    (text,) = set(texts.values())
    assert [one["conformity"] for one in json.loads(text)["decisions"]] == [
        "nonconforming",
        "conforming",
    ]


def test_eval__bulk_reads_stdin_and_writes_a_file(pack: str, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    options = ("--facts", "-", "--engine", "bulk", "--format", "json", *AS_OF)
    code, text = run("eval", pack, *options, stdin=ndjson(FACTS))
    again, nothing = run("eval", pack, *options, "-o", str(target), stdin=ndjson(FACTS))
    assert (code, again, nothing) == (1, 1, "")
    assert target.read_text("utf-8") == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "result.json"]


def test_eval__bulk_writes_parquet(pack: str, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "result"
    options = ("--facts", str(folder), "--engine", "bulk", "--format", "parquet", *AS_OF)
    assert run("eval", pack, *options, "-o", str(target)) == (1, "")
    assert parquet.read_table(target / "decisions.parquet").to_pylist() == [
        {"case_id": "L1", "conformity": "nonconforming"},
        {"case_id": "L2", "conformity": "conforming"},
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--engine", "bulk"),
        ("--engine", "live", "-o", "result"),
        ("--engine", "bulk", "-o", "result", "--explain", "full"),
    ],
)
def test_eval__parquet_is_refused_where_it_cannot_be_written(
    pack: str, folder: Path, options: tuple[str, ...]
) -> None:
    with pytest.raises(InputError, match="CRN-R-163"):
        run("eval", pack, "--facts", str(folder), "--format", "parquet", *AS_OF, *options)


@pytest.mark.parametrize("engine", ["reference", "live", "bulk"])
def test_eval__reads_the_facts_of_the_workspace(
    workspace_path: Path, clock: FixedClock, engine: str
) -> None:
    seller = Path(__file__).resolve().parents[2] / "examples" / "seller"
    with Workspace.open(workspace_path) as workspace:
        import_files(workspace, sorted(seller.iterdir()), clock=clock)
    options = ("--engine", engine, "--format", "json", *AS_OF)
    of_workspace = run("eval", "us-fcc", "-w", str(workspace_path), *options)
    assert of_workspace == run("eval", "us-fcc", "--facts", str(seller), *options)
    assert len(json.loads(of_workspace[1])["decisions"]) == 14


def test_eval__settings_bound_the_run(
    pack: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARNET_BULK_MEMORY_MAX", "5")
    with pytest.raises(InputError, match="CARNET_BULK_MEMORY_MAX is '5'"):
        run("eval", pack, "--facts", str(folder), "--engine", "bulk", "--format", "json", *AS_OF)


def test_eval__leaves_no_folder_behind(
    pack: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    options = ("--engine", "bulk", "--format", "json", *AS_OF)
    run("eval", pack, "--facts", str(folder), *options)
    (folder / "party.csv").write_text("id\n")
    with pytest.raises(InputError):
        run("eval", pack, "--facts", str(folder), *options)
    assert list(private.iterdir()) == []
    shutil.rmtree(private)

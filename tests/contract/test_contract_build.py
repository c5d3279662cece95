"""What is committed is what the sources compile to, and reading it needs no compiler."""

import json
from pathlib import Path

import pytest

from carnet.contracts import artifacts, build

WORD_LABELS = {"_receivables", "_ids", "_claimable", "_platformSigners", "_sellerFreezes"}


@pytest.mark.parametrize("name", artifacts.CONTRACTS)
def test_load__every_contract(name: str) -> None:
    found = artifacts.load(name)
    assert found.name == name
    assert found.abi
    assert found.deployed_bytecode[:20] in found.bytecode


def test_load__unknown_name() -> None:
    with pytest.raises(KeyError):
        artifacts.load("../build")


def test_storage__the_counter_shares_the_word_of_the_pause() -> None:
    layout = {item["label"]: item for item in artifacts.load("ReceivableBook").storage_layout}
    assert layout["_count"]["slot"] == layout["_paused"]["slot"]
    assert set(layout) >= WORD_LABELS


def test_lock__names_exact_versions_and_no_address() -> None:
    package = json.loads((build.FOLDER / "package.json").read_text("utf-8"))
    assert package["devDependencies"] == {"@openzeppelin/contracts": "5.7.0", "solc": "0.8.37"}
    lock = (build.FOLDER / "package-lock.json").read_text("utf-8")
    assert "://" not in lock
    for name, version in package["devDependencies"].items():
        entry = json.loads(lock)["packages"][f"node_modules/{name}"]
        assert entry["version"] == version
        assert entry["integrity"].startswith("sha512-")


def test_check__committed_files_agree_with_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check"]) == 0, capsys.readouterr().out


def test_differences__names_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    for name, text in (("same", "1"), ("changed", "2"), ("left over", "3")):
        (tmp_path / f"{name}.json").write_text(text)
    expected = {
        tmp_path / "same.json": "1",
        tmp_path / "changed.json": "9",
        tmp_path / "absent.json": "4",
    }
    assert build.differences(expected, [tmp_path]) == [
        "changed.json differs from its source",
        "absent.json is missing",
        "left over.json has no source",
    ]


def test_compile__a_warning_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "CACHE", tmp_path)
    source = "pragma solidity 0.8.37; contract A { function f(uint256 a) external {} }"
    with pytest.raises(build.BuildError, match="Warning"):
        build.compile_sources({"src/A.sol": source})


def test_compile__an_error_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "CACHE", tmp_path)
    with pytest.raises(build.BuildError, match="ParserError"):
        build.compile_sources({"src/A.sol": "contract"})
    assert list(tmp_path.iterdir()) == []


def test_gather__missing_source(tmp_path: Path) -> None:
    unit = build.Unit(tmp_path / "src", tmp_path, ("Nothing",))
    with pytest.raises(build.BuildError, match=r"Nothing\.sol is missing"):
        build.gather(unit)

"""The layout's traps stay closed: links, import guards, and what a wheel holds."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("chain", "contracts", "ledger", "rules")

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
sys.path[:0] = {paths!r}
import carnet
assert carnet.__file__.startswith({paths!r}[0]), carnet.__file__
names = [m.name for m in pkgutil.walk_packages(carnet.__path__, "carnet.")]
for name in names:
    if not name.endswith("__main__") and ".migrations" not in name:
        importlib.import_module(name)
from carnet.contracts.artifacts import load
from carnet.rules.pack import load_pack
from carnet.rules.shelf import find_pack
from carnet.services.demo.sample import sample_folder
assert load("ReceivableBook").abi
assert load_pack(find_pack("eu-ce")).rules
assert (sample_folder() / "approvals.json").is_file()
print(len(names))
"""


@pytest.mark.parametrize("name", LINKED)
def test_link__is_relative_and_leads_to_the_root(name: str) -> None:
    link = ROOT / "src" / "carnet" / name
    assert link.is_symlink()
    assert link.readlink() == Path("../..") / name


@pytest.mark.parametrize("name", LINKED)
def test_linked_package__refuses_its_bare_name(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"import carnet.{name}, not {name}" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the source distribution, as an installer would build it."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)]
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


def test_wheel__holds_the_linked_packages_and_nothing_else_at_its_top(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"carnet", "carnet-0.1.0.dist-info"}
    for folder in LINKED:
        real = {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*.py")}
        assert {f"carnet/{path}" for path in real} <= set(names)


def test_wheel__imports_everything_and_reads_a_pack_and_a_contract(
    wheel: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # -S leaves out the .pth file of the editable install, so only the wheel's copy can load.
    paths = [str(site), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    command = [sys.executable, "-I", "-S", "-c", IMPORT_EVERYTHING.format(paths=paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30

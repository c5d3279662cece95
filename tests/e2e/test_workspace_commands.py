"""`carnet init`, `import`, `status` and `upgrade` as a user runs them."""

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from carnet.services.workspace import Workspace
from carnet.store.engine import writing
from tests.processes import Completed, run_carnet

SAMPLE = Path(__file__).parents[2] / "examples" / "seller"


def carnet(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Completed:
    return run_carnet(*arguments, cwd=cwd, env={**os.environ, "CARNET_LANG": "en", **environment})


def set_revision(path: Path, revision: str) -> None:
    with Workspace.open(path) as workspace, writing(workspace.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_story__init_import_status(tmp_path: Path) -> None:
    made = carnet("init", tmp_path / "w")
    assert (made.returncode, made.stderr) == (0, "")
    assert "carnet import FILE..." in made.stdout
    files = sorted(SAMPLE.iterdir())
    done = carnet("import", *files, "-w", tmp_path / "w", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["new"] > 600
    shown = carnet("status", "--format", "json", cwd=tmp_path / "w")
    assert json.loads(shown.stdout)["facts"] == {
        name: count["new"] for name, count in report["types"].items()
    }
    again = carnet("import", *files, CARNET_WORKSPACE=str(tmp_path / "w"))
    assert again.stdout == f"0 new, {report['new']} already there.\n"


def test_init__again_is_exit_2_and_says_what_to_do(tmp_path: Path) -> None:
    carnet("init", tmp_path / "w")
    again = carnet("init", tmp_path / "w")
    assert again.returncode == 2
    assert again.stdout == ""
    assert "is a workspace already" in again.stderr
    assert "carnet status" in again.stderr


def test_init__with_a_passphrase(tmp_path: Path) -> None:
    refused = carnet("init", tmp_path / "w", "--passphrase", CARNET_PASSPHRASE="")
    assert refused.returncode == 2
    assert "The passphrase is empty" in refused.stderr
    made = carnet("init", tmp_path / "w", "--passphrase", CARNET_PASSPHRASE="open sesame")
    assert made.returncode == 0
    assert 'key_file = ""' in (tmp_path / "w" / "carnet.toml").read_text()
    assert "sesame" not in (tmp_path / "w" / "carnet.toml").read_text()


def test_init__with_settings(tmp_path: Path, postgresql_url: str) -> None:
    options = ("--database-url", postgresql_url, "--log-origin", "log.example/seller")
    assert carnet("init", tmp_path / "w", *options).returncode == 0
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.engine.dialect.name == "postgresql"
        assert workspace.settings.log_origin == "log.example/seller"


def test_status__in_chinese_by_the_setting_of_the_workspace(tmp_path: Path) -> None:
    carnet("init", tmp_path / "w")
    settings = tmp_path / "w" / "carnet.toml"
    settings.write_text(settings.read_text() + 'lang = "zh"\n')
    shown = carnet("status", "-w", tmp_path / "w", CARNET_LANG="")
    assert "检查点" in shown.stdout
    assert "Checkpoint" in carnet("status", "-w", tmp_path / "w").stdout


def test_status__outside_a_workspace(tmp_path: Path) -> None:
    shown = carnet("status", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "is not a workspace" in shown.stderr


def test_status__never_shows_a_key_in_an_address(tmp_path: Path) -> None:
    carnet("init", tmp_path / "w")
    for form in ("table", "json"):
        shown = carnet(
            *("status", "-w", tmp_path / "w", "--format", form),
            CARNET_RPC_URL="https://user:hunter2@node.example/v3/hunter3",
        )
        assert "https://node.example" in shown.stdout
        assert "hunter" not in shown.stdout + shown.stderr


def test_upgrade__nothing_to_do_and_a_newer_database(tmp_path: Path) -> None:
    carnet("init", tmp_path / "w")
    assert carnet("upgrade", "-w", tmp_path / "w").stdout == "The database is up to date.\n"
    set_revision(tmp_path / "w", "9999")
    for command in ("status", "upgrade"):
        refused = carnet(command, "-w", tmp_path / "w")
        assert refused.returncode == 2
        assert "written by a newer version of Carnet" in refused.stderr


def test_upgrade__of_an_empty_database(tmp_path: Path, postgresql_url: str) -> None:
    carnet("init", tmp_path / "w")
    refused = carnet("status", "-w", tmp_path / "w", CARNET_DATABASE_URL=postgresql_url)
    assert refused.returncode == 2
    assert "carnet upgrade" in refused.stderr
    assert (
        carnet("upgrade", "-w", tmp_path / "w", CARNET_DATABASE_URL=postgresql_url).returncode == 0
    )
    assert (
        carnet("status", "-w", tmp_path / "w", CARNET_DATABASE_URL=postgresql_url).returncode == 0
    )


def test_dead_database__could_not_decide(tmp_path: Path) -> None:
    carnet("init", tmp_path / "w")
    url = f"postgresql://carnet@/carnet?host={tmp_path}"
    dead = carnet("status", "-w", tmp_path / "w", CARNET_DATABASE_URL=url)
    assert dead.returncode == 3
    assert "The database does not answer" in dead.stderr
    assert "Traceback" not in dead.stderr


@pytest.mark.parametrize("command", ["init", "import", "status", "upgrade"])
@pytest.mark.parametrize(("language", "word"), [("en", "Example: carnet"), ("zh", "示例：carnet")])
def test_help__has_an_example_in_both_languages(command: str, language: str, word: str) -> None:
    shown = carnet(command, "--help", CARNET_LANG=language)
    assert shown.returncode == 0
    assert word in shown.stdout

"""The compose file means what it should: no engine runs here, so its content is checked."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from pydantic import BaseModel, ConfigDict, Field

from carnet.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"[a-z0-9./-]+:[0-9]+\.[0-9]+[\w.-]*")


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Healthcheck(Closed):
    test: list[str]
    interval: str
    timeout: str
    retries: int


class Build(Closed):
    context: str
    target: str


class Dependency(Closed):
    condition: str


class Service(Closed):
    image: str
    build: Build | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    command: list[str] | None = None
    entrypoint: list[str] | None = None
    volumes: list[str] = Field(default_factory=list)
    ports: list[str] = Field(default_factory=list)
    depends_on: dict[str, Dependency] = Field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    restart: str
    read_only: bool = False
    tmpfs: list[str] = Field(default_factory=list)
    cap_drop: list[str] = Field(default_factory=list)
    security_opt: list[str] = Field(default_factory=list)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(document: dict[str, Any]) -> dict[str, Service]:
    return {name: Service.model_validate(body) for name, body in document["services"].items()}


def test_compose__has_the_four_parts_and_a_setup(services: dict[str, Service]) -> None:
    assert set(services) == {"postgres", "anvil", "setup", "carnet", "keeper"}


def test_compose__pins_every_image(services: dict[str, Service]) -> None:
    assert all(PINNED.fullmatch(service.image) for service in services.values())
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert stages
    assert all(PINNED.fullmatch(stage) for stage in stages)


def test_compose__checks_the_health_of_all_that_keeps_running(
    services: dict[str, Service],
) -> None:
    for name, service in services.items():
        assert (service.healthcheck is None) == (name == "setup")
        assert service.restart == ("no" if name == "setup" else "unless-stopped")


def test_compose__waits_for_healthy_services(services: dict[str, Service]) -> None:
    for service in services.values():
        for name, dependency in service.depends_on.items():
            wanted = "service_completed_successfully" if name == "setup" else "service_healthy"
            assert dependency.condition == wanted
    assert set(services["setup"].depends_on) == {"postgres", "anvil"}
    assert set(services["carnet"].depends_on) == set(services["keeper"].depends_on) == {"setup"}


def test_compose__holds_no_secret_and_publishes_one_loopback_port(
    services: dict[str, Service],
) -> None:
    for service in services.values():
        for key, value in service.environment.items():
            if "PASSWORD" in key or "SECRET" in key:
                assert re.fullmatch(r"\$\{CARNET_POSTGRES_PASSWORD:\?[^}]+\}", value)
        assert not any(
            "@" in v and ":" in v.split("@")[0].split("//")[-1]
            for v in service.environment.values()
        )
    published = [port for service in services.values() for port in service.ports]
    assert published == ["127.0.0.1:8080:8080"]


def test_compose__names_every_volume_and_build_target(
    document: dict[str, Any], services: dict[str, Service]
) -> None:
    used = {volume.split(":")[0] for service in services.values() for volume in service.volumes}
    assert used == set(document["volumes"])
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    targets = set(re.findall(r"^FROM \S+ AS (\w+)", dockerfile, re.MULTILINE))
    assert {service.build.target for service in services.values() if service.build} <= targets


def test_images__run_as_ordinary_users() -> None:
    users = re.findall(r"^USER (\w+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert users == ["node", "carnet"]


def test_services__run_commands_that_exist(services: dict[str, Service]) -> None:
    known = typer.main.get_command(app)
    script = " ".join(services["setup"].command or [])
    lines = [" ".join(services[name].command or []) for name in ("carnet", "keeper")]
    lines += re.findall(r"carnet ((?:init|chain) ?\w*)", script)
    assert services["keeper"].healthcheck is not None
    lines.append(" ".join(services["keeper"].healthcheck.test[2:]))
    for line in lines:
        command: object = known
        for word in line.split():
            children = getattr(command, "commands", {})
            if not children:
                break
            assert word in children, line
            command = children[word]

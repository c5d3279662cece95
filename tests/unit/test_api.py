"""The HTTP service without a network: routes, limits, problems, headers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from carnet import __version__
from carnet.api.app import HEADERS, create_app
from carnet.core.canonical import SIZE_MAX
from carnet.core.clock import FixedClock
from carnet.services.workspace import Workspace, create

CLOCK = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    create(tmp_path / "w", clock=CLOCK)
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace, clock=CLOCK)) as opened:
        yield opened


def test_health__is_ok_while_the_database_answers(client: TestClient) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok"})


def test_health__is_unavailable_when_the_database_is_gone(
    client: TestClient, workspace: Workspace
) -> None:
    workspace.engine.dispose()
    (workspace.path / "carnet.db").write_bytes(b"no database any more")
    for suffix in ("-wal", "-shm"):
        (workspace.path / f"carnet.db{suffix}").unlink(missing_ok=True)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["database"] == "unavailable"


def test_version__names_the_program(client: TestClient) -> None:
    assert client.get("/version").json() == {"name": "carnet", "version": __version__}


def test_verify__without_a_policy_is_a_problem(client: TestClient) -> None:
    answer = client.post("/verify?lang=zh", content=b"{}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "CRN-V-090"
    assert "策略" in answer.json()["title"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 1000, b"x" * (SIZE_MAX + 10)])
def test_verify__never_says_valid_of_other_bytes(
    client: TestClient, workspace: Workspace, body: bytes
) -> None:
    (workspace.path / "policy.toml").write_text(
        'version = 1\nrequired = ["parse"]\nissuers = []\nlogs = []\n'
    )
    answer = client.post("/verify", content=body)
    assert answer.status_code == 200
    assert answer.json()["verdict"] == "not_valid"
    assert answer.json()["steps"][0] | {"cause": ""} == {
        "step": "parse",
        "verdict": "not_valid",
        "cause": "",
    }


@pytest.mark.parametrize("path", ["/health", "/verify", "/static/verify.js", "/static/no", "/no"])
def test_answer__carries_the_security_headers(client: TestClient, path: str) -> None:
    found = client.get(path).headers
    assert {name: found[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("name", ["..%2fapp.py", "app.py", "%2e%2e", ""])
def test_static__serves_named_files_only(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_page__speaks_both_languages(client: TestClient) -> None:
    english = client.get("/verify", headers={"accept-language": "en"}).text
    chinese = client.get("/verify", headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    assert '<html lang="en">' in english
    assert '<html lang="zh-Hans">' in chinese
    assert "核验验证包" in chinese

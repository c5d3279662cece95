"""The application: routes, limits and headers."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict

from carnet import __version__
from carnet.api.page import verify_page
from carnet.api.problems import carnet_error_response, language_of, problem
from carnet.core.canonical import SIZE_MAX
from carnet.core.clock import Clock, SystemClock
from carnet.core.errors import CarnetError, NotFoundError
from carnet.core.text import Language, Text
from carnet.ledger import page
from carnet.services.chaining import status as chain_status
from carnet.services.verifying import verify_file
from carnet.services.workspace import Workspace
from carnet.store.engine import reading

POLICY_FILE = "policy.toml"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STATIC_TYPES = {"verify.js": "text/javascript", "verify.css": "text/css"}

Next = Callable[[Request], Awaitable[Response]]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Health(_Answer):
    """Whether what the service needs answers."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"]


class Version(_Answer):
    """Which program this is."""

    name: Literal["carnet"] = "carnet"
    version: str = __version__


class VerifiedStep(_Answer):
    """One step of a verification."""

    step: str
    verdict: Literal["valid", "not_valid", "not_checked"]
    cause: str


class Verified(_Answer):
    """What a bundle proves under the service's policy."""

    verdict: Literal["valid", "not_valid", "not_checked"]
    steps: list[VerifiedStep]


def _read_policy(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NotFoundError(
            "CRN-V-090",
            Text("This service has no policy file.", "本服务没有策略文件。"),
            Text(
                "Start it with carnet serve --policy FILE.",
                "请用 carnet serve --policy FILE 启动。",
            ),
        ) from None


async def _read_body(request: Request) -> bytes:
    """Return the body; one that is too large is cut after one byte too many and fails to parse."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: SIZE_MAX + 1 - len(body)]
        if len(body) > SIZE_MAX:
            break
    return bytes(body)


async def _add_headers(request: Request, call_next: Next) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _rpc_url(workspace: Workspace) -> str | None:
    """Return the node to read anchors from, None where none runs."""
    settings = workspace.settings
    if settings.rpc_url:
        return settings.rpc_url
    node = chain_status(workspace).node
    return None if node is None else node.url


def create_app(
    workspace: Workspace, *, policy: Path | None = None, clock: Clock | None = None
) -> FastAPI:
    """Return the application that serves a workspace.

    Args:
        workspace: Whose database and chain it reads.
        policy: The policy file it verifies by; the workspace's own unless given.
        clock: Tells the day at which validity is judged.
    """
    app = FastAPI(title="Carnet", version=__version__, docs_url=None, redoc_url=None)
    app.middleware("http")(_add_headers)
    app.add_exception_handler(CarnetError, carnet_error_response)
    _add_operations(app, workspace)
    _add_verification(app, workspace, policy or workspace.path / POLICY_FILE, clock)
    _add_page(app)
    return app


def _add_operations(app: FastAPI, workspace: Workspace) -> None:
    @app.get("/health", response_model=Health)
    def health() -> JSONResponse:
        """Tell whether the database answers."""
        try:
            with reading(workspace.engine) as connection:
                connection.exec_driver_sql("SELECT 1")
        except CarnetError:
            found = Health(status="unavailable", database="unavailable")
            return JSONResponse(found.model_dump(), HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse(Health(status="ok", database="ok").model_dump())

    @app.get("/version")
    def version() -> Version:
        """Tell which program this is."""
        return Version()


def _add_verification(
    app: FastAPI, workspace: Workspace, policy: Path, clock: Clock | None
) -> None:
    body = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
    }

    @app.post("/verify", openapi_extra=body)
    def verify(
        data: Annotated[bytes, Depends(_read_body)],
        language: Annotated[Language, Depends(language_of)],
    ) -> Verified:
        """Verify the bundle that is the body, by the policy of this service."""
        found = verify_file(
            data,
            _read_policy(policy),
            today=(clock or SystemClock()).now().date(),
            rpc_url=_rpc_url(workspace),
        )
        steps = [
            VerifiedStep(step=s.name, verdict=s.verdict, cause=s.cause.in_language(language))
            for s in found.steps
        ]
        return Verified(verdict=found.verdict, steps=steps)


def _add_page(app: FastAPI) -> None:
    static = files("carnet.api") / "static"

    @app.get("/verify", response_class=HTMLResponse, include_in_schema=False)
    def service_page(language: Annotated[Language, Depends(language_of)]) -> str:
        return verify_page(language)

    @app.get("/verify.html", include_in_schema=False)
    def static_page() -> Response:
        # The page carries its own policy, which names its inline script by hash.
        framing = {"Content-Security-Policy": "frame-ancestors 'none'"}
        return Response(page.verify_page(), media_type="text/html", headers=framing)

    @app.get("/static/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in STATIC_TYPES:
            return problem(HTTPStatus.NOT_FOUND, f"There is no {name[:80]!r}.")
        return Response((static / name).read_bytes(), media_type=STATIC_TYPES[name])

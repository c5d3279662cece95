"""``carnet serve``: the HTTP service of a workspace."""

from pathlib import Path
from typing import Annotated

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import LanguageOption, WorkspaceOption

HELP = t(
    "Serve health, version and verification over HTTP, with a page for people at /verify.\n\n"
    "Example: carnet serve --workspace my-company --port 8080",
    "通过 HTTP 提供健康检查、版本与核验服务，核验页面位于 /verify。\n\n"
    "示例：carnet serve --workspace my-company --port 8080",
)


def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", help=t("The address to listen on.", "监听地址。"))
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65535, help=t("The port; 0: any free.", "端口；0 为任意。")
        ),
    ] = 8080,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help=t(
                "The policy to verify by; default: policy.toml of the workspace.",
                "核验所用的策略文件；默认为工作区的 policy.toml。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Serve until interrupted."""
    import uvicorn

    from carnet.api.app import create_app

    with open_workspace(workspace) as opened:
        app = create_app(opened, policy=policy)
        uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve", help=HELP)(serve)

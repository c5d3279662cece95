"""``carnet certificates``: the documents on file, when they end, and what to renew."""

import typer

from carnet.cli.language import t

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=t(
        "Certificates: which are on file, when they end and why, and what to renew.\n\n"
        "Example: carnet certificates calendar --months 12",
        "证书：存档情况、终止日及原因，以及须续期的证书。\n\n"
        "示例：carnet certificates calendar --months 12",
    ),
)


def register(root: typer.Typer) -> None:
    """Add the command group."""
    root.add_typer(app, name="certificates")

"""``carnet pack confirm``: an officer signs what the law text does not settle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json

if TYPE_CHECKING:
    from carnet.services.approvals import Confirmed

HELP = t(
    "Sign, as one officer, that sources say what U-tagged parameters of packs say.\n\n"
    "A parameter counts once two officers have signed it; each signs with a key of their own. "
    "FILE is a JSON list of pack, parameter, source, reason, officers and approved_on.\n\n"
    "Example: carnet pack confirm approvals.json --officer officer-1",
    "以一名合规专员的身份签名，确认来源与规则包中 U 类参数的内容一致。\n\n"
    "每个参数须有两名合规专员签名才生效，各用自己的密钥。"
    "FILE 为 JSON 列表，键为 pack、parameter、source、reason、officers、approved_on。\n\n"
    "示例：carnet pack confirm approvals.json --officer officer-1",
)


def confirm(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=t("What to confirm.", "待确认的清单。"))
    ],
    *,
    officer: Annotated[
        str, typer.Option("--officer", help=t("Who signs: a role id.", "签名者：角色代号。"))
    ],
    pack: Annotated[
        list[str] | None,
        typer.Option(
            "--pack",
            metavar="PACK",
            help=t(
                "Of this version, such as one that is proposed, instead of the one in force.",
                "针对此版本（例如已提议的版本），而非现行版本。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Sign confirmations."""
    from carnet.core.clock import SystemClock
    from carnet.services import approvals
    from carnet.services.packs import find_installed, packs_in_force

    clock = SystemClock()
    today = clock.now().date()
    with open_workspace(workspace) as opened:
        installed = list(packs_in_force(opened, today).values())
        installed += [find_installed(opened, name, today) for name in pack or ()]
        packs = {each.pack.id: each.pack for each in installed}
        proposed = approvals.read_confirmations(file)
        new = approvals.sign_confirmations(opened, proposed, packs, officer, clock)
        found = approvals.confirmations_of(opened, packs.values())
    if output_format == "json":
        confirmed = [_confirmed_json(each) for each in found]
        print_json({"officer": officer, "signed": new, "confirmed": confirmed})
        return
    typer.echo(t(f"{officer} signed {new} more.", f"{officer} 新签 {new} 项。"))
    for each in found:
        state = t("counts", "已生效") if each.counts else t("needs one more", "还需一人签名")
        typer.echo(f"{each.pack}/{each.parameter}: {', '.join(each.officers)}: {state}")


def _confirmed_json(found: "Confirmed") -> dict[str, Any]:
    return {
        "pack": found.pack,
        "parameter": found.parameter,
        "officers": list(found.officers),
        "counts": found.counts,
    }


def register(pack: typer.Typer) -> None:
    """Add the command to the group of packs."""
    pack.command("confirm", help=HELP)(confirm)

"""What an import says about verifiable credentials, for people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import typer

from carnet.cli.language import say, t
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.facts.intake.untp import CredentialNote

_SHOWN_MAX: Final = 10
_CAUSES: Final[Mapping[str, Text]] = {
    "unsigned": Text("it has none", "凭证未签名"),
    "issuer_not_pinned": Text(
        "no key of that kind is pinned for the issuer in the credential map",
        "凭证映射中未为该签发方固定此类密钥",
    ),
    "suite_not_supported": Text("its kind of signature is not supported", "不支持该签名方式"),
    "outside_canonical_profile": Text(
        "it holds numbers with fractions, which are not spelled canonically here",
        "凭证含小数，此处不对其做规范化",
    ),
}


def _signature(note: "CredentialNote") -> str:
    if note.cause is None:
        return t("signature valid", "签名有效")
    cause = say(_CAUSES[note.cause])
    return t(f"signature not checked: {cause}", f"签名未核验：{cause}")


def tell_credentials(notes: Sequence["CredentialNote"]) -> None:
    """Say on standard error what was checked of each credential and what was not read."""
    for note in notes:
        typer.echo(f"{note.file}: {note.issuer}; {_signature(note)}", err=True)
        if note.has_status_list:
            line = t(
                "whether it was revoked is not checked: its status list is not fetched",
                "未核验是否已撤销：不会获取其状态列表",
            )
            typer.echo(f"  {line}", err=True)
        if note.unknown_count:
            named = ", ".join(note.unknown[:_SHOWN_MAX])
            more = note.unknown_count - len(note.unknown[:_SHOWN_MAX])
            rest = t(f" and {more} more", f" 等，另有 {more} 项") if more else ""
            line = t("not read, unknown to version 0.6", "未读取（0.6 版未定义）")
            typer.echo("  " + line + t(": ", "：") + named + rest, err=True)

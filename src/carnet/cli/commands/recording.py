"""``carnet record add`` and ``record publish-page``: facts, events and files as records."""

from typing import Annotated

import typer

from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json
from carnet.core.errors import InputError
from carnet.core.text import Text

ADD_HELP = t(
    "Sign a record of something that is imported, and let it wait for the log.\n\n"
    "KIND is certificate, trace-evidence, agreement or deposit-adjustment, and ID the fact. With "
    "pack-event and no ID every act on a rule pack that is not recorded yet is; so are receivable "
    "events by `carnet anchor push`. What the record withholds stays in the vault: reveal it with "
    "`carnet bundle --disclose`. The same versions of the same facts are recorded once; later ones "
    "replace the record before.\n\n"
    "Example: carnet record add certificate CRT-001",
    "为已导入的内容签署记录，等待写入日志。\n\n"
    "KIND 为 certificate、trace-evidence、agreement 或 deposit-adjustment，ID 为相应事实。"
    "pack-event 不需要 ID：为所有尚未记录的规则包操作签署记录；"
    "应收账款事件由 `carnet anchor push` 记录。记录隐藏的成员保存在保管库中，"
    "可用 `carnet bundle --disclose` 披露。相同事实的相同版本只记录一次；"
    "后续版本取代先前的记录。\n\n"
    "示例：carnet record add certificate CRT-001",
)
PAGE_HELP = t(
    "Record the name and the SHA-256 of the verify page of this version in the log.\n\n"
    "Whoever saved the page compares its digest with the record's bundle.\n\n"
    "Example: carnet record publish-page",
    "将本版本核验页面的名称及 SHA-256 记录到日志。\n\n"
    "保存了该页面的人可将其摘要与该记录的验证包比对。\n\n"
    "示例：carnet record publish-page",
)
PACK_EVENT = "pack-event"


def _print(record_id: str, *, is_new: bool, output_format: str, **more: str) -> None:
    if output_format == "json":
        print_json({"id": record_id, "isNew": is_new, **more})
        return
    for value in more.values():
        typer.echo(value)
    if is_new:
        typer.echo(t(f"{record_id} waits for the log.", f"{record_id} 待入日志。"))
    else:
        typer.echo(t(f"{record_id} was there already.", f"{record_id} 已存在。"))


def _check_id(kind: str, fact_id: str | None) -> None:
    is_event = kind == PACK_EVENT
    if is_event == (fact_id is None):
        return
    raise InputError(
        "CRN-L-044",
        Text(f"{kind} takes no ID.", f"{kind} 不接受 ID。")
        if is_event
        else Text(
            f"The ID is missing: {kind} is recorded of one fact.",
            f"缺少 ID：{kind} 须指明一项事实。",
        ),
        Text("See `carnet record add --help`.", "参见 `carnet record add --help`。"),
    )


def record_add(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=t("The kind of record.", "记录种类。")),
    ],
    fact_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help=t("The fact.", "相应事实的标识。"))
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Sign a record of something that is imported."""
    from carnet.core.clock import SystemClock
    from carnet.services.event_records import record_pack_events
    from carnet.services.recording import record_fact

    _check_id(kind, fact_id)
    with open_workspace(workspace) as opened:
        if fact_id is not None:
            issued = record_fact(opened, kind, fact_id, SystemClock())
            name = issued.record.record_id
            _print(name, is_new=issued.is_new, output_format=output_format)
            return
        count = record_pack_events(opened, SystemClock())
    if output_format == "json":
        print_json({"recorded": count})
    else:
        typer.echo(t(f"{count} recorded.", f"已记录 {count} 项。"))


def record_publish_page(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Record the digest of the verify page."""
    from carnet.core.clock import SystemClock
    from carnet.ledger.page import PAGE_FILE, page_digest, verify_page
    from carnet.services.recording import publish_file

    with open_workspace(workspace) as opened:
        issued = publish_file(opened, PAGE_FILE, verify_page(), SystemClock())
    digest = page_digest().hex()
    name = issued.record.record_id
    _print(name, is_new=issued.is_new, output_format=output_format, sha256=digest)


def register(record: typer.Typer) -> None:
    """Add the commands of this module to the group ``carnet record``."""
    record.command("add", help=ADD_HELP)(record_add)
    record.command("publish-page", help=PAGE_HELP)(record_publish_page)

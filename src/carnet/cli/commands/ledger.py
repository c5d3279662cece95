"""``carnet record``, ``log`` and ``bundle``: what was stated, the log of it, and its proof."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.commands import recording, status_list
from carnet.cli.language import t
from carnet.cli.opening import open_workspace
from carnet.cli.options import AsOfOption, FormatOption, LanguageOption, WorkspaceOption
from carnet.cli.tables import print_json, print_rows, print_table
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.ledger.checkpoint import SignedCheckpoint

RECORD_HELP = t(
    "Signed records.\n\nExample: carnet record list", "已签名的记录。\n\n示例：carnet record list"
)
LIST_HELP = t(
    "List the records and their places in the log.\n\nExample: carnet record list --format json",
    "列出记录及其在日志中的位置。\n\n示例：carnet record list --format json",
)
ISSUE_HELP = t(
    "Sign an attestation of each decision that a review stored for a date.\n\n"
    "A decision that is attested already keeps its record. "
    "Records wait for `carnet log append`.\n\n"
    "Example: carnet record issue --as-of 2026-11-23",
    "为某日审核所存的每项判定签发证明。\n\n"
    "已有证明的判定保留原记录。记录等待 `carnet log append` 写入日志。\n\n"
    "示例：carnet record issue --as-of 2026-11-23",
)
SHOW_HELP = t(
    "Show a record, its log entry and its place.\n\nExample: carnet record show urn:uuid:...",
    "显示记录、其日志条目及位置。\n\n示例：carnet record show urn:uuid:...",
)
EXPORT_HELP = t(
    "Write a record as its canonical bytes.\n\n"
    "Example: carnet record export urn:uuid:... -o r.json",
    "以规范字节写出记录。\n\n示例：carnet record export urn:uuid:... -o r.json",
)
LOG_HELP = t(
    "The Merkle log of the records.\n\nExample: carnet log append",
    "记录的默克尔日志。\n\n示例：carnet log append",
)
APPEND_HELP = t(
    "Append every record that waits and sign a checkpoint.\n\n"
    "Acts on rule packs that are not recorded yet are recorded first.\n\n"
    "Example: carnet log append",
    "追加所有待入日志的记录并签署检查点。\n\n"
    "尚未记录的规则包操作会先予以记录。\n\n示例：carnet log append",
)
CHECKPOINT_HELP = t(
    "Print the newest checkpoint, or that of a size, with its cosignatures.\n\n"
    "Cosignatures of independent witnesses are collected with --witness and --cosignature; bundles "
    "carry them from then on.\n\nExample: carnet log checkpoint --size 12",
    "显示最新检查点或指定大小的检查点，连同其联署。\n\n"
    "用 --witness 和 --cosignature 收集独立见证者的联署；此后的验证包将附上这些联署。"
    "\n\n示例：carnet log checkpoint --size 12",
)
CONSISTENCY_HELP = t(
    "Prove that the log of one size is a prefix of the log of another.\n\n"
    "Example: carnet log consistency 12 40",
    "证明某一大小的日志是另一大小日志的前缀。\n\n示例：carnet log consistency 12 40",
)
POLICY_HELP = t(
    "Write the policy file that trusts this workspace, for a lender to check and keep.\n\n"
    "Example: carnet log policy --witness KEY --quorum 1 -o policy.toml",
    "写出信任本工作区的策略文件，供资金方核对并保存。\n\n"
    "示例：carnet log policy --witness KEY --quorum 1 -o policy.toml",
)
BUNDLE_HELP = t(
    "Write the bundle of a record: all that a lender needs to verify it alone.\n\n"
    "Example: carnet bundle urn:uuid:... -o bundle.json",
    "写出记录的验证包：资金方独立核验所需的全部内容。\n\n"
    "示例：carnet bundle urn:uuid:... -o bundle.json",
)
WitnessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="KEY",
        help=t(
            "The key of an independent witness, as `carnet witness new` prints it.",
            "独立见证者的密钥，即 `carnet witness new` 的输出。",
        ),
    ),
]
IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help=t("The record's urn:uuid or its hash.", "记录的 urn:uuid 或哈希。")
    ),
]
FileOption = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE|-",
        help=t("Where to; - is stdout.", "输出位置；- 为标准输出。"),
    ),
]
STDOUT = Path("-")


def _write(path: Path, data: bytes) -> None:
    from carnet.core.files import write_atomic

    if path == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        write_atomic(path, data)
    except OSError as error:
        raise InputError(
            "CRN-L-014",
            Text(
                f"The file {path} cannot be written ({error.strerror}).",
                f"无法写入文件 {path}（{error.strerror}）。",
            ),
            Text("Name a file in an existing folder.", "请指定现有文件夹中的文件。"),
        ) from error
    sys.stderr.write(t(f"Wrote {path}.\n", f"已写入 {path}。\n"))


def _place(index: int | None) -> str:
    return t("waits", "待入日志") if index is None else str(index)


def _names(listed: list[str] | None) -> frozenset[str]:
    """Return names given by commas, by several options, or both."""
    names = (name.strip() for one in listed or () for name in one.split(","))
    return frozenset(name for name in names if name)


def record_list(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """List the records."""
    from carnet.ledger.reader import LogReader

    with open_workspace(workspace) as opened:
        found = LogReader(opened.engine).records()
    if output_format == "json":
        names = ("id", "kind", "recordHash", "index")
        print_json({"records": [dict(zip(names, row, strict=True)) for row in found]})
        return
    headers = [t("index", "位置"), t("kind", "类型"), t("id", "标识")]
    print_table(headers, [(_place(index), kind, name) for name, kind, _, index in found])


def record_issue(
    listings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LISTING]...",
            help=t("Listings; all unless some are named.", "上架商品；未指定则为全部。"),
        ),
    ] = None,
    *,
    as_of: AsOfOption = None,
    withhold: Annotated[
        list[str] | None,
        typer.Option(
            "--withhold",
            metavar="MEMBER,...",
            help=t(
                "Members to show as digests only: listing, seller, measures, outputs.",
                "仅以摘要显示的成员：listing、seller、measures、outputs。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Sign attestations."""
    from carnet.cli.days import parse_as_of
    from carnet.core.clock import SystemClock
    from carnet.services.attesting import WITHHOLDABLE, issue_attestations
    from carnet.services.reviewing import find_decisions

    day, hidden = parse_as_of(as_of), _names(withhold)
    if not hidden <= WITHHOLDABLE:
        raise _not_withholdable(min(hidden - WITHHOLDABLE), sorted(WITHHOLDABLE))
    with open_workspace(workspace) as opened:
        decisions = find_decisions(opened, day, listings or ())
        digests = [bytes.fromhex(each["digest"]) for each in decisions]
        records = issue_attestations(opened, digests, SystemClock(), withhold=hidden)
    rows = [
        (each["case"]["id"], each["conformity"], record.record_id)
        for each, record in zip(decisions, records, strict=True)
    ]
    if output_format == "json":
        names = ("listing", "conformity", "id")
        print_json({"records": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    print_table([t("listing", "上架商品"), t("conformity", "合规性"), t("id", "标识")], rows)


def _not_withholdable(name: str, known: list[str]) -> InputError:
    return InputError(
        "CRN-L-104",
        Text(
            f"The member {name!r} of an attestation is never withheld.",
            f"证明的成员 {name!r} 不能隐藏。",
        ),
        Text(f"Use one of {', '.join(known)}.", f"可用：{'、'.join(known)}。"),
    )


def record_show(
    record_id: IdArgument,
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Show a record."""
    from carnet.ledger.reader import LogReader

    with open_workspace(workspace) as opened:
        reader = LogReader(opened.engine)
        record = reader.record(record_id)
        index = reader.index_of(record.digest)
    shown: dict[str, Any] = {
        "recordHash": record.digest.hex(),
        "index": index,
        "entry": record.entry.to_json(),
        "record": record.document,
    }
    if output_format == "json":
        print_json(shown)
        return
    rows = [(name, str(value)) for name, value in record.subject.items()]
    head = [(t("id", "标识"), record.record_id), (t("issuer", "签发方"), record.issuer)]
    place = [(t("hash", "哈希"), record.digest.hex()), (t("log index", "日志位置"), _place(index))]
    print_rows([*head, *place, *rows])


def record_export(
    record_id: IdArgument,
    *,
    output: FileOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Write a record."""
    from carnet.ledger.reader import LogReader

    with open_workspace(workspace) as opened:
        record = LogReader(opened.engine).record(record_id)
    _write(output, record.body)


def _checkpoint_json(signed: "SignedCheckpoint") -> dict[str, Any]:
    checkpoint = signed.checkpoint
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "note": signed.text,
    }


def log_append(
    *,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Append every record that waits."""
    from carnet.core.clock import SystemClock
    from carnet.services.appending import open_log
    from carnet.services.event_records import record_pack_events

    with open_workspace(workspace) as opened:
        record_pack_events(opened, SystemClock())
        log = open_log(opened, SystemClock())
        places = log.append_pending()
        signed = log.checkpoint()
    if output_format == "json":
        print_json({"appended": len(places), **_checkpoint_json(signed)})
        return
    size = signed.checkpoint.size
    typer.echo(
        t(
            f"{len(places)} appended; the log holds {size}.",
            f"追加 {len(places)} 条；日志共 {size} 条。",
        )
    )


def log_checkpoint(
    *,
    size: Annotated[
        int | None, typer.Option("--size", help=t("Of this size.", "指定大小。"))
    ] = None,
    witness: WitnessOption = None,
    cosignature: Annotated[
        list[Path] | None,
        typer.Option(
            "--cosignature",
            metavar="FILE",
            help=t(
                "The output of `carnet witness sign` for this checkpoint; it is verified and kept.",
                "`carnet witness sign` 对该检查点的输出；核验后保存。",
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    output_format: FormatOption = "table",
    _lang: LanguageOption = None,
) -> None:
    """Print a checkpoint, after taking up what witnesses gave."""
    from carnet.cli.commands.witness import read_text
    from carnet.ledger.reader import LogReader
    from carnet.services.cosignatures import collect_cosignatures
    from carnet.services.witnessing import witness_key

    keys = [witness_key(text) for text in witness or ()]
    lines = [read_text(path) for path in cosignature or ()]
    with open_workspace(workspace) as opened:
        stored = LogReader(opened.engine).checkpoint(size)
        signed = collect_cosignatures(opened, stored, keys, lines)
    if output_format == "json":
        print_json(_checkpoint_json(signed))
    else:
        typer.echo(signed.text, nl=False)


def log_consistency(
    first: Annotated[int, typer.Argument(help=t("The older size.", "较早的大小。"))],
    second: Annotated[
        int | None,
        typer.Argument(help=t("The newer size; default: now.", "较新的大小；默认为当前。")),
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Print a consistency proof as JSON."""
    from carnet.ledger.reader import LogReader

    with open_workspace(workspace) as opened:
        reader = LogReader(opened.engine)
        size = reader.size() if second is None else second
        proof = reader.consistency_proof(first, size)
    print_json({"first": first, "second": size, "proof": [item.hex() for item in proof]})


def log_policy(
    *,
    witness: WitnessOption = None,
    quorum: Annotated[
        int | None,
        typer.Option(
            "--quorum",
            min=0,
            help=t(
                "How many witnesses must have cosigned; default: all.",
                "至少须有多少个见证者联署；默认为全部。",
            ),
        ),
    ] = None,
    output: FileOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Write the policy that trusts this workspace."""
    from carnet.services.policies import make_policy
    from carnet.services.witnessing import witness_key

    keys = [witness_key(text) for text in witness or ()]
    with open_workspace(workspace) as opened:
        text = make_policy(opened, independent=keys, quorum=quorum).to_toml()
    _write(output, text.encode())


def bundle(
    record_id: IdArgument,
    *,
    disclose: Annotated[
        list[str] | None,
        typer.Option(
            "--disclose",
            metavar="MEMBER,...",
            help=t(
                "The withheld members to reveal; none unless they are named.",
                "要披露的隐藏成员；未指定则均不披露。",
            ),
        ),
    ] = None,
    output: FileOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Write the bundle of a record."""
    from carnet.services.bundling import export_bundle

    with open_workspace(workspace) as opened:
        data = export_bundle(opened, record_id, disclose=_names(disclose)).to_bytes()
    _write(output, data)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    record = typer.Typer(no_args_is_help=True, help=RECORD_HELP)
    record.command("list", help=LIST_HELP)(record_list)
    record.command("issue", help=ISSUE_HELP)(record_issue)
    record.command("show", help=SHOW_HELP)(record_show)
    record.command("export", help=EXPORT_HELP)(record_export)
    recording.register(record)
    status_list.register(app, record)
    app.add_typer(record, name="record")
    log = typer.Typer(no_args_is_help=True, help=LOG_HELP)
    log.command("append", help=APPEND_HELP)(log_append)
    log.command("checkpoint", help=CHECKPOINT_HELP)(log_checkpoint)
    log.command("consistency", help=CONSISTENCY_HELP)(log_consistency)
    log.command("policy", help=POLICY_HELP)(log_policy)
    app.add_typer(log, name="log")
    app.command("bundle", help=BUNDLE_HELP)(bundle)

"""``carnet review``: listings decided by the packs of their markets."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from carnet.cli.failure import EXIT_CLEAN, EXIT_FINDINGS, EXIT_UNDECIDED
from carnet.cli.language import current_language, t
from carnet.cli.opening import open_workspace
from carnet.cli.options import (
    STDOUT,
    AsOfOption,
    EngineOption,
    LanguageOption,
    OutputOption,
    ReportFormatOption,
    WorkspaceOption,
)
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from carnet.cli.render.report import Report
    from carnet.services.findings import TrackedFinding
    from carnet.services.reviewing import Review

HELP = t(
    "Decide listings by the rule packs of their markets, and keep the decisions.\n\n"
    "Exit code 0: all conform; 1: some do not; 3: none is nonconforming, some are undetermined.\n\n"
    "Example: carnet review --all --as-of 2026-11-23",
    "按目标市场的规则包判定上架商品，并保存判定。\n\n"
    "退出码 0：全部合规；1：有不合规；3：没有不合规，但有无法判定。\n\n"
    "示例：carnet review --all --as-of 2026-11-23",
)


def _check_choice(listings: list[str], *, is_all: bool) -> None:
    if bool(listings) == is_all:
        raise InputError(
            "CRN-R-096",
            Text("Name listings, or give --all.", "请指定上架商品，或使用 --all。"),
            Text("Example: carnet review LST-1", "示例：carnet review LST-1"),
        )


def exit_code_of_review(found: "Review") -> int:
    """Return the exit code of a review; what nothing decided, or nothing at all, is not clean."""
    if "nonconforming" in found.conformities:
        return EXIT_FINDINGS
    is_decided = bool(found.reviewed) and not found.not_reviewed
    is_open = not is_decided or "undetermined" in found.conformities
    return EXIT_UNDECIDED if is_open else EXIT_CLEAN


def review(
    listings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LISTING]...", help=t("Ids of listings.", "上架商品的标识。")),
    ] = None,
    *,
    is_all: Annotated[
        bool, typer.Option("--all", help=t("Every listing.", "全部上架商品。"))
    ] = False,
    engine: EngineOption = "live",
    as_of: AsOfOption = None,
    output_format: ReportFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Review listings."""
    _check_choice(listings or [], is_all=is_all)
    from carnet.cli.days import parse_as_of
    from carnet.cli.reporting import write_report
    from carnet.core.clock import SystemClock
    from carnet.services import reviewing
    from carnet.services.findings import list_findings

    day = parse_as_of(as_of)
    with open_workspace(workspace) as opened:
        found = reviewing.review(
            opened, as_of=day, clock=SystemClock(), listing_ids=listings or (), engine=engine
        )
        standing = list_findings(opened, day)
    report, document = _report(found, standing)
    write_report(report, document, output_format, output)
    raise typer.Exit(exit_code_of_review(found))


def _report(found: "Review", standing: "list[TrackedFinding]") -> "tuple[Report, dict[str, Any]]":
    """Return a review with where its findings stand, to be rendered and as published."""
    from carnet.cli.render.report import Report, Verdict
    from carnet.cli.reporting import lives_of
    from carnet.services.findings import standing_json

    day = found.as_of.isoformat()
    verdicts = [Verdict(each.pack, day, each.decision.to_json()) for each in found.reviewed]
    cases = {each.decision.case for each in found.reviewed}
    shown = [each for each in standing if each.key.case in cases and each.life.state != "resolved"]
    report = Report(
        current_language(),
        verdicts,
        lives_of(shown),
        [(each.listing_id, each.reason) for each in found.not_reviewed],
    )
    return report, {**found.to_json(), "findings": [standing_json(each) for each in shown]}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review", help=HELP)(review)

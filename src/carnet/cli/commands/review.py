"""``carnet review``: listings decided by the packs of their markets."""

from dataclasses import dataclass
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
    MarketOption,
    OutputOption,
    ReviewFormat,
    ReviewFormatOption,
    WorkspaceOption,
)
from carnet.core.errors import InputError
from carnet.core.text import Text

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from carnet.cli.render.report import Report
    from carnet.services.findings import TrackedFinding
    from carnet.services.large_reviews import LargeReview
    from carnet.services.placing import Placed
    from carnet.services.reviewing import Review
    from carnet.services.what_if import WhatIf
    from carnet.services.workspace import Workspace

HELP = t(
    "Decide listings by the rule packs of their markets, and keep the decisions.\n\n"
    "With --what-if nothing is decided or kept: it says how listings would be decided if another "
    "pack counted, such as a proposal, beside how they are decided now.\n\n"
    "Exit code 0: all conform; 1: some do not; 3: none is nonconforming, some are undetermined; "
    "with --what-if by the verdicts that would be.\n\n"
    "Example: carnet review --all --as-of 2026-11-23\n\n"
    "Example: carnet review --all --market EU --format html -o review.html",
    "按目标市场的规则包判定上架商品，并保存判定。\n\n"
    "使用 --what-if 时不作判定也不保存：仅对照列出若另一规则包（如提案）适用，"
    "上架商品的判定将如何变化。\n\n"
    "退出码 0：全部合规；1：有不合规；3：没有不合规，但有无法判定；"
    "使用 --what-if 时按假设的判定。\n\n"
    "示例：carnet review --all --as-of 2026-11-23\n\n"
    "示例：carnet review --all --market EU --format html -o review.html",
)


def _check_choice(listings: list[str], *, is_all: bool) -> None:
    if bool(listings) == is_all:
        raise InputError(
            "CRN-R-096",
            Text("Name listings, or give --all.", "请指定上架商品，或使用 --all。"),
            Text("Example: carnet review LST-1", "示例：carnet review LST-1"),
        )


def _check_format(what_if: list[str], output_format: ReviewFormat) -> None:
    if what_if and output_format in {"sarif", "junit"}:
        raise InputError(
            "CRN-R-203",
            Text(
                f"The form {output_format} cannot say that a what-if is no decision.",
                f"{output_format} 格式无法标明假设分析不是判定。",
            ),
            Text("Take table, json, csv or html.", "请使用 table、json、csv 或 html。"),
        )


def exit_code_of_review(found: "Review | LargeReview | WhatIf") -> int:
    """Return the exit code of a review; what nothing decided, or nothing at all, is not clean."""
    if "nonconforming" in found.conformities:
        return EXIT_FINDINGS
    is_decided = bool(found.conformities) and not found.not_reviewed
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
    market: MarketOption = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="PACK",
            help=t(
                "Only compare: a pack's folder, ID or ID@VERSION that is tried in the place of the "
                "one with its id, or in addition; may be given again.",
                "仅作对照：所试规则包的文件夹、标识或 标识@版本，取代同标识的规则包或另行适用；"
                "可重复使用。",
            ),
        ),
    ] = None,
    engine: EngineOption = "live",
    as_of: AsOfOption = None,
    output_format: ReviewFormatOption = "table",
    output: OutputOption = STDOUT,
    workspace: WorkspaceOption = None,
    _lang: LanguageOption = None,
) -> None:
    """Review listings."""
    _check_choice(listings or [], is_all=is_all)
    _check_format(what_if or [], output_format)
    from carnet.cli.days import parse_as_of

    day = parse_as_of(as_of)
    asked = _Asked(listings or [], market, day, engine, output_format, output)
    with open_workspace(workspace) as opened:
        code = _try(opened, what_if, asked) if what_if else _review(opened, asked)
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for."""

    listings: list[str]
    market: str | None
    day: "date"
    engine: str
    output_format: ReviewFormat
    output: "Path"


def _review(opened: "Workspace", asked: _Asked) -> int:
    large = _review_large(opened, asked)
    if large is not None:
        return exit_code_of_review(large)
    from carnet.cli.reporting import write_report
    from carnet.core.clock import SystemClock
    from carnet.services import reviewing
    from carnet.services.findings import list_findings
    from carnet.services.placing import judge_batches

    found = reviewing.review(
        opened,
        as_of=asked.day,
        clock=SystemClock(),
        listing_ids=asked.listings,
        market=asked.market,
        engine=asked.engine,
    )
    standing = list_findings(opened, asked.day)
    placed = judge_batches(opened, {each.listing_id for each in found.reviewed}, asked.engine)
    if asked.output_format == "html":
        from carnet.cli.review_pages import write_review_page

        write_review_page(opened, found, standing, asked.output)
    else:
        report, document = _report(found, standing, placed)
        write_report(report, document, asked.output_format, asked.output)
    if any(each.conformity == "nonconforming" for each in placed):
        return EXIT_FINDINGS
    return exit_code_of_review(found)


def _review_large(opened: "Workspace", asked: _Asked) -> "LargeReview | None":
    """Review very many listings, where that is asked for; None where it is not."""
    if asked.engine != "bulk" or asked.listings or asked.output_format not in {"json", "html"}:
        return None
    from carnet.core.clock import SystemClock
    from carnet.services.large_reviews import review_large

    found = review_large(opened, as_of=asked.day, clock=SystemClock(), market=asked.market)
    if found is not None:
        from carnet.cli.large_review import write_large_review

        write_large_review(opened, found, asked.output_format, asked.output)
    return found


def _try(opened: "Workspace", names: list[str], asked: _Asked) -> int:
    from carnet.cli.review_pages import write_what_if
    from carnet.services.what_if import what_if

    found = what_if(
        opened,
        names,
        as_of=asked.day,
        listing_ids=asked.listings,
        market=asked.market,
        engine=asked.engine,
    )
    write_what_if(opened, found, asked.output_format, asked.output)
    return exit_code_of_review(found)


def _report(
    found: "Review", standing: "list[TrackedFinding]", placed: "tuple[Placed, ...]"
) -> "tuple[Report, dict[str, Any]]":
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
        [each.to_text() for each in placed],
    )
    return report, {
        **found.to_json(),
        "findings": [standing_json(each) for each in shown],
        "placed": [each.to_json() for each in placed],
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review", help=HELP)(review)

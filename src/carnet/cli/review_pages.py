"""A review as one page, and what a trial of other packs would change, where they are asked for."""

import json
from collections.abc import Iterable
from pathlib import Path

from carnet.cli.language import current_language
from carnet.cli.options import ReviewFormat
from carnet.cli.output import deliver, paper_for
from carnet.cli.render.review_page import ReviewPage, review_page
from carnet.cli.render.review_what_if import what_if_csv, what_if_text
from carnet.cli.reporting import lives_of
from carnet.services.findings import TrackedFinding
from carnet.services.overviews import judged_of, overview_of
from carnet.services.reviewing import Review
from carnet.services.what_if import WhatIf
from carnet.services.workspace import Workspace


def write_review_page(
    workspace: Workspace, found: Review, standing: Iterable[TrackedFinding], output: Path
) -> None:
    """Write a review as one page.

    Raises:
        InputError: The file cannot be written.
        LedgerFatalError: A stored confirmation of an officer does not verify.
    """
    overview = overview_of(workspace, judged_of(found), found.not_reviewed, found.as_of)
    page = ReviewPage(current_language(), overview, lives_of(standing))
    deliver("".join(review_page(page)), output)


def write_what_if(
    workspace: Workspace, found: WhatIf, output_format: ReviewFormat, output: Path
) -> None:
    """Write what a trial of other packs would change.

    Raises:
        InputError: The file cannot be written.
        LedgerFatalError: A stored confirmation of an officer does not verify.
    """
    language = current_language()
    if output_format == "html":
        overview = overview_of(workspace, found.judged, found.not_reviewed, found.as_of)
        text = "".join(review_page(ReviewPage(language, overview, what_if=found)))
    elif output_format == "json":
        text = json.dumps(found.to_json(), ensure_ascii=False, indent=2) + "\n"
    elif output_format == "csv":
        text = what_if_csv(found, language)
    else:
        lines = what_if_text(found, language, paper_for(output))
        text = "".join(f"{line}\n" for line in lines)
    deliver(text, output, is_sheet=output_format == "csv")

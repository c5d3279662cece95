"""A review of very many listings: written decision by decision, or as a page of the worst."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from carnet.cli.language import current_language, t
from carnet.cli.large import unwritable
from carnet.cli.options import STDOUT
from carnet.cli.output import deliver
from carnet.cli.render.review_page import ReviewPage, review_page
from carnet.cli.reporting import lives_of
from carnet.services.approvals import confirmed_parameters
from carnet.services.findings import Wanted, list_findings, standing_json
from carnet.services.large_reviews import LargeReview, stored_bodies
from carnet.services.overviews import overview_among
from carnet.services.workspace import Workspace


def write_large_review(
    workspace: Workspace, found: LargeReview, output_format: str, output: Path
) -> None:
    """Write a review of very many listings.

    Raises:
        InputError: The file cannot be written.
        LedgerFatalError: A stored decision or confirmation is damaged.
    """
    if output_format == "html":
        deliver("".join(_page(workspace, found)), output)
        return
    with _writer(output) as write:
        for piece in _document(workspace, found):
            write(piece)


def _page(workspace: Workspace, found: LargeReview) -> Iterator[str]:
    overview = overview_among(
        found.facts,
        found.worst,
        found.not_reviewed,
        found.as_of,
        lambda pack: confirmed_parameters(workspace, pack),
    )
    # The overview knows the worst alone, and what no pack decided.
    counts = Counter(overview.counts) + Counter(found.counts)
    counts.subtract(found.verdicts[name] for name in found.worst)
    whole = {name: counts[name] for name in overview.counts}
    overview = replace(overview, counts=whole, severities=found.severities, packs=found.packs)
    wanted = Wanted(cases=tuple(found.worst))
    lives = lives_of(list_findings(workspace, found.as_of, wanted)) if found.worst else {}
    yield from review_page(ReviewPage(current_language(), overview, lives))


def _document(workspace: Workspace, found: LargeReview) -> Iterator[str]:
    """Yield the review as `Review.to_json` publishes it, one decision a line.

    Each decision stands as it is stored: with the hashes of its pack and of its facts as well.
    """
    yield f'{{\n  "as_of": "{found.as_of.isoformat()}",\n  "decisions": ['
    bodies = stored_bodies(workspace, found)
    yield from _listed(
        f'{{"digest":"{digest.hex()}",{body[1:].decode()}' for digest, body in bodies
    )
    yield ',\n  "not_reviewed": ['
    yield from _listed(
        _line({"listing": each.listing_id, "reason": each.reason.to_json()})
        for each in found.not_reviewed
    )
    standing = list_findings(workspace, found.as_of)
    yield ',\n  "findings": ['
    yield from _listed(
        _line(standing_json(each))
        for each in standing
        if each.life.state != "resolved" and each.key.case[1] in found.verdicts
    )
    yield "\n}\n"


def _line(value: object) -> str:
    return orjson.dumps(value).decode()


def _listed(lines: Iterable[str]) -> Iterator[str]:
    lead = ""
    for line in lines:
        yield f"{lead}\n    {line}"
        lead = ","
    yield "\n  ]" if lead else "]"


@contextmanager
def _writer(output: Path) -> "Iterator[Callable[[str], object]]":
    """Give what writes a text to stdout, or to a file that is whole or absent."""
    if output == STDOUT:
        yield sys.stdout.write
        sys.stdout.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file.write
        partial.replace(output)
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        partial.unlink(missing_ok=True)
    sys.stderr.write(t(f"Wrote {output}.\n", f"已写入 {output}。\n"))

"""A few listings of the sample seller, judged by the packs of their markets without a workspace."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.engine import evaluate
from carnet.rules.run import unverified_of
from carnet.services.dossiers import Judged
from carnet.services.overviews import SHOWN_MAX, Overview, overview_among
from carnet.services.reviewing import NotReviewed, newest_packs

SELLER = Path(__file__).parents[1] / "examples" / "seller"
AS_OF = date(2026, 11, 23)
LISTINGS = (
    *("LST-CHG-02-EU-L", "LST-HEL-02-EU", "LST-HEL-03-EU-L", "LST-DRL-01-EU"),
    *("LST-EAR-01-EU", "LST-LED-02-EU", "LST-LED-01-US-L", "LST-CAM-02-US-L"),
)
NOT_REVIEWED = NotReviewed(
    "LST-JP", Text("No pack covers the market JP.", "没有规则包覆盖市场 JP。")
)


@dataclass(frozen=True)
class Sample:
    """The facts, and what was decided of the listings."""

    facts: tuple[Fact, ...]
    judged: dict[str, list[Judged]]


def confirm_all(pack: Pack) -> frozenset[str]:
    return unverified_of(pack)


def confirm_none(_pack: Pack) -> frozenset[str]:
    return frozenset()


@cache
def sample(*, is_confirmed: bool = True) -> Sample:
    """Return the sample, with everything confirmed or nothing."""
    given = read_files(sorted(SELLER.iterdir())).facts
    facts = tuple(one for one in given if one.type != "listing" or one.id in LISTINGS)
    judged: dict[str, list[Judged]] = {}
    for _, pack in sorted(newest_packs().items()):
        confirmed = confirm_all(pack) if is_confirmed else frozenset()
        for decision in evaluate(pack, facts, AS_OF, "reference", confirmed).decisions:
            judged.setdefault(decision.case[1], []).append(Judged(pack, AS_OF, decision))
    return Sample(facts, judged)


@cache
def sample_overview(shown_max: int = SHOWN_MAX) -> Overview:
    """Return the sample at a glance, with a listing that no pack decided."""
    found = sample()
    return overview_among(found.facts, found.judged, [NOT_REVIEWED], AS_OF, confirm_all, shown_max)

"""Cases left to the reference are decided by it, from the facts that reach them alone."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlglot import parse_one

from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.bulk import run
from carnet.rules.bulk.compile import compile_pack
from carnet.rules.bulk.steps import Step
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_shipped

AS_OF = date(2026, 11, 23)
SELLER = Path(__file__).resolve().parents[2] / "examples" / "seller"


def decisions(pack: Pack, facts: list[Fact], engine: str) -> Any:
    document = evaluate(pack, facts, AS_OF, engine).to_json()
    del document["engine"]
    return document


@pytest.mark.parametrize(
    "share", ["row_number() OVER (ORDER BY id) % 3 = 0", "row_number() OVER (ORDER BY id) > 0"]
)
def test_handed_cases__are_decided_as_all_are(share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = list(read_files(sorted(SELLER.iterdir())).facts)
    pack = load_shipped("us-fcc")
    expected = decisions(pack, facts, "reference")
    seen: list[int] = []
    own = run.facts_reaching

    def handing(*arguments: Any) -> Sequence[Step]:
        query = parse_one(
            f"SELECT id AS case_id FROM f_listing WHERE market = 'US' QUALIFY {share}",
            dialect="duckdb",
        )
        return tuple(
            Step("r_handed", query) if step.name == "r_handed" else step
            for step in compile_pack(*arguments)
        )

    def counted(*arguments: Any) -> Any:
        found = list(own(*arguments))
        seen.append(len(found))
        return iter(found)

    monkeypatch.setattr(run, "compile_pack", handing)
    monkeypatch.setattr(run, "_programs", {})
    monkeypatch.setattr(run, "facts_reaching", counted)
    assert decisions(pack, facts, "bulk") == expected
    assert 0 < seen[0] < len(facts)

"""The engines and the reference decide the same on generated packs with decision tables."""

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack
from tests.fixtures_rules import AS_OF, PARAMETERS, random_facts, write_pack
from tests.fixtures_table_packs import GRADES_UNVERIFIED, TablePack, random_table_packs
from tests.fixtures_tables import write_tables

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "100"))
BEYOND_LIVE = {"CRN-R-003", "CRN-R-012"}


def _pack(content: TablePack) -> Pack | None:
    """Return the pack; None where it lies beyond the live engine and was refused for that."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_pack(
            Path(folder), *content.rules, parameters=PARAMETERS, measures=content.measures
        )
        write_tables(path, content.tables)
        pack, found = check_pack(path)
    for error in found:
        assert error.code in BEYOND_LIVE, error
    return None if found else pack


def _published(pack: Pack, facts: list[Fact], engine: str, confirmed: frozenset[str]) -> Any:
    document = evaluate(pack, facts, AS_OF, engine, confirmed).to_json()
    assert document.pop("engine") == engine
    return document


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@given(content=random_table_packs(), facts=random_facts(), is_confirmed=st.booleans())
def test_engines__agree_on_generated_packs_with_tables(
    content: TablePack, facts: list[Fact], is_confirmed: bool
) -> None:
    pack = _pack(content)
    if pack is None:
        return
    confirmed = GRADES_UNVERIFIED if is_confirmed else frozenset()
    reference = _published(pack, facts, "reference", confirmed)
    assert _published(pack, facts, "live", confirmed) == reference
    assert _published(pack, facts[::-1], "live", confirmed) == reference
    assert _published(pack, facts, "bulk", confirmed) == reference

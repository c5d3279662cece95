"""The live engine and the reference decide the same on generated packs and facts."""

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet.core.errors import RulePackError
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack
from tests.fixtures_rules import (
    AS_OF,
    CONFIRMABLE,
    DERIVED,
    MEASURES,
    PARAMETERS,
    random_facts,
    random_packs,
    write_pack,
)

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "150"))
REFUSABLE = {"CRN-R-003", "CRN-R-012"}


def _pack(content: dict[str, Any]) -> Pack | None:
    """Return the pack; None where it lies beyond the live engine and was refused for that."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_pack(
            Path(folder),
            *content["rules"],
            parameters=PARAMETERS,
            derived=DERIVED,
            measures=MEASURES,
        )
        try:
            pack, found = check_pack(path)
        except RulePackError as error:
            pack, found = None, [error]
    for error in found:
        assert error.code in REFUSABLE, error
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
@given(content=random_packs(), facts=random_facts(), is_confirmed=st.booleans())
def test_engines__agree_on_generated_packs_and_facts(
    content: dict[str, Any], facts: list[Fact], is_confirmed: bool
) -> None:
    pack = _pack(content)
    if pack is None:
        return
    confirmed = frozenset({CONFIRMABLE} if is_confirmed else ())
    reference = _published(pack, facts, "reference", confirmed)
    assert _published(pack, facts, "live", confirmed) == reference
    assert _published(pack, facts[::-1], "live", confirmed) == reference

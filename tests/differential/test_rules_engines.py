"""The live engine and bulk decide what the reference decides, on generated packs of every kind.

`python3 dev.py differential --packs N` compares them on as many packs as wanted, and writes what
differs into the folder `vectors`.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures_generators import GENERATORS
from tests.fixtures_vectors import (
    VECTORS,
    DisagreementError,
    Tally,
    Vector,
    compare,
    read_vector,
)

EXAMPLES = int(os.environ.get("CARNET_DIFFERENTIAL_EXAMPLES", "40"))
SLOWER = 10
"""Bulk prepares a pack for many facts, which takes longer than a few facts do."""
LONG = pytest.mark.timeout(300 + 6 * EXAMPLES)
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


@LONG
@pytest.mark.parametrize("generator", sorted(GENERATORS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=CHECKS, print_blob=True)
@given(data=st.data())
def test_live__decides_as_the_reference(generator: str, data: st.DataObject) -> None:
    compare(data.draw(GENERATORS[generator]), engines=("live",))


@LONG
@pytest.mark.parametrize("generator", sorted(GENERATORS))
@settings(
    max_examples=max(1, EXAMPLES // SLOWER),
    deadline=None,
    suppress_health_check=CHECKS,
    print_blob=True,
)
@given(data=st.data())
def test_bulk__decides_as_the_reference_on_every_kind(generator: str, data: st.DataObject) -> None:
    compare(data.draw(GENERATORS[generator]), engines=("bulk",))


@pytest.mark.parametrize("path", sorted(VECTORS.glob("engines-*.json")), ids=lambda path: path.stem)
def test_engines__what_once_differed_agrees(path: Path) -> None:
    tally = Tally()
    compare(read_vector(path), tally)
    assert tally.counts["evaluations"] == 1


# --- the comparison itself --------------------------------------------------------------------


def _any_vector() -> Vector:
    return read_vector(min(VECTORS.glob("engines-*.json")))


def test_comparison__counts_what_it_compared() -> None:
    vector, tally = _any_vector(), Tally()
    compare(vector, tally)
    assert len(tally.packs) == 1
    assert tally.counts["facts"] == len(vector.facts)
    assert tally.counts["cases"] > 0


@pytest.mark.parametrize("engine", ["live", "bulk"])
def test_comparison__sees_an_engine_that_decides_otherwise(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carnet.rules import stages

    original = stages.evaluate

    def lossy(*arguments: object, **names: object) -> object:
        result = original(*arguments, **names)  # type: ignore[arg-type]  # handed on as given
        is_hit = result.engine == engine
        return replace(result, decisions=result.decisions[1:]) if is_hit else result

    monkeypatch.setattr(stages, "evaluate", lossy)
    with pytest.raises(DisagreementError, match=engine):
        compare(_any_vector())

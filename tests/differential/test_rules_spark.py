"""The same packs on Spark: the text of the result is the reference's but for the engine's name."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from carnet.core.errors import InputError
from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.bulk import spark
from carnet.rules.engine import evaluate
from carnet.rules.pack import check_pack, load_shipped
from tests.fixtures_rules import (
    AS_OF,
    DERIVED,
    MEASURES,
    PARAMETERS,
    random_facts,
    random_packs,
    write_pack,
)

pytestmark = pytest.mark.timeout(900)
SELLER = Path(__file__).resolve().parents[2] / "examples" / "seller"
GENERATED = 2
PACKS = os.environ.get("CARNET_SPARK_PACKS", "us-fcc").split(",")
"""Spark plans for minutes what eu-ce asks; a long run names it as well."""


@pytest.fixture(scope="module", autouse=True)
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One session for all tests: starting Spark takes longer than deciding."""
    with pytest.MonkeyPatch.context() as patch:
        # A machine that lives for a minute is better off with code that is compiled quickly.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        with spark.spark_session(tmp_path_factory.mktemp("spark")):
            yield


def _text(pack: Pack, facts: list[Fact], engine: str, confirmed: frozenset[str]) -> str:
    document = evaluate(pack, facts, AS_OF, engine, confirmed).to_json()
    assert document.pop("engine") == engine
    return json.dumps(document, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("name", PACKS)
def test_shipped_pack__is_decided_on_spark_as_by_the_reference(name: str) -> None:
    facts = list(read_files(sorted(SELLER.iterdir())).facts)
    pack = load_shipped(name)
    expected = _text(pack, facts, "reference", frozenset())
    assert '"findings": [\n' in expected
    assert _text(pack, facts, "spark", frozenset()) == expected


@settings(
    max_examples=GENERATED,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@given(content=random_packs(), facts=random_facts())
def test_generated_pack__is_decided_on_spark_as_by_the_reference(
    content: dict[str, Any], facts: list[Fact]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_pack(
            Path(folder),
            *content["rules"],
            parameters=PARAMETERS,
            derived=DERIVED,
            measures=MEASURES,
        )
        pack, _ = check_pack(path)
        if pack is None:
            return
        nothing: frozenset[str] = frozenset()
        assert _text(pack, facts, "spark", nothing) == _text(pack, facts, "reference", nothing)


def test_spark__a_missing_part_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(InputError, match="CRN-R-162"), spark.spark_session(tmp_path):
        pass
    monkeypatch.setattr(spark, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="CRN-R-161"), spark.spark_session(tmp_path):
        pass

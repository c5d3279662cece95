"""The same packs on Spark: the text of the result is the reference's but for the engine's name."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from carnet.core.errors import InputError
from carnet.facts.fact import Fact
from carnet.facts.intake import read_files
from carnet.rules.ast import Pack
from carnet.rules.bulk import running, spark
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_shipped
from tests.fixtures_generators import GENERATORS
from tests.fixtures_rules import AS_OF, certificate, listing, make_pack, product, rule
from tests.fixtures_vectors import Tally, Vector, compare

pytestmark = pytest.mark.timeout(900)
SELLER = Path(__file__).resolve().parents[2] / "examples" / "seller"
GENERATED = int(os.environ.get("CARNET_SPARK_EXAMPLES", "1"))
PACKS = os.environ.get("CARNET_SPARK_PACKS", "us-fcc,eu-ce").split(",")


@pytest.fixture(scope="module", autouse=True)
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One session for all tests: starting Spark takes longer than deciding."""
    with pytest.MonkeyPatch.context() as patch:
        # A machine that lives for a minute is better off with code that is compiled quickly.
        java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"--driver-java-options '{java}' pyspark-shell")
        with spark.spark_session(tmp_path_factory.mktemp("spark")):
            yield


def _text(pack: Pack, facts: list[Fact], engine: str) -> str:
    document = evaluate(pack, facts, AS_OF, engine).to_json()
    assert document.pop("engine") == engine
    return json.dumps(document, ensure_ascii=False, indent=2)


@pytest.mark.parametrize("name", PACKS)
def test_shipped_pack__is_decided_on_spark_as_by_the_reference(name: str) -> None:
    facts = list(read_files(sorted(SELLER.iterdir())).facts)
    pack = load_shipped(name)
    expected = _text(pack, facts, "reference")
    assert '"findings": [\n' in expected
    assert _text(pack, facts, "spark") == expected


def test_many_facts__go_through_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "FEW", 0)
    listed = [listing("L1"), product(is_radio=True), certificate()]
    with tempfile.TemporaryDirectory() as folder:
        pack = make_pack(
            Path(folder),
            rule("radio", when=["product.is_radio"]),
            rule("any", match=[{"c": "certificate"}], when=["c.number != c.act"]),
        )
        assert _text(pack, listed, "spark") == _text(pack, listed, "reference")


@pytest.mark.parametrize("name", ["plain", "shapes", "tables", "outcomes", "stages", "closures"])
def test_generated_pack__is_decided_on_spark_as_by_the_reference(name: str) -> None:
    @seed(20_261_123)
    @settings(
        max_examples=GENERATED,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )
    @given(vector=GENERATORS[name].filter(is_telling))
    def decide(vector: Vector) -> None:
        compare(vector, engines=("spark",))

    decide()


def is_telling(vector: Vector) -> bool:
    """Return whether a vector is worth a run of Spark: the reference finds something."""
    tally = Tally()
    compare(vector, tally, ())
    return bool(tally.counts.get("findings", 0) or tally.counts.get("outputs", 0))


def test_spark__a_missing_part_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(InputError, match="CRN-R-162"), spark.spark_session(tmp_path):
        pass
    monkeypatch.setattr(spark, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="CRN-R-161"), spark.spark_session(tmp_path):
        pass

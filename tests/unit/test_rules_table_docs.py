"""The worked example of tables in the pages of the format is a pack that does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from carnet.rules.ast import Pack
from carnet.rules.check.inspect import inspect_pack
from carnet.rules.engine import evaluate
from carnet.rules.pack import load_pack
from tests.fixtures_rules import AS_OF, certificate, listing, product

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "pack-format.md"
_FILE = re.compile(r"`([a-z/_.]+\.(?:yaml|csv))`\n\n```(?:yaml|csv)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("worked")
    text = PAGE.read_text(encoding="utf-8")
    small = text[text.index("## 6. A complete small pack") : text.index("## 7. Digest")]
    example = text[text.index("### A worked example") :]
    small = small.replace("rules/packs/example/1/pack.yaml", "pack.yaml")
    files = dict(_FILE.findall(small) + _FILE.findall(example))
    assert {"pack.yaml", "tables/deposit_steps.csv", "rules/deposit.yaml"} <= files.keys()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    assert [one.message.en for one in inspect_pack(folder).errors] == []
    return load_pack(folder)


@pytest.mark.parametrize("engine", ["reference", "live"])
def test_worked_example__decides_as_it_is_told(pack: Pack, engine: str) -> None:
    def findings(*certificates: Any) -> list[tuple[str, str]]:
        facts = [listing(), product(category="toy"), *certificates]
        (decision,) = evaluate(pack, facts, AS_OF, engine).decisions
        return [(one.rule, one.message.en) for one in decision.findings]

    assert findings() == [("deposit-rises", "Tier C: the deposit rises by 100 basis points.")]
    reports = [certificate(f"K{n}", kind="test_report") for n in range(3)]
    assert findings(*reports) == [
        ("tier-without-declaration", "No declaration among the certificates.")
    ]


def test_worked_example__has_no_gap(pack: Pack) -> None:
    assert pack.tables["deposit_steps"].title.zh == "按评分确定的保证金调整档"
    assert pack.tables["deposit_steps"].rows[1].note == "stricter for toys"

"""Explanations: what decided, which values were read, which dated value of a parameter and why."""

import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from carnet.cli.decisions import explanation_lines
from carnet.cli.main import app
from carnet.cli.render.tree import CELLS, Node, _legal, cells_of, place, to_svg
from carnet.core.errors import CarnetError, InputError, NotFoundError
from carnet.core.text import Language
from carnet.facts.fact import Fact
from carnet.rules.ast import Pack
from carnet.rules.explain import explain_cases
from carnet.rules.pack import load_pack
from tests.fixtures_rules import (
    AS_OF,
    certificate,
    listing,
    make_pack,
    parameter,
    product,
    rule,
    write_pack,
)
from tests.fixtures_tables import write_tables

SAID = {
    "message": {"en": "{c.id} <ended> & on {param.limit}", "zh": "{c.id} 已终止 {param.limit}"},
    "remedy": {"en": "remedy", "zh": "处理"},
}
SVG = "{http://www.w3.org/2000/svg}"
MATCH = [{"c": "certificate"}]


def _explain(pack: Pack, *facts: Fact, **more: Any) -> dict[str, Any]:
    (case,) = explain_cases(pack, [listing(), product(), *facts], AS_OF, **more)
    return case


def _rule(pack: Pack, *facts: Fact, **more: Any) -> dict[str, Any]:
    (told,) = _explain(pack, *facts, **more)["rules"]
    return dict(told)


def _deciding(told: dict[str, Any]) -> list[str]:
    return [line["text"] for line in told["lines"] if line["decides"]]


# --- rows of tables --------------------------------------------------------------------------

TIERS = """hit_policy,F
title_en,Tier
title_zh,档位
kind,in,out,citation,status
name,market,tier,,
type,string,integer,,
value,listing.market,,,
european,EU,1,LAW-1,V
others,-,2,,S
"""


@pytest.mark.parametrize("line", ["lookup(tiers.tier) == 1", "measure.tier == 1"])
def test_rows__of_a_lookup_are_told_with_their_law(tmp_path: Path, line: str) -> None:
    tier = {
        "name": "tier", "title": SAID["remedy"], "value": "0 + lookup(tiers.tier)",
    }  # fmt: skip
    folder = write_pack(tmp_path, rule(when=[line]), measures=[tier])
    write_tables(folder, {"tiers.csv": TIERS})
    told = _explain(load_pack(folder))
    (row,) = told["rules"][0]["choices"][0]["lines"][0]["rows"]
    assert [one["fact"] for one in row["citation"]] == ["LAW-1"]
    told_of = {"table": "tiers", "row": "european", "status": "V", "is_sure": True}
    assert row == told_of | {"citation": row["citation"]}
    assert "row tiers.european (V; LAW-1, " in "\n".join(explanation_lines(told))
    assert "tiers.european" in to_svg(told, "rule-1", "en", "sample 1")


# --- conditions ------------------------------------------------------------------------------


def test_line__first_false_one_decides(tmp_path: Path) -> None:
    lines = ['c.act == "red"', "c.number == c.body_number", 'c.kind == "qa_cert"', "!c.is_verified"]
    (choice,) = _rule(make_pack(tmp_path, rule(match=MATCH, when=lines)), certificate())["choices"]
    assert choice["outcome"] == "clear"
    assert [line["verdict"] for line in choice["lines"]] == ["true", "unknown", "false", "false"]
    assert _deciding(choice) == ['c.kind == "qa_cert"']
    assert choice["lines"][2]["values"] == {"c.kind": "eu_doc"}
    assert "certificate/K1.number is absent" in choice["lines"][1]["cause"]["en"]


def test_line__unknown_decides_where_none_is_false(tmp_path: Path) -> None:
    lines = ['c.act == "red"', "c.number == c.body_number"]
    told = _rule(make_pack(tmp_path, rule(match=MATCH, when=lines)), certificate())
    assert told["outcome"] == "undetermined"
    assert _deciding(told["choices"][0]) == ["c.number == c.body_number"]


@pytest.mark.parametrize(
    ("line", "verdicts", "decides"),
    [
        ('c.kind == "qa_cert" || c.act == "red"', ["false", "true"], [False, True]),
        ('c.kind == "qa_cert" || c.act == "lvd"', ["false", "false"], [True, True]),
        ('c.kind == "qa_cert" || c.number == "1"', ["false", "unknown"], [False, True]),
        ('c.number == "a || b" || c.act == "red"', ["unknown", "true"], [False, True]),
    ],
)
def test_line__alternative_that_decides_is_marked(
    tmp_path: Path, line: str, verdicts: list[str], decides: list[bool]
) -> None:
    told = _rule(make_pack(tmp_path, rule(match=MATCH, when=[line])), certificate())
    conditions = told["choices"][0]["lines"][0]["conditions"]
    assert [one["verdict"] for one in conditions] == verdicts
    assert [one["decides"] for one in conditions] == decides
    assert " || ".join(one["text"] for one in conditions) == line


def test_block__fact_that_satisfies_it_decides(tmp_path: Path) -> None:
    block = {"n": "certificate", "when": ["n.kind == c.kind", "n.issued_on > c.issued_on"]}
    pack = make_pack(tmp_path, rule(match=MATCH, without=[block]))
    newer = certificate("K2", issued_on="2025-01-01")
    old, new = _rule(pack, certificate(), newer)["choices"]
    (held,) = old["without"]
    assert (old["outcome"], held["verdict"], held["decides"]) == ("clear", "false", True)
    assert held["facts"][-1]["fact"] == {"type": "certificate", "id": "K2"}
    assert held["facts"][-1]["verdict"] == "true"
    (free,) = new["without"]
    assert (new["outcome"], free["verdict"], free["decides"]) == ("finding", "true", False)
    assert [line["decides"] for line in free["facts"][0]["lines"]] == [False, True]


def test_scope__line_that_is_false_gives_its_reason(tmp_path: Path) -> None:
    reason = {"en": "no radio", "zh": "无线电"}
    pack = make_pack(tmp_path, rule(scope=[{"when": "product.is_radio", "reason": reason}]))
    told = _rule(pack)
    assert told["outcome"] == "not_applicable"
    assert told["scope"][0]["decides"] is True
    assert told["scope"][0]["reason"] == reason
    assert told["choices"] == []


def test_finding__says_its_message(tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path,
        rule(match=MATCH, when=['c.act == "red"'], finding=SAID),
        parameters=[parameter("limit", "integer", 5)],
    )
    (choice,) = _rule(pack, certificate())["choices"]
    assert choice["message"]["en"] == "K1 <ended> & on 5"


def test_derived__reason_stands_beside_its_value(tmp_path: Path) -> None:
    candidates = [
        {"value": "certificate.issued_on", "reason": {"id": "issue", "en": "issued", "zh": "签发"}}
    ]
    title = {"en": "start", "zh": "起始"}
    derived = [{"fact": "certificate", "name": "starts", "kind": "date", "title": title,
                "choose": "first", "candidates": candidates}]  # fmt: skip
    pack = make_pack(tmp_path, rule(match=MATCH, when=["c.starts < as_of"]), derived=derived)
    line = _rule(pack, certificate())["choices"][0]["lines"][0]
    assert line["values"]["c.starts"] == "2024-01-01"
    assert line["reasons"] == {"c.starts": {"en": "issued", "zh": "签发"}}


def test_case__that_cannot_be_put_together_says_why(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, rule(when=["product.is_radio"]))
    (told,) = explain_cases(pack, [listing()], AS_OF)
    assert told["rules"] == []
    assert "product/P1" in told["causes"][0]["en"]
    assert "product/P1" in "\n".join(explanation_lines(told))


# --- parameters ------------------------------------------------------------------------------


def _dated(*values: tuple[int, str, str | None, str]) -> dict[str, Any]:
    listed = [
        {
            "value": value,
            "valid_from": date.fromisoformat(first),
            **({"valid_to": date.fromisoformat(last)} if last else {}),
            "known_from": date.fromisoformat(known),
        }
        for value, first, last, known in values
    ]
    return parameter("limit", "integer", 0) | {"values": listed}


@pytest.mark.parametrize(
    ("values", "value", "reasons"),
    [
        ([(1, "2020-01-01", None, "2020-01-01")], 1, ["the only value"]),
        (
            [(1, "2020-01-01", None, "2020-01-01"), (2, "2020-01-01", None, "2020-02-02")],
            2,
            ["replaced by what was published on 2020-02-02", "the one published last"],
        ),
        (
            [(1, "2020-01-01", None, "2019-01-01"), (2, "2021-01-01", None, "2019-01-01")],
            2,
            ["replaced by the value that begins on 2021-01-01", "that begins last"],
        ),
        (
            [(1, "2020-01-01", "2021-12-31", "2019-01-01"), (2, "2027-01-01", None, "2019-01-01")],
            None,
            ["ended on 2021-12-31", "begins only on 2027-01-01"],
        ),
        (
            [(1, "2020-01-01", None, "2027-05-05")],
            None,
            ["published only on 2027-05-05"],
        ),
    ],
)
def test_parameter__tells_which_value_and_why(
    tmp_path: Path, values: list[tuple[int, str, str | None, str]], value: int | None,
    reasons: list[str],
) -> None:  # fmt: skip
    one = rule(when=["product.min_age_months > param.limit"])
    pack = make_pack(tmp_path, one, parameters=[_dated(*values)])
    (told,) = _explain(pack)["parameters"]
    assert told["value"] == value
    assert told["citation"]["fact"] == "LAW-2"
    assert [one["is_in_force"] for one in told["values"]] == [
        one["value"] == value for one in told["values"]
    ]
    for reason, dated in zip(reasons, told["values"], strict=True):
        assert reason in dated["reason"]["en"]
        assert dated["reason"]["zh"]


def test_parameter__read_through_a_definition_is_told(tmp_path: Path) -> None:
    title = {"en": "sum", "zh": "合计"}
    measures = [{"name": "sum_of", "title": title, "value": "param.limit + 1"}]
    pack = make_pack(
        tmp_path,
        rule(when=["measure.sum_of > 1"]),
        rule("other", when=["product.is_radio"]),
        parameters=[parameter("limit", "integer", 5)],
        measures=measures,
    )
    told = _explain(pack)
    assert [one["parameters"] for one in told["rules"]] == [["limit"], []]
    assert [one["id"] for one in told["parameters"]] == ["limit"]


def test_parameter__unverified_is_told_as_such(tmp_path: Path) -> None:
    limit = parameter("limit", "integer", 5, status="U")
    pack = make_pack(tmp_path, rule(when=["param.limit > 1"]), parameters=[limit])
    told = _explain(pack)
    assert told["rules"][0]["outcome"] == "undetermined"
    assert "limit" in told["rules"][0]["causes"][0]["en"]
    assert told["parameters"][0]["is_confirmed"] is False
    assert "not confirmed: it does not count" in "\n".join(explanation_lines(told))
    confirmed = _explain(pack, confirmed=frozenset({"limit"}))
    assert confirmed["parameters"][0]["is_confirmed"] is True
    assert confirmed["rules"][0]["outcome"] == "finding"


# --- the tree --------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """Return the explanation of a rule with long texts, alternatives and a block."""
    wide = " || ".join(f'c.number == "{"x" * 60}{n}"' for n in range(5))
    block = {"n": "certificate", "when": ["n.kind == c.kind", "n.issued_on > c.issued_on"]}
    limit = _dated((1, "2020-01-01", None, "2020-01-01"), (2, "2020-01-01", None, "2020-02-02"))
    pack = make_pack(
        tmp_path,
        rule(
            scope=[{"when": "!product.is_radio", "reason": {"en": "radio", "zh": "无线电"}}],
            match=MATCH,
            when=['c.act == "red"', wide],
            without=[block],
            finding=SAID,
        ),
        parameters=[limit],
    )
    facts = (certificate(number=']]> <&"'), certificate("K2", number="x" * 60 + "1"))
    return _explain(pack, *facts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tree__stands_alone_and_is_accessible(told: dict[str, Any], language: Language) -> None:
    drawn = to_svg(told, "rule-1", language, "sample 1")
    assert drawn == to_svg(told, "rule-1", language, "sample 1")
    root = ET.fromstring(drawn)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert "rule-1" in str(title.text)
    assert described is not None
    assert described.text
    assert "href" not in drawn
    assert "<script" not in drawn
    assert "url(" not in drawn
    text = "".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    assert ("param.limit = 2" in text, ']]> <&"' in text) == (True, True)
    assert ("决定项" in text) is (language == "zh")


def _boxes(drawn: str) -> list[tuple[int, int, int, int]]:
    rects = list(ET.fromstring(drawn).iter(f"{SVG}rect"))[1:]
    return [
        tuple(int(str(one.get(name))) for name in ("x", "y", "width", "height")) for one in rects
    ]  # type: ignore[misc]  # four names


def test_tree__boxes_lie_below_each_other_inside_the_picture(told: dict[str, Any]) -> None:
    drawn = to_svg(told, "rule-1", "en", "sample 1")
    root, boxes = ET.fromstring(drawn), _boxes(drawn)
    assert len(boxes) > 15
    for (_, y, _, height), (_, following, _, _) in pairwise(boxes):
        assert y + height < following
    assert all(x + width <= int(str(root.get("width"))) for x, _, width, _ in boxes)
    assert boxes[-1][1] + boxes[-1][3] <= int(str(root.get("height")))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def _nodes(depth: int) -> st.SearchStrategy[Node]:
    children = st.lists(_nodes(depth - 1), max_size=3) if depth else st.just([])
    return st.builds(
        Node, TEXTS, st.just("none"), st.lists(TEXTS, max_size=3), children, st.just("")
    )


def _count(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _count(child)


@settings(max_examples=30, deadline=None)
@given(_nodes(3))
def test_tree__no_text_is_lost_and_no_box_covers_another(root: Node) -> None:
    boxes = place(root)
    assert len(boxes) == len(list(_count(root)))
    for box, following in pairwise(boxes):
        assert box.top + box.height < following.top
    for box in boxes:
        wanted = _legal(" ".join([box.node.headline, *box.node.details]))
        assert "".join(box.lines).replace(" ", "") == wanted.replace(" ", "")
        assert all(cells_of(line) <= CELLS for line in box.lines)


# --- the command -----------------------------------------------------------------------------


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain", *arguments])
    if isinstance(result.exception, CarnetError):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def given_files(tmp_path: Path) -> tuple[str, ...]:
    rules = (rule(match=MATCH, when=['c.act == "red"']), rule("b", when=["as_of > as_of"]))
    pack = write_pack(tmp_path / "pack", *rules)
    facts = [listing(), product(), listing("L2", market="US"), certificate()]
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"facts": [fact.to_json() for fact in facts]}))
    return (str(pack), "--facts", str(path), "--as-of", "2026-11-23")


def test_command__text_json_and_tree(tmp_path: Path, given_files: tuple[str, ...]) -> None:
    text = _run(*given_files, "--case", "L1")[1]
    assert "listing/L1" in text
    assert "listing/L2" not in text
    assert 'c.act == "red": holds (c.act = red)' in text
    document = json.loads(_run(*given_files, "--format", "json")[1])
    assert [one["case"]["id"] for one in document["explanations"]] == ["L1", "L2"]
    target = tmp_path / "tree.svg"
    one = ("--case", "L1", "--rule", "rule-1", "--format", "svg", "-o", str(target))
    assert _run(*given_files, *one)[0] == 0
    assert ET.parse(target).getroot().tag == f"{SVG}svg"


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (("--rule", "rule-2"), NotFoundError, "CRN-R-240"),
        (("--case", "L9"), NotFoundError, "CRN-R-241"),
        (("--format", "svg"), InputError, "CRN-R-242"),
        (("--format", "svg", "--case", "L1"), InputError, "CRN-R-242"),
    ],
)
def test_command__says_what_it_cannot_show(
    given_files: tuple[str, ...], arguments: tuple[str, ...], error: type[CarnetError], code: str
) -> None:
    with pytest.raises(error) as caught:
        _run(*given_files, *arguments)
    assert caught.value.code == code

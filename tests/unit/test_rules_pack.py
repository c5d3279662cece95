"""Packs that are hostile, broken or wrong are refused, with file, line and reason."""

import json
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from carnet.core.errors import RulePackError
from carnet.rules.format.raw import RULES_MAX
from carnet.rules.format.yaml_strict import parse_yaml
from carnet.rules.pack import check_pack, load_pack
from tests.fixtures_rules import parameter, rule, spell, write_pack

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def _defects(folder: Path) -> list[str]:
    return [f"{error.code} {error.line} {error.message.en}" for error in check_pack(folder)[1]]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (BOMB, 1, "anchors and aliases"),
        ("a: 1\nb: 2\na: 3\n", 3, "stands twice (first in line 1)"),
        ("a: " + "[" * 40 + "]" * 40, 1, "nesting is deeper"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "the tag"),
        ("a: 1\n--- \nb: 2\n", 2, "a second document"),
        ("a:\n", 1, "a value is missing"),
        ("a: 1.5\n", 1, "is not an integer"),
        ("a: .nan\n", 1, "is not an integer"),
        ("a: 0598\n", 1, "not a plain decimal integer"),
        ("a: 9007199254740992\n", 1, "beyond 2^53"),
        ("a: 99999999999999999999999999\n", 1, "beyond 2^53"),
        ("a: 2026-02-30\n", 1, "not a date of the calendar"),
        ("", 1, "the file is empty"),
        ("a: [1\n", 2, "not YAML"),
        ("? [a]\n: 1\n", 1, "a key must be plain text"),
        ('a: "\\e[2J"\n', 1, "a control character"),
        ('a: "x\\x9b31m"\n', 1, "a control character"),
        ('a: "x\\ry"\n', 1, "a control character, such as a carriage return"),
        ('a: "x\\Ny"\n', 1, "a control character"),
        ('a: "x\\Ly"\n', 1, "a control character"),
        ("a: 1\n# no key:\rb: 2\n", 2, "ends with U+000D, where editors show no line break"),
        ("a: 1\n# no key:\x85b: 2\n", 2, "ends with U+0085"),
        ("# no key:\u2028b: 2\n", 1, "ends with U+2028"),
    ],
)
def test_yaml__refused_with_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(RulePackError) as caught:
        parse_yaml(text.encode(), "x.yaml")
    assert reason in caught.value.message.en
    assert (caught.value.path, caught.value.line) == ("x.yaml", line)


def test_yaml__lines_may_end_as_on_windows() -> None:
    text = "a: 1\nb: |\n  one\n  two\nc: 'x\n  y'\n"
    unix, windows = (parse_yaml(one.encode(), "x") for one in (text, text.replace("\n", "\r\n")))
    assert windows == unix == {"a": 1, "b": "one\ntwo\n", "c": "x y"}
    assert windows.lines == unix.lines


def test_yaml__binary_is_refused() -> None:
    with pytest.raises(RulePackError, match="not UTF-8"):
        parse_yaml(b"\xff\xfe\x00", "x.yaml")


def test_yaml__large_file_is_refused() -> None:
    with pytest.raises(RulePackError, match="at most 1048576"):
        parse_yaml(b"a: " + b"x" * 1_100_000, "x.yaml")


def test_yaml__only_plain_words_are_typed() -> None:
    value = parse_yaml(b'a: NO\nb: true\nc: "true"\nd: 2026-01-02\ne: "0598"\nf: -7\n', "x")
    assert value == {
        "a": "NO", "b": True, "c": "true", "d": date(2026, 1, 2), "e": "0598", "f": -7,
    }  # fmt: skip


def test_pack__good_one_has_a_digest_that_layout_does_not_change(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, rule(when=["product.is_radio"]))
    first = load_pack(folder).digest
    text = (folder / "law.yaml").read_text()
    (folder / "law.yaml").write_text("# a comment\n" + text)
    assert load_pack(folder).digest == first
    (folder / "law.yaml").write_text(text.replace("Directive", "directive"))
    assert load_pack(folder).digest != first


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"when": ['c.kind == "eu_dok"'], "match": [{"c": "certificate"}]}, "eu_doc"),
        ({"when": ["product.is_raido"]}, "is_radio"),
        ({"when": ['product.category < "toy"']}, "needs integers or dates"),
        ({"when": ["product.category == 5"]}, "compares text with an integer"),
        ({"when": ["product.is_radio == 1"]}, "compares a boolean with an integer"),
        ({"when": ["div_down(1, 0) == 1"]}, "no function div_down"),
        ({"when": ["product.is_radio &&"]}, "column"),
        ({"when": [True]}, "A line must be text"),
        ({"when": ['product.model == "' + "x" * 1100 + '"']}, "longer than 1024 bytes"),
        ({"when": ["param.nothing == 1"]}, "param.nothing is not known"),
        ({"match": [{"u": "unit"}]}, "no path to the case"),
        ({"match": [{"listing": "certificate"}]}, "reserved, taken"),
        ({"match": [{"c": "certificates"}]}, "no fact type 'certificates'"),
        ({"citation": ["NOWHERE"]}, "does not define: NOWHERE"),
        ({"severity": "fatal"}, "expected one of blocking"),
        ({"whne": []}, "unknown key 'whne'"),
        ({"without": [{"c": "certificate"}]}, "no condition"),
        ({"finding": {"message": {"en": "{x.y}", "zh": "甲"}, "remedy": {"en": "a", "zh": "甲"}}},
         "x.y is not known"),
        ({"finding": {"message": {"en": "a"}, "remedy": {"en": "a", "zh": "甲"}}},
         "lacks the key 'zh'"),
    ],
)  # fmt: skip
def test_rule__defect_is_named(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    lines = {} if "without" in changes else {"when": ["product.is_radio"]}
    content: dict[str, Any] = {**lines, **changes}
    folder = write_pack(tmp_path, rule(**content))
    found = check_pack(folder)[1]
    assert any(reason in f"{error.message.en} {error.hint.en}" for error in found), found
    assert all(error.path == "rules/all.yaml" and error.line >= 1 for error in found)


def test_pack__every_defect_is_found_at_once(tmp_path: Path) -> None:
    bad = [rule(f"rule-{n}", when=[f"product.field_{n} == 1"]) for n in range(5)]
    assert len(_defects(write_pack(tmp_path, *bad))) == 5


@pytest.mark.parametrize("name", ["law.yaml", "parameters.yaml"])
def test_pack__unknown_key_hides_no_other_defect(tmp_path: Path, name: str) -> None:
    folder = write_pack(tmp_path, rule(when=["product.nosuch == 1"]))
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(json.dumps(json.loads(text) | {"unheard": 1}), encoding="utf-8")
    found = check_pack(folder)[1]
    assert sorted(error.path for error in found) == sorted([name, "rules/all.yaml"])
    assert any("unheard" in error.message.en for error in found)


def test_pack__circle_of_measures_is_found(tmp_path: Path) -> None:
    measures = [
        {"name": "a", "title": {"en": "a", "zh": "甲"}, "value": "measure.b + 1"},
        {"name": "b", "title": {"en": "b", "zh": "乙"}, "value": "measure.a"},
    ]
    folder = write_pack(tmp_path, rule(when=["measure.a > 1"]), measures=measures)
    assert any("rests on itself" in defect for defect in _defects(folder))


def test_pack__window_that_ends_before_it_begins_is_a_defect_with_its_line(tmp_path: Path) -> None:
    window = {"from": date(2026, 2, 1), "to": date(2026, 1, 31)}
    folder = write_pack(tmp_path, rule(), effective=window)
    assert any("is before 'from'" in defect for defect in _defects(folder))


def test_pack__tied_parameter_values_are_refused(tmp_path: Path) -> None:
    one = parameter("days", "integer", 5)
    one["values"] = one["values"] * 2
    folder = write_pack(tmp_path, rule(when=["product.is_radio"]), parameters=[one])
    assert any("same valid_from and known_from" in defect for defect in _defects(folder))


@pytest.mark.parametrize(
    "path",
    [
        "certificate.issuer_id -> product",
        "certificate.product_id -> party",
        "product",
        "a -> b -> c",
    ],
)
def test_path__that_does_not_lead_to_the_case_is_refused(tmp_path: Path, path: str) -> None:
    folder = write_pack(
        tmp_path, rule(when=['listing.market == "EU"']), paths={"certificate": path}
    )
    assert _defects(folder)


def _link_inside(folder: Path) -> None:
    (folder / "rules" / "link.yaml").symlink_to("/etc/hosts")


def _link_beside(folder: Path) -> None:
    (folder / "law.yaml").unlink()
    (folder / "law.yaml").symlink_to("/etc/hosts")


def _stray(folder: Path) -> None:
    (folder / "rules" / "more.yml").write_text("a: 1")


def _too_many(folder: Path) -> None:
    for n in range(201):
        (folder / "tests").mkdir(exist_ok=True)
        (folder / "tests" / f"{n}.yaml").write_text("tests: []")


def _with_rules(folder: Path, count: int, **content: Any) -> None:
    listed = [rule(f"many-{n}", **content) for n in range(count)]
    for start in range(0, count, 500):
        text = "".join(f"- {spell(one)}\n" for one in listed[start : start + 500])
        (folder / "rules" / f"z{start:05}.yaml").write_text("rules:\n" + text)


def _too_many_rules(folder: Path) -> None:
    _with_rules(folder, RULES_MAX, when=["product.is_radio"])


def _ten_thousand_rules(folder: Path) -> None:
    _with_rules(folder, 10_000, when=["product.is_radio"])


def _too_many_lines(folder: Path) -> None:
    block = {"c": "certificate", "when": ["c.is_verified"] * 12}
    _with_rules(folder, 1_000, when=["product.is_radio"] * 8, without=[block])


@pytest.mark.parametrize(
    "harm",
    [
        _link_inside, _link_beside, _stray, _too_many, _too_many_rules, _ten_thousand_rules,
        _too_many_lines,
    ],
)  # fmt: skip
def test_pack__hostile_folder_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = write_pack(tmp_path, rule(when=["product.is_radio"]))
    harm(folder)
    with pytest.raises(RulePackError) as caught:
        check_pack(folder)
    assert caught.value.code in {"CRN-R-002", "CRN-R-003"}


def test_pack__thousand_rules_are_read(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, rule(when=["product.is_radio"]))
    _with_rules(
        folder,
        1_000,
        match=[{"a": "certificate"}, {"b": "certificate"}],
        when=['a.kind == "eu_doc"', "a.issued_on < b.issued_on", "has(a.body_number)"],
        without=[{"c": "certificate", "when": ["c.issued_on > b.issued_on"]}],
    )
    assert len(load_pack(folder).rules) == 1_001


@pytest.mark.parametrize("place", ["when", "without", "spread"])
def test_rule__alternatives_are_counted_before_they_are_multiplied(
    tmp_path: Path, place: str
) -> None:
    many = [f'c.number != "{n}"' for n in range(24)]
    content: dict[str, Any] = {"match": [{"c": "certificate"}], "when": many}
    if place == "without":
        content = {"without": [{"c": "certificate", "when": many}]}
    elif place == "spread":
        aliases = [f"c{n}" for n in range(8)]
        content = {
            "match": [{alias: "certificate"} for alias in aliases],
            "when": [f'{alias}.number != "{n}"' for alias in aliases for n in range(3)],
        }
    folder = write_pack(tmp_path, rule(**content))
    start = time.process_time()
    with pytest.raises(RulePackError, match="more than 64 combinations of alternatives"):
        check_pack(folder)
    assert time.process_time() - start < 2.0


def test_pack__folder_without_pack_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulePackError, match="not a rule pack"):
        load_pack(tmp_path)


def test_rule__block_that_compares_two_other_facts_is_refused(tmp_path: Path) -> None:
    folder = write_pack(
        tmp_path,
        rule(
            match=[{"a": "certificate"}, {"b": "certificate"}],
            without=[{"c": "certificate", "when": ["a.issued_on < b.issued_on"]}],
        ),
    )
    assert any("Move the line to 'when'" in e.hint.en for e in check_pack(folder)[1])


def test_load__again_is_the_same_pack_until_a_byte_changes(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "sample" / "1", rule(when=["product.is_radio"]))
    first = load_pack(folder)
    assert load_pack(folder) is first
    file = folder / "pack.yaml"
    written = file.stat().st_mtime_ns
    file.write_bytes(file.read_bytes() + b"\n")
    os.utime(file, ns=(written, written))
    assert load_pack(folder) is not first
    file.write_text("nonsense: true\n", "utf-8")
    with pytest.raises(RulePackError):
        load_pack(folder)

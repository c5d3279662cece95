"""Hostile packs are refused by ``carnet pack check`` with exit code 2, a line and a reason, soon.

The time is the processor's own, so that a busy machine does not fail a test; what it bounds is that
the work does not grow with the harm.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from carnet.cli.failure import exit_code_of
from carnet.cli.main import app
from carnet.core.errors import CarnetError
from carnet.rules.check.inspect import inspect_pack
from tests.fixtures_rules import parameter, rule, spell, write_pack

SECONDS_MAX = 5
GOOD = rule(when=["product.is_radio"])


def _check(folder: Path) -> tuple[int, str, float]:
    """Return the exit code of the command, what it printed, and how long it took."""
    started = time.process_time()
    result = CliRunner().invoke(app, ["pack", "check", str(folder), "--format", "json"])
    taken = time.process_time() - started
    if isinstance(result.exception, CarnetError):
        return exit_code_of(result.exception), result.exception.message.en, taken
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, taken


def _put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def _sparse(folder: Path) -> None:
    _put(folder, "rules/z.yaml", b"")
    os.truncate(folder / "rules/z.yaml", 1 << 30)


def _with_rule(folder: Path, **changes: Any) -> None:
    write_pack(folder, rule(**changes))


def _yaml(text: str) -> Callable[[Path], None]:
    return lambda folder: _put(folder, "rules/z.yaml", text.encode())


def _lone_negation(folder: Path) -> None:
    _with_rule(folder, without=[{"c": "certificate"}])


def _rule_of_no_lines(folder: Path) -> None:
    _with_rule(folder, when=[])


def _measure_that_triggers_itself(folder: Path) -> None:
    text = {"en": "a", "zh": "甲"}
    measures = [{"name": "a", "title": text, "value": "measure.a + 1"}]
    write_pack(folder, rule(when=["measure.a > 1"]), measures=measures)


def _fields_that_trigger_each_other(folder: Path) -> None:
    text = {"en": "a", "zh": "甲"}
    common = {"fact": "certificate", "kind": "integer", "title": text}
    derived = [
        {**common, "name": "a", "value": "certificate.b + 1"},
        {**common, "name": "b", "value": "certificate.a + 1"},
    ]
    write_pack(folder, GOOD, derived=derived)


def _pack_after_itself(folder: Path) -> None:
    write_pack(folder, GOOD, after=["sample"])


def _pattern_as_method(folder: Path) -> None:
    _with_rule(folder, when=['product.model.matches("(a+)+$")'])


def _pattern_as_function(folder: Path) -> None:
    _with_rule(folder, when=['matches(product.model, "(a|a)*b")'])


def _pattern_operator(folder: Path) -> None:
    _with_rule(folder, when=['product.model =~ "(x+x+)+y"'])


def _ten_thousand_rules(folder: Path) -> None:
    listed = [rule(f"many-{n}", when=["product.is_radio"]) for n in range(10_000)]
    for start in range(0, 10_000, 500):
        text = "".join(f"- {spell(one)}\n" for one in listed[start : start + 500])
        _put(folder, f"rules/z{start:05}.yaml", f"rules:\n{text}".encode())


def _lines_of_a_thousand_bytes(folder: Path) -> None:
    lines = [f"measure.a > {n}" + "+1" * 480 for n in range(20)]
    listed = [rule(f"many-{n}", when=lines) for n in range(300)]
    for start in range(0, 300, 40):
        text = "".join(f"- {spell(one)}\n" for one in listed[start : start + 40])
        _put(folder, f"rules/z{start:05}.yaml", f"rules:\n{text}".encode())


def _names_that_nobody_knows(folder: Path) -> None:
    """Each unknown name is compared with two thousand known ones: reading stops early."""
    known = [parameter(f"limit_of_the_rule_{n}", "integer", n) for n in range(1_000)]
    listed = [rule(f"many-{n}", when=[f"param.limit_of_a_rule_{n} == 1"]) for n in range(1_500)]
    write_pack(folder, GOOD, parameters=known)
    for start in range(0, 1_500, 500):
        text = "".join(f"- {spell(one)}\n" for one in listed[start : start + 500])
        _put(folder, f"rules/z{start:05}.yaml", f"rules:\n{text}".encode())


def _values_without_end(folder: Path) -> None:
    for number in range(100):
        data = b"tests: [" + b"1," * 20_000 + b"1]"
        _put(folder, f"tests/{number}.yaml", data)


def _alternatives_by_the_million(folder: Path) -> None:
    fields = ("act", "kind", "status", "issued_on", "id")
    wide = " || ".join(f"c.{name} == d.{name}" for name in fields)
    _with_rule(folder, match=[{"c": "certificate"}, {"d": "certificate"}], when=[wide] * 12)


def _link(folder: Path) -> None:
    (folder / "rules" / "link.yaml").symlink_to("/etc/hosts")


def _folder_link(folder: Path) -> None:
    (folder / "tests").symlink_to("/etc")


def _pipe(folder: Path) -> None:
    """A reader that opened it would wait for ever."""
    os.mkfifo(folder / "rules" / "pipe.yaml")


def _pipe_as_header(folder: Path) -> None:
    (folder / "pack.yaml").unlink()
    os.mkfifo(folder / "pack.yaml")


def _device(folder: Path) -> None:
    """As root a device node, else the way to one: neither may be opened."""
    path = folder / "rules" / "zero.yaml"
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _file_name_with_newline(folder: Path) -> None:
    _put(folder, "rules/a\n..b.yaml", b"rules: []")


def _hidden_file(folder: Path) -> None:
    _put(folder, "rules/.z.yaml", b"rules: []")


HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "lone negation": (_lone_negation, "has no condition"),
    "rule of no lines": (_rule_of_no_lines, "has no condition"),
    "self-trigger of a measure": (_measure_that_triggers_itself, "rests on itself"),
    "self-trigger of fields": (_fields_that_trigger_each_other, "rests on itself"),
    "self-trigger of a pack": (_pack_after_itself, "comes after itself"),
    "catastrophic regex, method": (_pattern_as_method, "Regular expressions are not part"),
    "catastrophic regex, function": (_pattern_as_function, "Regular expressions are not part"),
    "catastrophic regex, operator": (_pattern_operator, "Regular expressions are not part"),
    "10,000 rules": (_ten_thousand_rules, "at most"),
    "lines of 1 KB, 6,000 of them": (_lines_of_a_thousand_bytes, "words and signs"),
    "values without end": (_values_without_end, "holds more than"),
    "alternatives by the million": (_alternatives_by_the_million, "The rule rule-1"),
    "alias bomb": (_yaml("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"), "anchors and aliases"),
    "merge key": (_yaml("a: {<<: *x}\n"), "anchors and aliases"),
    "tag": (_yaml("a: !!python/object/apply:os.system [id]\n"), "the tag"),
    "binary": (lambda folder: _put(folder, "rules/z.yaml", bytes(range(256))), "not"),
    "UTF-16": (lambda f: _put(f, "rules/z.yaml", "rules: []".encode("utf-16")), "not UTF-8"),
    "NUL": (lambda folder: _put(folder, "rules/z.yaml", b"rules: []\0"), "not YAML"),
    "empty file": (lambda folder: _put(folder, "rules/z.yaml", b""), "the file is empty"),
    "duplicate keys": (_yaml("rules: []\nmeasures: []\nrules: []\n"), "stands twice"),
    "two documents": (_yaml("rules: []\n--- \nrules: []\n"), "a second document"),
    "deep nesting, flow": (_yaml("rules: " + "[" * 5_000 + "]" * 5_000), "nesting is deeper"),
    "deep nesting, block": (
        _yaml("\n".join(" " * n + "a:" for n in range(500)) + " 1\n"),
        "nesting is deeper",
    ),
    "huge scalar": (_yaml("rules: " + "x" * 500_000 + "\n"), "a value has 500000 characters"),
    "1 MiB in one line": (
        lambda f: _put(f, "rules/z.yaml", b"a: " + b"x" * (1024 * 1024 - 3)),
        "a value has",
    ),
    "more than 1 MiB": (
        lambda f: _put(f, "rules/z.yaml", b"# " + b"x" * 1024 * 1024),
        "at most 1048576 are read",
    ),
    "a gigabyte without content": (_sparse, "more than 200 files or 8388608 bytes"),
    "200,000 values in a line": (
        lambda f: _put(f, "rules/z.yaml", b"rules: [" + b"1," * 300_000 + b"1]"),
        "more than 200000 values",
    ),
    "NaN": (_yaml("rules: [.nan]\n"), "is not an integer"),
    "infinity": (_yaml("rules: [-.inf]\n"), "is not an integer"),
    "float": (_yaml("rules: [0.1]\n"), "is not an integer"),
    "int64": (_yaml("rules: [9223372036854775808]\n"), "beyond 2^53"),
    "text that turns direction": (_yaml('a: "x \u202e y"\n'), "turns the direction"),
    "symbolic link": (_link, "does not belong in a pack"),
    "linked folder": (_folder_link, "symbolic link"),
    "pipe": (_pipe, "does not belong in a pack"),
    "pipe as pack.yaml": (_pipe_as_header, "pack.yaml is no regular file"),
    "device": (_device, "does not belong in a pack"),
    "file name with a line break": (_file_name_with_newline, "does not belong in a pack"),
    "hidden file": (_hidden_file, "does not belong in a pack"),
    "id like a path": (lambda f: _with_rule(f, id="../../x", when=["as_of > as_of"]), "a path"),
    "id with a Cyrillic letter": (
        lambda folder: _with_rule(folder, id="r\u0435d", when=["product.is_radio"]),
        "CYRILLIC SMALL LETTER IE",
    ),
    "id with an invisible sign": (
        lambda folder: _with_rule(folder, id="red\u200b", when=["product.is_radio"]),
        "ZERO WIDTH SPACE",
    ),
    "alias with a Greek letter": (
        lambda folder: _with_rule(folder, match=[{"\u03bf": "certificate"}]),
        "GREEK SMALL LETTER OMICRON",
    ),
    "key with a full-width letter": (
        lambda folder: write_pack(folder, {**GOOD, "wh\uff45n": []}),
        "FULLWIDTH LATIN SMALL LETTER E",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_hostile__is_refused_with_line_and_reason_in_time(tmp_path: Path, harm: str) -> None:
    plant, reason = HARMS[harm]
    folder = write_pack(tmp_path / "pack", GOOD)
    plant(folder)
    code, output, taken = _check(folder)
    assert code == 2, output
    assert reason in output
    assert taken < SECONDS_MAX


@pytest.mark.parametrize(
    "harm", [name for name in HARMS if "pipe as" not in name and "file name" not in name]
)
def test_hostile__report_names_the_file_and_the_line(tmp_path: Path, harm: str) -> None:
    folder = write_pack(tmp_path / "pack", GOOD)
    HARMS[harm][0](folder)
    found = inspect_pack(folder)
    refusals = [one for one in found.defects if one.is_refusal]
    assert found.is_refused
    assert refusals
    whole_file = {"CRN-R-002", "CRN-R-003"}
    assert all(one.file for one in refusals if one.code not in whole_file or one.line)
    assert any(one.line for one in refusals) or all(
        "does not belong" in one.message.en
        or "symbolic link" in one.message.en
        or "bytes" in one.message.en
        or "values" in one.message.en
        or "patterns" in one.message.en
        for one in refusals
    )


def test_hostile__unknown_names_stop_being_explained(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    _names_that_nobody_knows(folder)
    code, output, taken = _check(folder)
    (pack,) = json.loads(output)["packs"]
    assert (code, pack["errors"]) == (1, 100)
    assert taken < SECONDS_MAX


def test_hostile__long_sums_are_not_looked_at(tmp_path: Path) -> None:
    """What the analyses take grows with the square of the operations in one line."""
    lines = [f"product.min_age_months > {n}" + "+1" * 32 for n in range(3)]
    folder = write_pack(tmp_path, rule(when=[line + "+1" for line in lines]))
    code, output, _ = _check(folder)
    assert (code, output.count("more than 32 operations")) == (1, 3)
    assert _check(write_pack(tmp_path / "fine", rule(when=lines)))[0] == 0


def test_hostile__chinese_id_is_a_mistake_and_no_attack(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, rule("规则", when=["product.is_radio"]))
    assert _check(folder)[0] == 1


def test_hostile__word_matches_in_a_text_is_no_pattern(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, rule(when=['product.model == "matches(x)"']))
    assert _check(folder)[0] == 0


def test_hostile__one_refused_pack_does_not_hide_the_others(tmp_path: Path) -> None:
    write_pack(tmp_path / "good" / "1", GOOD)
    bad = write_pack(tmp_path / "bad" / "1", GOOD)
    _put(bad, "rules/z.yaml", b"")
    code, output, _ = _check(tmp_path)
    assert code == 2
    refused = {
        Path(pack["folder"]).parent.name: pack["is_refused"] for pack in json.loads(output)["packs"]
    }
    assert refused == {"bad": True, "good": False}


def test_hostile__largest_pack_that_is_allowed_is_looked_at_in_time(tmp_path: Path) -> None:
    """Two thousand rules that all differ take the analyses no longer than their budget."""
    lines = ['c.kind == "eu_doc"', "has(c.printed_valid_until)", "c.printed_valid_until < as_of"]
    common = {"match": [{"c": "certificate"}]}
    listed = [
        rule(f"many-{n}", when=[*lines, f'c.number == "{n}" || c.number == "x{n}"'], **common)
        for n in range(2_000)
    ]
    folder = write_pack(tmp_path, *listed[:500])
    for start in range(500, 2_000, 500):
        text = "".join(f"- {spell(one)}\n" for one in listed[start : start + 500])
        _put(folder, f"rules/z{start:05}.yaml", f"rules:\n{text}".encode())
    started = time.process_time()
    found = inspect_pack(folder)
    assert time.process_time() - started < 3 * SECONDS_MAX
    assert not found.errors

"""How the tests of packs went and what they leave untried: as text, JSON or JUnit XML."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import typer

from carnet.cli.language import say, t

if TYPE_CHECKING:
    from carnet.rules.coverage import Coverage
    from carnet.rules.testing import TestResult

MISSING_MAX = 50
"""What is not tried that the text lists for a pack; JSON lists all of it."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The tests of one pack, with their coverage where it was asked for."""

    folder: Path
    results: "Sequence[TestResult]"
    coverage: "Coverage | None" = None

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(one.is_passed for one in self.results)

    def to_json(self) -> dict[str, Any]:
        """Return the tests as published."""
        covered = {"coverage": self.coverage.to_json()} if self.coverage else {}
        listed = [_test_json(one) for one in self.results]
        return {"folder": str(self.folder), "tests": listed, **covered}


def _test_json(result: "TestResult") -> dict[str, Any]:
    return {
        "id": result.id,
        "file": result.file,
        "line": result.line,
        "is_passed": result.is_passed,
        "error": result.error.to_json() if result.error else None,
        "differences": [
            {"case": one.case, "what": one.what, "expected": one.expected, "actual": one.actual}
            for one in result.differences
        ],
    }


# --- text -------------------------------------------------------------------------------------


def _failure_lines(result: "TestResult") -> list[str]:
    lines = [f"  {say(result.error)}"] if result.error else []
    for one in result.differences:
        lines.append(f"  {one.case} {one.what}")
        lines.append(t(f"    expected  {one.expected}", f"    期望  {one.expected}"))
        lines.append(t(f"    actual    {one.actual}", f"    实际  {one.actual}"))
    return lines


def percent(bps: int) -> str:
    """Return basis points as a percentage with two digits.

    >>> percent(9707), percent(10_000)
    ('97.07 %', '100.00 %')
    """
    return f"{bps // 100}.{bps % 100:02} %"


def _print_coverage(coverage: "Coverage") -> None:
    rules, conditions = percent(coverage.rules_bps), percent(coverage.conditions_bps)
    typer.echo(
        t(
            f"  rules {coverage.rules} of {coverage.rules_all} ({rules}), conditions"
            f" {coverage.conditions} of {coverage.conditions_all} ({conditions})",
            f"  规则覆盖 {coverage.rules}/{coverage.rules_all}（{rules}），条件覆盖"
            f" {coverage.conditions}/{coverage.conditions_all}（{conditions}）",
        )
    )
    for one in coverage.missing[:MISSING_MAX]:
        typer.echo(f"    {one.file}:{one.line}  {say(one.what)}")
    more = len(coverage.missing) - MISSING_MAX
    if more > 0:
        typer.echo(t(f"    {more} more: --format json", f"    另有 {more} 项：--format json"))


def print_tested(packs: Sequence[Tested]) -> None:
    """Print what failed, expected beside actual, then a line for each pack."""
    for pack in packs:
        for result in pack.results:
            if not result.is_passed:
                head = t(f"FAILED {result.id}", f"未通过 {result.id}")
                typer.echo(f"{head}  ({result.file}:{result.line})")
                for line in _failure_lines(result):
                    typer.echo(line)
        total = len(pack.results)
        typer.echo(
            t(
                f"{pack.folder}: {pack.passed} of {total} passed",
                f"{pack.folder}：{total} 项中 {pack.passed} 项通过",
            )
        )
        if pack.coverage is not None:
            _print_coverage(pack.coverage)


# --- JUnit ------------------------------------------------------------------------------------


def _xml(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(one for one in text if one in "\t\n" or one.isprintable())


def _suite(pack: Tested) -> ET.Element:
    errors = sum(one.error is not None for one in pack.results)
    failed = len(pack.results) - pack.passed - errors
    suite = ET.Element(
        "testsuite",
        name=_xml(str(pack.folder)),
        tests=str(len(pack.results)),
        failures=str(failed),
        errors=str(errors),
    )
    for one in pack.results:
        case = ET.SubElement(
            suite, "testcase", classname=_xml(one.file), name=_xml(one.id), line=str(one.line)
        )
        if not one.is_passed:
            kind = "error" if one.error else "failure"
            shown = say(one.error) if one.error else ", ".join(d.what for d in one.differences)
            told = ET.SubElement(case, kind, message=_xml(shown))
            told.text = _xml("\n".join(_failure_lines(one)))
    if pack.coverage is not None:
        listed = "\n".join(f"{m.file}:{m.line} {say(m.what)}" for m in pack.coverage.missing)
        ET.SubElement(suite, "system-out").text = _xml(listed)
    return suite


def to_junit(packs: Sequence[Tested]) -> str:
    """Return the tests of packs as JUnit XML."""
    root = ET.Element("testsuites", name="carnet pack test")
    root.extend(_suite(pack) for pack in packs)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")

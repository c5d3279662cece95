"""The tests that a pack carries: facts in, decisions out, expected beside actual.

Every test runs, whatever the others did.

Source: docs/spec/pack-format.md, section 5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.errors import CarnetError, InputError, RulePackError
from carnet.core.text import Text
from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.expect import Difference, Expectation, differences_of, read_expectation
from carnet.rules.format.section import IDENTIFIER, Section
from carnet.rules.pack import Resolve, load_shipped
from carnet.rules.stages import Stages

TESTS_MAX = 2_000
FACTS_MAX = 10_000
CASES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class PackTest:
    """One test of a pack."""

    id: str
    file: str
    line: int
    as_of: date
    confirmed: frozenset[str]
    facts: tuple[Fact, ...]
    expect: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test went."""

    __test__ = False
    id: str
    file: str
    line: int
    differences: tuple[Difference, ...]
    error: Text | None = None

    @property
    def is_passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences and self.error is None


# --- reading ----------------------------------------------------------------------------------


def _fact(raw: Any, section: Section, line: int) -> Fact:
    mapping = Section(raw, section.file, line, "a fact").data
    plain = {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in mapping.items()
    }
    try:
        return fact_from_json(plain)
    except InputError as error:
        shown = f"{plain.get('type')}/{plain.get('id')}"
        raise section.fault(
            Text(
                f"The fact {shown} cannot be used: {error.message.en}",
                f"事实 {shown} 无法使用：{error.message.zh}",
            ),
            error.hint,
            line=line,
        ) from error


def _test(raw: Any, root: Section, line: int) -> PackTest:
    section = Section(raw, root.file, line, "a test")
    result = PackTest(
        id=section.matching("id", IDENTIFIER),
        file=section.file,
        line=section.line,
        as_of=section.day("as_of"),
        confirmed=frozenset(section.strings("confirmed", CASES_MAX)),
        facts=tuple(_fact(one, section, at) for one, at in section.items("facts", FACTS_MAX)),
        expect=tuple(
            read_expectation(one, section, at) for one, at in section.items("expect", CASES_MAX)
        ),
    )
    section.close()
    return result


def read_tests(pack: Pack) -> Iterator[PackTest | TestResult]:
    """Yield the tests of a pack; one that cannot be read is yielded as failed, with the reason."""
    for document in pack.tests:
        file = str(document["file"])
        try:
            root = Section(document["content"], file, 1, file)
            listed = list(root.items("tests", TESTS_MAX))
            root.close()
        except RulePackError as error:
            yield TestResult(file, file, error.line, (), error.message)
            continue
        for raw, line in listed:
            try:
                yield _test(raw, root, line)
            except RulePackError as error:
                name = str(raw.get("id", "?")) if isinstance(raw, Mapping) else "?"
                yield TestResult(name, file, error.line, (), error.message)


# --- running ----------------------------------------------------------------------------------


def _confirmed_of(one: Pack, tested: Pack, confirmed: frozenset[str]) -> frozenset[str]:
    """Return what a test takes as confirmed for a pack: an earlier one's are `pack/parameter`."""
    prefix = f"{one.id}/"
    named = {name.removeprefix(prefix) for name in confirmed if name.startswith(prefix)}
    return frozenset(named | (confirmed if one.id == tested.id else frozenset()))


def stages_of(pack: Pack, test: PackTest, engine: str, resolve: Resolve) -> Stages:
    """Return the evaluation of a test's facts by a pack and those that it comes after."""
    return Stages(
        test.facts,
        test.as_of,
        engine,
        lambda one: _confirmed_of(one, pack, test.confirmed),
        resolve,
    )


def run_test(
    pack: Pack, test: PackTest, engine: str, resolve: Resolve = load_shipped
) -> TestResult:
    """Return how one test went; `resolve` gives the packs that the tested one comes after."""
    try:
        result = stages_of(pack, test, engine, resolve).result(pack)
    except CarnetError as error:
        return TestResult(test.id, test.file, test.line, (), error.message)
    decisions = {decision.case[1]: decision for decision in result.decisions}
    differences = [
        difference
        for expected in test.expect
        for difference in differences_of(expected, decisions.get(expected.case))
    ]
    named = {expected.case for expected in test.expect}
    differences += [
        Difference(case, "case", "-", decisions[case].conformity)
        for case in sorted(decisions.keys() - named)
    ]
    return TestResult(test.id, test.file, test.line, tuple(differences))


def run_tests(
    pack: Pack, engine: str = "reference", resolve: Resolve = load_shipped
) -> list[TestResult]:
    """Return how every test of a pack went; `resolve` gives the packs that it comes after."""
    return [
        test if isinstance(test, TestResult) else run_test(pack, test, engine, resolve)
        for test in read_tests(pack)
    ]

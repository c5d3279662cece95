"""The tests that a pack carries: facts in, decisions out, expected beside actual.

Every test runs, whatever the others did.

Source: docs/spec/pack-format.md, section 5.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.errors import CarnetError, InputError, RulePackError
from carnet.core.text import Text
from carnet.facts.fact import Fact, fact_from_json
from carnet.rules.ast import Pack
from carnet.rules.decision import Decision
from carnet.rules.engine import evaluate
from carnet.rules.format.section import IDENTIFIER, Section

TESTS_MAX = 2_000
FACTS_MAX = 10_000
CASES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of one case; None where the test does not say."""

    case: str
    conformity: str
    findings: tuple[tuple[str, tuple[str, ...] | None], ...]
    errors: tuple[str, ...]
    not_applicable: tuple[str, ...] | None
    officer_confirmed: tuple[str, ...] | None


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
class Difference:
    """One thing that is not as expected."""

    case: str
    what: str
    expected: str
    actual: str


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


def _finding(raw: Any, section: Section, line: int) -> tuple[str, tuple[str, ...] | None]:
    if isinstance(raw, str):
        return raw, None
    item = Section(raw, section.file, line, "a finding")
    result = item.string("rule"), tuple(sorted(item.strings("facts", FACTS_MAX)))
    item.close()
    return result


def _expectation(raw: Any, section: Section, line: int) -> Expectation:
    item = Section(raw, section.file, line, "an expectation")

    def optional(key: str) -> tuple[str, ...] | None:
        return tuple(sorted(item.strings(key, CASES_MAX))) if item.has(key) else None

    result = Expectation(
        case=item.string("case"),
        conformity=item.one_of("conformity", ("conforming", "nonconforming", "undetermined")),
        findings=tuple(_finding(one, item, at) for one, at in item.items("findings", CASES_MAX)),
        errors=optional("errors") or (),
        not_applicable=optional("not_applicable"),
        officer_confirmed=optional("officer_confirmed"),
    )
    item.close()
    return result


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
            _expectation(one, section, at) for one, at in section.items("expect", CASES_MAX)
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


def _shown(names: Counter[str] | tuple[str, ...]) -> str:
    listed = sorted(names.elements()) if isinstance(names, Counter) else names
    return ", ".join(listed) or "-"


def _finding_names(expected: Expectation, decision: Decision) -> tuple[Counter[str], Counter[str]]:
    """Return expected and actual findings, with the facts where the test names them."""
    wanted: Counter[str] = Counter()
    found = [(one.rule, {f"{t}/{i}" for t, i in one.facts}) for one in decision.findings]
    actual: Counter[str] = Counter()
    # Those with facts first, so that a bare rule id does not take what they name.
    for rule, facts in sorted(expected.findings, key=lambda one: one[1] is None):
        name = rule if facts is None else f"{rule} ({', '.join(facts)})"
        wanted[name] += 1
        fits = (one for one in found if one[0] == rule and set(facts or ()) <= one[1])
        taken = next(fits, None)
        if taken is not None:
            found.remove(taken)
            actual[name] += 1
    for rule, keys in found:
        actual[f"{rule} ({', '.join(sorted(keys))})"] += 1
    return wanted, actual


def _compare(expected: Expectation, decision: Decision | None) -> Iterator[Difference]:
    if decision is None:
        yield Difference(expected.case, "case", expected.conformity, "no such case")
        return
    wanted, found = _finding_names(expected, decision)
    errors = tuple(sorted({error.rule for error in decision.errors}))
    pairs: list[tuple[str, str, str]] = [
        ("conformity", expected.conformity, decision.conformity),
        ("findings", _shown(wanted), _shown(found)),
        ("errors", _shown(expected.errors), _shown(errors)),
    ]
    if expected.not_applicable is not None:
        skipped = {one.rule for one in decision.not_applicable}
        among = tuple(rule for rule in expected.not_applicable if rule in skipped)
        pairs.append(("not_applicable", _shown(expected.not_applicable), _shown(among)))
    if expected.officer_confirmed is not None:
        confirmed = decision.officer_confirmed
        pairs.append(("officer_confirmed", _shown(expected.officer_confirmed), _shown(confirmed)))
    for what, one, other in pairs:
        if one != other:
            yield Difference(expected.case, what, one, other)


def run_test(pack: Pack, test: PackTest, engine: str) -> TestResult:
    """Return how one test went."""
    try:
        result = evaluate(pack, test.facts, test.as_of, engine, test.confirmed)
    except CarnetError as error:
        return TestResult(test.id, test.file, test.line, (), error.message)
    decisions = {decision.case[1]: decision for decision in result.decisions}
    differences = [
        difference
        for expected in test.expect
        for difference in _compare(expected, decisions.get(expected.case))
    ]
    named = {expected.case for expected in test.expect}
    differences += [
        Difference(case, "case", "-", decisions[case].conformity)
        for case in sorted(decisions.keys() - named)
    ]
    return TestResult(test.id, test.file, test.line, tuple(differences))


def run_tests(pack: Pack, engine: str = "reference") -> list[TestResult]:
    """Return how every test of a pack went."""
    return [
        test if isinstance(test, TestResult) else run_test(pack, test, engine)
        for test in read_tests(pack)
    ]

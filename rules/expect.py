"""What a test of a pack expects of a case, and how that differs from what was decided.

Source: docs/spec/pack-format.md, PF-16.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.text import Text
from carnet.rules.decision import Action, Decision, Finding
from carnet.rules.format.section import Section

ITEMS_MAX = 1_000
FACTS_MAX = 10_000
VALUES_MAX = 100
_LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """One finding that is expected; what is None may be anything.

    Args:
        rule: The rule that finds.
        facts: Facts it must name, as `type/id`.
        message: The message by language, for the languages that the test names.
        values: Values it must hold, for the names that the test gives.
    """

    rule: str
    facts: tuple[str, ...] | None = None
    message: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str | int | bool], ...] = ()

    @property
    def name(self) -> str:
        """Return what it is called beside what was found."""
        return self.rule if self.facts is None else f"{self.rule} ({', '.join(self.facts)})"

    @property
    def weight(self) -> int:
        """Return how much it asks: what asks more takes its finding first."""
        return (self.facts is not None) + len(self.message) + len(self.values)


@dataclass(frozen=True, slots=True)
class ExpectedAction:
    """One action that is expected, by its name and, where the test says so, its rule."""

    action: str
    rule: str | None = None

    @property
    def name(self) -> str:
        """Return what it is called beside what was asked for."""
        return self.action if self.rule is None else f"{self.rule}: {self.action}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of one case; None where the test does not say."""

    case: str
    conformity: str
    findings: tuple[ExpectedFinding, ...]
    errors: tuple[str, ...]
    not_applicable: tuple[str, ...] | None
    officer_confirmed: tuple[str, ...] | None
    measures: Mapping[str, int] | None = None
    outputs: Mapping[str, int] | None = None
    actions: tuple[ExpectedAction, ...] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected."""

    case: str
    what: str
    expected: str
    actual: str


# --- reading ----------------------------------------------------------------------------------


def _finding(raw: Any, section: Section, line: int) -> ExpectedFinding:
    if isinstance(raw, str):
        return ExpectedFinding(raw)
    item = Section(raw, section.file, line, "a finding")
    rule = item.string("rule")
    facts = tuple(sorted(item.strings("facts", FACTS_MAX))) if item.has("facts") else None
    message: list[tuple[str, str]] = []
    if item.has("message"):
        inner = item.section("message")
        message = [(name, inner.string(name)) for name in _LANGUAGES if inner.has(name)]
        inner.close()
    values = tuple(_values(item)) if item.has("values") else ()
    item.close()
    return ExpectedFinding(rule, facts, tuple(message), values)


def _values(item: Section) -> Iterator[tuple[str, str | int | bool]]:
    inner = item.section("values")
    for key in list(inner.data)[:VALUES_MAX]:
        value = inner.any(key)
        if isinstance(value, date):
            value = value.isoformat()
        if not isinstance(value, str | int):
            raise inner.fault(
                Text(f"{key!r} is no single value.", f"{key!r} 不是单个值。"),
                line=inner.line_of(key),
            )
        yield key, value
    inner.close()


def _integers(item: Section, key: str) -> dict[str, int] | None:
    if not item.has(key):
        return None
    inner = item.section(key)
    result = {
        name: inner.integer(name, -(2**53) + 1, 2**53 - 1) for name in list(inner.data)[:VALUES_MAX]
    }
    inner.close()
    return result


def _actions(item: Section) -> Iterator[ExpectedAction]:
    for raw, line in item.items("actions", ITEMS_MAX):
        if isinstance(raw, str):
            yield ExpectedAction(raw)
            continue
        inner = Section(raw, item.file, line, "an action")
        yield ExpectedAction(inner.string("action"), inner.string("rule"))
        inner.close()


def read_expectation(raw: Any, section: Section, line: int) -> Expectation:
    """Return what a test expects of one case.

    Raises:
        RulePackError: It is not well formed.
    """
    item = Section(raw, section.file, line, "an expectation")

    def optional(key: str) -> tuple[str, ...] | None:
        return tuple(sorted(item.strings(key, ITEMS_MAX))) if item.has(key) else None

    result = Expectation(
        case=item.string("case"),
        conformity=item.one_of("conformity", ("conforming", "nonconforming", "undetermined")),
        findings=tuple(_finding(one, item, at) for one, at in item.items("findings", ITEMS_MAX)),
        errors=optional("errors") or (),
        not_applicable=optional("not_applicable"),
        officer_confirmed=optional("officer_confirmed"),
        measures=_integers(item, "measures"),
        outputs=_integers(item, "outputs"),
        actions=tuple(_actions(item)) if item.has("actions") else None,
    )
    item.close()
    return result


# --- comparing --------------------------------------------------------------------------------


def _shown(names: Counter[str] | tuple[str, ...]) -> str:
    listed = sorted(names.elements()) if isinstance(names, Counter) else names
    return ", ".join(listed) or "-"


def _keys(finding: Finding) -> set[str]:
    return {f"{kind}/{name}" for kind, name in finding.facts}


def _fits(wanted: ExpectedFinding, found: Finding) -> bool:
    return wanted.rule == found.rule and set(wanted.facts or ()) <= _keys(found)


def _says(wanted: ExpectedFinding, found: Finding) -> bool:
    message = found.message.to_json()
    return all(message[language] == text for language, text in wanted.message) and all(
        found.values.get(name) == value for name, value in wanted.values
    )


def _paired(
    expected: Expectation, decision: Decision
) -> tuple[list[tuple[ExpectedFinding, Finding | None]], list[Finding]]:
    """Return each expected finding with the one that it means, and the findings left over."""
    left = list(decision.findings)
    pairs: list[tuple[ExpectedFinding, Finding | None]] = []
    # Those that ask most come first, so that a bare rule id does not take what they name.
    for wanted in sorted(expected.findings, key=lambda one: -one.weight):
        fitting = [one for one in left if _fits(wanted, one)]
        exact = [one for one in fitting if _says(wanted, one)]
        taken = next(iter([*exact, *fitting]), None)
        if taken is not None:
            left.remove(taken)
        pairs.append((wanted, taken))
    return pairs, left


def _finding_differences(expected: Expectation, decision: Decision) -> Iterator[Difference]:
    pairs, left = _paired(expected, decision)
    wanted = Counter(one.name for one, _ in pairs)
    actual = Counter(one.name for one, found in pairs if found is not None)
    actual.update(f"{one.rule} ({', '.join(sorted(_keys(one)))})" for one in left)
    if wanted != actual:
        yield Difference(expected.case, "findings", _shown(wanted), _shown(actual))
    for one, found in pairs:
        if found is not None:
            yield from _said_differences(expected.case, one, found)


def _said_differences(case: str, wanted: ExpectedFinding, found: Finding) -> Iterator[Difference]:
    message = found.message.to_json()
    for language, text in wanted.message:
        if message[language] != text:
            what = f"message of {wanted.name} ({language})"
            yield Difference(case, what, text, message[language])
    for name, value in wanted.values:
        actual = found.values.get(name)
        # An integer and a text that look the same are two values.
        if actual != value or type(actual) is not type(value):
            yield Difference(case, f"{name} of {wanted.name}", repr(value), repr(actual))


def _spelled(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {numbers[name]}" for name in sorted(numbers)) or "-"


def _asked(action: Action, wanted: tuple[ExpectedAction, ...]) -> str:
    """Return an action as the test spells it: with its rule where the test names one."""
    named = ExpectedAction(action.action, action.rule)
    return action.action if ExpectedAction(action.action) in wanted else named.name


def _number_pairs(expected: Expectation, decision: Decision) -> Iterator[tuple[str, str, str]]:
    if expected.measures is not None:
        # Only those that the test names: a pack may compute many.
        measures = {n: v for n, v in decision.measures.items() if n in expected.measures}
        yield "measures", _spelled(expected.measures), _spelled(measures)
    if expected.outputs is not None:
        yield "outputs", _spelled(expected.outputs), _spelled(decision.outputs)
    if expected.actions is not None:
        wanted = Counter(one.name for one in expected.actions)
        actual = Counter(_asked(one, expected.actions) for one in decision.actions)
        yield "actions", _shown(wanted), _shown(actual)


def _pairs(expected: Expectation, decision: Decision) -> Iterator[tuple[str, str, str]]:
    errors = tuple(sorted({error.rule for error in decision.errors}))
    yield "conformity", expected.conformity, decision.conformity
    yield "errors", _shown(expected.errors), _shown(errors)
    if expected.not_applicable is not None:
        skipped = {one.rule for one in decision.not_applicable}
        among = tuple(rule for rule in expected.not_applicable if rule in skipped)
        yield "not_applicable", _shown(expected.not_applicable), _shown(among)
    if expected.officer_confirmed is not None:
        confirmed = decision.officer_confirmed
        yield "officer_confirmed", _shown(expected.officer_confirmed), _shown(confirmed)
    yield from _number_pairs(expected, decision)


def differences_of(expected: Expectation, decision: Decision | None) -> Iterator[Difference]:
    """Yield everything in which a decision is not as expected."""
    if decision is None:
        yield Difference(expected.case, "case", expected.conformity, "no such case")
        return
    for what, one, other in _pairs(expected, decision):
        if one != other:
            yield Difference(expected.case, what, one, other)
    yield from _finding_differences(expected, decision)

"""From what an engine matched to findings and decisions: the part that all engines share.

An engine answers one question for each applicable rule: which choices of facts satisfy it for
certain, and which might. Everything else (scope, unverified parameters, texts, values, order) is
decided here, once.

Source: docs/spec/pack-format.md, PF-7, PF-10 to PF-13, PF-18.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from carnet.core.text import Text
from carnet.facts.fact import Fact
from carnet.rules.ast import (
    Constant,
    FieldRef,
    Rule,
    Template,
    Value,
    conditions_of,
    parts_of,
    texts_of,
    values_of,
)
from carnet.rules.budget import block_candidates, over_budget, small_enough
from carnet.rules.case import Bindings, Case
from carnet.rules.decision import (
    Action,
    Decision,
    Finding,
    NotApplicable,
    RuleError,
    conformity_of,
)
from carnet.rules.format.template import text_of
from carnet.rules.given import FactKey
from carnet.rules.outcome import Given, combine_outputs, settings_of
from carnet.rules.parameters import Known, Unknown
from carnet.rules.unverified import (
    NOTHING,
    rests_lines,
    rests_matched,
    rests_rule,
    rests_scope,
    unconfirmed_causes,
)
from carnet.rules.values import both, computed, day_or_value, holds, line_holds, reason_of, value_of

Choice = tuple[Fact, ...]
"""One fact for each alias of `match`, in their order."""

NOT_RECORDED = Text("not recorded", "未记录")
_YES, _NO = Text("yes", "是"), Text("no", "否")
CASE_RULE = "case"
"""The rule that an error of the case as a whole is listed under."""


@dataclass(slots=True)
class Matches:
    """What an engine found for one rule in one case."""

    sure: list[Choice] = field(default_factory=list)
    unsure: list[Choice] = field(default_factory=list)


@dataclass(slots=True)
class Prepared:
    """One case before an engine sees it: which rules it must answer, and what is settled."""

    case: Case
    rules: list[int] = field(default_factory=list)
    not_applicable: list[NotApplicable] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    rests_on: frozenset[str] = NOTHING


# --- before an engine -------------------------------------------------------------------------


def _scope(rule: Rule, case: Case) -> NotApplicable | list[Text]:
    """Return that the rule does not apply, or the causes for which that cannot be told."""
    unknown: list[Text] = []
    for scope_line in rule.scope:
        verdict = line_holds(scope_line.line, case.named, case)
        if verdict is False:
            return NotApplicable(rule.id, scope_line.reason)
        if isinstance(verdict, Unknown):
            unknown.append(verdict.cause)
    return unknown


def _unknown_types(rule: Rule, case: Case) -> list[Text]:
    """Return why facts that a rule reads cannot be told."""
    unknown = (case.unknown_of(kind) for kind in sorted({kind for _, kind in rule.aliases}))
    return [one.cause for one in unknown if one is not None]


def _prepare_rule(index: int, rule: Rule, prepared: Prepared) -> None:
    case = prepared.case
    scope = _scope(rule, case)
    rests = rests_scope(rule, case) if rule.scope else NOTHING
    if isinstance(scope, NotApplicable):
        prepared.not_applicable.append(scope)
        prepared.rests_on |= rests
        return
    rests |= rests_rule(rule, case)
    causes = scope or unconfirmed_causes(rests, case) or _unknown_types(rule, case)
    prepared.rests_on |= rests | rests_matched(rule, case)
    if not causes and (excess := over_budget(rule, case)) is not None:
        causes = [excess]
    if causes:
        prepared.errors += [RuleError(rule.id, cause) for cause in causes]
    else:
        prepared.rules.append(index)


def _is_open(rule: Rule, case: Case) -> bool:
    """Return whether a rule applies to every case, rests on nothing and reads given facts."""
    pack, computing = case.run.pack, case.run.computing
    return not (
        rule.scope
        or rule.unverified
        or pack.after
        or any(kind in computing for _, kind in rule.aliases)
    )


def _open_rules(case: Case) -> tuple[Sequence[int], frozenset[int], int]:
    """Return the rules that need no look at a case that is small, worked out once for a run.

    The number is how many facts of each type a case may have to be small: every rule is then
    within its budget.
    """
    found = case.run.open_rules
    if not found:
        rules = case.run.pack.rules
        numbers = [index for index, rule in enumerate(rules) if _is_open(rule, case)]
        shapes = {(len(rules[n].match), len(rules[n].without)) for n in numbers}
        limit = min((small_enough(*shape) for shape in shapes), default=0)
        found.append((numbers, frozenset(numbers), limit))
    return found[0]


def prepare(case: Case) -> Prepared | None:
    """Return a case ready for an engine, None where the pack says it is no case of its own."""
    prepared = Prepared(case)
    lines = case.run.pack.case.when
    if lines and not case.broken:
        verdict = holds(lines, case.named, case)
        if verdict is False:
            return None
        prepared.rests_on = rests_lines(lines, case.named, case)
        if isinstance(verdict, Unknown):
            case.broken.append(verdict.cause)
    if case.broken:
        prepared.errors += [RuleError(CASE_RULE, cause) for cause in case.broken]
        return prepared
    _prepare_rules(prepared)
    return prepared


def _prepare_rules(prepared: Prepared) -> None:
    case = prepared.case
    numbers, chosen, limit = _open_rules(case)
    if max(map(len, case.by_type.values())) > limit:
        numbers, chosen = (), frozenset()
    if len(chosen) < len(case.run.pack.rules):
        for index, rule in enumerate(case.run.pack.rules):
            if index not in chosen:
                _prepare_rule(index, rule, prepared)
    prepared.rules += numbers
    if len(prepared.rules) > len(numbers):
        prepared.rules.sort()


# --- after an engine --------------------------------------------------------------------------


def bind(rule: Rule, choice: Choice, case: Case) -> Bindings:
    """Return the facts that a rule may name for one choice."""
    aliases = (alias for alias, _ in rule.match)
    return {**case.named, **dict(zip(aliases, choice, strict=True))}


def _shown(value: Known) -> Text:
    if isinstance(value, bool):
        return _YES if value else _NO
    text = str(day_or_value(value))
    return Text(text, text)


def _spell(value: Value, bindings: Bindings, case: Case) -> Text:
    if isinstance(value, FieldRef) and value.is_reason:
        reason = reason_of(value, bindings, case)
        return reason.text if reason else NOT_RECORDED
    found = value_of(value, bindings, case)
    return NOT_RECORDED if isinstance(found, Unknown) else _shown(found)


def _fill(template: Template, bindings: Bindings, case: Case) -> Text:
    def spell(parts: tuple[str | Value, ...]) -> Iterator[Text]:
        for part in parts:
            yield Text(part, part) if isinstance(part, str) else _spell(part, bindings, case)

    return Text(
        "".join(text.en for text in spell(template.en)),
        "".join(text.zh for text in spell(template.zh)),
    )


def _named_values(rule: Rule) -> Iterator[Value]:
    yield from texts_of(rule)
    for condition in conditions_of(rule.when):
        for value in values_of(condition):
            yield from parts_of(value)


def evidence(
    values: Iterable[Value], bindings: Bindings, case: Case
) -> dict[str, str | int | bool]:
    """Return the named values among some, known ones only, sorted by name."""
    result: dict[str, str | int | bool] = {}
    for value in values:
        if isinstance(value, Constant) or not hasattr(value, "kind") or _is_call(value):
            continue
        if isinstance(value, FieldRef) and value.is_reason:
            reason = reason_of(value, bindings, case)
            if reason is not None:
                result[value.text] = reason.id
            continue
        found = value_of(value, bindings, case)
        if not isinstance(found, Unknown):
            result[text_of(value)] = day_or_value(found)
    return dict(sorted(result.items()))


def _is_call(value: Value) -> bool:
    return hasattr(value, "function")


def _keys(choice: Choice, case: Case) -> tuple[FactKey, ...]:
    """Return the facts that an outcome names: the case's and the matched ones."""
    return tuple(sorted({(fact.type, fact.id) for fact in (case.anchor, *choice)}))


def _citation(rule: Rule, choice: Choice, case: Case) -> tuple[str, ...]:
    """Return the law facts that a rule cites, with those of the table rows it matched."""
    tables = case.run.tables
    rows = [tables[fact.type].citation_of(fact.id) for fact in choice if fact.type in tables]
    return tuple(sorted({*rule.citation, *(one for row in rows for one in row)}))


def make_finding(rule: Rule, choice: Choice, case: Case) -> Finding:
    """Return the finding of a rule for one choice of facts."""
    assert rule.message is not None, "only a rule with a message raises a finding"
    assert rule.remedy is not None, "a message comes with a remedy"
    assert rule.severity is not None, "a message comes with a severity"
    bindings = bind(rule, choice, case)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        facts=_keys(choice, case),
        message=_fill(rule.message, bindings, case),
        remedy=_fill(rule.remedy, bindings, case),
        citation=_citation(rule, choice, case),
        values=evidence(_named_values(rule), bindings, case),
    )


def _causes(
    rule: Rule, further: Sequence[Sequence[Fact]], choice: Choice, case: Case
) -> Iterator[Text]:
    """Yield why a choice of facts could not be decided."""
    bindings = bind(rule, choice, case)
    for fact in choice:
        presence = case.presence_of(fact)
        if isinstance(presence, Unknown):
            yield presence.cause
    for line in rule.when:
        verdict = line_holds(line, bindings, case)
        if isinstance(verdict, Unknown):
            yield verdict.cause
    for block, facts in zip(rule.without, further, strict=True):
        for fact in facts:
            if fact in choice:
                continue
            lines = holds(block.when, {**bindings, block.alias: fact}, case)
            verdict = both(case.presence_of(fact), lines)
            if isinstance(verdict, Unknown):
                yield verdict.cause


def _errors(rule: Rule, matches: Matches, case: Case) -> Iterator[RuleError]:
    if not matches.unsure:
        return
    further = [[fact for fact, _ in block_candidates(block, case)] for block in rule.without]
    for choice in matches.unsure:
        for cause in _causes(rule, further, choice, case):
            yield RuleError(rule.id, cause)


def _measures(case: Case) -> dict[str, int]:
    result: dict[str, int] = {}
    for name in sorted(case.run.pack.measures):
        value = computed(case.run.pack.measures[name], None, case)
        if isinstance(value, int):
            result[name] = value
    return result


@dataclass(slots=True)
class _Outcomes:
    """What the rules of one case came to."""

    findings: list[Finding] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    errors: set[RuleError] = field(default_factory=set)

    def add(self, rule: Rule, matches: Matches, case: Case) -> None:
        """Add what follows from a rule for every choice of facts that satisfies it."""
        for choice in matches.sure:
            if rule.message is not None:
                self.findings.append(make_finding(rule, choice, case))
            if rule.action is not None:
                self.actions.append(Action(rule.id, rule.action, _keys(choice, case)))
            for given in settings_of(rule, bind(rule, choice, case), case):
                if isinstance(given, Unknown):
                    self.errors.add(RuleError(rule.id, given.cause))
                else:
                    self.given.append(given)
        self.errors.update(_errors(rule, matches, case))


def conclude(prepared: Prepared, matches: Mapping[int, Matches]) -> Decision:
    """Return the decision on a case from what an engine matched for its applicable rules."""
    pack = prepared.case.run.pack
    outcomes = _Outcomes(errors=set(prepared.errors))
    for index in prepared.rules:
        if (found := matches.get(index)) is not None:
            outcomes.add(pack.rules[index], found, prepared.case)
    return _decision(prepared, outcomes)


def decision_of(
    prepared: Prepared, findings: Iterable[Finding], errors: Iterable[RuleError]
) -> Decision:
    """Return the decision on a case from findings and errors that are known already."""
    return _decision(prepared, _Outcomes(findings=[*findings], errors={*errors}))


def _decision(prepared: Prepared, outcomes: _Outcomes) -> Decision:
    """Return a decision with everything in its one order."""
    case, pack = prepared.case, prepared.case.run.pack
    undetermined = frozenset(error.rule for error in outcomes.errors)
    outputs: dict[str, int] = {}
    if CASE_RULE not in undetermined:
        outputs, causes = combine_outputs(pack.outputs, pack.rules, outcomes.given, undetermined)
        outcomes.errors.update(RuleError(CASE_RULE, cause) for cause in causes)
    findings = sorted(outcomes.findings, key=lambda one: (one.rule, one.facts))
    errors = sorted(outcomes.errors, key=lambda one: (one.rule, one.cause.en))
    return Decision(
        case=(case.anchor.type, case.anchor.id),
        conformity=conformity_of(findings, errors),
        officer_confirmed=tuple(sorted(prepared.rests_on & case.run.confirmed)),
        measures={} if case.broken else _measures(case),
        outputs=outputs,
        findings=tuple(findings),
        not_applicable=tuple(sorted(prepared.not_applicable, key=lambda one: one.rule)),
        errors=tuple(errors),
        actions=tuple(sorted(outcomes.actions, key=lambda one: (one.rule, one.facts))),
    )

"""What is told of a decision: findings, errors, rules that do not apply, confirmed parameters.

Source: docs/spec/pack-format.md, PF-7, PF-11, PF-13; `rules/finding.py` is the meaning.
"""

import json
from collections.abc import Iterator, Sequence

from sqlglot import exp

from carnet.core.text import Text
from carnet.rules.ast import (
    Call,
    Choice,
    Constant,
    FieldRef,
    Reason,
    Rule,
    Template,
    Value,
    conditions_of,
    parts_of,
    texts_of,
    values_of,
)
from carnet.rules.bulk.arithmetic import instant_text
from carnet.rules.bulk.frame import Frame
from carnet.rules.bulk.hits import citations_of, rests_fact, text_list
from carnet.rules.bulk.plan import CASES, NAMED_CASES, Plan, key_of
from carnet.rules.bulk.rests import rests_lines, settled
from carnet.rules.bulk.rules import (
    Compiled,
    block_of,
    case_frame,
    choice_verdicts,
    lines_of,
    scope_verdicts,
    told_frame,
)
from carnet.rules.bulk.sql import (
    FALSE,
    Pair,
    Sql,
    among,
    as_text,
    both,
    case,
    coalesced,
    column,
    equal,
    exists,
    is_false,
    is_null,
    joined_text,
    negated,
    number,
    pair,
    relation,
    text,
)
from carnet.rules.bulk.tables import row_cause
from carnet.rules.bulk.values import all_hold, line_verdicts, may_hold, worth_of
from carnet.rules.finding import CASE_RULE, NOT_RECORDED
from carnet.rules.format.template import text_of
from carnet.rules.parameters import unconfirmed_cause

_YES, _NO = Text("yes", "是"), Text("no", "否")
Columns = list[tuple[str, Sql]]


# --- findings ---------------------------------------------------------------------------------


def _pick(frame: Frame, field: FieldRef) -> tuple[Sql, Sequence[Reason]]:
    """Return the place of the candidate that decided a derived field, and the reasons."""
    key = key_of(field)
    assert key is not None, "a reason belongs to a derived field"
    info = frame.plan.computed[key]
    body = info.definition.body
    assert isinstance(body, Choice), "only choices have reasons"
    reasons = [one.reason for one in body.candidates if one.reason is not None]
    if info.is_local:
        _, holder = frame.referred(field)
        return holder.column(info.column("pick")), reasons
    return frame.computed_of(info, field).column(info.column("pick")), reasons


def _by_pick(pick: Sql, texts: Sequence[str], default: Sql | None) -> Sql:
    branches = [(equal(pick, number(at)), text(one)) for at, one in enumerate(texts)]
    return case(branches, default)


def _spell(frame: Frame, value: Value, language: str) -> Sql:
    missing = text(NOT_RECORDED.in_language(language))  # type: ignore[arg-type]
    if isinstance(value, FieldRef) and value.is_reason:
        pick, reasons = _pick(frame, value)
        return _by_pick(pick, [getattr(one.text, language) for one in reasons], missing)
    worth = worth_of(frame, value)
    if value.kind == "boolean":
        yes, no = (text(getattr(one, language)) for one in (_YES, _NO))
        return case([(worth.sql, yes), (is_false(worth.sql), no)], missing)
    shown = worth.sql if value.kind in {"string", "strings"} else as_text(worth.sql)
    if value.kind == "instant":
        shown = instant_text(worth.sql)
    return shown if worth.is_certain else coalesced(shown, missing)


def _filled(frame: Frame, template: Template) -> Pair:
    def spelled(parts: Sequence[str | Value], language: str) -> Sql:
        return joined_text(
            [text(one) if isinstance(one, str) else _spell(frame, one, language) for one in parts]
        )

    return spelled(template.en, "en"), spelled(template.zh, "zh")


def _json_text(value: Sql) -> Sql:
    """Return a text as JSON spells it; facts hold no control characters."""
    escaped: Sql = value
    for plain, spelled in (("\\", "\\\\"), ('"', '\\"')):
        escaped = exp.Replace(this=escaped, expression=text(plain), replacement=text(spelled))
    return joined_text([text('"'), escaped, text('"')])


def _json_value(frame: Frame, value: Value) -> tuple[Sql, bool]:
    """Return a value as JSON spells it, and whether it is always there."""
    if isinstance(value, FieldRef) and value.is_reason:
        pick, reasons = _pick(frame, value)
        return _by_pick(pick, [json.dumps(one.id) for one in reasons], None), False
    worth = worth_of(frame, value)
    if value.kind in {"string", "strings"}:
        return _json_text(worth.sql), worth.is_certain
    if value.kind == "boolean":
        return case([(worth.sql, text("true")), (is_false(worth.sql), text("false"))]), False
    if value.kind in {"date", "instant"}:
        shown = instant_text(worth.sql) if value.kind == "instant" else as_text(worth.sql)
        return joined_text([text('"'), shown, text('"')]), worth.is_certain
    return as_text(worth.sql), worth.is_certain


def _evidence(rule: Rule) -> dict[str, Value]:
    """Return the values that a finding lists, by name."""
    listed = [*texts_of(rule)]
    listed += [
        part
        for one in conditions_of(rule.when)
        for value in values_of(one)
        for part in parts_of(value)
    ]
    named = [one for one in listed if not isinstance(one, Constant | Call)]
    return dict(sorted((text_of(one), one) for one in named))


def _values_json(frame: Frame, rule: Rule) -> Sql:
    parts: list[Sql] = []
    for name, value in _evidence(rule).items():
        spelled, is_certain = _json_value(frame, value)
        part = joined_text([text(f",{json.dumps(name)}:"), spelled])
        parts.append(part if is_certain else coalesced(part, text("")))
    inside = exp.Substring(this=joined_text(parts), start=number(2))
    return joined_text([text("{"), inside, text("}")])


def _facts(frame: Frame, rule: Rule) -> Sql:
    """Return the facts of a choice and the case's own, each once, sorted by type and id."""
    case_type = frame.plan.pack.case.fact_type
    listed = [(case_type, frame.case_id)]
    for alias, kind in rule.match:
        # The case's own fact is the only one of its type in the case.
        if kind != case_type:
            listed.append((kind, frame.holder(alias)[2].column("id")))
    listed.sort(key=lambda one: one[0])
    structs = [
        exp.Struct(
            expressions=[
                exp.PropertyEQ(this=exp.to_identifier("type"), expression=text(kind)),
                exp.PropertyEQ(this=exp.to_identifier("id"), expression=key),
            ]
        )
        for kind, key in listed
    ]
    array = exp.Array(expressions=structs)
    kinds = [kind for kind, _ in listed]
    return exp.ArraySort(this=array) if len(set(kinds)) < len(kinds) else array


def finding_query(plan: Plan, compiled: Compiled) -> exp.Query:
    """Return the findings of a rule."""
    rule = compiled.rule
    assert rule.message is not None, "only a rule with a message raises a finding"
    assert rule.remedy is not None, "a message comes with a remedy"
    assert rule.severity is not None, "a finding has a severity"
    frame = told_frame(plan, compiled, compiled.sure)
    message, remedy = _filled(frame, rule.message), _filled(frame, rule.remedy)
    columns: Columns = [
        ("case_id", frame.case_id),
        ("rule", text(rule.id)),
        ("severity", text(rule.severity)),
        *choice_columns(frame, compiled),
        ("message_en", message[0]),
        ("message_zh", message[1]),
        ("remedy_en", remedy[0]),
        ("remedy_zh", remedy[1]),
        ("citation", _citation(frame, rule)),
        ("values_json", _values_json(frame, rule)),
    ]
    return frame.select(columns)


def match_query(plan: Plan, compiled: Compiled) -> exp.Query:
    """Return what the findings of a rule are about, from the keys alone."""
    frame = told_frame(plan, compiled, compiled.sure)
    columns: Columns = [("case_id", frame.case_id), ("rule", text(compiled.rule.id))]
    return frame.select([*columns, ("facts", _facts(frame, compiled.rule))])


def choice_columns(frame: Frame, compiled: Compiled) -> Columns:
    """Return the facts of a stored choice, and the matched ids in their order."""
    ids = [column(frame.table, one) for one in compiled.ids]
    return [("facts", _facts(frame, compiled.rule)), ("choice", text_list(ids))]


def _citation(frame: Frame, rule: Rule) -> Sql:
    """Return the law facts that a rule cites, with those of the table rows it matched."""
    own = text_list([text(one) for one in rule.citation])
    bound = [(kind, frame.holder(alias)[2]) for alias, kind in rule.match]
    rows = [citations_of(frame.plan, kind, one) for kind, one in bound]
    cited = [one for one in rows if one is not None]
    if not cited:
        return own
    together = exp.ArrayConcat(this=own, expressions=cited)
    return exp.ArraySort(this=exp.ArrayDistinct(this=together))


# --- errors -----------------------------------------------------------------------------------


def _error(frame: Frame, rule: str, cause: Pair) -> exp.Query:
    columns = [("case_id", frame.case_id), ("rule", text(rule))]
    return frame.select([*columns, ("cause_en", cause[0]), ("cause_zh", cause[1])], distinct=True)


def _scope_errors(plan: Plan, rule: Rule) -> Iterator[exp.Query]:
    for index in range(len(rule.scope)):
        frame = case_frame(plan)
        verdicts = scope_verdicts(frame, rule)
        if verdicts[index].is_certain:
            continue
        frame.where(may_hold(verdicts), is_null(verdicts[index].sql))
        yield _error(frame, rule.id, verdicts[index].cause())


def _unconfirmed_errors(plan: Plan, compiled: Compiled) -> Iterator[exp.Query]:
    rule = compiled.rule
    for name in sorted(rule.direct - plan.confirmed):
        frame = _in_scope(plan, rule)
        yield _error(frame, rule.id, _unconfirmed(plan, name))
    for name in compiled.unconfirmed:
        frame = _in_scope(plan, rule)
        frame.where(_listed(compiled, frame, name))
        yield _error(frame, rule.id, _unconfirmed(plan, name))


def _unconfirmed(plan: Plan, name: str) -> Pair:
    """Return why a parameter, or a row of a table, does not count yet."""
    if name in plan.pack.parameters:
        return pair(unconfirmed_cause(plan.pack.parameters[name]))
    table, _, row = name.partition(".")
    return row_cause(plan, plan.pack.tables[table], row)


def _untold_errors(plan: Plan, compiled: Compiled) -> Iterator[exp.Query]:
    """Yield the errors of cases in which the facts of a computed type cannot be told."""
    for kind in compiled.untold if compiled.is_asked else ():
        frame = untold_frame(plan, compiled, kind)
        yield _error(frame, compiled.rule.id, (frame.told("en"), frame.told("zh")))


class UntoldFrame(Frame):
    """The cases in which the facts of a type cannot be told, and a rule would be evaluated."""

    untold: str

    def told(self, language: str) -> Sql:
        """Return why they cannot be told."""
        return column(self.untold, language)


def untold_frame(plan: Plan, compiled: Compiled, kind: str) -> UntoldFrame:
    """Return the cases in which a rule fails because the facts of a type cannot be told."""
    frame = UntoldFrame(plan, plan.cases, case_id="case_id")
    frame.bind_case()
    frame.where(*(one.sql for one in scope_verdicts(frame, compiled.rule)))
    for name in compiled.unconfirmed:
        frame.where(negated(_listed(compiled, frame, name)))
    case_id = frame.case_id
    frame.untold = frame.join(f"z_{kind}", "", lambda one: [equal(one("case_id"), case_id)])
    return frame


def _in_scope(plan: Plan, rule: Rule) -> Frame:
    frame = case_frame(plan)
    frame.where(*(one.sql for one in scope_verdicts(frame, rule)))
    return frame


def _listed(compiled: Compiled, frame: Frame, parameter: str) -> Sql:
    """Return whether a rule rests on a parameter for a case."""
    table = frame.plan.fresh("n")
    inner = exp.select(number(1)).from_(relation(compiled.rests, table))
    keys = [
        equal(column(table, "case_id"), frame.case_id),
        equal(column(table, "parameter"), text(parameter)),
    ]
    return exists(inner.where(both(*keys)))


def _choice_errors(plan: Plan, compiled: Compiled) -> Iterator[exp.Query]:
    rule = compiled.rule
    count = len(choice_verdicts(told_frame(plan, compiled, compiled.unsure), rule))
    for index in range(count):
        frame = told_frame(plan, compiled, compiled.unsure)
        verdict = choice_verdicts(frame, rule)[index]
        if not verdict.is_certain:
            frame.where(is_null(verdict.sql))
            yield _error(frame, rule.id, verdict.cause())
    for block in rule.without:
        frame = told_frame(plan, compiled, compiled.unsure)
        verdicts = block_of(frame, rule, block)
        holds = all_hold(verdicts)
        if not holds.is_certain:
            frame.where(may_hold(verdicts), is_null(holds.sql))
            yield _error(frame, rule.id, holds.cause())


def error_queries(plan: Plan, compiled: Compiled) -> list[exp.Query]:
    """Return the errors of a rule."""
    found = [*_scope_errors(plan, compiled.rule), *_unconfirmed_errors(plan, compiled)]
    found += _untold_errors(plan, compiled)
    if compiled.may_err:
        found += _choice_errors(plan, compiled)
    return found


def broken_query() -> exp.Query:
    """Return the errors of cases as a whole."""
    columns = [
        column("b", "case_id").as_("case_id"),
        text(CASE_RULE).as_("rule"),
        column("b", "en").as_("cause_en"),
        column("b", "zh").as_("cause_zh"),
    ]
    return exp.select(*columns).from_(relation("b", "b"))


# --- rules that do not apply ------------------------------------------------------------------


def not_applicable_query(plan: Plan, rule: Rule) -> exp.Query | None:
    """Return the cases that a rule does not apply to, with the reason of the first false line."""
    if not rule.scope:
        return None
    frame = case_frame(plan)
    verdicts = scope_verdicts(frame, rule)
    frame.where(is_false(all_hold(verdicts).sql))
    told = [
        (is_false(one.sql), line.reason) for one, line in zip(verdicts, rule.scope, strict=True)
    ]
    return frame.select(
        [
            ("case_id", frame.case_id),
            ("rule", text(rule.id)),
            ("reason_en", case([(test, text(reason.en)) for test, reason in told])),
            ("reason_zh", case([(test, text(reason.zh)) for test, reason in told])),
        ]
    )


# --- confirmed parameters ---------------------------------------------------------------------


def confirmed_queries(plan: Plan, compiled: Compiled) -> Iterator[exp.Query]:
    """Yield the cases that rest on a parameter that officers have confirmed."""
    rule = compiled.rule
    for name in sorted(rule.scope_unverified & plan.confirmed):
        frame = case_frame(plan)
        rests = rests_lines(frame, tuple(one.line for one in rule.scope), name)
        if rests != FALSE:
            frame.where(rests)
            yield _confirmed(frame, name)
    for name in sorted(rule.direct & plan.confirmed):
        frame = case_frame(plan)
        frame.where(may_hold(scope_verdicts(frame, rule)))
        yield _confirmed(frame, name)
    late = sorted((rule.unverified - rule.direct) & plan.confirmed)
    yield from _confirmed_rows(plan, rule)
    if compiled.resting and late:
        frame = Frame(plan, compiled.rests, case_id="case_id")
        parameter = column(frame.table, "parameter")
        frame.where(among(parameter, [text(name) for name in late]))
        yield frame.select([("case_id", frame.case_id), ("parameter", parameter)])


def _confirmed_rows(plan: Plan, rule: Rule) -> Iterator[exp.Query]:
    """Yield the cases in which a rule may take a confirmed row for itself."""
    blocks = ((block.alias, block.fact_type, block.when) for block in rule.without)
    groups = (*((alias, kind, rule.when) for alias, kind in rule.match), *blocks)
    for name in sorted((rule.unverified - rule.direct) & plan.confirmed):
        for alias, kind, lines in groups:
            if not plan.members[kind].may_be_unsure or name.partition(".")[0] != kind:
                continue
            frame = case_frame(plan)
            own = frame.join_members(kind)
            frame.bind(alias, kind, own)
            frame.where(may_hold(scope_verdicts(frame, rule)), rests_fact(plan, kind, own, name))
            excluded = settled(frame, lines_of(plan, alias, lines))
            if excluded != FALSE:
                frame.where(negated(excluded))
            yield _confirmed(frame, name)


def _confirmed(frame: Frame, parameter: str) -> exp.Query:
    return frame.select([("case_id", frame.case_id), ("parameter", text(parameter))])


def confirmed_of_case(plan: Plan) -> Iterator[exp.Query]:
    """Yield the cases whose being a case rests on a confirmed parameter; broken ones as well."""
    values = [value for one in conditions_of(plan.pack.case.when) for value in values_of(one)]
    plan.cases = NAMED_CASES
    for name in sorted(plan.reads.of_values(values) & plan.confirmed):
        frame = case_frame(plan)
        frame.where(may_hold(line_verdicts(frame, plan.pack.case.when)))
        frame.where(rests_lines(frame, plan.pack.case.when, name))
        yield _confirmed(frame, name)
    plan.cases = CASES

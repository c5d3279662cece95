"""What rules set for a case, combined to outputs, and what they ask automation to do.

`g` holds what every sure choice sets, `open` the outputs that an undetermined rule might have set,
`o` the outputs that are left, with the least and greatest value and who gave them.

Source: docs/spec/pack-format.md, PF-30 to PF-32; `rules/outcome.py` is the meaning.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from carnet.rules.bulk.arithmetic import wide, within
from carnet.rules.bulk.plan import Plan
from carnet.rules.bulk.rules import Compiled, told_frame
from carnet.rules.bulk.sql import (
    Pair,
    Sql,
    aliased,
    all_of,
    among,
    as_text,
    both,
    case,
    column,
    equal,
    exists,
    is_known,
    is_null,
    joined_text,
    name_of,
    negated,
    number,
    relation,
    text,
)
from carnet.rules.bulk.told import choice_columns
from carnet.rules.bulk.values import worth_of
from carnet.rules.finding import CASE_RULE

# --- settings ---------------------------------------------------------------------------------


def _given(plan: Plan, compiled: Compiled) -> Iterator[exp.Select]:
    """Yield what a rule sets for each of its sure choices."""
    for setting in compiled.rule.settings:
        frame = told_frame(plan, compiled, compiled.sure)
        worth = worth_of(frame, setting.value)
        if not worth.is_certain:
            frame.where(is_known(worth.sql))
        yield frame.select(
            [
                ("case_id", frame.case_id),
                ("output", text(setting.output)),
                ("rule", text(compiled.rule.id)),
                ("value", worth.sql),
            ]
        )


def unset_queries(plan: Plan, compiled: Compiled) -> Iterator[exp.Select]:
    """Yield the cases in which a value that a rule sets is unknown, with the cause."""
    if not compiled.is_asked:
        return
    for setting in compiled.rule.settings:
        frame = told_frame(plan, compiled, compiled.sure)
        worth = worth_of(frame, setting.value)
        if worth.is_certain:
            continue
        frame.where(is_null(worth.sql))
        en, zh = worth.cause()
        columns = [("case_id", frame.case_id), ("rule", text(compiled.rule.id))]
        yield frame.select([*columns, ("cause_en", en), ("cause_zh", zh)], distinct=True)


def add_outputs(
    plan: Plan, compiled: Sequence[Compiled], failed: Sequence[tuple[Compiled, exp.Query]]
) -> None:
    """Add `g`, `open` and `o`.

    Args:
        plan: The compilation.
        compiled: The rules.
        failed: For each rule that can have errors, the cases in which it has.
    """
    given = [query for one in compiled if one.is_asked for query in _given(plan, one)]
    if not given:
        return
    plan.add("g", all_of(given))
    opened = [
        exp.select(aliased(column("x", "case_id"), "case_id"), aliased(text(name), "output")).from_(
            query.subquery(alias=name_of("x"), copy=False)
        )
        for one, query in failed
        for name in sorted({setting.output for setting in one.rule.settings})
    ]
    left = _left()
    if opened:
        plan.add("open", all_of(opened))
        inner = exp.select(number(1)).from_(relation("open", "u"))
        keys = [equal(column("u", one), column("g", one)) for one in ("case_id", "output")]
        left = left.where(negated(exists(inner.where(both(*keys)))))
    plan.add("o", _with_rules(left))


def _left() -> exp.Select:
    """Return each output of each case, with its extremes and its sum."""
    value = column("g", "value")
    return (
        exp.select(
            aliased(column("g", "case_id"), "case_id"),
            aliased(column("g", "output"), "output"),
            aliased(exp.Min(this=value), "low"),
            aliased(exp.Max(this=value), "high"),
            aliased(exp.Sum(this=wide(value)), "total"),
        )
        .from_(relation("g", "g"))
        .group_by(column("g", "case_id"), column("g", "output"))
    )


def _with_rules(left: exp.Select) -> exp.Select:
    """Return the outputs with the least rule ids that gave the least and the greatest value."""
    value, rule = column("g", "value"), column("g", "rule")
    names = ("case_id", "output", "low", "high", "total")
    listed = [aliased(column("o", name), name) for name in names]
    for end in ("low", "high"):
        givers = case([(equal(value, column("o", end)), rule)])
        listed.append(aliased(exp.Min(this=givers), f"{end}_rule"))
    on = both(*(equal(column("g", one), column("o", one)) for one in ("case_id", "output")))
    query = exp.select(*listed).from_(left.subquery(alias=name_of("o"), copy=False))
    query = query.join(relation("g", "g"), on=on)
    return query.group_by(*(column("o", name) for name in names))


# --- results ----------------------------------------------------------------------------------


def _names(plan: Plan, combination: str) -> list[str]:
    return sorted(name for name, one in plan.pack.outputs.items() if one.combination == combination)


def _differs(plan: Plan) -> Sql | None:
    """Return whether an output may have one value alone and was given several."""
    names = _names(plan, "unique")
    if not names:
        return None
    several = exp.NEQ(this=column("o", "low"), expression=column("o", "high"))
    return both(among(column("o", "output"), [text(name) for name in names]), several)


def _overflows(plan: Plan) -> Sql | None:
    """Return whether an output is a sum beyond the safe integers."""
    names = _names(plan, "sum")
    if not names:
        return None
    beyond = is_null(within(column("o", "total")))
    return both(among(column("o", "output"), [text(name) for name in names]), beyond)


def _told(test: Sql, cause: Pair) -> exp.Select:
    return (
        exp.select(
            aliased(column("o", "case_id"), "case_id"),
            aliased(text(CASE_RULE), "rule"),
            aliased(cause[0], "cause_en"),
            aliased(cause[1], "cause_zh"),
        )
        .from_(relation("o", "o"))
        .where(test)
    )


def conflict_queries(plan: Plan) -> Iterator[exp.Select]:
    """Yield the errors of outputs that cannot be combined."""
    output = column("o", "output")
    low, high = as_text(column("o", "low")), as_text(column("o", "high"))
    first, last = column("o", "low_rule"), column("o", "high_rule")
    differs, overflows = _differs(plan), _overflows(plan)
    if differs is not None:
        en = [text("The output "), output, text(" is set to "), low, text(" by "), first]
        en += [text(" and to "), high, text(" by "), last, text(".")]
        zh = [text("输出项 "), output, text(" 被规则 "), first, text(" 设为 "), low]
        zh += [text("，又被规则 "), last, text(" 设为 "), high, text("。")]
        yield _told(differs, (joined_text(en), joined_text(zh)))
    if overflows is not None:
        en = [text("The sum "), output, text(" is beyond 2^53 - 1.")]
        zh = [text("合计 "), output, text(" 超出 2^53-1。")]
        yield _told(overflows, (joined_text(en), joined_text(zh)))


def output_query(plan: Plan) -> exp.Select:
    """Return the outputs of all cases."""
    output = column("o", "output")

    def of(combination: str, value: Sql) -> tuple[Sql, Sql] | None:
        names = _names(plan, combination)
        return (among(output, [text(name) for name in names]), value) if names else None

    low, high = column("o", "low"), column("o", "high")
    branches = [
        of("min", low),
        of("max", high),
        of("sum", within(column("o", "total"))),
        of("unique", case([(equal(low, high), low)])),
    ]
    value = case([one for one in branches if one is not None])
    inner = exp.select(
        aliased(column("o", "case_id"), "case_id"),
        aliased(output, "name"),
        aliased(value, "value"),
    ).from_(relation("o", "o"))
    query = exp.select("*").from_(inner.subquery(alias=name_of("v"), copy=False))
    return query.where(is_known(column("v", "value")))


def action_query(plan: Plan, compiled: Compiled) -> exp.Select:
    """Return what a rule asks automation to do."""
    assert compiled.rule.action is not None, "the caller chose"
    frame = told_frame(plan, compiled, compiled.sure)
    columns = [("case_id", frame.case_id), ("rule", text(compiled.rule.id))]
    columns.append(("action", text(compiled.rule.action)))
    return frame.select([*columns, *choice_columns(frame, compiled)])

"""Which facts are cases: the relation `k`, the cases that cannot be decided, and those left out.

`kn` are the cases whose named facts were all found, `k` those of them that rules decide, with the
fields of the named facts as columns `<alias>$<field>`. `b` are broken cases with the cause, `p` all
that appear in the result. `r_handed` are those that the reference decides.

Source: docs/spec/pack-format.md, PF-3 to PF-5.
"""

from dataclasses import replace

from sqlglot import exp

from carnet.core.text import Text
from carnet.rules.ast import (
    FieldRef,
    Pack,
    parts_of,
)
from carnet.rules.bulk.frame import Frame
from carnet.rules.bulk.plan import (
    ALL_TYPES,
    CASES,
    NAMED_CASES,
    OF_CASE,
    Plan,
    key_of,
    values_of_pack,
)
from carnet.rules.bulk.sql import (
    Pair,
    Sql,
    aliased,
    all_of,
    both,
    case,
    column,
    either,
    equal,
    exists,
    is_false,
    is_null,
    joined_text,
    negated,
    pair,
    relation,
    text,
)
from carnet.rules.bulk.values import all_hold, line_verdicts
from carnet.rules.case import INCOMPLETE_TYPES


def add_incomplete(plan: Plan) -> None:
    """Add why facts of earlier decisions cannot be told: `z_<type>`, by case.

    What a decision with errors may have further is unknown; the first such decision tells the
    cause.
    """
    untold = [kind for kind in INCOMPLETE_TYPES if kind in plan.members]
    member = plan.members.get("decision")
    if not plan.pack.after or member is None or not untold:
        return
    query = exp.select().from_(relation(member.relation, "m"))
    case_id = column("m", OF_CASE)
    if not member.has_case:
        query = query.join(relation(f"f_{plan.pack.case.fact_type}", "c"), join_type="CROSS")
        case_id = column("c", "id")
    causes = zip(("en", "zh"), _incomplete(), strict=True)
    told = [
        aliased(exp.ArgMin(this=cause, expression=column("m", "id")), language)
        for language, cause in causes
    ]
    query = query.select(aliased(case_id, "case_id"), *told)
    plan.add("zd", query.where(negated(column("m", "is_complete"))).group_by(case_id))
    for kind in untold:
        plan.add(f"z_{kind}", exp.select("*").from_(relation("zd", "z")), is_view=True)
        plan.members[kind] = replace(plan.members[kind], may_be_untold=True)


def _incomplete() -> Pair:
    pack = column("m", "pack")
    shown = [column("m", "case_type"), text("/"), column("m", "case_id")]
    why = " is not complete: some of its rules could not be evaluated."
    return (
        joined_text([text("The decision of "), pack, text(" on "), *shown, text(why)]),
        joined_text(
            [text("规则包 "), pack, text(" 对 "), *shown, text(" 的判定不完整：部分规则无法评估。")]
        ),
    )


def _case_columns(pack: Pack) -> dict[str, list[str]]:
    """Return the fields that are read of each named fact, `id` among them."""
    result = {pack.case.alias: {"id"}} | {alias: {"id"} for alias, _, _ in pack.case.named}
    for _, reference, _ in pack.case.named:
        result[reference.alias].add(reference.name)
    for value in values_of_pack(pack):
        for part in parts_of(value):
            if isinstance(part, FieldRef) and part.alias in result:
                name = part.references[0][0] if part.references else part.name
                if part.references or key_of(part) is None:
                    result[part.alias].add(name)
    return {alias: sorted(names) for alias, names in result.items()}


def _known_columns(fact_type: str, names: list[str]) -> list[str]:
    # A derived field of a type that shadows the alias may name a field that this type lacks.
    return [name for name in names if name in ALL_TYPES[fact_type].columns]


def _nobody() -> exp.Select:
    empty = [aliased(text(""), name) for name in ("case_id", "en", "zh")]
    return exp.select(*empty).where(exp.false())


def add_named(plan: Plan) -> None:
    """Add `kn`, the cases whose named facts were found, and `bn`, the others with the cause."""
    pack = plan.pack
    columns = _case_columns(pack)
    case_type, alias = pack.case.fact_type, pack.case.alias
    own = _known_columns(case_type, columns[alias])
    query = exp.select(
        aliased(column("c", "id"), "case_id"),
        *(aliased(column("c", name), f"{alias}${name}") for name in own),
    ).from_(relation(f"f_{case_type}", "c"))
    sources = {alias: "c"}
    for index, (named, reference, fact_type) in enumerate(pack.case.named):
        table = f"n{index}"
        sources[named] = table
        query = _join_named(plan, query, sources[reference.alias], reference, fact_type, table)
        listed = _known_columns(fact_type, columns[named])
        query = query.select(*(aliased(column(table, name), f"{named}${name}") for name in listed))
    if not pack.case.named:
        plan.add(NAMED_CASES, query, is_view=True)
        return
    plan.add("k0", query, is_view=True)
    missing = [
        (is_null(column("k", f"{named}$id")), _leads_nowhere(reference, fact_type))
        for named, reference, fact_type in pack.case.named
    ]
    cause = (
        case([(test, texts[0]) for test, texts in missing]),
        case([(test, texts[1]) for test, texts in missing]),
    )
    broken = exp.select(
        aliased(column("k", "case_id"), "case_id"),
        aliased(cause[0], "en"),
        aliased(cause[1], "zh"),
    ).from_(relation("k0", "k"))
    plan.add("bn", broken.where(either(*(test for test, _ in missing))))
    whole = exp.select("*").from_(relation("k0", "k"))
    plan.add(NAMED_CASES, whole.where(both(*(negated(test) for test, _ in missing))))


def _join_named(
    plan: Plan, query: exp.Select, near: str, reference: FieldRef, fact_type: str, table: str
) -> exp.Select:
    member = plan.members[fact_type]
    on = [equal(column(table, "id"), column(near, reference.name))]
    name = f"f_{fact_type}"
    if member.has_case and not _is_implied(plan, reference, fact_type):
        name = member.relation
        on.append(equal(column(table, OF_CASE), column("c", "id")))
    elif not member.has_case:
        name = member.relation
    return query.join(relation(name, table), on=both(*on), join_type="LEFT")


def _is_implied(plan: Plan, reference: FieldRef, fact_type: str) -> bool:
    """Return whether the fact that a reference names is in the case by that very reference."""
    wanted = ("id", reference.owner, reference.name)
    return any(
        path.fact_type == fact_type
        and len(path.links) == 1
        and (path.links[0].near_field, path.links[0].far_type, path.links[0].far_field) == wanted
        for path in plan.pack.paths
    )


def _leads_nowhere(reference: FieldRef, fact_type: str) -> Pair:
    value = column("k", f"{reference.alias}${reference.name}")
    nothing = Text(
        f"{reference.text} leads to nothing, which is not among the facts.",
        f"{reference.text} 指向空值，事实中没有对应记录。",
    )
    shown = [text(f"{fact_type}/"), value]
    led = (
        joined_text(
            [text(f"{reference.text} leads to "), *shown, text(", which is not among the facts.")]
        ),
        joined_text([text(f"{reference.text} 指向"), *shown, text("，事实中没有对应记录。")]),
    )
    empty = pair(nothing)
    return (
        case([(is_null(value), empty[0])], led[0]),
        case([(is_null(value), empty[1])], led[1]),
    )


def add_decided(plan: Plan) -> None:
    """Add `b`, `p` and `k`, once all that `case.when` reads is there."""
    pack = plan.pack
    plan.cases = NAMED_CASES
    frame = Frame(plan, NAMED_CASES, case_id="case_id")
    frame.bind_case()
    verdict = all_hold(line_verdicts(frame, pack.case.when))
    _add_broken(plan, is_certain=verdict.is_certain)
    shown = exp.select(aliased(column("f", "id"), "case_id")).from_(
        relation(f"f_{pack.case.fact_type}", "f")
    )
    if pack.case.when:
        left_out = Frame(plan, NAMED_CASES, case_id="case_id")
        left_out.bind_case()
        left_out.where(is_false(all_hold(line_verdicts(left_out, pack.case.when)).sql))
        plan.add("p_out", left_out.select([("case_id", left_out.case_id)]))
        shown = shown.where(_not_in("p_out", column("f", "id")))
    plan.add("p", shown, is_view=True)
    frame.where(verdict.sql, _not_in("r_handed", frame.case_id))
    decided = frame.select([("case_id", frame.case_id)])
    decided.set(
        "expressions",
        [exp.Column(this=exp.Star(), table=exp.to_identifier(frame.table, quoted=True))],
    )
    # Named facts were joined once already; without them the cases are the facts themselves.
    plan.add(CASES, decided, is_view=True)
    plan.cases = CASES


def _not_in(table: str, case_id: Sql) -> Sql:
    inner = exp.select(exp.Literal.number(1)).from_(relation(table, "h"))
    return negated(exists(inner.where(equal(column("h", "case_id"), case_id))))


def _add_broken(plan: Plan, *, is_certain: bool) -> None:
    pack = plan.pack
    parts: list[exp.Query] = []
    if pack.case.named:
        parts.append(exp.select("case_id", "en", "zh").from_(relation("bn", "n")))
    if pack.case.when and not is_certain:
        frame = Frame(plan, NAMED_CASES, case_id="case_id")
        frame.bind_case()
        verdict = all_hold(line_verdicts(frame, pack.case.when))
        frame.where(is_null(verdict.sql))
        en, zh = verdict.cause()
        parts.append(frame.select([("case_id", frame.case_id), ("en", en), ("zh", zh)]))
    plan.add("b", all_of(parts) if parts else _nobody())

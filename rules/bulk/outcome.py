"""The result tables `r_...`: what is decided of each case, from the keys that the rules left.

`r_case` is a table; what holds texts are views, so that a reader takes them a range of cases at a
time. Their names and columns are what `carnet.rules.bulk.output` reads.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from carnet.facts.schema import COMPUTED_TYPES
from carnet.rules.bulk.definitions import read_early
from carnet.rules.bulk.frame import Frame
from carnet.rules.bulk.outputs import (
    action_query,
    add_outputs,
    conflict_queries,
    output_query,
    unset_queries,
)
from carnet.rules.bulk.plan import CASES, Membership, Plan
from carnet.rules.bulk.rules import Compiled, case_frame, scope_verdicts
from carnet.rules.bulk.sql import (
    Sql,
    aliased,
    all_of,
    case,
    column,
    equal,
    exists,
    is_known,
    is_null,
    name_of,
    negated,
    number,
    relation,
    text,
)
from carnet.rules.bulk.told import (
    broken_query,
    confirmed_of_case,
    confirmed_queries,
    error_queries,
    finding_query,
    match_query,
    not_applicable_query,
    untold_frame,
)
from carnet.rules.bulk.values import all_hold, may_hold

_DECISIVE = frozenset({"blocking", "major"})


def add_results(plan: Plan, compiled: Sequence[Compiled]) -> None:
    """Add the result tables."""
    failed = [(one, query) for one in compiled for query in _failed(plan, one)]
    add_outputs(plan, compiled, failed)
    has_outputs = any(one.is_asked and one.rule.settings for one in compiled)
    conflicts = [*conflict_queries(plan)] if has_outputs else []
    _add_case(plan, compiled, [*(query for _, query in failed), *conflicts])
    _add_measures(plan)
    findings = [finding_query(plan, one) for one in compiled if one.is_asked and one.rule.message]
    _add_union(plan, "r_finding", findings)
    matches = [match_query(plan, one) for one in compiled if one.is_asked and one.rule.message]
    _add_union(plan, "r_match", matches)
    errors = [query for one in compiled for query in error_queries(plan, one)]
    errors += [query for one in compiled for query in unset_queries(plan, one)]
    _add_union(plan, "r_error", [broken_query(), *errors, *conflicts])
    if has_outputs:
        plan.add("r_output", output_query(plan), is_view=True)
    asked = [one for one in compiled if one.is_asked and one.rule.action]
    _add_union(plan, "r_action", [action_query(plan, one) for one in asked])
    skipped = (not_applicable_query(plan, one.rule) for one in compiled)
    _add_union(plan, "r_not_applicable", [query for query in skipped if query is not None])
    confirmed = [*confirmed_of_case(plan)]
    confirmed += [query for one in compiled for query in confirmed_queries(plan, one)]
    _add_union(plan, "r_confirmed", confirmed, is_distinct=True)
    _add_unreached(plan)


def _add_union(
    plan: Plan, name: str, queries: Sequence[exp.Query], *, is_distinct: bool = False
) -> None:
    """Add a result; where a pack has nothing of the kind there is no table."""
    if not queries:
        return
    union = all_of(queries)
    if is_distinct:
        union = exp.select("*").distinct().from_(union.subquery(alias=name_of("u"), copy=False))
    plan.add(name, union, is_view=True)


# --- conformity -------------------------------------------------------------------------------


def _add_case(plan: Plan, compiled: Sequence[Compiled], failed: Sequence[exp.Query]) -> None:
    decisive = [
        _ids_of(one.sure) for one in compiled if one.is_asked and one.rule.severity in _DECISIVE
    ]
    told = [
        exp.select("case_id").from_(query.subquery(alias=name_of("x"), copy=False))
        for query in failed
    ]
    case_id = column("p", "case_id")
    branches = [
        (exp.In(this=case_id, query=exp.Subquery(this=all_of(queries))), text(verdict))
        for queries, verdict in (
            (decisive, "nonconforming"),
            ([_ids_of("b"), *told], "undetermined"),
        )
        if queries
    ]
    verdict = aliased(case(branches, text("conforming")), "conformity")
    query = exp.select(aliased(case_id, "case_id"), verdict).from_(relation("p", "p"))
    plan.add("r_case", query)


def _ids_of(name: str) -> exp.Select:
    return exp.select(aliased(column("c", "case_id"), "case_id")).from_(relation(name, "c"))


def _failed(plan: Plan, compiled: Compiled) -> Iterator[exp.Query]:
    """Yield the cases in which a rule has an error."""
    rule = compiled.rule
    if compiled.may_err:
        yield _ids_of(compiled.unsure)
    yield from unset_queries(plan, compiled)
    frame = case_frame(plan)
    scope = all_hold(scope_verdicts(frame, rule))
    if not compiled.is_asked:
        # In scope it is an error, in a scope that is unknown as well.
        yield _not_false(plan, compiled)
        return
    if not scope.is_certain:
        frame.where(is_null(scope.sql))
        yield frame.select([("case_id", frame.case_id)])
    for kind in compiled.untold:
        untold = untold_frame(plan, compiled, kind)
        yield untold.select([("case_id", untold.case_id)])
    if compiled.unconfirmed:
        frame = case_frame(plan)
        frame.where(scope_sure(frame, compiled))
        table = plan.fresh("n")
        inner = exp.select(number(1)).from_(relation(compiled.rests, table))
        listed = [text(name) for name in compiled.unconfirmed]
        inner = inner.where(
            equal(column(table, "case_id"), frame.case_id),
            exp.In(this=column(table, "parameter"), expressions=listed),
        )
        frame.where(exists(inner))
        yield frame.select([("case_id", frame.case_id)])


def scope_sure(frame: Frame, compiled: Compiled) -> Sql:
    """Return whether all lines of a rule's scope are true."""
    return all_hold(scope_verdicts(frame, compiled.rule)).sql


def _not_false(plan: Plan, compiled: Compiled) -> exp.Query:
    frame = case_frame(plan)
    frame.where(may_hold(scope_verdicts(frame, compiled.rule)))
    return frame.select([("case_id", frame.case_id)])


# --- measures ---------------------------------------------------------------------------------


def _add_measures(plan: Plan) -> None:
    queries = []
    early = {name for owner, name in read_early(plan) if not owner}
    for name in sorted(plan.pack.measures):
        info = plan.computed["", name]
        query = exp.select(
            aliased(column("q", "case_id"), "case_id"),
            aliased(text(name), "name"),
            aliased(column("q", info.column()), "value"),
        ).from_(relation(info.relation, "q"))
        if name in early:
            # What decides whether a fact is a case was worked out before that was known.
            is_case = equal(column("k", "case_id"), column("q", "case_id"))
            query = query.join(relation(CASES, "k"), on=is_case)
        queries.append(query.where(is_known(column("q", info.column()))))
    _add_union(plan, "r_measure", queries)


# --- facts that reach no case -----------------------------------------------------------------


def _add_unreached(plan: Plan) -> None:
    queries: list[exp.Query] = []
    for fact_type in sorted(kind for kind in plan.members if kind not in COMPUTED_TYPES):
        if plan.is_computed(fact_type):
            continue
        query = exp.select(
            aliased(text(fact_type), "type"), aliased(column("f", "id"), "id")
        ).from_(relation(f"f_{fact_type}", "f"))
        reached = _reached(plan, plan.members[fact_type])
        queries.append(query.where(negated(exists(reached))))
    _add_union(plan, "r_unreached", queries)


def _reached(plan: Plan, member: Membership) -> exp.Select:
    """Return the cases shown that a fact `f` belongs to."""
    one = exp.select(number(1))
    if not member.has_case:
        query = one.from_(relation("p", "p"))
        everything = any(
            path.fact_type == member.fact_type and not path.links for path in plan.pack.paths
        )
        if everything:
            return query
        inner = relation(f"i_{member.fact_type}", "i")
        return query.join(inner, on=equal(column("i", "id"), column("f", "id")))
    if member.case_field is not None:
        own = column("f", member.case_field)
        return one.from_(relation("p", "p")).where(equal(column("p", "case_id"), own))
    query = one.from_(relation(f"i_{member.fact_type}", "i")).where(
        equal(column("i", "id"), column("f", "id"))
    )
    if not plan.pack.case.when:
        return query
    on = equal(column("p", "case_id"), column("i", "case_id"))
    return query.join(relation("p", "p"), on=on)

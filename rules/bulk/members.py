"""Which facts are in which case: a view `m_<type>` for each type that a path brings into cases.

Where one link leads from a fact to the case itself, membership is the link's own column and nothing
is stored. Where several facts must be joined on the way, or several ways lead to one case, the
pairs of case and fact are worked out once, as the table `i_<type>`.

Source: docs/spec/pack-format.md, PF-4; `rules/case.py` is the meaning.
"""

from sqlglot import exp

from carnet.rules.ast import Path
from carnet.rules.bulk.plan import ALL_TYPES, OF_CASE, Membership, Plan
from carnet.rules.bulk.sql import (
    FALSE,
    Sql,
    aliased,
    both,
    cast,
    column,
    equal,
    is_known,
    name_of,
    relation,
)


def add_members(plan: Plan) -> None:
    """Add the steps that say which facts are in which case."""
    pack = plan.pack
    case_type = pack.case.fact_type
    plan.members[case_type] = Membership(case_type, has_case=True, case_field="id")
    whole = _facts(plan, case_type, aliased(column("f", "id"), OF_CASE))
    plan.add(f"m_{case_type}", whole, is_view=True)
    by_type: dict[str, list[Path]] = {}
    for path in pack.paths:
        by_type.setdefault(path.fact_type, []).append(path)
    for fact_type, paths in by_type.items():
        _add_type(plan, fact_type, paths)


def _everything(plan: Plan, fact_type: str) -> list[Sql]:
    """Return the columns of a type that the pack may read, and what is computed of a fact alone."""
    if plan.view_of(fact_type) == f"f_{fact_type}":
        return [column("f", one) for one in plan.columns_read(fact_type)]
    return [exp.Column(this=exp.Star(), table=name_of("f"))]


def _facts(plan: Plan, fact_type: str, *first: Sql) -> exp.Select:
    """Return the facts `f` of a type, after some further columns."""
    query = exp.Select(expressions=[*first, *_everything(plan, fact_type)])
    return query.from_(relation(plan.view_of(fact_type), "f"), copy=False)


def _add_type(plan: Plan, fact_type: str, paths: list[Path]) -> None:
    if any(not path.links for path in paths):
        plan.members[fact_type] = Membership(fact_type, has_case=False)
        plan.add(f"m_{fact_type}", _facts(plan, fact_type), is_view=True)
        return
    direct = _direct_field(plan, paths)
    if direct is not None:
        plan.members[fact_type] = Membership(fact_type, has_case=True, case_field=direct)
        own = _facts(plan, fact_type, aliased(column("f", direct), OF_CASE))
        plan.add(f"m_{fact_type}", own.where(is_known(column("f", direct))), is_view=True)
        return
    _add_pairs(plan, fact_type, paths)


def _direct_field(plan: Plan, paths: list[Path]) -> str | None:
    """Return the field that holds the case's id, where one link is all there is."""
    if len(paths) != 1 or len(paths[0].links) != 1:
        return None
    (link,) = paths[0].links
    is_direct = link.far_type == plan.pack.case.fact_type and link.far_field == "id"
    is_text = ALL_TYPES[paths[0].fact_type].column(link.near_field).kind == "string"
    return link.near_field if is_direct and is_text else None


def _add_pairs(plan: Plan, fact_type: str, paths: list[Path]) -> None:
    has_case = any(_leads_to_case(plan, path) for path in paths)
    # A type that reaches some cases by one path and every case by another is in pairs as well.
    queries = [_pairs(plan, path, has_case=has_case) for path in paths]
    if len(queries) == 1 and _is_single(plan, paths[0]):
        union: exp.Query = queries[0]
    else:
        union = queries[0].distinct()
        for query in queries[1:]:
            union = exp.union(union, query.distinct(), distinct=True)
    plan.members[fact_type] = Membership(fact_type, has_case=has_case)
    plan.add(f"i_{fact_type}", union)
    own = [aliased(column("i", "case_id"), OF_CASE)] if has_case else []
    on = equal(column("f", "id"), column("i", "id"))
    query = _facts(plan, fact_type, *own).join(relation(f"i_{fact_type}", "i"), on=on)
    plan.add(f"m_{fact_type}", query, is_view=True)


def _leads_to_case(plan: Plan, path: Path) -> bool:
    return path.end is not None and plan.members[path.end].has_case


def _is_single(plan: Plan, path: Path) -> bool:
    """Return whether a fact reaches a case by this path in one way at most."""
    *inner, last = path.links
    ends = last.far_field == "id" or last.far_type == plan.pack.case.fact_type
    return ends and all(link.far_field == "id" for link in inner)


def _kind(fact_type: str, field: str) -> str:
    return ALL_TYPES[fact_type].column(field).kind


def _meets(near: tuple[str, str, str], far: tuple[str, str, str]) -> Sql:
    """Return whether two fields are equal as Python's values are: true is 1, a date no text."""
    kinds = {_kind(near[1], near[2]), _kind(far[1], far[2])}
    left, right = column(near[0], near[2]), column(far[0], far[2])
    if len(kinds) == 1:
        return equal(left, right)
    if kinds == {"integer", "boolean"}:
        return equal(cast(left, "BIGINT"), cast(right, "BIGINT"))
    return FALSE


def _pairs(plan: Plan, path: Path, *, has_case: bool) -> exp.Select:
    """Return the pairs of case and fact of one path."""
    query = exp.Select(expressions=[])
    query.set("from_", exp.From(this=relation(f"f_{path.fact_type}", "p0")))
    near_type = path.fact_type
    *inner, last = path.links
    for index, link in enumerate(inner):
        near, far = (f"p{index}", near_type, link.near_field), f"p{index + 1}"
        on = _meets(near, (far, link.far_type, link.far_field))
        query = query.join(relation(f"f_{link.far_type}", far), on=on)
        near_type = link.far_type
    near = (f"p{len(inner)}", near_type, last.near_field)
    end = plan.members[last.far_type]
    on = both(_meets(near, ("e", last.far_type, last.far_field)))
    query = query.join(relation(_end_relation(plan, last.far_type), "e"), on=on)
    listed = [aliased(column("p0", "id"), "id")]
    if has_case:
        case_id = column("e", _end_case(plan, last.far_type))
        if not end.has_case:
            query = query.join(relation(f"f_{plan.pack.case.fact_type}", "c"), join_type="CROSS")
            case_id = column("c", "id")
        listed.insert(0, aliased(case_id, "case_id"))
    return query.select(*listed)


def _end_relation(plan: Plan, fact_type: str) -> str:
    # The case's own table has its id; its view would only hide that from the planner.
    return f"f_{fact_type}" if fact_type == plan.pack.case.fact_type else f"m_{fact_type}"


def _end_case(plan: Plan, fact_type: str) -> str:
    return "id" if fact_type == plan.pack.case.fact_type else OF_CASE

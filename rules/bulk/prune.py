"""What is left of a query where some relations are known to hold no rows.

A SELECT from such a relation, or joined with it, gives nothing; EXISTS over it is false. What may
go is dropped before the engine sees it: planning a query costs more than running it on few facts.
What is left gives the same rows as the whole.
"""

from collections import Counter
from collections.abc import Collection, Iterator

from sqlglot import exp

from carnet.rules.bulk.sql import FALSE, TRUE, either, name_of

Empty = Collection[str]


# --- queries ----------------------------------------------------------------------------------


def remaining(query: exp.Expr, empty: Empty) -> exp.Expr | None:
    """Return what is left of a query; None where it has no rows.

    Args:
        query: A query of the compiler; it is not changed.
        empty: The relations without rows.
    """
    if isinstance(query, exp.Union):
        return _union(query, empty)
    if not isinstance(query, exp.Select) or query.args.get("with_") or not _begins(query):
        return query
    sources = [_source(one, empty) for one in _inner(query)]
    where = query.args.get("where")
    condition = _condition(where.this, empty) if where else TRUE
    if None in sources or condition == FALSE:
        return query if _has_one_row(query) else None
    changed: dict[str, object] = {}
    if any(one is not other for one, other in zip(sources, _inner(query), strict=True)):
        changed |= _with_sources(query, sources)
    if where and condition is not where.this:
        changed["where"] = None if condition == TRUE else exp.Where(this=condition)
    listed = [_value(one, empty) for one in query.expressions]
    if any(one is not other for one, other in zip(listed, query.expressions, strict=True)):
        changed["expressions"] = listed
    return exp.Select(**{**query.args, **changed}) if changed else query


def _union(query: exp.Union, empty: Empty) -> exp.Expr | None:
    left, right = remaining(query.this, empty), remaining(query.expression, empty)
    if left is None or right is None:
        rest = right if left is None else left
        if rest is None or not query.args.get("distinct"):
            return rest
        whole = exp.Subquery(this=rest, alias=exp.TableAlias(this=name_of("u")))
        return exp.select("*").distinct(copy=False).from_(whole, copy=False)
    if left is query.this and right is query.expression:
        return query
    return exp.Union(**{**query.args, "this": left, "expression": right})


def _begins(query: exp.Select) -> bool:
    return query.args.get("from_") is not None


def _inner(query: exp.Select) -> list[exp.Expr]:
    """Return what a query is selected from and joined with, where no row makes none of them all."""
    joins = [one for one in query.args.get("joins") or () if not one.args.get("side")]
    return [query.args["from_"].this, *(one.this for one in joins)]


def _source(source: exp.Expr, empty: Empty) -> exp.Expr | None:
    if isinstance(source, exp.Table):
        return None if source.name in empty else source
    if not isinstance(source, exp.Subquery):
        return source
    rest = remaining(source.this, empty)
    if rest is None or rest is source.this:
        return None if rest is None else source
    return exp.Subquery(**{**source.args, "this": rest})


def _with_sources(query: exp.Select, sources: Collection[exp.Expr | None]) -> dict[str, object]:
    first, *others = sources
    following = iter(others)
    joins = [
        one if one.args.get("side") else exp.Join(**{**one.args, "this": next(following)})
        for one in query.args.get("joins") or ()
    ]
    return {"from_": exp.From(this=first), "joins": joins}


def _has_one_row(query: exp.Select) -> bool:
    """Return whether a query has a row whatever it reads: it counts, and does not group."""
    return not query.args.get("group") and any(one.find(exp.AggFunc) for one in query.expressions)


# --- conditions -------------------------------------------------------------------------------


def _condition(test: exp.Expr, empty: Empty) -> exp.Expr:
    """Return what is left of a condition, TRUE and FALSE where it is settled."""
    if isinstance(test, exp.Paren | exp.Not):
        return _unary(test, empty)
    if isinstance(test, exp.And | exp.Or):
        return _connected(test, empty)
    if isinstance(test, exp.Exists):
        rest = remaining(test.this, empty)
        if rest is None:
            return FALSE
        return test if rest is test.this else exp.Exists(this=rest)
    if isinstance(test, exp.In) and isinstance(test.args.get("query"), exp.Subquery):
        inside = _source(test.args["query"], empty)
        if inside is None:
            return FALSE
        return test if inside is test.args["query"] else exp.In(this=test.this, query=inside)
    return test


def _unary(test: exp.Paren | exp.Not, empty: Empty) -> exp.Expr:
    inside = _condition(test.this, empty)
    if inside is test.this:
        return test
    if inside not in (TRUE, FALSE):
        return type(test)(this=inside)
    if isinstance(test, exp.Paren):
        return inside
    return FALSE if inside == TRUE else TRUE


def _connected(test: exp.And | exp.Or, empty: Empty) -> exp.Expr:
    settles, adds_nothing = (FALSE, TRUE) if isinstance(test, exp.And) else (TRUE, FALSE)
    left, right = _condition(test.this, empty), _condition(test.expression, empty)
    if left is test.this and right is test.expression:
        return test
    if settles in (left, right):
        return settles
    if left == adds_nothing:
        return right
    return left if right == adds_nothing else type(test)(this=left, expression=right)


def _value(value: exp.Expr, empty: Empty) -> exp.Expr:
    """Return what is left of a column: a CASE loses the branches that never hold."""
    if not isinstance(value, exp.Alias) or not isinstance(value.this, exp.Case):
        return value
    chosen = value.this
    tests = [_condition(one.this, empty) for one in chosen.args["ifs"]]
    if all(test is one.this for test, one in zip(tests, chosen.args["ifs"], strict=True)):
        return value
    kept = [
        exp.If(this=test, true=one.args["true"])
        for test, one in zip(tests, chosen.args["ifs"], strict=True)
        if test != FALSE
    ]
    default = chosen.args.get("default") or exp.null()
    rest = exp.Case(ifs=kept, default=default) if kept else default
    return exp.Alias(this=rest, alias=value.args["alias"])


# --- names ------------------------------------------------------------------------------------


_LEAVES = (exp.Column, exp.Literal, exp.Identifier, exp.DataType)


def names_in(query: exp.Expr | None) -> Counter[str]:
    """Return how often a query names each relation, its common table expressions left out."""
    found: Counter[str] = Counter()
    inner: set[str] = set()
    waiting: list[object] = [query]
    # The walk of sqlglot itself takes several times as long.
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, exp.Table):
            found[node.name] += 1
        elif isinstance(node, exp.Expr) and not isinstance(node, _LEAVES):
            if isinstance(node, exp.CTE):
                inner.add(node.alias)
            waiting += node.args.values()
    for name in inner:
        del found[name]
    return found


def prunable(query: exp.Expr) -> Iterator[str]:
    """Yield the names of the relations that `remaining` looks at, one for each time."""
    if isinstance(query, exp.Union):
        yield from prunable(query.this)
        yield from prunable(query.expression)
    if not isinstance(query, exp.Select) or query.args.get("with_") or not _begins(query):
        return
    if _has_one_row(query):
        return
    for source in _inner(query):
        if isinstance(source, exp.Table):
            yield source.name
        elif isinstance(source, exp.Subquery):
            yield from prunable(source.this)
    where = query.args.get("where")
    for test in (*([where.this] if where else ()), *map(_tests, query.expressions)):
        yield from _in_condition(test)


def _tests(value: exp.Expr) -> exp.Expr:
    """Return the tests of a column that is a CASE, as one condition."""
    if not isinstance(value, exp.Alias) or not isinstance(value.this, exp.Case):
        return TRUE
    return either(*(one.this for one in value.this.args["ifs"]))


def _in_condition(test: exp.Expr) -> Iterator[str]:
    if isinstance(test, exp.And | exp.Or):
        yield from _in_condition(test.this)
        yield from _in_condition(test.expression)
    elif isinstance(test, exp.Paren | exp.Not):
        yield from _in_condition(test.this)
    elif isinstance(test, exp.Exists):
        yield from prunable(test.this)
    elif isinstance(test, exp.In) and isinstance(test.args.get("query"), exp.Subquery):
        yield from prunable(test.args["query"].this)

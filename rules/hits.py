"""The rows of a decision table that hit for a case, as facts of it.

Under a policy that takes one row, that row is the one fact of the table's type, and where it cannot
be told which it is, every rule that reads the type is undetermined. Under a policy that takes all
rows, each is a fact of its own, and one that cannot be told is a fact that may be there.

Source: docs/spec/pack-format.md, PF-45.
"""

from carnet.facts.fact import Fact
from carnet.rules.ast import Table, TableInput, TableRow, Value, row_key
from carnet.rules.case import Case, ComputedFacts, ComputedType
from carnet.rules.parameters import Unknown
from carnet.rules.tables import Arguments, CompiledTable
from carnet.rules.unverified import rests_values
from carnet.rules.values import value_of

_SINGLE = frozenset({"U", "A", "P", "F"})


def takes_one_row(table: Table) -> bool:
    """Return whether the hit policy takes at most one row."""
    return table.hit_policy in _SINGLE


def _own_value(column: TableInput) -> Value:
    assert column.value is not None, "a table with hits has a value for every input"
    return column.value


def own_arguments(table: Table, case: Case) -> Arguments:
    """Return what the inputs of a table hold for a case."""
    return tuple(value_of(_own_value(column), case.named, case) for column in table.inputs)


def _fact(compiled: CompiledTable, row: TableRow) -> Fact:
    return Fact(compiled.table.id, row.id, compiled.fields_of(row))


def _hits(compiled: CompiledTable, case: Case) -> ComputedFacts | Unknown:
    arguments = own_arguments(compiled.table, case)
    if takes_one_row(compiled.table):
        rows = compiled.hits(arguments)
        if isinstance(rows, Unknown):
            return rows
        return ComputedFacts(tuple(_fact(compiled, row) for row in rows))
    considered = compiled.considered(arguments)
    facts = sorted((_fact(compiled, one.row) for one, _ in considered), key=lambda fact: fact.id)
    unsure = {one.row.id: why for one, why in considered if why is not None}
    return ComputedFacts(tuple(facts), unsure)


def _rests(compiled: CompiledTable, case: Case) -> frozenset[str]:
    table = compiled.table
    result = rests_values([_own_value(column) for column in table.inputs], case.named, case)
    if takes_one_row(table):
        result |= compiled.unverified(own_arguments(table, case))
    return result


def _rests_row(compiled: CompiledTable, fact: Fact) -> frozenset[str]:
    """Return the row itself where officers must confirm it; one taken for all is in `_rests`."""
    key = row_key(compiled.table.id, fact.id)
    return frozenset({key}) if compiled.is_unverified(fact.id) else frozenset()


def computed_type(compiled: CompiledTable) -> ComputedType:
    """Return how the rows of a table that hit become facts of a case."""
    return ComputedType(
        compiled.table.id,
        lambda case: _hits(compiled, case),
        lambda case: _rests(compiled, case),
        lambda _case, fact: _rests_row(compiled, fact),
    )

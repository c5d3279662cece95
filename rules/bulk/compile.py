"""From a pack to the queries that decide it: the entry to the compiler.

The order of the steps: views of facts with what is computed of each alone (`v_`), who is in which
case (`i_`, `m_`), what links reach (`closures.py`), what is left to the reference (`r_handed`), the
cases (`kn`, `p`, `b`, `k`), derived fields and measures that read more than one fact (`d_`, `q_`),
the rules (`n_`, `x_`, `e_`), and the results (`r_`).

Source: docs/adr/0011-packs-become-sql.md.
"""

from datetime import date

from carnet.rules.ast import Pack
from carnet.rules.bulk.cases import add_decided, add_incomplete, add_named
from carnet.rules.bulk.definitions import add_views, read_early
from carnet.rules.bulk.handed import add_handed
from carnet.rules.bulk.hits import add_hits
from carnet.rules.bulk.layers import add_tables
from carnet.rules.bulk.members import add_members
from carnet.rules.bulk.outcome import add_results
from carnet.rules.bulk.plan import CASES, NAMED_CASES, closures_read, start_plan
from carnet.rules.bulk.rules import add_rule
from carnet.rules.bulk.steps import Step


def compile_pack(pack: Pack, as_of: date, confirmed: frozenset[str]) -> tuple[Step, ...]:
    """Return the queries that decide a pack on a date, in the order in which they are run.

    Args:
        pack: A checked pack.
        as_of: The date of the decisions, within the pack's window.
        confirmed: The U parameters that officers have confirmed.
    """
    plan = start_plan(pack, as_of, confirmed)
    types = sorted({pack.case.fact_type, *(path.fact_type for path in pack.paths)})
    left = add_views(plan, types)
    add_members(plan)
    add_named(plan)
    add_incomplete(plan)
    early = read_early(plan)
    plan.cases = NAMED_CASES
    add_tables(plan, [key for key in left if key in early])
    for name in closures_read(pack):
        add_hits(plan, name)
    add_handed(plan)
    add_decided(plan)
    plan.cases = CASES
    add_tables(plan, [key for key in left if key not in early])
    for name in sorted({kind for rule in pack.rules for _, kind in rule.aliases}):
        add_hits(plan, name)
    compiled = [add_rule(plan, index) for index in range(len(pack.rules))]
    add_results(plan, compiled)
    return tuple(plan.steps)

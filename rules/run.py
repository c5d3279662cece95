"""Starting a run: what all cases of one evaluation share, computed types included.

Source: docs/spec/pack-format.md, PF-6, PF-7 and PF-45.
"""

from collections.abc import Mapping
from datetime import date

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.rules.ast import Pack
from carnet.rules.case import ComputedType, Run
from carnet.rules.hits import computed_type
from carnet.rules.parameters import resolve_parameters
from carnet.rules.reachability import closure_type
from carnet.rules.reads import Reads
from carnet.rules.tables import CompiledTable, compile_tables, unverified_rows


def unverified_of(pack: Pack) -> frozenset[str]:
    """Return what officers may confirm of a pack: its U parameters and its table rows."""
    parameters = {name for name, one in pack.parameters.items() if one.status == "U"}
    return unverified_rows(pack.tables) | parameters


def reads_of(pack: Pack) -> Reads:
    """Return which U parameters the values of a pack may read."""
    definitions = {**pack.derived, **{("", name): one for name, one in pack.measures.items()}}
    return Reads(pack.parameters, definitions, pack.tables, pack.closures)


def _computing(pack: Pack, tables: Mapping[str, CompiledTable]) -> dict[str, ComputedType]:
    rows = {name: computed_type(one) for name, one in tables.items() if one.table.has_hits}
    return rows | {name: closure_type(one) for name, one in pack.closures.items()}


def start_run(pack: Pack, as_of: date, confirmed: frozenset[str]) -> Run:
    """Return the run of a pack on a date.

    Raises:
        InputError: The date is outside the pack's effective window, or what is confirmed is no U
            parameter of the pack.
    """
    if as_of < pack.effective_from or (pack.effective_to and as_of > pack.effective_to):
        until = pack.effective_to or "..."
        raise InputError(
            "CRN-R-022",
            Text(
                f"The pack {pack.id} {pack.version} is effective from {pack.effective_from} to"
                f" {until}, not on {as_of}.",
                f"规则包 {pack.id} {pack.version} 的适用期为 {pack.effective_from} 至 {until}，"
                f"不含 {as_of}。",
            ),
            Text(
                "Choose another version or another --as-of.", "请选择其他版本或其他 --as-of 日期。"
            ),
        )
    counted = confirmed & unverified_of(pack)
    tables = compile_tables(pack.tables, as_of, counted)
    return Run(
        pack,
        as_of,
        resolve_parameters(pack.parameters, as_of, counted),
        counted,
        reads_of(pack),
        tables=tables,
        computing=_computing(pack, tables),
    )

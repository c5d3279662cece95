"""What officers may confirm of a pack: parameters of status U and table rows of status U.

Source: docs/spec/pack-format.md, PF-7 and PF-46.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from carnet.core.canonical import canonical
from carnet.core.digests import sha256
from carnet.rules.ast import Pack, Parameter, Table, TableRow, row_key
from carnet.rules.format.cells import spell_cell


@dataclass(frozen=True, slots=True)
class Confirmable:
    """A part of a pack that counts only once officers have confirmed it.

    Args:
        id: The parameter's id, or the row's as `<table>.<row>`.
        digest: The hash of what it says, which a confirmation is of.
        sources: The law facts that it cites; a row that cites none names its table.
    """

    id: str
    digest: str
    sources: tuple[str, ...]


def _plain(value: object) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def parameter_digest(parameter: Parameter) -> str:
    """Return the hash of what a parameter says: its values with their dates, and its source."""
    values = [
        {
            "value": _plain(each.value),
            "validFrom": each.valid_from.isoformat(),
            "validTo": each.valid_to and each.valid_to.isoformat(),
            "knownFrom": each.known_from.isoformat(),
        }
        for each in parameter.values
    ]
    source = parameter.citation
    content = {
        "id": parameter.id,
        "kind": parameter.kind,
        "unit": parameter.unit,
        "source": [source.fact, source.title, source.article, source.link],
        "values": values,
    }
    return sha256(canonical(content)).hex()


def row_digest(row: TableRow, table: Table) -> str:
    """Return the hash of what a row says: cells and outputs by column, dates, sources."""
    inputs = zip(table.inputs, row.cells, strict=True)
    outputs = zip(table.outputs, row.outputs, strict=True)
    content = {
        "id": row_key(table.id, row.id),
        "hitPolicy": table.policy,
        "inputs": [[column.name, column.kind, spell_cell(cell)] for column, cell in inputs],
        "outputs": [
            [column.name, column.kind, _plain(value)]
            for column, value in outputs
            if value is not None
        ],
        "source": list(row.citation),
        "days": [day and day.isoformat() for day in (row.valid_from, row.valid_to, row.known_from)],
    }
    return sha256(canonical(content)).hex()


def _parts(pack: Pack) -> Iterator[Confirmable]:
    for one in pack.parameters.values():
        if one.status == "U":
            yield Confirmable(one.id, parameter_digest(one), (one.citation.fact,))
    for table in pack.tables.values():
        for row in table.rows:
            if row.status == "U":
                sources = row.citation or (table.id,)
                yield Confirmable(row_key(table.id, row.id), row_digest(row, table), sources)


def confirmable(pack: Pack) -> dict[str, Confirmable]:
    """Return what officers may confirm of a pack, by id."""
    return {one.id: one for one in _parts(pack)}

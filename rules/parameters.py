"""Dated parameters: which value of the law is in force on a day, as known on that day.

Source: docs/spec/pack-format.md, PF-6 and PF-7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from carnet.core.text import Text
from carnet.rules.ast import DatedValue, Parameter, Scalar


@dataclass(frozen=True, slots=True)
class Unknown:
    """In place of a value that cannot be told, with the cause.

    Args:
        cause: Which value, of what, and why.
        is_absent: Whether it is known that there is no value, so that `has` answers false.
    """

    cause: Text
    is_absent: bool = False


Known = Scalar | tuple[str, ...]


def value_in_force(parameter: Parameter, as_of: date) -> DatedValue | None:
    """Return the dated value that decides on a day, None where none does.

    Among the values whose days hold `as_of` and that were published by then, the one published
    last wins, then the one that began last.
    """
    candidates = [
        value
        for value in parameter.values
        if value.valid_from <= as_of
        and (value.valid_to is None or as_of <= value.valid_to)
        and value.known_from <= as_of
    ]
    return max(candidates, key=lambda v: (v.known_from, v.valid_from), default=None)


def tied_values(parameter: Parameter) -> tuple[DatedValue, DatedValue] | None:
    """Return two values of which neither wins over the other, if there are any."""
    seen: dict[tuple[date, date], DatedValue] = {}
    for value in parameter.values:
        key = (value.known_from, value.valid_from)
        if key in seen:
            return seen[key], value
        seen[key] = value
    return None


def unconfirmed_cause(parameter: Parameter) -> Text:
    """Return why a U parameter does not count yet."""
    cited = f"{parameter.citation.title}, {parameter.citation.article}"
    return Text(
        f"The parameter {parameter.id} ({parameter.title.en}; {cited}) is unverified (U) and not"
        " confirmed by officers.",
        f"参数 {parameter.id}（{parameter.title.zh}；{cited}）未经核实（U），且未经合规专员确认。",
    )


def _resolve(parameter: Parameter, as_of: date, confirmed: frozenset[str]) -> Known | Unknown:
    if parameter.status == "U" and parameter.id not in confirmed:
        return Unknown(unconfirmed_cause(parameter))
    value = value_in_force(parameter, as_of)
    if value is None:
        return Unknown(
            Text(
                f"The parameter {parameter.id} has no value in force on {as_of}.",
                f"参数 {parameter.id} 在 {as_of} 没有有效值。",
            ),
            is_absent=True,
        )
    return value.value


def resolve_parameters(
    parameters: Mapping[str, Parameter], as_of: date, confirmed: frozenset[str]
) -> dict[str, Known | Unknown]:
    """Return the value of every parameter on a day, or why it has none."""
    return {name: _resolve(one, as_of, confirmed) for name, one in parameters.items()}

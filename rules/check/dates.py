"""Days of a pack's window on which a parameter has no value.

Source: docs/spec/pack-format.md, PF-6 and PF-55.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from carnet.core.text import Text
from carnet.rules.ast import Pack, Parameter
from carnet.rules.check.places import Material
from carnet.rules.check.possible import turning_days
from carnet.rules.check.report import Defect, note, warning
from carnet.rules.parameters import value_in_force

_DAY = timedelta(days=1)


def gaps_of(pack: Pack, parameter: Parameter) -> Iterator[tuple[date, date | None]]:
    """Yield the stretches of a pack's window without a value, the last one possibly open."""
    days = turning_days(pack, [parameter.id])
    start: date | None = None
    for day in days:
        is_open = value_in_force(parameter, day) is None
        if is_open and start is None:
            start = day
        elif not is_open and start is not None:
            yield start, day - _DAY
            start = None
    if start is not None:
        yield start, pack.effective_to


def date_defects(material: Material) -> Iterator[Defect]:
    """Yield the gaps in the dated values of parameters."""
    pack = material.pack
    for parameter in pack.parameters.values():
        for first, last in gaps_of(pack, parameter):
            until = last or "..."
            # Before its first value the law mostly did not apply yet.
            begins = min(value.valid_from for value in parameter.values)
            tell = note if last is not None and last < begins else warning
            yield tell(
                "CRN-R-220",
                material.parameter(parameter.id),
                Text(
                    f"The parameter {parameter.id} has no value from {first} to {until}: rules that"
                    " read it then are undetermined.",
                    f"参数 {parameter.id} 在 {first} 至 {until} 没有有效值：届时读取它的规则将"
                    "无法判定。",
                ),
                Text(
                    "Add the value of those days, or a scope line that keeps the rule to the days "
                    "on which the law has one.",
                    "请补充该时段的取值，或以 scope 条件将规则限于有值的日期。",
                ),
            )

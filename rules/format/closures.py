"""Closures of a pack: declared before lines are read, so that lines may name their pairs.

Source: docs/spec/pack-format.md, PF-37 and PF-38.
"""

from collections.abc import Iterable
from dataclasses import replace

from carnet.core.text import Text
from carnet.facts.schema import RULE_TYPES
from carnet.rules.ast import Closure, FieldRef
from carnet.rules.format.build import Defects, check_alias, check_fact_type, read_lines
from carnet.rules.format.definitions import check_in_case
from carnet.rules.format.expression import parse_value
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.format.names import ComputedField, Names
from carnet.rules.format.section import NAME, Section

DEPTH_MAX = 64
_FIELDS = {
    "from_id": ComputedField("string", is_certain=True),
    "to_id": ComputedField("string", is_certain=True),
    "depth": ComputedField("integer", is_certain=True),
}


def declare_closures(sections: Iterable[Section], names: Names, defects: Defects) -> Names:
    """Return the names with the pairs of every closure."""
    computed = dict(names.computed)
    for section in sections:
        with defects.collect():
            name = section.matching("name", NAME)
            if name in computed or name in RULE_TYPES:
                raise section.fault(
                    Text(
                        f"The name {name} of the closure is taken.", f"闭包名称 {name} 已被占用。"
                    ),
                    line=section.line_of("name"),
                )
            computed[name] = _FIELDS
    return replace(names, computed=computed)


def _end(section: Section, key: str, alias: str, names: Names) -> FieldRef:
    """Return the field of a link that names one of its ends: the id of a fact."""
    text, line = section.string(key), section.line_of(key)
    try:
        value = parse_value(text, names)
    except ExpressionError as fault:
        raise section.fault(fault.message, fault.hint, line=line) from fault
    if (
        isinstance(value, FieldRef)
        and value.alias == alias
        and not value.is_derived
        and RULE_TYPES[value.owner].column(value.name).form == "id"
    ):
        return value
    raise section.fault(
        Text(
            f"{key!r} must be a field of {alias} that holds the id of a fact, not {text!r:.80}.",
            f"{key!r} 须为 {alias} 中保存事实标识的字段，而非 {text!r:.80}。",
        ),
        Text(f"For example {alias}.from_id.", f"例如 {alias}.from_id。"),
        line=line,
    )


def _closure(section: Section, names: Names, defects: Defects) -> Closure:
    inner = section.section("over")
    if len(inner.data) != 1:
        raise inner.fault(Text("'over' names one alias.", "over 须恰有一个别名。"))
    ((alias, _),) = inner.data.items()
    line = inner.line_of(alias)
    check_alias(alias, inner, line, names.aliases)
    fact_type = check_fact_type(inner.string(alias), inner, line)
    check_in_case(fact_type, names, inner, line)
    reach = names.with_aliases({alias: fact_type})
    result = Closure(
        name=section.matching("name", NAME),
        title=section.text("title"),
        fact_type=fact_type,
        alias=alias,
        start=_end(section, "from", alias, reach),
        end=_end(section, "to", alias, reach),
        when=read_lines(section, "when", reach, defects),
        depth_max=section.integer("depth", 1, DEPTH_MAX),
    )
    section.close()
    return result


def read_closures(
    sections: Iterable[Section], names: Names, defects: Defects
) -> dict[str, Closure]:
    """Return the closures of a pack by name; `names` has them declared."""
    result: dict[str, Closure] = {}
    for section in sections:
        with defects.collect(section.file, section.line):
            closure = _closure(section, names, defects)
            result.setdefault(closure.name, closure)
    return result

"""What a pack defines and nothing of it uses.

Source: docs/spec/pack-format.md, PF-54.
"""

from collections.abc import Iterator

from carnet.core.text import Text
from carnet.rules.ast import (
    Aggregation,
    FieldRef,
    Line,
    Lookup,
    MeasureRef,
    Pack,
    ParameterRef,
    Value,
    conditions_of,
    parts_of,
    texts_of,
    values_of,
    values_of_definition,
)
from carnet.rules.check.places import Material
from carnet.rules.check.report import Defect, note, warning


def _lines_of(pack: Pack) -> Iterator[Line]:
    yield from pack.case.when
    for rule in pack.rules:
        yield from (one.line for one in rule.scope)
        yield from rule.when
        for block in rule.without:
            yield from block.when
    for closure in pack.closures.values():
        yield from closure.when


def _values_of(pack: Pack) -> Iterator[Value]:
    for condition in conditions_of(tuple(_lines_of(pack))):
        yield from values_of(condition)
    for rule in pack.rules:
        yield from texts_of(rule)
        yield from (setting.value for setting in rule.settings)
    for definition in (*pack.derived.values(), *pack.measures.values()):
        yield from values_of_definition(definition)
    for table in pack.tables.values():
        yield from (column.value for column in table.inputs if column.value is not None)


def _parts(pack: Pack) -> list[Value]:
    return [part for value in _values_of(pack) for part in parts_of(value)]


def _fields_read(parts: list[Value]) -> set[tuple[str, str]]:
    read: set[tuple[str, str]] = set()
    for part in parts:
        if isinstance(part, FieldRef):
            name = part.name.removesuffix("_reason") if part.is_reason else part.name
            read.add((part.owner, name))
    return read


def _unread(material: Material, parts: list[Value]) -> Iterator[Defect]:
    pack = material.pack
    fields = _fields_read(parts)
    for key, definition in pack.derived.items():
        if key not in fields:
            owner, name = key
            yield warning(
                "CRN-R-210",
                material.definition(definition),
                Text(f"Nothing reads {owner}.{name}.", f"没有任何内容读取 {owner}.{name}。"),
                Text("Use it in a line, or take it out.", "请在条件中使用，或删除。"),
            )
    measures = {part.name for part in parts if isinstance(part, MeasureRef)}
    for name, definition in pack.measures.items():
        if name not in measures:
            yield note(
                "CRN-R-210",
                material.definition(definition),
                Text(
                    f"Nothing reads measure.{name}; decisions only list it.",
                    f"没有任何内容读取 measure.{name}；它只列于判定结果中。",
                ),
                Text(
                    "Take it out unless it is there to be listed.",
                    "如非供列示之用，请删除。",
                ),
            )
    named = {part.id for part in parts if isinstance(part, ParameterRef)}
    for name in pack.parameters.keys() - named:
        yield warning(
            "CRN-R-211",
            material.parameter(name),
            Text(f"Nothing reads param.{name}.", f"没有任何内容读取 param.{name}。"),
            Text("Use it in a line, or take it out.", "请在条件中使用，或删除。"),
        )


def _uncited(material: Material) -> Iterator[Defect]:
    pack = material.pack
    cited = {fact for rule in pack.rules for fact in rule.citation}
    cited |= {fact for table in pack.tables.values() for row in table.rows for fact in row.citation}
    for file, element in material.elements("law.yaml", "law"):
        fact = str(element.get("id"))
        if fact not in cited:
            yield warning(
                "CRN-R-212",
                (file, element.line),
                Text(f"No rule cites {fact}.", f"没有规则引用 {fact}。"),
                Text("Cite it where it applies, or take it out.", "请在适用处引用，或删除。"),
            )


def _types_read(pack: Pack, parts: list[Value]) -> set[str]:
    """Return the fact types that rules bind, that values follow, and that lead to those."""
    read = {kind for rule in pack.rules for _, kind in rule.aliases}
    read |= {kind for _, _, kind in pack.case.named} | {pack.case.fact_type}
    for definition in (*pack.derived.values(), *pack.measures.values()):
        if isinstance(definition.body, Aggregation):
            read.add(definition.body.fact_type)
    read |= {closure.fact_type for closure in pack.closures.values()}
    for part in parts:
        if isinstance(part, FieldRef):
            read |= {kind for _, kind in part.references}
    waiting = list(read)
    while waiting:
        fact_type = waiting.pop()
        for path in pack.paths:
            if path.fact_type == fact_type and path.end is not None and path.end not in read:
                read.add(path.end)
                waiting.append(path.end)
    return read


def _idle_tables(material: Material, parts: list[Value]) -> Iterator[Defect]:
    pack = material.pack
    bound = _types_read(pack, parts)
    looked_up = {part.table for part in parts if isinstance(part, Lookup)}
    for condition in conditions_of(tuple(_lines_of(pack))):
        items = getattr(condition, "items", None)
        looked_up |= {items.table} if isinstance(items, Lookup) else set()
    for table in pack.tables.values():
        if table.id not in bound | looked_up:
            yield _idle((table.file, 1), f"the table {table.id}", f"决策表 {table.id}")
    for name in pack.closures.keys() - bound:
        place = material.named("closures", name)
        yield _idle(place, f"the closure {name}", f"闭包 {name}")
    set_ones = {setting.output for rule in pack.rules for setting in rule.settings}
    for name in pack.outputs.keys() - set_ones:
        yield warning(
            "CRN-R-214",
            material.named("outputs", name),
            Text(f"No rule sets the output {name}.", f"没有规则设置输出 {name}。"),
            Text("Set it in a rule, or take it out.", "请在规则中设置，或删除。"),
        )


def _idle(place: tuple[str, int], en: str, zh: str) -> Defect:
    return warning(
        "CRN-R-214",
        place,
        Text(f"Nothing reads {en}.", f"没有任何内容读取{zh}。"),
        Text("Use it in a rule, or take it out.", "请在规则中使用，或删除。"),
    )


def unused_defects(material: Material) -> Iterator[Defect]:
    """Yield definitions, parameters, law facts and paths that nothing uses."""
    pack = material.pack
    parts = _parts(pack)
    yield from _unread(material, parts)
    yield from _uncited(material)
    read = _types_read(pack, parts)
    for fact_type in sorted({path.fact_type for path in pack.paths} - read):
        yield warning(
            "CRN-R-213",
            material.path(fact_type),
            Text(
                f"No rule uses facts of the type {fact_type}, which has a path.",
                f"类型 {fact_type} 有路径，但没有规则使用其事实。",
            ),
            Text("Take the path out, or use the facts.", "请删除该路径，或使用这些事实。"),
        )
    yield from _idle_tables(material, parts)

"""Texts for people: placeholders that may have no value, texts that were not translated.

Source: docs/spec/pack-format.md, PF-13 and PF-56.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from carnet.core.text import Text
from carnet.facts.schema import FACT_TYPES
from carnet.rules.ast import Choice, Constant, FieldRef, Pack, Rule, parts_of, texts_of
from carnet.rules.check.constraints import System
from carnet.rules.check.places import Material
from carnet.rules.check.report import Defect, note, warning
from carnet.rules.format.yaml_strict import LocatedDict, LocatedList

_HAN = re.compile(r"[\u3400-\u9fff]")
_LETTER = re.compile(r"[A-Za-z]")
_BRACED = re.compile(r"\{[^{}]*\}")


def _is_stored_always(field: FieldRef) -> bool:
    """Return whether every fact that was imported has the field and what leads to it."""
    if field.owner not in FACT_TYPES or field.name not in FACT_TYPES[field.owner].columns:
        return False
    if not FACT_TYPES[field.owner].column(field.name).is_required:
        return False
    # A step is named by the field that leads on; whoever holds it must always have it.
    return all(
        owner.fields[name].is_required
        for name, target in field.references
        for owner in FACT_TYPES.values()
        if name in owner.fields and target in owner.fields[name].refers_to
    )


def _is_always_chosen(choice: Choice) -> bool:
    """Return whether some candidate of a choice applies whatever the fact holds."""
    if any(not one.when for one in choice.candidates):
        return True
    if any(len(one.when) > 1 for one in choice.candidates):
        return False
    system = System()
    for condition in (c for one in choice.candidates for c in one.when[0].conditions):
        system.add(condition, holds=False)
    return not system.is_possible() and not system.present


def _is_always_there(field: FieldRef, pack: Pack) -> bool:
    if field.is_certain or _is_stored_always(field):
        return True
    if not field.is_derived:
        return False
    definition = pack.derived[field.owner, _base(field).name]
    if not isinstance(definition.body, Choice):
        return False
    values = [part for one in definition.body.candidates for part in parts_of(one.value)]
    has_values = all(isinstance(one, Constant) or getattr(one, "is_certain", 0) for one in values)
    return has_values and _is_always_chosen(definition.body)


def _known(rule: Rule) -> set[FieldRef]:
    """Return the fields that are there whenever the rule finds something."""
    system = System()
    for line in (*(one.line for one in rule.scope), *rule.when):
        if len(line.conditions) == 1:
            system.add(line.conditions[0])
    return system.present


def _base(field: FieldRef) -> FieldRef:
    """Return the derived field that a reason belongs to, or the field itself."""
    if not field.is_reason:
        return field
    return replace(field, name=field.name.removesuffix("_reason"), is_reason=False)


def _spelling(field: FieldRef) -> tuple[str, tuple[tuple[str, str], ...], str]:
    base = _base(field)
    return base.alias, base.references, base.name


def _absent_placeholders(rule: Rule, pack: Pack) -> Iterator[Defect]:
    known = {_spelling(field) for field in _known(rule)}
    absent = {
        value.text: _base(value).text
        for value in texts_of(rule)
        if isinstance(value, FieldRef)
        and _spelling(value) not in known
        and not _is_always_there(value, pack)
    }
    if absent:
        shown = ", ".join(f"{{{name}}}" for name in sorted(absent))
        guards = ", ".join(f"has({name})" for name in sorted(set(absent.values())))
        yield note(
            "CRN-R-230",
            (rule.file, rule.number),
            Text(
                f"Placeholders of {rule.id} may have no value and then read 'not recorded': "
                f"{shown}.",
                f"规则 {rule.id} 的占位符可能没有值，届时显示“未记录”：{shown}。",
            ),
            Text(
                f"Where the text does not stand so, ask for the value by a line: {guards}.",
                f"若文字因此不通，请以条件行要求该值：{guards}。",
            ),
        )


def _texts(value: object, file: str) -> Iterator[tuple[str, int, str, str]]:
    if isinstance(value, LocatedDict):
        en, zh = value.get("en"), value.get("zh")
        if isinstance(en, str) and isinstance(zh, str):
            yield file, value.line, en, zh
        for inner in value.values():
            yield from _texts(inner, file)
    elif isinstance(value, LocatedList):
        for inner in value:
            yield from _texts(inner, file)


def _untranslated(en: str, zh: str) -> Text | None:
    plain_en, plain_zh = _BRACED.sub("", en), _BRACED.sub("", zh)
    if not _LETTER.search(plain_en + plain_zh) and not _HAN.search(plain_en + plain_zh):
        return None
    if en == zh:
        return Text("both languages say the same", "中英文内容相同")
    if not _HAN.search(plain_zh):
        return Text("the Chinese text holds no Chinese", "中文文本不含汉字")
    if _HAN.search(plain_en):
        return Text("the English text holds Chinese", "英文文本含有汉字")
    return None


def text_defects(material: Material) -> Iterator[Defect]:
    """Yield placeholders that may have no value and texts in one language only."""
    for rule in material.pack.rules:
        yield from _absent_placeholders(rule, material.pack)
    for name in sorted(material.documents):
        if name.startswith("tests/"):
            continue
        for file, line, en, zh in _texts(material.documents[name], name):
            reason = _untranslated(en, zh)
            if reason is not None:
                yield warning(
                    "CRN-R-231",
                    (file, line),
                    Text(
                        f"Not translated ({reason.en}): {en!r:.60}",
                        f"未翻译（{reason.zh}）：{zh!r:.60}",
                    ),
                    Text("Write the text in both languages.", "请分别写出中英文文本。"),
                )

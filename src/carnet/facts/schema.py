"""The schema of facts as data, derived from the models: what a rule, a table or a page may name."""

import types as python_types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from carnet.core.text import Text
from carnet.facts.types import conformity, credit, finance, settlement, stages, trace, trading
from carnet.facts.types.base import FactModel, Form, Note, RefersTo
from carnet.facts.types.checks import CrossCheck

T = TypeVar("T")
Kind = Literal["string", "integer", "boolean", "date", "instant"]

_KINDS: dict[type, Kind] = {
    bool: "boolean",
    int: "integer",
    str: "string",
    datetime: "instant",
    date: "date",
}
_COMMON_FIELDS = ("source", "recorded_on")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a fact type.

    Args:
        name: Its name, in files and in rules.
        kind: The type of its values.
        is_required: Whether a fact without it is refused.
        form: The name of its form, such as "amount" or "GTIN"; "choice" where it has choices.
        expected: What is expected of a value, in words.
        remedy: What to do about a value that is not as expected.
        choices: The values it may have; empty where it is open.
        refers_to: The fact types whose ids it holds; empty where it is no reference.
        minimum: The least integer.
        maximum: The greatest integer.
        note: What else a reader must know.
    """

    name: str
    kind: Kind
    is_required: bool
    form: str
    expected: Text
    remedy: Text
    choices: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FactType:
    """One type of fact.

    Args:
        name: Its name in files and rules.
        title: Its name for people.
        summary: One sentence for the documentation.
        topic: The group it is documented under.
        id_field: The field `id`, which every fact has.
        fields: All other fields in their order, with `source` and `recorded_on` last.
        checks: What must hold between fields.
        model: The pydantic model it is derived from.
    """

    name: str
    title: Text
    summary: str
    topic: str
    id_field: Field
    fields: Mapping[str, Field]
    checks: tuple[CrossCheck, ...]
    model: type[FactModel]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a sheet of this type: `id` and every field."""
        return ("id", *self.fields)

    def column(self, name: str) -> Field:
        """Return the field of a column, `id` included.

        Raises:
            KeyError: The type has no such column.
        """
        return self.id_field if name == "id" else self.fields[name]

    @property
    def references(self) -> tuple[Field, ...]:
        """The fields that hold ids of other facts."""
        return tuple(field for field in self.fields.values() if field.refers_to)


def _flatten(annotation: Any) -> tuple[Any, list[Any]]:
    """Return the innermost type of an annotation, without None, and all its metadata."""
    metadata: list[Any] = []
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            inner, *outer = get_args(annotation)
            annotation, metadata = inner, outer + metadata
        elif origin in {typing.Union, python_types.UnionType}:
            (annotation,) = (item for item in get_args(annotation) if item is not type(None))
        else:
            return annotation, metadata


def _first(metadata: list[Any], kind: type[T]) -> T | None:
    return next((item for item in metadata if isinstance(item, kind)), None)


def _choice_form(choices: tuple[str, ...]) -> Form:
    return Form(
        "choice",
        Text(f"one of {', '.join(choices)}", f"以下之一：{'、'.join(choices)}"),
        Text("Use one of the values, spelled exactly so.", "请原样使用其中一个取值。"),
    )


def _field(name: str, annotation: Any, *, is_required: bool) -> Field:
    base, metadata = _flatten(annotation)
    choices = get_args(base) if get_origin(base) is Literal else ()
    form = _choice_form(choices) if choices else _first(metadata, Form)
    assert form is not None, f"the field {name} has no form"
    reference, note = _first(metadata, RefersTo), _first(metadata, Note)
    return Field(
        name=name,
        kind="string" if choices else _KINDS[base],
        is_required=is_required,
        form=form.name,
        expected=form.expected,
        remedy=form.remedy,
        choices=choices,
        refers_to=reference.types if reference else (),
        minimum=form.minimum,
        maximum=form.maximum,
        note=note.text if note else "",
    )


def _fact_type(topic: str, model: type[FactModel]) -> FactType:
    hints = typing.get_type_hints(model, include_extras=True)
    fields = {
        name: _field(name, hints[name], is_required=info.is_required())
        for name, info in model.model_fields.items()
    }
    id_field = fields.pop("id")
    common = {name: fields.pop(name) for name in _COMMON_FIELDS}
    return FactType(
        name=model.TYPE,
        title=model.TITLE,
        summary=(model.__doc__ or "").split("\n", maxsplit=1)[0],
        topic=topic,
        id_field=id_field,
        fields=python_types.MappingProxyType(fields | common),
        checks=model.CHECKS,
        model=model,
    )


def _all_types() -> Iterator[FactType]:
    for module in (trading, conformity, trace, finance, settlement, credit):
        topic = module.__name__.rpartition(".")[2]
        yield from (_fact_type(topic, model) for model in module.MODELS)


FACT_TYPES: Mapping[str, FactType] = python_types.MappingProxyType(
    {fact_type.name: fact_type for fact_type in _all_types()}
)
"""Every fact type by its name, in the order of the documentation."""


def _computed_types() -> Iterator[FactType]:
    for model in stages.MODELS:
        fact_type = _fact_type("stages", model)
        own = {name: f for name, f in fact_type.fields.items() if name not in _COMMON_FIELDS}
        yield replace(fact_type, fields=python_types.MappingProxyType(own))


COMPUTED_TYPES: Mapping[str, FactType] = python_types.MappingProxyType(
    {fact_type.name: fact_type for fact_type in _computed_types()}
)
"""The types of facts that decisions of earlier stages become; none can be imported."""

RULE_TYPES: Mapping[str, FactType] = python_types.MappingProxyType({**FACT_TYPES, **COMPUTED_TYPES})
"""Every type that the rules of a pack may name, whatever the pack."""

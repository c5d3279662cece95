"""The keys of a pack's YAML, declared once, and the JSON Schemas that editors complete them by.

The readers of this package read keys one by one; that they read these and no others is proved by a
test, not by this module. What only readers know (names, types, lines) is no part of the schemas.

Source: docs/spec/pack-format.md, PF-58; JSON Schema 2020-12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carnet.core.canonical import INTEGER_MAX
from carnet.facts.schema import FACT_TYPES, RULE_TYPES
from carnet.rules.format import after, build, closures, definitions, outcome, raw, rules
from carnet.rules.format.grammar import TEXT_SIZE_MAX
from carnet.rules.format.section import IDENTIFIER, NAME, STRING_SIZE_MAX, VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Form = Mapping[str, Any]
"""What may stand under a key, as JSON Schema."""


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _to(shape: str) -> Form:
    return {"$ref": f"#/$defs/{shape}"}


def _list_of(item: Form, most: int) -> Form:
    return {"type": "array", "items": item, "maxItems": most}


def _one_of(choices: tuple[str, ...]) -> Form:
    return {"enum": list(choices)}


def _integer(least: int, most: int) -> Form:
    return {"type": "integer", "minimum": least, "maximum": most}


STRING: Form = {"type": "string", "maxLength": STRING_SIZE_MAX}
NAMED: Form = {"type": "string", "pattern": _whole(NAME.pattern)}
ID: Form = {"type": "string", "pattern": _whole(IDENTIFIER.pattern)}
DAY: Form = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
LINE: Form = {"type": "string", "maxLength": TEXT_SIZE_MAX, "description": "PF-8"}
LINES: Form = _list_of(LINE, build.LINES_MAX)
SCALAR: Form = {"type": ["string", "integer", "boolean"]}
TEXT: Form = _to("text")
NUMBER: Form = _integer(-INTEGER_MAX, INTEGER_MAX)
FACT_TYPE: Form = {"enum": sorted(FACT_TYPES)}
MATCHED: Form = {
    "type": "string",
    "description": "A fact type, a decision table or a closure.",
    "examples": sorted(RULE_TYPES),
}
ALIASES: Form = {"type": "object", "minProperties": 1, "additionalProperties": MATCHED}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping."""

    form: Form
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """A mapping with a closed list of keys.

    Args:
        what: What the readers call it in their messages.
        keys: Its keys.
        open_form: What stands under a key that the author names; None where there is none such.
        least: The least number of keys.
        most: The greatest number of keys; None where the keys say it.
    """

    what: str
    keys: Mapping[str, Key]
    open_form: Form | None = None
    least: int = 0
    most: int | None = None

    def schema(self) -> dict[str, Any]:
        """Return the mapping as JSON Schema."""
        required = [name for name, key in self.keys.items() if key.is_required]
        result: dict[str, Any] = {"type": "object"}
        if self.keys:
            result["properties"] = {name: dict(key.form) for name, key in self.keys.items()}
        if required:
            result["required"] = required
        result["additionalProperties"] = dict(self.open_form) if self.open_form else False
        if self.least:
            result["minProperties"] = self.least
        if self.most is not None:
            result["maxProperties"] = self.most
        return result


def _maybe(form: Form) -> Key:
    return Key(form, is_required=False)


_CITED = {
    "title": Key(STRING),
    "article": Key(STRING),
    "link": Key({**STRING, "pattern": "^https://"}),
}
_STATUS = Key(_one_of(("V", "S", "U")))
_VALUE: Form = {"type": ["string", "integer", "boolean"], "description": "PF-8, PF-15"}
_OVER: Form = {**ALIASES, "maxProperties": 1}
_COMPUTED = {
    "name": Key(NAMED),
    "title": Key(TEXT),
    "choose": _maybe(_one_of(("min", "max", "first"))),
    "candidates": _maybe(_list_of(_to("candidate"), definitions.CANDIDATES_MAX)),
    "value": _maybe(_VALUE),
    "function": _maybe(_one_of(definitions.FUNCTIONS)),
    "over": _maybe(_OVER),
    "when": _maybe(LINES),
    "of": _maybe(_VALUE),
}

SHAPES: dict[str, Shape] = {
    "text": Shape(
        "a text", {"en": Key({**STRING, "minLength": 1}), "zh": Key({**STRING, "minLength": 1})}
    ),
    "effective": Shape("'effective'", {"from": Key(DAY), "to": _maybe(DAY)}),
    "case": Shape(
        "'case'",
        {
            "type": Key(FACT_TYPE),
            "alias": Key(NAMED),
            "when": _maybe(LINES),
            "with": _maybe(
                {"type": "object", "additionalProperties": STRING, "maxProperties": build.NAMED_MAX}
            ),
        },
    ),
    "citation": Shape("'citation'", {"fact": Key(STRING), **_CITED}),
    "law-fact": Shape("a law fact", {"id": Key(STRING), **_CITED, "status": _STATUS}),
    "dated-value": Shape(
        "a value",
        {
            "value": Key({"type": ["string", "integer", "boolean", "array"]}),
            "valid_from": Key(DAY),
            "valid_to": _maybe(DAY),
            "known_from": Key(DAY),
        },
    ),
    "parameter": Shape(
        "a parameter",
        {
            "id": Key(NAMED),
            "title": Key(TEXT),
            "kind": Key(_one_of(build.KINDS)),
            "unit": Key(_one_of(build.UNITS)),
            "status": _STATUS,
            "citation": Key(_to("citation")),
            "values": Key({**_list_of(_to("dated-value"), build.VALUES_MAX), "minItems": 1}),
            "last_checked": Key(DAY),
            "corrigenda": _maybe(_list_of(TEXT, build.VALUES_MAX)),
        },
    ),
    "reason": Shape("'reason'", {"id": Key(NAMED), "en": Key(STRING), "zh": Key(STRING)}),
    "candidate": Shape(
        "a candidate",
        {"value": Key(_VALUE), "when": _maybe(LINES), "reason": _maybe(_to("reason"))},
    ),
    "derived": Shape(
        "an element of 'derived'",
        {
            "fact": Key({"enum": sorted(RULE_TYPES)}),
            "kind": Key(_one_of(definitions.DERIVED_KINDS)),
            **_COMPUTED,
        },
    ),
    "measure": Shape("an element of 'measures'", _COMPUTED),
    "output": Shape(
        "an element of 'outputs'",
        {
            "name": Key(NAMED),
            "title": Key(TEXT),
            "combination": Key(_one_of(outcome.COMBINATIONS)),
        },
    ),
    "closure": Shape(
        "an element of 'closures'",
        {
            "name": Key(NAMED),
            "title": Key(TEXT),
            "over": Key(_OVER),
            "from": Key(STRING),
            "to": Key(STRING),
            "when": _maybe(LINES),
            "depth": Key(_integer(1, closures.DEPTH_MAX)),
        },
    ),
    "scope-line": Shape("a scope line", {"when": Key(LINE), "reason": Key(TEXT)}),
    "without": Shape(
        "a block of 'without'", {"when": _maybe(LINES)}, open_form=MATCHED, least=1, most=2
    ),
    "finding": Shape("'finding'", {"message": Key(TEXT), "remedy": Key(TEXT)}),
    "rule": Shape(
        "an element of 'rules'",
        {
            "id": Key(ID),
            "title": Key(TEXT),
            "citation": Key({**_list_of(STRING, rules.CITATIONS_MAX), "minItems": 1}),
            "severity": _maybe(_one_of(outcome.SEVERITIES)),
            "scope": _maybe(_list_of(_to("scope-line"), rules.SCOPE_MAX)),
            "match": _maybe(_list_of({**ALIASES, "maxProperties": 1}, rules.MATCH_MAX)),
            "when": _maybe(LINES),
            "without": _maybe(_list_of(_to("without"), rules.WITHOUT_MAX)),
            "finding": _maybe(_to("finding")),
            "set": _maybe(
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": outcome.SETTINGS_MAX,
                    "additionalProperties": _VALUE,
                }
            ),
            "action": _maybe(NAMED),
        },
    ),
    "fact": Shape("a fact", {"type": Key(FACT_TYPE), "id": Key(STRING)}, open_form=SCALAR),
    "expected-finding": Shape(
        "a finding",
        {
            "rule": Key(STRING),
            "facts": _maybe(_list_of(STRING, 10_000)),
            "message": _maybe(_to("expected-message")),
            "values": _maybe({"type": "object", "additionalProperties": SCALAR}),
        },
    ),
    "expected-message": Shape("'message'", {"en": _maybe(STRING), "zh": _maybe(STRING)}),
    "expected-action": Shape("an action", {"action": Key(STRING), "rule": Key(STRING)}),
    "expectation": Shape(
        "an expectation",
        {
            "case": Key(STRING),
            "conformity": Key(_one_of(("conforming", "nonconforming", "undetermined"))),
            "findings": _maybe(
                {"type": "array", "items": {"anyOf": [STRING, _to("expected-finding")]}}
            ),
            "errors": _maybe({"type": "array", "items": STRING}),
            "not_applicable": _maybe({"type": "array", "items": STRING}),
            "officer_confirmed": _maybe({"type": "array", "items": STRING}),
            "measures": _maybe({"type": "object", "additionalProperties": NUMBER}),
            "outputs": _maybe({"type": "object", "additionalProperties": NUMBER}),
            "actions": _maybe(
                {"type": "array", "items": {"anyOf": [STRING, _to("expected-action")]}}
            ),
        },
    ),
    "test": Shape(
        "a test",
        {
            "id": Key(ID),
            "as_of": Key(DAY),
            "confirmed": _maybe({"type": "array", "items": STRING}),
            "facts": _maybe({"type": "array", "items": _to("fact")}),
            "expect": _maybe({"type": "array", "items": _to("expectation")}),
        },
    ),
}

FILES: dict[str, Shape] = {
    "pack": Shape(
        "pack.yaml",
        {
            "schema": Key({"const": 1}),
            "id": Key(ID),
            "version": Key({"type": "string", "pattern": _whole(VERSION.pattern)}),
            "title": Key(TEXT),
            "jurisdiction": Key(STRING),
            "authority": Key(TEXT),
            "status": Key(_one_of(("draft", "released", "proposal"))),
            "effective": Key(_to("effective")),
            "stage": Key(_integer(0, 99)),
            "after": _maybe(_list_of(ID, after.AFTER_MAX)),
            "case": Key(_to("case")),
            "paths": _maybe(
                {
                    "type": "object",
                    "maxProperties": build.PATHS_MAX,
                    "propertyNames": {"enum": sorted(RULE_TYPES)},
                    "additionalProperties": {
                        "anyOf": [STRING, _list_of(STRING, build.NAMED_MAX)],
                        "description": "PF-4",
                    },
                }
            ),
        },
    ),
    "parameters": Shape(
        "parameters.yaml",
        {"parameters": _maybe(_list_of(_to("parameter"), build.PARAMETERS_MAX))},
    ),
    "law": Shape("law.yaml", {"law": _maybe(_list_of(_to("law-fact"), build.PARAMETERS_MAX))}),
    "rules": Shape(
        "rules/*.yaml",
        {
            "derived": _maybe(_list_of(_to("derived"), raw.DEFINITIONS_MAX)),
            "measures": _maybe(_list_of(_to("measure"), raw.DEFINITIONS_MAX)),
            "outputs": _maybe(_list_of(_to("output"), raw.OUTPUTS_MAX)),
            "closures": _maybe(_list_of(_to("closure"), raw.CLOSURES_MAX)),
            "rules": _maybe(_list_of(_to("rule"), raw.RULES_MAX)),
        },
    ),
    "tests": Shape("tests/*.yaml", {"tests": _maybe(_list_of(_to("test"), 2_000))}),
}
"""The files of a pack by the name of their schema."""


def file_of(name: str) -> str:
    """Return which schema a file of a pack follows, by its name relative to the pack.

    >>> file_of("rules/10-declarations.yaml"), file_of("law.yaml")
    ('rules', 'law')
    """
    return name.split("/", maxsplit=1)[0].removesuffix(".yaml")


def _needed(form: Any) -> set[str]:
    """Return the shapes that a schema refers to."""
    if isinstance(form, dict):
        own = {str(form["$ref"]).removeprefix("#/$defs/")} if "$ref" in form else set()
        return own.union(*(_needed(inner) for inner in form.values()))
    if isinstance(form, list):
        return set().union(*(_needed(inner) for inner in form))
    return set()


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of file: pack, parameters, law, rules or tests."""
    body = FILES[name].schema()
    shapes: dict[str, Any] = {}
    waiting = _needed(body)
    while waiting:
        shape = waiting.pop()
        shapes[shape] = SHAPES[shape].schema()
        waiting |= _needed(shapes[shape]) - shapes.keys()
    return {
        "$schema": DIALECT,
        "title": f"Carnet rule pack: {FILES[name].what}",
        "description": "docs/spec/pack-format.md",
        **body,
        "$defs": {shape: shapes[shape] for shape in sorted(shapes)},
    }

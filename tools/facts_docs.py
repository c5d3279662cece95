"""The page docs/facts.md from the schema of facts; tools/docs.py writes it."""

from collections.abc import Iterator

from carnet.facts.schema import COMPUTED_TYPES, FACT_TYPES, FactType, Field
from carnet.facts.types.checks import (
    CrossCheck,
    Different,
    ExactlyOne,
    Follows,
    NotAbove,
    PresentWith,
)

INTRODUCTION = """\
# Facts: the vocabulary

<!-- Generated from the models in src/carnet/facts/types by `python3 dev.py docs`: do not edit. -->

A fact is one flat object with `type`, `id` and the fields below.
Imports, rule packs, evaluators and checks all use these names.
New types and fields may be added with a decision record; a name is never changed.

- **Scalars only.** A list is facts of their own that point back.
- **Absent is absent.** A field without a value is left out: never null, never empty text.
- **Ids** have 1 to 64 characters of `A-Z a-z 0-9 . _ : / -` and are unique in their type.
- **Dates** are `YYYY-MM-DD` from 1900-01-01 to 2199-12-31. A document without an end has no end
  date: leave the field out rather than write 9999-12-31.
- **Instants** are UTC to the second: `2026-11-23T08:00:00Z`.
- **Money** is an integer of minor units (`*_minor`) with the `currency` of the fact, or of the
  agreement that the fact belongs to. Rates are integer basis points (`*_bps`). There are no
  fractions anywhere. Integers lie within +-(2^53 - 1), so that canonical JSON holds them exactly.
- **Booleans** are `true` and `false`.
- **Text** is one line of at most 1024 bytes in Unicode NFC, without control characters,
  directional overrides, and blanks at either end.
- **Every fact** may also have `source` (where it was read, `file:row`; the import fills it in where
  it is absent) and `recorded_on` (a date).

How to write them in files: [howto/import.md](howto/import.md).

## References

A field that refers to another fact holds its id; a reference that leads nowhere refuses the
import. These are the references:

"""

PLAIN_IDS = """
These hold ids that no fact has, so they are not references: a role, a site or a registration.
People appear only as role ids, such as `QC-07`.

"""

AFTER_PLAIN_IDS = """
`body_number` of a certificate is matched to `notified_body.number`; it is the body's number, not
the id of a fact, and one body has several facts (one an act and time). `issuer_id` is a party; the
laboratory of a test report is its `test_lab_id`.
The ends of a trace link may be a material lot, a batch or a unit: keep the ids of these three types
apart from each other, for an id that two of them have is ambiguous there.

## Signs of amounts

Amounts are not negative, except:

- `statement_line.amount_minor`: the kind decides the direction. `income` and `after_sales_release`
  are in the seller's favour, every other kind reduces what the seller gets, and a negative amount
  reverses earlier lines of its kind.
- `data_point.value`: an amount is negative where more was taken back than paid.
- `financials.ebitda_minor` and `financials.cash_for_debt_service_minor`: negative where the period
  lost money.

## Types

"""

COMPUTED = """
## Computed types

Decisions of packs of earlier stages are facts of later ones
([spec/pack-format.md](spec/pack-format.md), PF-33 to PF-36). Rules and paths name these types like
any other; an import refuses them, so that nobody can bring a verdict of his own. They have no
`source` and no `recorded_on`.
"""


def render() -> str:
    """Return the page."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield INTRODUCTION
    yield "| field | refers to |\n| --- | --- |\n"
    yield from _reference_rows()
    yield PLAIN_IDS
    yield "| field | note |\n| --- | --- |\n"
    yield from _plain_id_rows()
    yield AFTER_PLAIN_IDS
    yield "| type | 中文 | topic |\n| --- | --- | --- |\n"
    for fact_type in FACT_TYPES.values():
        name = fact_type.name
        yield f"| [{name}](#{name}) | {fact_type.title.zh} | {fact_type.topic} |\n"
    for fact_type in FACT_TYPES.values():
        yield _section(fact_type)
    yield COMPUTED
    for fact_type in COMPUTED_TYPES.values():
        yield _section(fact_type)


def _reference_rows() -> Iterator[str]:
    for fact_type in FACT_TYPES.values():
        for field in fact_type.references:
            yield f"| `{fact_type.name}.{field.name}` | {', '.join(field.refers_to)} |\n"


def _plain_id_rows() -> Iterator[str]:
    for fact_type in FACT_TYPES.values():
        for field in fact_type.fields.values():
            if field.name.endswith("_id") and not field.refers_to:
                yield f"| `{fact_type.name}.{field.name}` | {field.note} |\n"


def _section(fact_type: FactType) -> str:
    own = [f for f in fact_type.fields.values() if f.name not in {"source", "recorded_on"}]
    rows = "".join(_row(field) for field in own)
    checks = "".join(f"- {_check(check)}\n" for check in fact_type.checks)
    return (
        f"\n### {fact_type.name}\n\n{fact_type.summary}\n\n"
        f"| field | required | form | note |\n| --- | --- | --- | --- |\n{rows}"
        + (f"\n{checks}" if checks else "")
    )


def _row(field: Field) -> str:
    required = "yes" if field.is_required else ""
    return f"| `{field.name}` | {required} | {_form(field)} | {field.note} |\n"


def _form(field: Field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.refers_to:
        return f"id of {' or '.join(field.refers_to)}"
    return field.expected.en if field.form not in {"text", "date", "instant", "id"} else field.form


def _check(check: CrossCheck) -> str:
    if isinstance(check, NotAbove):
        return f"`{check.part}` is not above `{check.whole}`."
    if isinstance(check, ExactlyOne):
        return f"Exactly one of `{check.first}` and `{check.second}` is present."
    if isinstance(check, Different):
        return f"`{check.first}` and `{check.second}` differ."
    if isinstance(check, Follows):
        told = ", ".join(f"`{second}` with `{first}`" for first, second in check.pairs)
        return f"`{check.second}` follows from `{check.first}`: {told}."
    if isinstance(check, PresentWith):
        return f"`{check.second}` is present where `{check.first}` is `{check.value}`, only there."
    return f"`{check.later}` is not before `{check.earlier}`."

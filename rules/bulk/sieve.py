"""A sieve over rows of facts in SQL: what passes is surely a fact that the importer would take.

The importer stays the one judge of what a fact is: a row that the sieve holds back is given to it,
and either its verdict is the error or the row is taken after all. So the sieve may be stricter than
the importer, never laxer, and a form it does not know holds every row back.

Source: docs/adr/0008-facts-in-one-table.md; the forms of carnet.facts.types.base.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from carnet.core.ids import is_gtin
from carnet.facts.codes import COUNTRIES, CURRENCIES
from carnet.facts.schema import FactType, Field, Kind
from carnet.facts.types.base import DATE_MAX, DATE_MIN, TEXT_SIZE_MAX
from carnet.facts.types.checks import (
    CrossCheck,
    Different,
    ExactlyOne,
    Follows,
    NotAbove,
    NotBefore,
    PresentWith,
)

Spelling = Literal["cells", "json", "typed"]
"""How a value is written: a cell of text ("" where there is none), a token of JSON, or as it is."""

SQL_TYPES: Final[Mapping[Kind, str]] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "instant": "BIGINT",
}
"""The type of a column of facts; an instant is the second since 1970 in UTC."""

_HIDDEN = r"\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}\x{FEFF}"
_END = rf"[^\s\p{{Z}}{_HIDDEN}]"
_TEXT = rf"{_END}(?:[^{_HIDDEN}]*{_END})?"
_INTEGER = "0|-?[1-9][0-9]{0,15}"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_INSTANT = f"{_DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_ASCII_TEXT = "[!-~](?:[ -~]*[!-~])?"
_ID = "[A-Za-z0-9._:/-]+"
_ID_SIZE_MAX: Final = 64
_PATTERNS: Final[Mapping[str, str]] = {
    "FCC ID": "(?:2[A-Z0-9]{4}|[A-Z013-9][A-Z0-9]{2})[A-Z0-9-]{1,14}",
    "SHA-256": "[0-9a-f]{64}",
    "body number": "[0-9]{4}",
    "language": "[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}",
    "event hash": r"ni:///sha-256;[0-9a-f]{64}\?ver=CBV2\.0",
}
_CODES: Final[Mapping[str, frozenset[str]]] = {"country": COUNTRIES, "currency": CURRENCIES}
_GTIN_SIZE: Final = 14
assert is_gtin("00000000"), "a GTIN is padded with zeros, which add nothing to its check sum"


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# --- values -----------------------------------------------------------------------------------


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quoted(pattern)})"


def _unquoted(token: str) -> str:
    """Return the text of a JSON string; NULL for any other token."""
    plain = f"{token}[2:-2]"
    return (
        f"CASE WHEN starts_with({token}, '\"') THEN "
        f"CASE WHEN contains({token}, '\\') THEN {token} ->> '$' ELSE {plain} END END"
    )


def _date(text: str) -> str:
    return f"CASE WHEN {_matches(text, _DATE)} THEN TRY_CAST({text} AS DATE) END"


def _instant(text: str) -> str:
    moment = f"TRY_CAST(replace({text}[:-2], 'T', ' ') AS TIMESTAMP)"
    return f"CASE WHEN {_matches(text, _INSTANT)} THEN epoch_us({moment}) // 1000000 END"


def _read(text: str, kind: Kind) -> str:
    """Return the value that a text spells, NULL where it spells none."""
    if kind == "integer":
        return f"CASE WHEN {_matches(text, _INTEGER)} THEN TRY_CAST({text} AS BIGINT) END"
    if kind == "boolean":
        return f"CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind == "date":
        return _date(text)
    return _instant(text) if kind == "instant" else text


def is_given(raw: str, spelling: Spelling) -> str:
    """Return the condition that a row has a value, be it right or wrong."""
    return f"({raw} <> '' AND {raw} IS NOT NULL)" if spelling == "cells" else f"{raw} IS NOT NULL"


def value_of(raw: str, field: Field, spelling: Spelling) -> str:
    """Return the value of a column, NULL where it is absent or not of its kind."""
    if spelling == "typed" and field.kind == "instant":
        return f"CASE WHEN epoch_us({raw}) % 1000000 = 0 THEN epoch_us({raw}) // 1000000 END"
    if spelling == "typed":
        return raw
    if spelling == "json" and field.kind in {"string", "date", "instant"}:
        return _read(f"({_unquoted(raw)})", field.kind)
    return f"nullif({raw}, '')" if field.kind == "string" else _read(raw, field.kind)


# --- forms ------------------------------------------------------------------------------------


def _among(value: str, choices: frozenset[str] | tuple[str, ...]) -> str:
    return f"{value} IN ({', '.join(quoted(choice) for choice in sorted(choices))})"


def _text_form(value: str) -> str:
    # Most texts are ASCII, for which neither classes of Unicode nor normal forms need be asked.
    return (
        f"strlen({value}) <= {TEXT_SIZE_MAX} AND CASE WHEN {_matches(value, _ASCII_TEXT)} THEN true"
        f" ELSE {_matches(value, _TEXT)} AND nfc_normalize({value}) = {value} END"
    )


def _id_form(value: str) -> str:
    # A repetition without a bound is matched by a far smaller automaton than one up to 64.
    return f"strlen({value}) <= {_ID_SIZE_MAX} AND {_matches(value, _ID)}"


def _gtin_form(value: str) -> str:
    padded = f"lpad({value}, {_GTIN_SIZE}, '0')"
    digits = [f"TRY_CAST({padded}[{place}] AS INTEGER)" for place in range(1, _GTIN_SIZE + 1)]
    weighted = " + ".join(f"{3 - 2 * (at % 2)} * {digit}" for at, digit in enumerate(digits))
    shape = _matches(value, "[0-9]{8}|[0-9]{12,14}")
    # CASE, so that what has another shape is not read as digits.
    return f"CASE WHEN {shape} THEN ({weighted}) % 10 = 0 ELSE false END"


def _string_form(value: str, field: Field) -> str:
    if field.choices:
        return _among(value, field.choices)
    if field.form == "id":
        return _id_form(value)
    if field.form in _PATTERNS:
        return _matches(value, _PATTERNS[field.form])
    if field.form in _CODES:
        return _among(value, _CODES[field.form])
    if field.form == "text":
        return _text_form(value)
    return _gtin_form(value) if field.form == "GTIN" else "false"


def form_of(value: str, field: Field) -> str:
    """Return the condition that a value, which is there, has the form of its field."""
    if field.kind == "string":
        return _string_form(value, field)
    if field.kind == "integer":
        assert field.minimum is not None, "every kind of integer has its range"
        assert field.maximum is not None, "every kind of integer has its range"
        return f"{value} BETWEEN {field.minimum} AND {field.maximum}"
    if field.kind == "boolean":
        return f"{value} IS NOT NULL"
    first, last = f"DATE '{DATE_MIN}'", f"DATE '{DATE_MAX}'"
    if field.kind == "date":
        return f"{value} BETWEEN {first} AND {last}"
    return f"{value} BETWEEN epoch({first}) AND epoch({last}) + 86399"


def _across(check: CrossCheck) -> str:
    """Return a check between fields as a condition over the columns `v_<field>`."""
    if isinstance(check, NotBefore):
        early, late = column_of(check.earlier), column_of(check.later)
        return f"({early} IS NULL OR {late} IS NULL OR {early} <= {late})"
    if isinstance(check, NotAbove):
        return f"{column_of(check.part)} <= {column_of(check.whole)}"
    first, second = column_of(check.first), column_of(check.second)
    if isinstance(check, ExactlyOne):
        return f"(({first} IS NULL) <> ({second} IS NULL))"
    if isinstance(check, PresentWith):
        return f"(({first} = {quoted(check.value)}) = ({second} IS NOT NULL))"
    if isinstance(check, Follows):
        pairs = " ".join(f"WHEN {quoted(one)} THEN {quoted(two)}" for one, two in check.pairs)
        return f"{second} = CASE {first} {pairs} END"
    assert isinstance(check, Different), "every kind of check has its condition"
    return f"{first} IS DISTINCT FROM {second}"


def column_of(name: str) -> str:
    """Return the column that holds the value of a field inside the sieve's query."""
    return named(f"v_{name}")


def _conditions(fact_type: FactType, raw: Mapping[str, str], spelling: Spelling) -> Iterator[str]:
    for name in fact_type.columns:
        field, value = fact_type.column(name), column_of(name)
        if name not in raw:
            if field.is_required:
                yield "false"
            continue
        passes = f"({form_of(value, field)})"
        given = is_given(raw[name], spelling)
        yield passes if field.is_required else f"(NOT {given} OR {passes})"
    for check in fact_type.checks:
        yield _across(check)


def sieve(
    fact_type: FactType,
    raw: Mapping[str, str],
    table: str,
    *,
    spelling: Spelling,
    kept: tuple[str, ...] = (),
    extra: str = "true",
) -> str:
    """Return the query of rows with every value of a type, and whether each surely passes.

    Args:
        fact_type: The type of the facts.
        raw: The expression of each column as it is written; other columns are absent.
        table: Where the rows are.
        spelling: How the values are written.
        kept: Further columns of the table that the query keeps.
        extra: A further condition for a row to pass, over the columns of the table.

    Returns:
        A query with the columns `kept`, `v_<column>` for each column and `is_sure`.
    """
    values = []
    for name in fact_type.columns:
        field = fact_type.column(name)
        text = value_of(raw[name], field, spelling) if name in raw else "NULL"
        values.append(f"TRY_CAST({text} AS {SQL_TYPES[field.kind]}) AS {column_of(name)}")
    conditions = " AND ".join(_conditions(fact_type, raw, spelling))
    inner = f"SELECT *, {', '.join(values)} FROM {table}"  # noqa: S608 (names of the schema alone)
    columns = [*kept, *(column_of(name) for name in fact_type.columns)]
    return (
        f"SELECT {', '.join(columns)}, coalesce(({extra}) AND {conditions}, false) AS is_sure"  # noqa: S608 (the same)
        f" FROM ({inner})"
    )

"""From JSON to a checked credential, or to everything that is wrong with it, in words."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from carnet.core.text import Text
from carnet.facts.intake.untp.faults import ASK, CredentialRefusedError, at, path_of
from carnet.facts.intake.untp.models import BAD_INSTANT, BAD_URI, Credential
from carnet.facts.issue import Found, Problem, outlined, shown
from carnet.facts.schema import FACT_TYPES

TYPE: Final = "DigitalConformityCredential"
VCDM_CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
CONTEXT: Final = re.compile(
    r"https://test\.uncefact\.org/vocabulary/untp/dcc/(0\.6(?:\.[0-9]+)?|working)/"
)
"""The contexts of version 0.6. Its own published instances name ``working``."""

_PROBLEMS_MAX: Final = 100
_LINE: Final = FACT_TYPES["product"].fields["model"].expected
_DAY: Final = FACT_TYPES["certificate"].fields["issued_on"].expected
_EXPECTED: Final[Mapping[str, Text]] = {
    "missing": Text("a value", "一个取值"),
    "string_type": _LINE,
    "string_too_short": _LINE,
    "string_too_long": _LINE,
    "string_pattern_mismatch": _LINE,
    "value_error": _LINE,
    "bool_type": Text("true or false", "true 或 false"),
    "model_type": Text("an object", "一个对象"),
    "list_type": Text("a list", "一个列表"),
    "date_type": _DAY,
    "greater_than_equal": _DAY,
    "less_than_equal": _DAY,
    BAD_INSTANT: Text(
        "an instant with its zone such as 2026-11-23T08:00:00Z",
        "带时区的时刻，例如 2026-11-23T08:00:00Z",
    ),
    BAD_URI: Text("an absolute URI", "绝对 URI"),
}


def check_credential(document: Mapping[str, Any]) -> Credential:
    """Return the credential of a document.

    Raises:
        CredentialRefusedError: It is of another type or version, or something in it is wrong; all
            of it is named, up to a bound.
    """
    _check_type(document)
    _check_context(document)
    try:
        return Credential.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems = [_problem(each) for each in details[:_PROBLEMS_MAX]]
        raise CredentialRefusedError(problems) from None


def _check_type(document: Mapping[str, Any]) -> None:
    types = document.get("type")
    names = types if isinstance(types, list) else [types]
    if TYPE in names:
        return
    listed = ", ".join(str(name) for name in names if isinstance(name, str))
    raise at(
        "$.type",
        shown(listed),
        Text(f"the type {TYPE}", f"类型 {TYPE}"),
        Text(
            "Of the credentials of UNTP only the conformity credential is read.",
            "UNTP 凭证中只读取合格评定凭证。",
        ),
    )


def _check_context(document: Mapping[str, Any]) -> None:
    """Check the version: a later one may mean something else by the same names."""
    found = document.get("@context")
    contexts = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    untp = [each for each in contexts if CONTEXT.fullmatch(each)]
    if contexts[:1] == [VCDM_CONTEXT] and untp:
        return
    raise at(
        "$['@context']",
        shown(", ".join(contexts)),
        Text(
            f"{VCDM_CONTEXT}, then https://test.uncefact.org/vocabulary/untp/dcc/0.6.0/",
            f"先为 {VCDM_CONTEXT}，再为 https://test.uncefact.org/vocabulary/untp/dcc/0.6.0/",
        ),
        Text(
            "Ask the issuer for a credential of version 0.6.",
            "请向签发方索取 0.6 版的凭证。",
        ),
    )


def _problem(detail: ErrorDetails) -> Problem:
    is_missing = detail["type"] == "missing"
    found: Found = "" if is_missing else _found(detail.get("input"))
    return Problem(path_of(detail["loc"]), found, _expected(detail), ASK)


def _found(value: object) -> Found:
    return shown("null") if value is None else outlined(value)


def _expected(detail: ErrorDetails) -> Text:
    context = detail.get("ctx", {})
    if detail["type"] == "literal_error":
        choices = str(context["expected"])
        listed = choices.replace(" or ", "、").replace(", ", "、")
        return Text(f"one of {choices}", f"以下之一：{listed}")
    if detail["type"] == "too_long":
        most = context["max_length"]
        return Text(f"a list of at most {most}", f"最多 {most} 项的列表")
    if detail["type"] == "too_short":
        least = context["min_length"]
        return Text(f"a list of at least {least}", f"至少 {least} 项的列表")
    known = _EXPECTED.get(detail["type"])
    return known or Text(detail["msg"], f"符合要求的取值（{detail['msg']}）")

"""Identifiers of facts and the GS1 check digit."""

import re

_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")


def is_fact_id(text: str) -> bool:
    """Return whether a text is a fact id: 1 to 64 of ``A-Z a-z 0-9 . _ : / -``.

    >>> is_fact_id("LST-001"), is_fact_id("a b")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def gs1_check_digit(digits: str) -> int:
    """Return the check digit of the digits before it (GS1 General Specifications, 7.9.1).

    >>> gs1_check_digit("400638133393")
    1
    """
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return -total % 10


def is_gtin(text: str) -> bool:
    """Return whether a text is a GTIN of 8, 12, 13 or 14 digits with a right check digit.

    >>> is_gtin("4006381333931"), is_gtin("4006381333932")
    (True, False)
    """
    return _GTIN.fullmatch(text) is not None and gs1_check_digit(text[:-1]) == int(text[-1])

"""Decision table cases in the spirit of the DMN compatibility kit, level 2, with data of our own.

One table of product checks under each hit policy, with rows that overlap in known ways, and tables
with one and several outputs.

Source: OMG DMN 1.5, 8.2.8 and 8.2.11.
"""

from typing import Any

import pytest

from carnet.rules.parameters import Unknown
from tests.fixtures_tables import looked_up, table_text


@pytest.mark.parametrize(
    ("age", "risk", "debt", "expected"),
    [
        (18, "medium", True, "Declined"),
        (35, "high", False, "Declined"),
        (35, "low", True, "Approved"),
        (17, "low", False, "Declined"),
    ],
)
def test_kit__single_hit_over_three_inputs(age: int, risk: str, debt: bool, expected: str) -> None:
    text = table_text(
        "U",
        "in age integer,in risk string,in debt boolean,out status string",
        'r1,>= 18,"medium, low",false,Approved',
        "r2,< 18,-,-,Declined",
        "r3,>= 18,high,-,Declined",
        "r4,>= 18,medium,true,Declined",
        "r5,>= 18,low,true,Approved",
    )
    assert looked_up(text, age, risk, debt) == expected


def test_kit__multiple_outputs_of_one_row() -> None:
    text = table_text(
        "P",
        "in age integer,in risk string,out status string,out rate string",
        'r1,>= 18,"medium, low",Approved,Best',
        "r2,< 18,-,Declined,Standard",
        'r3,-,"high, medium",Declined,Standard',
        extra=('order,,,"Approved, Declined","Best, Standard"',),
    )
    assert [looked_up(text, 20, "medium", column=n) for n in (0, 1)] == ["Approved", "Best"]
    assert [looked_up(text, 20, "high", column=n) for n in (0, 1)] == ["Declined", "Standard"]


_COLUMNS = "in age integer,in risk string,in recalled boolean,out check string,out days integer"
_ROWS = (
    "minor,< 36,-,-,Full,30",
    "risky,>= 36,high,-,Sample,20",
    "recall,-,-,true,Full,30",
    'adult,>= 36,"medium, low",false,None,1',
    "watched,>= 36,medium,-,Sample,10",
)
_ORDERED = ('order,,,,"Full, Sample, None",',)
_POINTS = {
    "minor": (12, "low", False),
    "minor recalled": (12, "high", True),
    "adult": (40, "low", False),
    "watched": (40, "medium", False),
    "risky recalled": (40, "high", True),
    "none": (40, "unheard of", False),
}
"""Rows that hit: minor; minor, recall; adult; adult, watched; risky, recall; none."""


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("U", ["Full", "?", "None", "?", "?", None]),
        ("A", ["Full", "Full", "None", "?", "?", None]),
        ("P", ["Full", "Full", "None", "Sample", "Full", None]),
        ("F", ["Full", "Full", "None", "None", "Sample", None]),
        ("R", [("Full",), ("Full", "Full"), ("None",), ("None", "Sample"), ("Sample", "Full"), ()]),
        ("O", [("Full",), ("Full", "Full"), ("None",), ("Sample", "None"), ("Full", "Sample"), ()]),
        ("C", [("Full",), ("Full", "Full"), ("None",), ("None", "Sample"), ("Sample", "Full"), ()]),
    ],
)  # fmt: skip
def test_kit__one_table_under_each_policy(policy: str, expected: list[Any]) -> None:
    extra = _ORDERED if policy in {"P", "O"} else ()
    text = table_text(policy, _COLUMNS, *_ROWS, extra=extra)
    found = []
    for point in _POINTS.values():
        value = looked_up(text, *point)
        if isinstance(value, Unknown):
            found.append(None if value.is_absent else "?")
        else:
            found.append(value)
    assert found == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("C+", [30, 60, 1, 11, 50, None]),
        ("C<", [30, 30, 1, 1, 20, None]),
        ("C>", [30, 30, 1, 10, 30, None]),
        ("C#", [1, 2, 1, 2, 2, 0]),
    ],
)
def test_kit__one_table_under_each_aggregator(policy: str, expected: list[int | None]) -> None:
    text = table_text(policy, _COLUMNS, *_ROWS)
    found = [looked_up(text, *point, column=1) for point in _POINTS.values()]
    assert [None if isinstance(one, Unknown) else one for one in found] == expected

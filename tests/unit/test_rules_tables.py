"""Decision tables: cells, hit policies, what is unknown, and what lines read of them."""

from datetime import date
from typing import Any

import pytest

from carnet.core.text import Text
from carnet.rules.format.cells import cell_of, spell_cell
from carnet.rules.format.grammar import ExpressionError
from carnet.rules.parameters import Known, Unknown
from carnet.rules.tables import test_of as predicate_of
from tests.fixtures_rules import AS_OF
from tests.fixtures_tables import compiled, looked_up, read_table, table_text

DAY = date(2026, 1, 31)
UNKNOWN = Unknown(Text("no value", "没有值"))


# --- cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "fits", "fails"),
    [
        ("", "integer", [0, -5], []),
        ("-", "string", ["-", "a"], []),
        ("5", "integer", [5], [4, 6]),
        ("-5", "integer", [-5], [5]),
        ("1, 3,5", "integer", [1, 3, 5], [2, 4]),
        ("not(1, 3)", "integer", [2, 4], [1, 3]),
        ("< 5", "integer", [4], [5]),
        ("<=5", "integer", [5], [6]),
        ("> 5", "integer", [6], [5]),
        (">= -5", "integer", [-5], [-6]),
        ("[1..5]", "integer", [1, 5], [0, 6]),
        ("(1..5)", "integer", [2, 4], [1, 5]),
        ("[1..5)", "integer", [1, 4], [0, 5]),
        ("(1..5]", "integer", [2, 5], [1, 6]),
        ("[1..3], 7, >= 10", "integer", [1, 3, 7, 10], [4, 6, 8, 9]),
        ("not([1..3], 7)", "integer", [0, 4, 8], [1, 3, 7]),
        ("toy", "string", ["toy"], ["Toy", "toy "]),
        ('"a, b"', "string", ["a, b"], ["a", "b"]),
        (r'"say \"x\" \\"', "string", ['say "x" \\'], ["x"]),
        ('toy, "not(x)"', "string", ["toy", "not(x)"], ["x"]),
        ("not(toy, e_bike)", "string", ["x"], ["toy", "e_bike"]),
        ("true", "boolean", [True], [False]),
        ("not(true)", "boolean", [False], [True]),
        ("2026-01-31", "date", [DAY], [date(2026, 2, 1)]),
        ("[2026-01-01..2026-02-01)", "date", [DAY], [date(2026, 2, 1)]),
        ("> 2026-01-30", "date", [DAY], [date(2026, 1, 30)]),
    ],
)
def test_cell__takes_the_values_it_names(
    text: str, kind: Any, fits: list[Known], fails: list[Known]
) -> None:
    cell = cell_of(text, kind)
    test = predicate_of(cell) or (lambda _: True)
    assert [value for value in fits if not test(value)] == []
    assert [value for value in fails if test(value)] == []
    assert cell_of(spell_cell(cell), kind) == cell


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a", "integer"),
        ("1.5", "integer"),
        ("007", "integer"),
        ("9007199254740993", "integer"),
        ("[5..1]", "integer"),
        ("(5..6)", "integer"),
        ("[1..5", "integer"),
        ("1,,2", "integer"),
        ("1,", "integer"),
        ("=5", "integer"),
        ("yes", "boolean"),
        ("TRUE", "boolean"),
        ("2026-02-30", "date"),
        ("31.01.2026", "date"),
        ("20260131", "date"),
        ("< toy", "string"),
        ("[a..b]", "string"),
        ('"open', "string"),
        ('a"b', "string"),
        ('""', "string"),
        ("not(toy", "string"),
        (", ".join("x" for _ in range(65)), "string"),
    ],
)
def test_cell__refuses_what_is_not_of_its_kind(text: str, kind: Any) -> None:
    with pytest.raises(ExpressionError):
        cell_of(text, kind)


def test_cell__number_in_a_text_column_is_refused() -> None:
    with pytest.raises(ExpressionError, match="598"):
        cell_of(598, "string")


# --- hit policies -----------------------------------------------------------------------------

_RANGES = ("a,>= 10,10", "b,>= 20,20", "c,< 0,-1")
_ORDER = ('order,,"20, 10, -1"',)


@pytest.mark.parametrize(
    ("policy", "value", "expected"),
    [
        ("U", 15, 10),
        ("U", -3, -1),
        ("F", 25, 10),
        ("F", -3, -1),
        ("P", 25, 20),
        ("P", 15, 10),
        ("R", 25, (10, 20)),
        ("R", 5, ()),
        ("O", 25, (20, 10)),
        ("C", 25, (10, 20)),
        ("C+", 25, 30),
        ("C<", 25, 10),
        ("C>", 25, 20),
        ("C#", 25, 2),
        ("C#", 5, 0),
    ],
)
def test_hit_policy__gives(policy: str, value: int, expected: Known) -> None:
    extra = _ORDER if policy in {"P", "O"} else ()
    text = table_text(policy, "in n integer,out x integer", *_RANGES, extra=extra)
    assert looked_up(text, value) == expected


@pytest.mark.parametrize("policy", ["U", "A", "F", "P", "C+", "C<", "C>"])
def test_hit_policy__gives_nothing_where_no_row_hits(policy: str) -> None:
    extra = _ORDER if policy == "P" else ()
    text = table_text(policy, "in n integer,out x integer", *_RANGES, extra=extra)
    found = looked_up(text, 5)
    assert isinstance(found, Unknown)
    assert found.is_absent
    assert "n = 5" in found.cause.en


@pytest.mark.parametrize(("policy", "other"), [("U", "10"), ("A", "20")])
def test_hit_policy__conflict_is_unknown_and_names_both_rows(policy: str, other: str) -> None:
    text = table_text(
        policy, "in n integer,out x integer", "a,>= 10,10", "m,>= 30,10", f"b,>= 20,{other}"
    )
    found = looked_up(text, 25)
    assert isinstance(found, Unknown)
    assert not found.is_absent
    assert "a and b" in found.cause.en
    assert "a 与 b" in found.cause.zh


def test_any__rows_with_the_same_outputs_agree() -> None:
    text = table_text("A", "in n integer,out x integer", "a,>= 10,1", "b,>= 20,1", "c,>= 30,2")
    assert looked_up(text, 25) == 1
    assert isinstance(looked_up(text, 35), Unknown)


def test_priority__ranks_by_the_columns_in_their_order() -> None:
    text = table_text(
        "P",
        "in n integer,out x string,out y string",
        "a,-,low,second",
        "b,-,high,second",
        "c,-,high,first",
        extra=('order,,"high, low","first, second"',),
    )
    assert looked_up(text, 1, column=1) == "first"
    assert [row.id for row in compiled(text).hits((1,))] == ["c"]  # type: ignore[union-attr]


def test_output_order__is_the_order_of_the_list() -> None:
    text = table_text(
        "O", "in n integer,out x string", "a,-,C", "b,-,A", "c,-,B", "d,> 5,A",
        extra=('order,,"A, B, C"',),
    )  # fmt: skip
    assert looked_up(text, 9) == ("A", "A", "B", "C")
    assert looked_up(text, 1) == ("A", "B", "C")


def test_collect__adds_and_counts_each_column_and_leaves_absent_outputs_out() -> None:
    text = table_text("C+", "in n integer,out x integer,out y integer", "a,-,1,", "b,-,2,5")
    assert looked_up(text, 0) == 3
    assert looked_up(text, 0, column=1) == 5
    assert looked_up(text.replace("C+", "C#"), 0, column=1) == 1


def test_collect__sum_beyond_safe_integers_is_unknown() -> None:
    most = 2**53 - 1
    text = table_text("C+", "in n integer,out x integer", f"a,-,{most}", "b,> 0,1")
    assert looked_up(text, 0) == most
    assert isinstance(looked_up(text, 1), Unknown)


def test_lookup__absent_output_is_absent() -> None:
    found = looked_up(table_text("U", "in n integer,out x integer,out y string", "a,1,,z"), 1)
    assert isinstance(found, Unknown)
    assert found.is_absent


def test_rows__found_by_a_column_of_listed_values_and_by_any() -> None:
    rows = [f"r{n},{n},{n % 3},{n}" for n in range(300)]
    text = table_text("C", "in n integer,in m integer,out x integer", *rows, "any,-,2,999")
    table = compiled(text)
    assert table.lookup(0, (7, 1)) == (7,)
    assert table.lookup(0, (8, 2)) == (8, 999)
    assert table.lookup(0, (1000, 2)) == (999,)
    assert table.lookup(0, (1000, 1)) == ()


# --- unknown inputs ---------------------------------------------------------------------------


def test_unknown_input__does_not_matter_to_a_row_that_another_cell_excludes() -> None:
    text = table_text("U", "in n integer,in s string,out x integer", "a,1,y,1", "b,2,-,2")
    assert looked_up(text, 2, UNKNOWN) == 2
    assert looked_up(text, 1, UNKNOWN) == UNKNOWN


def test_unknown_input__first_is_decided_by_an_earlier_row_only() -> None:
    text = table_text(
        "F", "in n integer,in s string,out x integer", "a,1,-,1", "b,-,y,2", "c,-,-,3"
    )
    assert looked_up(text, 1, UNKNOWN) == 1
    assert looked_up(text, 2, UNKNOWN) == UNKNOWN


def test_unknown_input__collect_and_unique_cannot_tell() -> None:
    for policy in ("U", "C", "C+", "C#"):
        text = table_text(policy, "in n integer,in s string,out x integer", "a,1,-,1", "b,-,y,2")
        assert looked_up(text, 1, UNKNOWN) == UNKNOWN


# --- windows and status -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 12, 31), "old"),
        (date(2026, 1, 1), "old"),
        (date(2026, 3, 1), "new"),
        (date(2026, 12, 31), "new"),
        (date(2027, 1, 1), None),
    ],
)
def test_row__is_in_force_in_its_window_as_known(day: date, expected: str | None) -> None:
    text = table_text(
        "F",
        "in n integer,out x string,valid_from,valid_to,known_from",
        "r1,-,new,2026-01-01,2026-12-31,2026-03-01",
        "r2,-,old,,2026-12-31,",
    )
    found = compiled(text, day).lookup(0, (1,))
    assert (None if isinstance(found, Unknown) else found) == expected


def test_unverified_row__holds_back_what_rests_on_it_until_confirmed() -> None:
    text = table_text("F", "in n integer,out x integer,status", "a,1,1,V", "b,-,2,U", "c,-,3,")
    assert looked_up(text, 1) == 1
    found = looked_up(text, 2)
    assert isinstance(found, Unknown)
    assert "row b" in found.cause.en
    confirmed = compiled(text, AS_OF, "sample.b")
    assert confirmed.lookup(0, (2,)) == 2
    assert confirmed.unverified((2,)) == {"sample.b"}
    assert confirmed.unverified((1,)) == frozenset()


def test_table__keeps_titles_notes_and_places() -> None:
    text = table_text(
        "F",
        "in n integer,out x integer,note",
        "a,1,2,why",
        extra=("title_en,Number,Step", "title_zh,数量,档位"),
    )
    table = read_table(text)
    assert table.inputs[0].title == Text("Number", "数量")
    assert table.outputs[0].title == Text("Step", "档位")
    assert (table.rows[0].note, table.rows[0].number) == ("why", 9)

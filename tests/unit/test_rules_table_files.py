"""Files of decision tables: what is refused, with file and row, and what gives one digest."""

import time
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from carnet.core.errors import RulePackError
from carnet.rules import pack as pack_module
from carnet.rules.pack import check_pack, load_pack
from tests.fixtures_rules import TEXT, parameter, rule, write_pack
from tests.fixtures_tables import problems, table_pack, table_text, to_xlsx, write_tables

COLUMNS = "in n integer,in s string,out x integer,out y string,status,valid_from,note"
GOOD = table_text("F", COLUMNS, "a,< 5,toy,1,A,V,2026-01-01,why", "b,-,-,2,B,,,")
UTF16 = GOOD.encode("utf-16")
BINARY = bytes(range(256)) * 40


def _changed(old: str, new: str) -> str:
    assert old in GOOD, old
    return GOOD.replace(old, new, 1)


def test_file__good_one_has_no_defect() -> None:
    assert problems(GOOD) == []
    assert problems("\ufeff" + GOOD) == []
    assert problems(GOOD.replace("\n", "\r\n")) == []
    assert problems(GOOD + "\n\n,,\n") == []


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (BINARY, "CRN-R-002", "UTF-8"),
        (UTF16, "CRN-R-002", "UTF-16"),
        (GOOD.encode() + b"\0", "CRN-R-002", "NUL"),
        (b"\xff" + GOOD.encode(), "CRN-R-002", "0xff"),
        (_changed("why", '"why'), "CRN-R-002", "7: The file is not CSV"),
        (b"", "CRN-R-013", "hit_policy"),
        (GOOD + "x" * (1024 * 1024), "CRN-R-003", "1048576"),
        (GOOD + "\n".join(f"r{n},-,-,1,A" for n in range(2100)), "CRN-R-003", "2000 rows"),
        (GOOD + "c," + "," * 60 + "x", "CRN-R-003", "9: The row has 62 cells"),
        (_changed("why", "y" * 1025), "CRN-R-003", "7: Cell 8"),
        (_changed("why", '"a\nb"'), "CRN-R-013", "7: Cell 8 holds a line break"),
        (_changed("toy", "to\u202ey"), "CRN-R-013", "7: Cell 3"),
        (_changed("b,-", "a,-"), "CRN-R-013", "8: The row id a stands twice (first in row 7)"),
        (_changed("b,-", "B!,-"), "CRN-R-013", "8: The row id 'B!'"),
        (_changed("b,-", ",-"), "CRN-R-013", "8: The row id ''"),
        (_changed("b,-", "type,-"), "CRN-R-013", "8: The row 'type' does not belong"),
        (_changed("< 5", "five"), "CRN-R-013", "7: Row a, column n: 'five'"),
        (_changed("1,A,V", "one,A,V"), "CRN-R-013", "7: Row a, column x: 'one'"),
        (_changed("1,A,V", ",,V"), "CRN-R-013", "7: The row a has no output"),
        (_changed("A,V", "A,W"), "CRN-R-013", "7: Row a, column status: 'W'"),
        (_changed("2026-01-01", "2026-13-01"), "CRN-R-013", "7: Row a, column valid_from"),
        (_changed("why", "why,more"), "CRN-R-013", "7: The row a has 9 cells"),
        (_changed("hit_policy,F", "hit_policy,X"), "CRN-R-013", "1: There is no hit policy 'X'"),
        (_changed("hit_policy,F", "hit_policy,P"), "CRN-R-013", "needs the row 'order'"),
        (_changed("hit_policy,F", "hit_policy,F,F"), "CRN-R-013", "1: The row 'hit_policy' has"),
        (_changed("hit_policy,F\n", ""), "CRN-R-013", "lacks the row 'hit_policy'"),
        (_changed("title_zh,示例表\n", ""), "CRN-R-013", "lacks the row 'title_zh'"),
        (_changed("title_zh,示例表", "title_en,again"), "CRN-R-013", "3: title_en stands twice"),
        (_changed("kind,in", "kinds,in"), "CRN-R-013", "4: Expected the row 'kind'"),
        (_changed("kind,in,in", "kind,in,maybe"), "CRN-R-013", "4: Column 3 has the kind 'maybe'"),
        (_changed("kind,in,in,out,out", "kind,out,out,out,out"), "CRN-R-013", "an input and an"),
        (_changed("status,valid_from", "status,status"), "CRN-R-013", "4: The column status"),
        (_changed("name,n,s", "name,n,n"), "CRN-R-013", "5: The column name 'n'"),
        (_changed("name,n,s", "name,n,S"), "CRN-R-013", "5: The column name 'S'"),
        (_changed("name,n,s,x", "name,n,s,id"), "CRN-R-013", "5: The column name 'id'"),
        (_changed("type,integer", "type,number"), "CRN-R-013", "6: The column n is of type"),
        (_changed("a,< 5", "value,,,3\na,< 5"), "CRN-R-013", "7: The column x takes no value"),
        (_changed("a,< 5", "order,,,3\na,< 5"), "CRN-R-013", "7: The column x takes no order"),
        (_changed("kind,", "complete,1\nkind,"), "CRN-R-013", "complete is '1'"),
        (table_text("F", COLUMNS), "CRN-R-013", "has no row"),
        (table_text("C+", "in n integer,out y string", "a,-,A"), "CRN-R-013", "type integer"),
        (
            table_text("P", "in n integer,out y string", "a,-,Z", extra=('order,,"A, B"',)),
            "CRN-R-013",
            "8: Row a, column y: 'Z' is not in the order",
        ),
        (
            table_text("P", "in n integer,out y string", "a,-,A", extra=('order,,"A, A"',)),
            "CRN-R-013",
            "7: The order A, A names a value twice",
        ),
        (
            table_text("F", "in n integer,out y string,citation", "a,-,A,LAW-9"),
            "CRN-R-013",
            "7: Row a, column citation: The pack does not define the law facts LAW-9",
        ),
        (
            table_text("F", "in n integer,out y string,valid_from,valid_to",
                       "a,-,A,2026-01-02,2026-01-01"),
            "CRN-R-013",
            "7: Row a: valid_to is before valid_from",
        ),
    ],
)  # fmt: skip
def test_file__is_refused_with_file_and_row(content: Any, code: str, told: str) -> None:
    found = problems(content)
    assert code in {error.code for error in found}, [error.message.en for error in found]
    assert any(told in error.message.en for error in found), [one.message.en for one in found]
    for error in found:
        assert "tables/sample.csv" in error.message.en
        assert error.message.zh != error.message.en


# --- workbooks --------------------------------------------------------------------------------


def _workbook(path: Path, change: Any) -> bytes:
    to_xlsx(GOOD, path)
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)
    return path.read_bytes()


def _set(cell: str, value: Any) -> Any:
    return lambda book: book.active.__setitem__(cell, value)


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (_set("D7", "=1+1"), "CRN-R-013", "7: A cell holds 'a formula'"),
        (_set("D7", 1.5), "CRN-R-013", "7: A cell holds '1.5' (fraction)"),
        (_set("G7", datetime(2026, 1, 1, 12, 0)), "CRN-R-013", "7: A cell holds"),  # noqa: DTZ001
        (_set("C7", 12), "CRN-R-013", "7: Row a, column s: '12'"),
        (_set("E7", True), "CRN-R-013", "7: Row a, column y: 'true'"),
        (lambda book: book.create_sheet("two").__setitem__("A1", "x"), "CRN-R-013", "second sheet"),
    ],
)
def test_workbook__is_refused_with_file_and_row(
    tmp_path: Path, change: Any, code: str, told: str
) -> None:
    found = problems(_workbook(tmp_path / "x.xlsx", change), "tables/sample.xlsx")
    assert code in {error.code for error in found}
    assert any(told in error.message.en for error in found), [one.message.en for one in found]


def test_workbook__empty_second_sheet_is_no_matter(tmp_path: Path) -> None:
    data = _workbook(tmp_path / "x.xlsx", lambda book: book.create_sheet("notes"))
    assert problems(data, "tables/sample.xlsx") == []


@pytest.mark.parametrize("cell", ["A1048576", "XFD1048576"])
def test_workbook__with_a_cell_far_away_is_refused_soon(tmp_path: Path, cell: str) -> None:
    data = _workbook(tmp_path / "x.xlsx", _set(cell, "x"))
    started = time.monotonic()
    (found,) = problems(data, "tables/sample.xlsx")
    assert found.code in {"CRN-R-002", "CRN-R-003"}
    assert time.monotonic() - started < 20


def test_workbook__that_is_none_or_a_bomb_is_refused(tmp_path: Path) -> None:
    assert [one.code for one in problems(BINARY, "tables/sample.xlsx")] == ["CRN-R-002"]
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 * 1024 * 1024))
    assert path.stat().st_size < 1024 * 1024
    (found,) = problems(path.read_bytes(), "tables/sample.xlsx")
    assert found.code == "CRN-R-002"
    assert "unpacking" in found.message.en


# --- in a pack --------------------------------------------------------------------------------


def _defects(folder: Path, tables: dict[str, str], *rules: Any, **changes: Any) -> list[Any]:
    changes.setdefault("parameters", [parameter("p", "integer", 1)])
    write_pack(folder, *rules, **changes)
    write_tables(folder, tables)
    return check_pack(folder)[1]


def test_pack__same_table_as_csv_and_xlsx_has_one_digest(tmp_path: Path) -> None:
    one = table_pack(tmp_path / "csv", {"sample.csv": GOOD}, parameters=[])
    write_pack(tmp_path / "xlsx")
    (tmp_path / "xlsx" / "tables").mkdir()
    to_xlsx(GOOD, tmp_path / "xlsx" / "tables" / "sample.xlsx")
    other = load_pack(tmp_path / "xlsx")
    assert other.digest == one.digest
    assert other.tables["sample"].rows == one.tables["sample"].rows


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("< 5", "<5", True),
        ("toy", '"""toy"""', True),
        ("b,-,-,2", "b,,,2", True),
        ("b,-,-,2,B,,,", "b,-,-,2,B", True),
        ("b,-,-,2,B,,,", "b,-,-,2,B,S,,", True),
        ("< 5", "<= 5", False),
        ("why", "because", False),
        ("A,V", "A,S", False),
        ("hit_policy,F", "hit_policy,U", False),
        ("2026-01-01", "2026-01-02", False),
        ("title_zh,示例表", "title_zh,示例", False),
        ("title_zh,示例表", "title_zh,示例表\ncomplete,true", False),
        ("a,< 5", "c,< 5", False),
    ],
)
def test_pack__digest_is_of_the_content_of_cells(
    tmp_path: Path, old: str, new: str, is_same: bool
) -> None:
    one = table_pack(tmp_path / "one", {"sample.csv": GOOD}, parameters=[])
    other = table_pack(tmp_path / "other", {"sample.csv": _changed(old, new)}, parameters=[])
    assert (one.digest == other.digest) is is_same


def test_pack__with_too_many_rows_in_all_is_refused(tmp_path: Path) -> None:
    text = table_text("C", "in n integer,out x integer", *(f"r{n},{n},1" for n in range(1990)))
    write_pack(tmp_path)
    write_tables(tmp_path, {f"t{n}.csv": text for n in range(6)})
    with pytest.raises(RulePackError, match="more than 10000 rows") as caught:
        check_pack(tmp_path)
    assert caught.value.code == "CRN-R-003"


def test_pack__with_too_many_workbooks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_module, "WORKBOOKS_MAX", 2)
    write_pack(tmp_path)
    (tmp_path / "tables").mkdir()
    for n in range(3):
        to_xlsx(GOOD, tmp_path / "tables" / f"t{n}.xlsx")
    with pytest.raises(RulePackError, match="more than 2 workbooks"):
        check_pack(tmp_path)


@pytest.mark.parametrize("name", ["listing.csv", "param.csv", "Steps.csv", "lookup.csv"])
def test_pack__table_may_not_have_the_name_of_something_else(tmp_path: Path, name: str) -> None:
    (found,) = _defects(tmp_path, {name: GOOD})
    assert found.code == "CRN-R-013"
    assert name in found.message.en


def test_pack__table_in_two_files_is_a_defect(tmp_path: Path) -> None:
    write_pack(tmp_path)
    write_tables(tmp_path, {"sample.csv": GOOD})
    to_xlsx(GOOD, tmp_path / "tables" / "sample.xlsx")
    found = check_pack(tmp_path)[1]
    assert ["two files" in error.message.en for error in found] == [True]


@pytest.mark.parametrize("name", ["x.yaml", "x.xlsm", "x.xls", ".x.csv", "a/b.csv"])
def test_pack__folder_of_tables_holds_tables_only(tmp_path: Path, name: str) -> None:
    write_pack(tmp_path)
    path = tmp_path / "tables" / name
    path.parent.mkdir(parents=True)
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(RulePackError, match="does not belong"):
        check_pack(tmp_path)


def test_pack__symbolic_link_to_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_text(GOOD, encoding="utf-8")
    write_pack(tmp_path / "pack")
    (tmp_path / "pack" / "tables").mkdir()
    (tmp_path / "pack" / "tables" / "sample.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(RulePackError, match="does not belong"):
        check_pack(tmp_path / "pack")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lookup(nothing.x) > 1", "begins with table.column"),
        ("lookup(sample) > 1", "begins with table.column"),
        ("lookup(sample.z) > 1", "cannot give z"),
        ("lookup(sample.x) > 1", "takes (n: integer, s: string)"),
        ("lookup(sample.x, 1) > 1", "takes (n: integer, s: string)"),
        ('lookup(sample.x, "a", 1) > 1', "takes (n: integer, s: string)"),
        ('lookup(sample.y, 1, "a") == "Z"', "sample.y is never 'Z'"),
        ('lookup(sample.y, 1, "a") > 1', "compares text with an integer"),
        ('1 in lookup(sample.x, 1, "a")', "a table whose hit policy gives a list"),
        ('lookup(every.y, 1) == "A"', "gives a list"),
        ("1 in lookup(every.y, 1)", "column's type"),
        ('"Z" in lookup(every.y, 1)', "every.y is never 'Z'"),
        ("1 in count(every.y, 1)", "'in' takes"),
    ],
)
def test_pack__lookup_that_cannot_be_is_a_defect(tmp_path: Path, line: str, told: str) -> None:
    every = table_text("C", "in n integer,out y string", "a,-,A")
    tables = {"sample.csv": GOOD, "every.csv": every}
    found = _defects(tmp_path, tables, rule(when=[line]))
    assert any(told in error.message.en for error in found), [one.message.en for one in found]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"match": [{"s": "sample"}]}, "sample"),
        ({"match": [{"h": "hits"}], "when": ["h.z == 1"]}, "h.z is not known"),
        ({"match": [{"h": "hits"}], "when": ['h.y == "Z"']}, "h.y is never 'Z'"),
        ({"match": [{"h": "hits"}], "when": ["h.x.y == 1"]}, "h.x.y is not known"),
    ],
)
def test_pack__rows_are_facts_only_where_every_input_has_a_value(
    tmp_path: Path, changes: Any, told: str
) -> None:
    hits = table_text("F", "in n integer,out y string,out x integer", "a,-,A,1",
                      extra=("value,param.p",))  # fmt: skip
    found = _defects(tmp_path, {"sample.csv": GOOD, "hits.csv": hits}, rule(**changes))
    assert any(told in error.message.en for error in found), [one.message.en for one in found]


def test_pack__value_of_an_input_is_checked(tmp_path: Path) -> None:
    def told(value: str, name: str = "n") -> list[str]:
        text = table_text(
            "F", f"in {name} integer,out y string", "a,-,A", extra=(f"value,{value}",)
        )
        return [error.message.en for error in _defects(tmp_path, {"sample.csv": text})]

    assert told("param.p") == []
    assert "is integer, but product.category is string" in told("product.category")[0]
    assert "not known here" in told("param.q")[0]
    assert "rests on itself" in told('"lookup(sample.y)"')[0]


def test_pack__input_of_a_closed_list_takes_its_values_only(tmp_path: Path) -> None:
    text = table_text(
        "F", "in s string,out y string", "a,toys,A", extra=("value,product.category",)
    )
    (found,) = _defects(tmp_path, {"sample.csv": text})
    assert "never 'toys'" in found.message.en
    assert "toy" in found.hint.en


def test_pack__table_and_measure_may_not_rest_on_each_other(tmp_path: Path) -> None:
    text = table_text("F", "in n integer,out y string", "a,-,A", extra=("value,measure.m",))
    measure = {"name": "m", "title": TEXT, "function": "count", "over": {"s": "sample"}}
    found = _defects(tmp_path, {"sample.csv": text}, measures=[measure])
    assert ["rests on itself" in error.message.en for error in found] == [True]


def test_pack__date_is_a_date_in_both_formats(tmp_path: Path) -> None:
    text = table_text("F", "in d date,out e date", "a,>= 2026-01-01,2026-02-01")
    pack = table_pack(tmp_path, {"sample.csv": text}, parameters=[])
    assert pack.tables["sample"].rows[0].outputs == (date(2026, 2, 1),)

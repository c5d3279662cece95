"""CSV: headers, cells, rows counted as a spreadsheet shows them, and every problem at once."""

import gc
from pathlib import Path

import pytest

from carnet.facts.fact import FactBatch, Source
from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.issue import PROBLEMS_READ_MAX, Issue

LAB = "id,name,country\n"


def read(
    folder: Path, content: str | bytes, name: str = "test_lab.csv", **limits: int
) -> FactBatch:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_files([path], IntakeLimits(**limits))


def refused(
    folder: Path, content: str | bytes, name: str = "test_lab.csv", **limits: int
) -> tuple[Issue, ...]:
    with pytest.raises(IntakeError) as caught:
        read(folder, content, name, **limits)
    assert caught.value.code == "CRN-F-001"
    return caught.value.issues


def test_csv__facts_and_their_places(tmp_path: Path) -> None:
    batch = read(tmp_path, LAB + "L-1,One,DE\nL-2,二号,CN\n")
    assert [fact.to_json() for fact in batch.facts] == [
        {
            "type": "test_lab",
            "id": "L-1",
            "name": "One",
            "country": "DE",
            "source": "test_lab.csv:2",
        },
        {
            "type": "test_lab",
            "id": "L-2",
            "name": "二号",
            "country": "CN",
            "source": "test_lab.csv:3",
        },
    ]
    assert batch.sources == tuple(Source(str(tmp_path / "test_lab.csv"), row) for row in (2, 3))
    assert len(batch) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfid,name,country\r\nL-1,One,DE\r\n",
        b"id,name,country\rL-1,One,DE\r",
        b'"id","name","country"\n"L-1","One","DE"\n\n',
        b"country,id,name\nDE,L-1,One\n,,\n",
        b"id,name,country,recorded_on,source\nL-1,One,DE,,ledger.csv:7\n",
    ],
)
def test_csv__spellings_of_the_same_table(tmp_path: Path, content: bytes) -> None:
    (fact,) = read(tmp_path, content).facts
    assert (fact.id, fact.fields["name"], fact.fields["country"]) == ("L-1", "One", "DE")
    assert fact.fields["source"] in {"test_lab.csv:2", "ledger.csv:7"}


def test_csv__formulas_are_text_and_stay_so(tmp_path: Path) -> None:
    names = ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-5", "=HYPERLINK(1)"]
    rows = "".join(f'L-{index},"{name}",DE\n' for index, name in enumerate(names))
    assert [fact.fields["name"] for fact in read(tmp_path, LAB + rows).facts] == names


def test_csv__leading_zeros_survive(tmp_path: Path) -> None:
    rows = "id,number,act,valid_from\nN-1,0044,red,2020-01-01\n"
    (fact,) = read(tmp_path, rows, "notified_body.csv").facts
    assert fact.fields["number"] == "0044"


def test_csv__every_cell_at_once(tmp_path: Path) -> None:
    rows = (
        "id,seller_id,kind,balance_minor,currency,as_of\n"
        "R-1,S-1,cash,-5,USD,31/02/2026\n"
        "R-2,S-1,Cash,1.5,usd,2026-02-31\n"
        "R-3,S-1,cash, 12,,null\n"
        "R 4,S-1,cash,1,USD,2026-01-01\n"
        "R-5,,cash,1e3,USD,2026-01-01\n"
    )
    issues = refused(tmp_path, rows, "reserve.csv")
    assert [(issue.row, issue.column, issue.found) for issue in issues] == [
        (2, "balance_minor", "-5"),
        (2, "as_of", "'31/02/2026'"),
        (3, "kind", "'Cash'"),
        (3, "balance_minor", "'1.5'"),
        (3, "currency", "'usd'"),
        (3, "as_of", "'2026-02-31'"),
        (4, "balance_minor", "' 12'"),
        (4, "currency", ""),
        (4, "as_of", "'null'"),
        (5, "id", "'R 4'"),
        (6, "seller_id", ""),
        (6, "balance_minor", "'1e3'"),
    ]
    assert {issue.file for issue in issues} == {str(tmp_path / "reserve.csv")}


@pytest.mark.parametrize("cell", ["TRUE", "True", "1", "yes", "是"])
def test_csv__booleans_have_one_spelling(tmp_path: Path, cell: str) -> None:
    rows = f"id,name,country,is_large_enterprise\nS-1,One,CN,{cell}\n"
    (issue,) = refused(tmp_path, rows, "party.csv")
    assert issue.expected.en == "true or false"


@pytest.mark.parametrize("cell", ["01", "+1", "1,0", "1_0", "-0", "１", "0x1", "99999999999999999"])
def test_csv__integers_have_one_spelling(tmp_path: Path, cell: str) -> None:
    rows = f'id,certificate_id,planned_application_on,lab_lead_days\nP,C,2026-01-01,"{cell}"\n'
    (issue,) = refused(tmp_path, rows, "renewal_plan.csv")
    assert issue.column == "lab_lead_days"


def test_csv_header__every_fault_at_once(tmp_path: Path) -> None:
    issues = refused(tmp_path, "id,nmae,id, country,type\nL,a,b,c,d\n")
    assert [(issue.row, issue.column) for issue in issues] == [
        (1, "nmae"),
        (1, "id"),
        (1, " country"),
        (1, "type"),
        (1, "name"),
        (1, "country"),
    ]
    assert issues[0].remedy.en == "Did you mean name?"
    assert (issues[4].found, issues[4].found_zh) == ("no such column", "没有该列")
    assert issues[4].remedy.en == "name is required: add the column and fill it in on every row."


@pytest.mark.parametrize("content", ["id;name;country\nL;a;DE\n", "id\tname\tcountry\n"])
def test_csv_header__another_delimiter(tmp_path: Path, content: str) -> None:
    (issue,) = refused(tmp_path, content)
    assert issue.expected.en == "columns separated by commas"


@pytest.mark.parametrize(
    ("rows", "row", "found"),
    [
        ("L-1,One\n", 2, "2 cells"),
        ("L-1,One,DE,x\n", 2, "4 cells"),
        ('L-1,"One,\nTwo",DE\nL-2,One\n', 3, "2 cells"),
        ('L-1,"One"x,DE\n', 2, repr("',' expected after '\"'")),
        ('L-1,One,DE\nL-2,"One,DE\n', 3, "'unexpected end of data'"),
    ],
)
def test_csv_row__of_another_shape(tmp_path: Path, rows: str, row: int, found: str) -> None:
    issues = refused(tmp_path, LAB + rows)
    assert (issues[-1].row, issues[-1].column, issues[-1].found) == (row, None, found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"id,name,country\nL-1,One,DE\nL-2,\xff,DE\n", "byte 0xff in line 3"),
        (b"id,name,country\nL-1,\xe4bc,DE\n", "byte 0xe4 in line 2"),
        (b"id,name,country\nL-1,O\0ne,DE\n", "a NUL character in line 2"),
        ("id,name\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_csv__not_text_in_utf8(tmp_path: Path, content: bytes, found: str) -> None:
    (issue,) = refused(tmp_path, content)
    assert (issue.row, issue.found) == (None, found)


@pytest.mark.parametrize("name", ["test_lab__2026-eu.csv", "test_lab__.csv", "test_lab.CSV"])
def test_csv_name__tells_the_type(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, LAB + "L-1,One,DE\n", name).facts[0].type == "test_lab"


@pytest.mark.parametrize(
    "name", ["test-lab.csv", "test_lab-2026.csv", "labs.csv", "__test_lab.csv"]
)
def test_csv_name__of_no_type(tmp_path: Path, name: str) -> None:
    (issue,) = refused(tmp_path, LAB, name)
    assert issue.expected.en.startswith("a fact type: party, ")
    assert "Name it after the type" in issue.remedy.en


def test_duplicates__both_places_are_named(tmp_path: Path) -> None:
    first, second = tmp_path / "test_lab.csv", tmp_path / "test_lab__more.csv"
    first.write_text(LAB + "L-1,One,DE\nL-1,Two,DE\n")
    second.write_text(LAB + "L-1,One,DE\n")
    other = tmp_path / "party.csv"
    other.write_text("id,name,country\nL-1,One,DE\n")
    with pytest.raises(IntakeError) as caught:
        read_files([first, second, other])
    assert [(issue.file, issue.row, issue.column) for issue in caught.value.issues] == [
        (str(first), 3, "id"),
        (str(second), 2, "id"),
    ]
    assert all(f"{first}:2" in issue.expected.en for issue in caught.value.issues)


def test_issues__of_all_files_up_to_the_bound(tmp_path: Path) -> None:
    names = ["test_lab.csv", "party.csv"]
    for name in names:
        (tmp_path / name).write_text(LAB + "".join(f"L-{i},x,??\n" for i in range(4)))
    with pytest.raises(IntakeError) as caught:
        read_files([tmp_path / name for name in names], IntakeLimits(issues_max=5))
    error = caught.value
    assert (len(error.issues), error.hidden_count, error.problem_count) == (5, 3, 8)
    assert error.message.en.splitlines()[0].endswith("8 problems:")
    assert error.message.en.splitlines()[-1] == "3 more are not shown."
    assert error.message.zh.splitlines()[-1] == "另有 3 个未显示。"
    assert error.to_json()["not_shown"] == 3


def test_issues__reading_stops_where_everything_is_wrong(tmp_path: Path) -> None:
    rows = LAB + "x,y,?\n" * (PROBLEMS_READ_MAX + 5)
    with pytest.raises(IntakeError) as caught:
        read(tmp_path, rows, issues_max=3)
    assert caught.value.problem_count == PROBLEMS_READ_MAX
    assert not caught.value.is_complete
    assert "there may be still more" in caught.value.message.en


def test_limits__rows_of_all_files(tmp_path: Path) -> None:
    rows = LAB + "".join(f"L-{index},x,DE\n" for index in range(3))
    assert len(read(tmp_path, rows, rows_max=3)) == 3
    (issue,) = refused(tmp_path, rows, rows_max=2)
    assert (issue.row, issue.expected.en) == (4, "at most 2 facts an import")


def test_reading__leaves_the_garbage_collector_as_it_was(tmp_path: Path) -> None:
    assert gc.isenabled()
    refused(tmp_path, b"")
    assert gc.isenabled()
    gc.disable()
    try:
        read(tmp_path, LAB)
        assert not gc.isenabled()
    finally:
        gc.enable()

"""XLSX: typed cells are taken as what they are; nothing that a cell shows is lost in silence."""

import json
import sys
import zipfile
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.intake.workbook import NO_VALUE, FaultScanner, column_index, write_cells
from carnet.facts.issue import Issue
from tests.fixtures_facts import write_xlsx

LAB = [["id", "name", "country"], ["L-1", "One", "DE"]]
BATCH_HEADER = ["id", "product_id", "lot", "produced_on", "quantity", "uom"]


def refused(path: Path, **limits: int) -> tuple[Issue, ...]:
    with pytest.raises(IntakeError) as caught:
        read_files([path], IntakeLimits(**limits))
    return caught.value.issues


def of_batch(folder: Path, **cells: Any) -> Path:
    values = {
        "id": "B-1",
        "product_id": "P-1",
        "lot": "L1",
        "produced_on": date(2026, 1, 2),
        "quantity": 5,
        "uom": "C62",
    } | cells
    return write_xlsx(folder / "book.xlsx", {"batch": [list(values), list(values.values())]})


def with_formulas(folder: Path, xml_of_row_2: str) -> Path:
    """Return a workbook whose second row is the XML given, as a spreadsheet program saves it."""
    path = write_xlsx(folder / "plain.xlsx", {"test_lab": LAB})
    result = folder / "formulas.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                head, _, rest = data.decode().partition('<row r="2"')
                _, _, tail = rest.partition("</row>")
                data = f"{head}{xml_of_row_2}{tail}".encode()
            target.writestr(name, data)
    return result


def test_xlsx__sheets_are_named_after_types(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "test_lab": LAB,
        "party__sellers": [["id", "name", "country"], [], ["S-1", "二号", "CN"], [None, "", None]],
        "Notes": [],
    }
    batch = read_files([write_xlsx(tmp_path / "book.xlsx", sheets)])
    assert [fact.to_json() for fact in batch.facts] == [
        {
            "type": "test_lab",
            "id": "L-1",
            "name": "One",
            "country": "DE",
            "source": "book.xlsx#test_lab:2",
        },
        {
            "type": "party",
            "id": "S-1",
            "name": "二号",
            "country": "CN",
            "source": "book.xlsx#party__sellers:3",
        },
    ]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("produced_on", date(2026, 1, 2), date(2026, 1, 2)),
        ("produced_on", "2026-01-02", date(2026, 1, 2)),
        ("quantity", 5, 5),
        ("quantity", 5.0, 5),
        ("quantity", "5", 5),
        ("lot", "=1+1", "=1+1"),
        ("lot", "0598", "0598"),
    ],
)
def test_xlsx__cells_that_are_taken(tmp_path: Path, column: str, cell: Any, value: Any) -> None:
    (fact,) = read_files([of_batch(tmp_path, **{column: cell})]).facts
    assert fact.fields[column] == value
    assert type(fact.fields[column]) is type(value)


@pytest.mark.parametrize(
    ("column", "cell", "found"),
    [
        ("quantity", 1.5, "1.5"),
        ("quantity", 2**53, "9007199254740992.0"),
        ("quantity", True, "True"),
        ("quantity", "1.0", "'1.0'"),
        ("quantity", date(2026, 1, 2), "a date cell: 2026-01-02"),
        ("produced_on", 46024, "46024"),
        ("produced_on", "2026-02-30", "'2026-02-30'"),
        ("produced_on", datetime(2026, 1, 2, 3, 4), "a datetime cell: 2026-01-02T03:04:00"),  # noqa: DTZ001
        ("produced_on", time(3, 4), "a other cell: 03:04:00"),
        ("lot", 598, "598"),
        ("lot", 0.5, "0.5"),
        ("lot", True, "True"),
        ("lot", date(2026, 1, 2), "a date cell: 2026-01-02"),
    ],
)
def test_xlsx__cells_that_are_refused(tmp_path: Path, column: str, cell: Any, found: str) -> None:
    (issue,) = refused(of_batch(tmp_path, **{column: cell}))
    assert (issue.file, issue.row, issue.column, issue.found) == (
        f"{tmp_path / 'book.xlsx'}#batch",
        2,
        column,
        found,
    )


def test_xlsx__instants_and_booleans(tmp_path: Path) -> None:
    link: dict[str, Any] = {"id": "T", "from_id": "A", "to_id": "B", "kind": "shipped"}
    lot: dict[str, Any] = {
        "id": "M",
        "supplier_id": "S",
        "material": "PC",
        "received_on": date(2026, 1, 2),
        "quantity": 1,
        "uom": "KGM",
        "has_certificate": False,
    }
    link["occurred_at"] = "2026-01-02T03:04:05Z"
    path = write_xlsx(
        tmp_path / "book.xlsx",
        {
            "trace_link": [list(link), list(link.values())],
            "material_lot": [list(lot), list(lot.values())],
        },
    )
    first, second = read_files([path]).facts
    assert first.fields["occurred_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert second.fields["has_certificate"] is False


def test_xlsx__error_cells_are_not_empty_cells(tmp_path: Path) -> None:
    row = (
        '<row r="2"><c r="A2" t="inlineStr"><is><t>L-1</t></is></c>'
        '<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c><c t="str"><f>"DE"</f><v>DE</v></c></row>'
    )
    (issue,) = refused(with_formulas(tmp_path, row))
    assert (issue.row, issue.column, issue.found) == (2, "name", "#DIV/0!")
    assert issue.remedy.en.startswith("Correct the formula")


def test_xlsx__formulas_with_a_value_are_that_value(tmp_path: Path) -> None:
    row = (
        '<row r="2"><c r="A2" t="str"><f>"L-"&amp;1</f><v>L-1</v></c>'
        '<c r="B2" t="str"><f>"One"</f><v>One</v></c>'
        '<c r="C2" t="str"><f>"DE"</f><v>DE</v></c><c r="D2" t="str"><f>""</f><v></v></c></row>'
    )
    (fact,) = read_files([with_formulas(tmp_path, row)]).facts
    assert (fact.id, fact.fields["country"]) == ("L-1", "DE")


def test_xlsx__formulas_without_a_value_are_not_empty_cells(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "certificate_standard"
    sheet.append(["id", "certificate_id", "standard", "edition", "presumption_until"])
    sheet.append(["S-1", "C-1", "EN 1", "2020", "=TODAY()"])
    sheet["E5"] = "=TODAY()"
    workbook.save(tmp_path / "book.xlsx")
    issues = refused(tmp_path / "book.xlsx")
    assert [(issue.row, issue.column, issue.found) for issue in issues] == [
        (2, "presumption_until", NO_VALUE),
        (5, "id", ""),
        (5, "certificate_id", ""),
        (5, "standard", ""),
        (5, "edition", ""),
        (5, "presumption_until", NO_VALUE),
    ]


def test_xlsx__header_is_row_1(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"test_lab": [["My labs"], *LAB]})
    assert [issue.row for issue in refused(path)] == [1] * 4
    path = write_xlsx(tmp_path / "book.xlsx", {"test_lab": [[None], *LAB]})
    (issue,) = refused(path)
    assert issue.found == "the first values in row 2"


def test_xlsx__values_beyond_the_header_are_told(tmp_path: Path) -> None:
    rows = [LAB[0], [*LAB[1], None], ["L-2", "Two", "FR", "note"]]
    (issue,) = refused(write_xlsx(tmp_path / "book.xlsx", {"test_lab": rows}))
    assert (issue.row, issue.found) == (3, "4 cells")


def test_xlsx__a_sheet_of_no_type(tmp_path: Path) -> None:
    sheets = {"Sheet1": LAB, "test_lab": [["id"], ["L-1"]]}
    issues = refused(write_xlsx(tmp_path / "book.xlsx", sheets))
    assert [(issue.file.rpartition("#")[2], issue.row) for issue in issues] == [
        ("Sheet1", None),
        ("test_lab", 1),
        ("test_lab", 1),
    ]


@pytest.mark.parametrize("size", [1, 4, 100, 1000, 4000])
def test_xlsx__truncated(tmp_path: Path, size: int) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"test_lab": LAB})
    path.write_bytes(path.read_bytes()[:size])
    (issue,) = refused(path)
    assert issue.found.startswith("a damaged or truncated file")


def test_xlsx__not_a_workbook_inside(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    (issue,) = refused(path)
    assert issue.found.startswith("a damaged or truncated file")


def test_xlsx__encrypted(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    (issue,) = refused(path)
    assert issue.found.startswith("an encrypted")
    data = bytearray(write_xlsx(path, {"test_lab": LAB}).read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    path.write_bytes(data)
    (issue,) = refused(path)
    assert issue.found.startswith("an encrypted")


def test_xlsx__too_large_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(10_000_001))
    assert path.stat().st_size < 20_000
    (issue,) = refused(path, unpacked_size_max=10_000_000)
    assert issue.found == "1 parts of 10000001 bytes after unpacking"


def test_xlsx__too_many_parts(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(4097):
            archive.writestr(f"{index}", b"")
    (issue,) = refused(path)
    assert issue.found.startswith("4097 parts")


def test_xlsx__two_cells_far_apart_do_not_take_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "test_lab"
    sheet["A1"] = "id"
    sheet["XFD1048576"] = "far"
    workbook.save(path)
    (issue,) = refused(path)
    assert issue.found == "a workbook that takes too much memory or time"


def test_xlsx__entities_are_refused_where_formulas_are_looked_for() -> None:
    xml = b'<!DOCTYPE a [<!ENTITY x "y">]><worksheet><c t="e"><v>&x;</v></c></worksheet>'
    with pytest.raises(ValueError, match="document type"):
        FaultScanner().scan(xml)


def test_fault_scanner__cells_without_names_are_counted() -> None:
    xml = (
        b'<x:worksheet xmlns:x="urn:x"><x:row><x:c/><x:c t="e"><x:v>#REF!</x:v></x:c></x:row>'
        b'<x:row r="5"><x:c r="AB5"><x:f>A1</x:f></x:c><x:c t="e"/></x:row></x:worksheet>'
    )
    assert FaultScanner().scan(xml) == {(0, 1): "#REF!", (4, 27): NO_VALUE, (4, 28): "#ERROR"}
    assert column_index("XFD") == 16_383


def test_xlsx__written_with_another_prefix_and_part_names(tmp_path: Path) -> None:
    plain = write_xlsx(tmp_path / "plain.xlsx", {"test_lab": LAB})
    moved = tmp_path / "moved.xlsx"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(moved, "w") as target:
        for name in source.namelist():
            data = source.read(name).replace(b"worksheets/sheet1.xml", b"worksheets/other.xml")
            target.writestr(name.replace("sheet1.xml", "other.xml"), data)
    assert read_files([moved]).facts[0].id == "L-1"


def test_xlsx__reading_ends_with_the_limit_of_rows(tmp_path: Path) -> None:
    rows = [LAB[0], *([f"L-{index}", "One", "DE"] for index in range(20_000))]
    (issue,) = refused(write_xlsx(tmp_path / "book.xlsx", {"test_lab": rows}), rows_max=1)
    assert (issue.row, issue.found) == (3, "fact 2")


def test_xlsx__a_process_that_cannot_start_reading_is_told(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"test_lab": LAB})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("padding", bytes(2_000_000))
    (issue,) = refused(path, workbook_memory_max=1)
    assert issue.found == "a workbook that takes too much memory or time"


def test_workbook_protocol__one_line_a_row(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cells = ["a", 1, 1.5, True, date(2026, 1, 2), datetime(2026, 1, 2, 3), time(1)]  # noqa: DTZ001
    path = write_xlsx(tmp_path / "book.xlsx", {"one": [cells], "two": []})
    write_cells(path.read_bytes())
    sys.stdout.flush()
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == [
        {"sheet": "one"},
        [
            "a",
            1,
            {"fraction": "1.5"},
            True,
            {"date": "2026-01-02"},
            {"datetime": "2026-01-02T03:00:00"},
            {"other": "01:00:00"},
        ],
        {"sheet": "two"},
    ]

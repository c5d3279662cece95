"""A pack as a workbook and back: the same digest, no formula, every fault with sheet and row."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from carnet.cli.main import app
from carnet.core.errors import CarnetError, RulePackError
from carnet.rules.ast import Pack
from carnet.rules.format.yaml_strict import has_control
from carnet.rules.pack import check_pack, load_pack, read_documents
from carnet.rules.shelf import SHELF, shelved_packs
from carnet.rules.workbook import read_file, read_workbook, write_workbook
from carnet.rules.workbook.cells import CELL_SIZE_MAX, cell_to_value, value_to_cell
from carnet.rules.workbook.folder import write_folder
from tests.fixtures_rules import (
    DERIVED,
    MEASURES,
    PARAMETERS,
    TEXT,
    header,
    parameter,
    random_packs,
    rule,
    spell,
    write_pack,
)
from tests.fixtures_table_packs import TablePack, random_table_packs
from tests.fixtures_tables import write_tables

SHIPPED = [each.folder for each in shelved_packs(SHELF)]
TABLE = (
    "hit_policy,F\ntitle_en,Tier\ntitle_zh,档位\nkind,in,out,citation\nname,market,tier,\n"
    "type,string,integer,\nvalue,listing.market,,\nr1,EU,-1,LAW-1\nr2,-,2,LAW-1\n"
)
LAST_DAY = date(9999, 12, 31)
STARTS = ["=1+1", "+1", "-1", "@x", "=cmd|' /C calc'!A0", "-", "- a", "=", "＝1", "#N/A", "'a"]


def back(data: bytes, folder: Path) -> Path:
    write_folder(read_workbook(data), folder)
    return folder


def round_trip(folder: Path, to: Path) -> Pack:
    pack = load_pack(back(write_workbook(folder), to))
    assert pack.digest == load_pack(folder).digest
    return pack


def texts(*values: str) -> list[dict[str, Any]]:
    """Return rules whose texts hold what must survive."""
    return [
        rule(
            f"rule-{n}",
            when=['listing.market == "EU"'],
            finding={"message": {"en": value, "zh": value}, "remedy": TEXT},
        )
        for n, value in enumerate(values)
    ]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda each: f"{each.parent.name}-{each.name}")
def test_shipped_pack__comes_back_with_its_digest(folder: Path, tmp_path: Path) -> None:
    round_trip(folder, tmp_path / "back")


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(given=random_packs())
def test_generated_pack__comes_back_with_its_digest(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("generated")
    changes = {"parameters": PARAMETERS, "derived": DERIVED, "measures": MEASURES}
    write_pack(folder / "a", *given["rules"], **changes)
    round_trip(folder / "a", folder / "b")


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=random_table_packs())
def test_generated_tables__come_back_with_their_digest(
    tmp_path_factory: pytest.TempPathFactory, content: TablePack
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    changes = {"parameters": PARAMETERS, "measures": content.measures}
    write_tables(write_pack(folder / "a", *content.rules, **changes), content.tables)
    pack, defects = check_pack(folder / "a")
    assume(pack is not None and not defects)
    assert pack is not None
    found = round_trip(folder / "a", folder / "b").tables
    assert {name: one.hit_policy for name, one in found.items()} == {
        name: one.hit_policy for name, one in pack.tables.items()
    }


HOSTILE = [
    *STARTS, "true", "0598", "5", "2026-11-23", '"quoted"', "[a", "# not a comment", "a: b",
    " a ", "line\nbreak", "tab\there", "_x000D_", "a_x0041_b", "😀", "é",
    "日本", "x" * 900, "TRUE", "1.5", "null", "~", "*a", "&a", "!t", "%", "a'b\"c", "\\",
]  # fmt: skip


def test_texts__survive_whatever_they_look_like(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts(*HOSTILE), title={"en": "=1", "zh": "5"})
    pack = round_trip(folder, tmp_path / "b")
    assert [one.message.en for one in pack.rules if one.message] == [
        one.message.en for one in load_pack(folder).rules if one.message
    ]


LETTERS = st.characters(exclude_categories=["Cs"]).filter(lambda one: not has_control(one))
"""What a text of a pack may hold: controls are refused."""


@given(st.text(LETTERS, max_size=60) | st.sampled_from(HOSTILE))
def test_cell__of_a_text_is_read_back(text: str) -> None:
    assert cell_to_value(value_to_cell(text)) == text
    assert cell_to_value(value_to_cell([text, {"a": text}])) == [text, {"a": text}]


@pytest.mark.parametrize(
    "value", [0, -5, 2**53 - 1, -(2**53) + 1, True, False, [], {}, [5, True], {"a": [{"b": "c"}]}]
)
def test_cell__of_a_value_is_read_back(value: Any) -> None:
    found = cell_to_value(value_to_cell(value))
    assert (found, type(found)) == (value, type(value)) or isinstance(found, dict | list)
    assert found == value


def test_dates__before_and_after_the_first_day_of_spreadsheets(tmp_path: Path) -> None:
    days = [
        date(1, 1, 1),
        date(1899, 12, 31),
        date(1900, 2, 28),
        date(1900, 3, 1),
        date(9999, 12, 31),
    ]
    dated = parameter("day", "date", date(2026, 1, 1))
    dated["values"] = [
        {"value": day, "valid_from": day, "known_from": day, "valid_to": LAST_DAY} for day in days
    ]
    folder = write_pack(tmp_path / "a", *texts("x"), parameters=[dated])
    values = round_trip(folder, tmp_path / "b").parameters["day"].values
    assert [one.value for one in values] == days


def test_parameters__have_one_row_for_each_dated_value(tmp_path: Path) -> None:
    words = parameter("words", "strings", ["de", "5"])
    late = {"value": ["fr"], "valid_from": date(2027, 1, 1), "known_from": date(2026, 1, 1)}
    words["values"].append(late)
    again = parameter("word", "string", "de") | {"corrigenda": [TEXT]}
    folder = write_pack(tmp_path / "a", *texts("x"), parameters=[words, again])
    sheet = open_workbook(write_workbook(folder))["parameters"]
    ids = [row[1].value for row in sheet.iter_rows(min_row=2)]
    assert ids == ["words", "words", "word"]
    assert [row[2].value for row in sheet.iter_rows(min_row=2)] == ["text", None, "text"]
    round_trip(folder, tmp_path / "b")


def test_long_list__is_spread_over_columns(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    (folder / "tests").mkdir()
    facts = [
        {"type": "channel", "id": f"C{n}", "name": "a b " * 40, "kind": "platform"}
        for n in range(700)
    ]
    test = {"id": "many", "as_of": date(2026, 1, 1), "facts": facts, "expect": []}
    (folder / "tests" / "a.yaml").write_text(spell({"tests": [test]}), "utf-8")
    data = write_workbook(folder)
    heading = [cell.value for cell in open_workbook(data)["tests"][1]]
    assert "facts~4" in heading
    files = read_workbook(data).files
    (tmp_path / "b").mkdir()
    write_folder(read_workbook(data), tmp_path / "c")
    assert read_documents(tmp_path / "c") == read_documents(folder)
    assert (
        max(len(str(cell.value or "")) for row in open_workbook(data)["tests"] for cell in row)
        <= CELL_SIZE_MAX
    )
    assert "tests/a.yaml" in files


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_table__keeps_its_hit_policy_and_every_cell(tmp_path: Path, form: str) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    (folder / "tables").mkdir()
    if form == "csv":
        (folder / "tables" / "tiers.csv").write_text(TABLE, "utf-8")
    else:
        book = openpyxl.Workbook()
        for line in TABLE.splitlines():
            book.worksheets[0].append([int(c) if c == "2" else c for c in line.split(",")])
        book.save(folder / "tables" / "tiers.xlsx")
    pack = round_trip(folder, tmp_path / "b")
    assert pack.tables["tiers"].hit_policy == "F"
    sheet = open_workbook(write_workbook(folder))["table tiers"]
    assert [cell.value for cell in sheet[8]] == ["r1", "EU", "-1", "LAW-1"]


def test_long_names_of_tables__get_a_sheet_each(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    (folder / "tables").mkdir()
    for end in "ab":
        (folder / "tables" / f"{'t' * 40}_{end}.csv").write_text(TABLE, "utf-8")
    assert len(round_trip(folder, tmp_path / "b").tables) == 2


def test_notes__and_empty_sections_are_kept(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    notes = "# Title\n\n- one\n  =two\n5\n"
    (folder / "README.md").write_text(notes, "utf-8")
    (folder / "rules" / "empty.yaml").write_text("{}\n", "utf-8")
    round_trip(folder, tmp_path / "b")
    assert (tmp_path / "b" / "README.md").read_text("utf-8") == notes


# --- formulas ---------------------------------------------------------------------------------


def open_workbook(data: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


def test_texts__are_never_written_as_formulas(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts(*STARTS))
    data = write_workbook(folder)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            assert re.search(rb"<f[ >]", archive.read(name)) is None
    sheet = open_workbook(data)["rules"]
    heading = [cell.value for cell in sheet[1]]
    column = heading.index("finding.message.en")
    for row, start in zip(sheet.iter_rows(min_row=2), STARTS, strict=True):
        cell = row[column]
        assert cell.data_type == "s"
        if str(cell.value)[0] in "=+-@＝":
            assert cell.quotePrefix, start


def edited(folder: Path, edit: Callable[[openpyxl.Workbook], None]) -> bytes:
    book = open_workbook(write_workbook(folder))
    edit(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def set_cell(sheet: str, place: str, value: Any) -> Callable[[openpyxl.Workbook], None]:
    def edit(book: openpyxl.Workbook) -> None:
        book[sheet][place] = value

    return edit


def set_column(sheet: str, letter: str, *values: Any) -> Callable[[openpyxl.Workbook], None]:
    def edit(book: openpyxl.Workbook) -> None:
        for number, value in enumerate(values, start=1):
            book[sheet][f"{letter}{number}"] = value

    return edit


def add_sheet(name: str, *rows: list[Any]) -> Callable[[openpyxl.Workbook], None]:
    def edit(book: openpyxl.Workbook) -> None:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)

    return edit


def add_row(sheet: str, *rows: list[Any]) -> Callable[[openpyxl.Workbook], None]:
    def edit(book: openpyxl.Workbook) -> None:
        for row in rows:
            book[sheet].append(row)

    return edit


def drop(name: str) -> Callable[[openpyxl.Workbook], None]:
    return lambda book: book.remove(book[name])


@pytest.mark.parametrize(
    ("edit", "place", "what"),
    [
        (set_cell("rules", "C2", "=1+1"), ("rules", 2), "formula"),
        (set_cell("law", "B2", "=A1"), ("law", 2), "formula"),
        (set_cell("law", "B2", 1.5), ("law", 2), "fraction"),
        (set_cell("law", "B2", datetime.fromisoformat("2026-01-01T08:30")), ("law", 2), "datetime"),
        (set_cell("law", "B2", "2026-02-30"), ("law", 2), "calendar"),
        (set_cell("law", "B2", "[a, &x b]"), ("law", 2), "anchor"),
        (set_cell("law", "B2", "[a"), ("law", 2), "YAML"),
        (set_cell("law", "A2", None), ("law", 2), "file is empty"),
        (set_cell("law", "A2", "../../x.yaml"), ("files", 1), "no file"),
        (set_cell("law", "A2", "law.yaml.exe"), ("files", 1), "no file"),
        (set_cell("law", "C1", "id"), ("law", 1), "twice"),
        (set_cell("law", "C1", "a b"), ("law", 1), "name of a column"),
        (set_cell("law", "Z2", "x"), ("law", 2), "no column"),
        (set_column("law", "G", "title.en", "x"), ("law", 2), "both a value and parts"),
        (set_cell("pack", "A3", "schema"), ("pack", 3), "stands once"),
        (add_row("files", *[["law.yaml", "x", None, "[]"]] * 2), ("files", 10), "already"),
        (add_row("files", ["tables/x.csv", None, "table x"]), ("files", 9), "has no sheet"),
        (add_row("files", ["pack.yaml", "id", None, "x"]), ("files", 9), "already"),
        (add_sheet("table x", ["hit_policy", "U"]), ("table x", 1), "names this sheet"),
        (add_sheet("Sheet1", ["a note"]), ("Sheet1", 1), "name of a column"),
        (add_sheet("Sheet1", ["note"], ["x"]), ("Sheet1", 2), "file is empty"),
        (add_sheet("notes", ["file", "text"], ["x.md", "a"]), ("notes", 2), "README"),
    ],
)  # fmt: skip
def test_fault__names_the_sheet_and_the_row(
    tmp_path: Path,
    edit: Callable[[openpyxl.Workbook], None],
    place: tuple[str, int],
    what: str,
) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    with pytest.raises(RulePackError, match=what) as caught:
        read_workbook(edited(folder, edit))
    assert (caught.value.path, caught.value.line) == place
    assert f"Sheet {place[0]}, row {place[1]}" in caught.value.message.en


def test_formula__with_a_value_is_refused_too(tmp_path: Path) -> None:
    """Spreadsheets store the value of a formula beside it."""
    data = write_workbook(write_pack(tmp_path / "a", *texts("x")))
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as edited_archive,
    ):
        for name in archive.namelist():
            xml = archive.read(name)
            if name == "xl/worksheets/sheet1.xml":
                xml, count = re.subn(
                    rb'<c r="B2"([^>]*)><v>1</v></c>', rb'<c r="B2"\1><f>1+0</f><v>1</v></c>', xml
                )
                assert count == 1
            edited_archive.writestr(name, xml)
    with pytest.raises(RulePackError, match=r"Sheet pack, row 2: .*formula"):
        read_workbook(stream.getvalue())


def test_integer__beyond_the_digits_of_a_spreadsheet_is_text() -> None:
    assert value_to_cell(10**15 - 1) == 10**15 - 1
    assert value_to_cell(-(10**15)) == "-1000000000000000"


def test_faults__are_all_counted(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))

    def edit(book: openpyxl.Workbook) -> None:
        for sheet in ("rules", "law"):
            book[sheet]["B2"] = 1.5

    with pytest.raises(RulePackError) as caught:
        read_workbook(edited(folder, edit))
    places = [line.partition(": ")[0] for line in caught.value.message.en.splitlines()]
    assert sorted(places) == ["Sheet law, row 2", "Sheet rules, row 2"]


@pytest.mark.parametrize("name", ["pack", "files"])
def test_workbook__without_its_first_sheets_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    with pytest.raises(RulePackError, match=f"CRN-R-151.*no sheet {name}"):
        read_workbook(edited(folder, drop(name)))


@pytest.mark.parametrize("data", [b"x", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9])
def test_what_is_no_workbook__is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    with pytest.raises(RulePackError, match="CRN-R-151"):
        read_file(path)
    with pytest.raises(RulePackError, match="CRN-R-151"):
        read_file(tmp_path / "absent.xlsx")


def test_zip_bomb__is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (200 * 1024 * 1024))
    with pytest.raises(RulePackError, match="CRN-R-151"):
        read_workbook(stream.getvalue())


def test_types_that_a_spreadsheet_gives__are_taken(tmp_path: Path) -> None:
    """A person enters numbers, dates and TRUE, and the program stores them as such."""
    folder = write_pack(tmp_path / "a", *texts("x"), parameters=[parameter("n", "integer", 5)])

    def edit(book: openpyxl.Workbook) -> None:
        sheet = book["parameters"]
        heading = [cell.value for cell in sheet[1]]
        sheet.cell(2, heading.index("value.value") + 1, 6)
        sheet.cell(2, heading.index("value.valid_from") + 1, datetime.fromisoformat("2021-05-01"))
        sheet.cell(2, heading.index("last_checked") + 1, "2026-11-01")

    pack = load_pack(back(edited(folder, edit), tmp_path / "b"))
    (value,) = pack.parameters["n"].values
    assert (value.value, value.valid_from) == (6, date(2021, 5, 1))
    assert pack.parameters["n"].last_checked == date(2026, 11, 1)


# --- commands ---------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, CarnetError):
        raise done.exception
    return done.exit_code, done.stdout


def test_commands__write_and_read_a_workbook(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    book, to = str(tmp_path / "a.xlsx"), str(tmp_path / "packs" / "b")
    code, shown = run("pack", "export", str(folder), "-o", book, "--format", "json")
    written = json.loads(shown)
    assert code == 0
    code, shown = run("pack", "import", book, "-o", to, "--format", "json")
    assert code == 0
    assert json.loads(shown)["digest"] == written["digest"] == load_pack(folder).digest.hex()
    for again in (("export", str(folder), "-o", book), ("import", book, "-o", to)):
        with pytest.raises(CarnetError, match="CRN-R-152"):
            run("pack", *again)


@pytest.mark.parametrize(
    ("edit", "code", "told"),
    [
        (set_cell("pack", "B2", 7), 1, "Sheet pack, row 2, column value: "),
        (set_cell("pack", "B4", 2), 1, "Sheet pack, row 4, column value: 'version' of"),
        (set_cell("rules", "F3", "grave"), 1, "Sheet rules, row 3, column severity: "),
        (set_cell("rules", "K3", "- c: x"), 1, "Sheet rules, row 3, column when: "),
        (set_cell("rules", "E2", "- NO-LAW"), 1, "Sheet rules, row 2, column citation: "),
        (set_cell("rules", "G3", None), 1, "Sheet rules, row 3: 'message' lacks the key 'en'"),
        (set_cell("law", "A2", "parameters.yaml"), 1, "Sheet law, row 2: parameters.yaml has"),
        (set_cell("parameters", "N3", "no"), 1, "Sheet parameters, row 3: 'valid_from' of"),
        (set_cell("parameters", "E4", "text"), 1, "Sheet parameters, row 4, column kind: "),
        (set_cell("table tiers", "C8", "one"), 1, "Sheet table tiers, row 8: "),
        (set_cell("table tiers", "B10", "EU\x7f"), 1, "Sheet table tiers, row 10: "),
        (set_cell("rules", "K3", "- product.model.matches('x')"), 2, "Sheet rules, row 3, "),
    ],
)  # fmt: skip
def test_import__tells_defects_by_sheet_and_row_and_writes_nothing(
    tmp_path: Path, edit: Callable[[openpyxl.Workbook], None], code: int, told: str
) -> None:
    dated = parameter("longest", "integer", 5)
    dated["values"] += [{**dated["values"][0], "valid_from": date(2010, 1, 1)}]
    shown_rules = texts("x", "y")
    folder = write_pack(
        tmp_path / "a", *shown_rules, parameters=[dated, parameter("other", "string", "b")]
    )
    write_tables(folder, {"tiers.csv": TABLE})
    path = tmp_path / "a.xlsx"

    def spaced(book: openpyxl.Workbook) -> None:
        book["table tiers"].insert_rows(4, 2)
        edit(book)

    path.write_bytes(edited(folder, spaced))
    found, shown = run("pack", "import", str(path), "-o", str(tmp_path / "b"))
    assert (found, told in shown) == (code, True), shown
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "a.xlsx"]
    found, shown = run("pack", "import", str(path), "-o", str(tmp_path / "b"), "--format", "json")
    document = json.loads(shown)
    assert (found, document["path"]) == (code, None)
    sheet, row = document["defects"][0]["file"], document["defects"][0]["line"]
    assert told.startswith(f"Sheet {sheet}, row {row}")


def test_cell__with_a_control_character_is_a_fault(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    data = edited(folder, set_cell("law", "B2", "x_x000D_y"))
    with pytest.raises(RulePackError, match="Sheet law, row 2: id: a control character"):
        read_workbook(data)


def test_header__is_what_the_pack_says(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "a", *texts("x"))
    rows = {row[0].value: row[1].value for row in open_workbook(write_workbook(folder))["pack"]}
    assert rows["id"] == header()["id"]
    assert rows["version"] == '"1"'
    assert rows["effective.from"] == datetime.fromisoformat("2020-01-01")

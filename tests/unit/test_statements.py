"""Statements: exact amounts, declared meanings, and a refusal that names the place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from carnet.core.clock import FixedClock
from carnet.core.errors import InputError
from carnet.facts.fact import FactBatch
from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.intake.statements import read_statement_map
from carnet.facts.intake.statements.amounts import ValueRefusedError, read_day, read_minor
from carnet.facts.issue import Issue
from carnet.services.importing import import_files
from carnet.services.status import workspace_status
from carnet.services.workspace import Workspace

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
MAP = CREDIT / "meridian-map.toml"
CAMT = CREDIT / "camt053-2026-09.xml"
EXPORT = CREDIT / "statement__meridian-2026-08.csv"

Read = Callable[..., FactBatch]
ENTRY = """<Ntry><Amt Ccy="EUR">4.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>2026-04-07</Dt></BookgDt>{more}
<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>CCRD</Cd><SubFmlyCd>POSD</SubFmlyCd></Fmly></Domn></BkTxCd>
</Ntry>"""
SMALL = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{message}">
<{outer}><GrpHdr><MsgId>M</MsgId></GrpHdr><{inner}><Id>S-1</Id>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
{entries}</{inner}></{outer}></Document>"""
SMALL_MAP = """version = 1
seller_id = "S"
platform_id = "P"
provider = "Example bank"
[camt]
accounts = ["DE89370400440532013000"]
unknown = "{unknown}"
[[camt.codes]]
domain = "PMNT/CCRD/POSD"
direction = "DBIT"
kind = "ads_fee"
"""


def small(
    *entries: str, message: str = "053.001.02", outer: str = "BkToCstmrStmt", inner: str = "Stmt"
) -> str:
    return SMALL.format(message=message, outer=outer, inner=inner, entries="".join(entries))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a reader of one text as a statement by a map."""

    def run(text: str, mapping: str = "", name: str = "s.xml") -> FactBatch:
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "map.toml").write_text(
            mapping or SMALL_MAP.format(unknown="refuse"), encoding="utf-8"
        )
        found = read_statement_map(tmp_path / "map.toml")
        return read_files([tmp_path / name], IntakeLimits(), found)

    return run


def refused(read: Read, text: str, **options: str) -> list[Issue]:
    with pytest.raises(IntakeError) as caught:
        read(text, **options)
    for issue in caught.value.issues:
        assert issue.expected.en
        assert issue.expected.zh
        assert issue.remedy.zh
    return list(caught.value.issues)


def changed(path: Path, old: str, new: str) -> str:
    text = path.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1)


# --- camt -------------------------------------------------------------------------------------


def test_camt__gives_lines_to_the_cent_and_the_sum_of_the_statement() -> None:
    batch = read_files([CAMT], IntakeLimits(), read_statement_map(MAP))
    lines = [fact.fields for fact in batch.facts if fact.type == "statement_line"]
    assert [(line["kind"], line["amount_minor"], str(line["booked_on"])) for line in lines] == [
        ("income", 15000000, "2026-09-11"),
        ("income", 6044015, "2026-09-11"),
        ("after_sales_reserve", 470000, "2026-09-14"),
        ("deduction", 125000, "2026-09-18"),
        ("deduction", -125000, "2026-09-25"),
        ("income", 11687150, "2026-09-30"),
    ]
    assert lines[0]["payment_reference"] == "MB-SETTLE-2609-A"
    assert lines[0]["bank_reference"] == "EXB-2609-0001"
    (point,) = [fact.fields for fact in batch.facts if fact.type == "data_point"]
    assert (point["kind"], point["value"], point["unit"], point["currency"]) == (
        *("platform_settlement", 32261165, "minor", "USD"),
    )
    assert (str(point["period_start"]), str(point["period_end"])) == ("2026-09-01", "2026-09-30")
    assert point["provenance"] == "bank"


def test_camt__same_day_equal_amounts_are_two_bookings(read: Read) -> None:
    batch = read(small(ENTRY.format(more=""), ENTRY.format(more="")))
    lines = [fact for fact in batch.facts if fact.type == "statement_line"]
    assert len({fact.id for fact in lines}) == 2
    (point,) = [fact for fact in batch.facts if fact.type == "data_point"]
    assert point.fields["value"] == -900


def test_camt__one_booking_in_statement_and_notification_is_one_fact(read: Read) -> None:
    more = "<AcctSvcrRef>R-1</AcctSvcrRef>"
    statement = read(small(ENTRY.format(more=more)))
    notification = read(
        small(
            ENTRY.format(more=more),
            message="054.001.02",
            outer="BkToCstmrDbtCdtNtfctn",
            inner="Ntfctn",
        )
    )
    (line,) = notification.facts
    assert line.type == "statement_line"
    assert {**line.to_json(), "source": ""} == {**statement.facts[0].to_json(), "source": ""}


def test_camt__a_notification_without_reference_is_refused(read: Read) -> None:
    text = small(
        ENTRY.format(more=""),
        message="054.001.02",
        outer="BkToCstmrDbtCdtNtfctn",
        inner="Ntfctn",
    )
    (issue,) = refused(read, text)
    assert issue.column == "BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry"
    assert issue.row == 5


def test_camt__unknown_codes_are_refused_or_other_fees(read: Read) -> None:
    text = small(ENTRY.format(more="").replace("POSD", "CWDL"))
    (issue,) = refused(read, text)
    assert issue.found == "'PMNT/CCRD/CWDL DBIT'"
    assert issue.column == "BkToCstmrStmt/Stmt/Ntry/BkTxCd"
    batch = read(text, SMALL_MAP.format(unknown="other_fee"))
    assert batch.facts[0].fields["kind"] == "other_fee"
    assert batch.facts[0].fields["amount_minor"] == 450
    credited = read(text.replace("DBIT", "CRDT"), SMALL_MAP.format(unknown="other_fee"))
    assert credited.facts[0].fields["amount_minor"] == -450


def test_camt__a_reversal_takes_back_lines_of_its_kind(read: Read) -> None:
    reversal = ENTRY.format(more="").replace("DBIT", "CRDT", 1)
    text = small(reversal.replace("<Sts>", "<RvslInd>true</RvslInd><Sts>"))
    (line, point) = read(text).facts
    assert (line.fields["kind"], line.fields["amount_minor"]) == ("ads_fee", -450)
    assert point.fields["value"] == 450
    # Without the indicator a credit has no meaning in this map.
    refused(read, small(reversal))


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USD">4700.001</Amt>', "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USD">4,700.00</Amt>', "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USD">12..34</Amt>', "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USD">-4700.00</Amt>', "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USX">4700.00</Amt>', "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', "<Amt>4700.00</Amt>", "Stmt/Ntry[2]/Amt"),
        ('<Amt Ccy="USD">4700.00</Amt>', '<Amt Ccy="USD">4700.01</Amt>', "Stmt"),
        ('<Amt Ccy="USD">60440.15</Amt>', '<Amt Ccy="USD">60440.14</Amt>', "Stmt/Ntry[1]"),
        ('<Amt Ccy="USD">60440.15</Amt>', "", "Stmt/Ntry[1]/NtryDtls/TxDtls[2]"),
        ("<NbOfNtries>5<", "<NbOfNtries>6<", "Stmt/TxsSummry/TtlNtries/NbOfNtries"),
        ("<Sum>5950.00<", "<Sum>5950.10<", "Stmt/TxsSummry/TtlDbtNtries/Sum"),
        ("322611.65</Amt><Cdt", "322611.66</Amt><Cdt", "Stmt/TxsSummry/TtlNtries"),
        ("337611.65", "337611.66", "Stmt"),
        ("<Cd>BOOK</Cd>", "<Cd>PDNG</Cd>", "Stmt/Ntry[1]/Sts/Cd"),
        ("<CdtDbtInd>DBIT<", "<CdtDbtInd>DEBT<", "Stmt/Ntry[2]/CdtDbtInd"),
        ("<Dt>2026-09-14</Dt>", "<Dt>2026-09-31</Dt>", "Stmt/Ntry[2]/BookgDt/Dt"),
        ("<Dt>2026-09-14</Dt>", "<Dt>2026-08-14</Dt>", "Stmt"),
        ("<RvslInd>true</RvslInd>", "<RvslIndd>true</RvslIndd>", "Stmt/Ntry[4]/RvslIndd"),
        ("<RvslInd>true</RvslInd>", "<RvslInd>yes</RvslInd>", "Stmt/Ntry[4]/RvslInd"),
        ("EXAMPLE-USD-0001", "SOMEBODY-ELSE", "Stmt/Acct/Id/Othr/Id"),
        ("<PgNb>1</PgNb>", "<PgNb>2</PgNb>", "GrpHdr/MsgPgntn"),
        ("<Ccy>USD</Ccy>", "<Ccy>EUR</Ccy>", "Stmt/Ntry[1]/Amt"),
        ("camt.053.001.08", "camt.053.001.99", "Document"),
    ],
)
def test_camt__what_is_wrong_is_refused_at_its_place(
    read: Read, old: str, new: str, column: str
) -> None:
    issues = refused(read, changed(CAMT, old, new), mapping=MAP.read_text("utf-8"))
    places = [(issue.column or "").removeprefix("BkToCstmrStmt/") for issue in issues]
    assert any(place.startswith(column) for place in places), places


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE Document [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE Document SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE Document [<!ENTITY e SYSTEM "http://example.invalid/">]>',
        "<?xml-stylesheet href='x'?>",
    ],
)
def test_camt__declarations_and_instructions_are_refused(read: Read, prolog: str) -> None:
    text = changed(
        CAMT, "<!-- A fictitious statement: no such bank, account or booking exists. -->", prolog
    )
    (issue,) = refused(read, text, mapping=MAP.read_text("utf-8"))
    assert "declaration" in issue.found or "instruction" in issue.found


def test_camt__other_encodings_broken_xml_and_depth_are_refused(read: Read) -> None:
    text = CAMT.read_text("utf-8")
    mapping = MAP.read_text("utf-8")
    for broken in (
        text.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"'),
        text[:-20],
        text.replace("<Stmt>", "<Stmt>" + "<X>" * 40 + "</X>" * 40),
        text.replace("<Stmt>", "<Stmt>loose text"),
        text.replace(' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', ""),
        text.replace("<CdtDbtInd>DBIT<", '<CdtDbtInd xmlns="urn:other">DBIT<'),
    ):
        assert refused(read, broken, mapping=mapping)


def test_camt__every_problem_is_told_at_once(read: Read) -> None:
    text = changed(CAMT, "<Dt>2026-09-14</Dt>", "<Dt>soon</Dt>")
    text = text.replace('<Amt Ccy="USD">116871.50</Amt>', '<Amt Ccy="USD">many</Amt>')
    issues = refused(read, text, mapping=MAP.read_text("utf-8"))
    assert [(issue.row, issue.found) for issue in issues] == [(52, "'soon'"), (74, "'many'")]


GOLDEN = {
    "camt.053.001.02.xml": [-6432150],
    "camt053_duplicate_same_day.xml": [-900],
    "camt053_multicurrency.xml": [75025, -9999],
    "camt053_garbled_amount.xml": "BkToCstmrStmt/Stmt/Ntry/Amt",
    "camt053_no_namespace.xml": "Document",
    "camt052_001_02.xml": "Document",
    "camt053_001_02.xml": "BkToCstmrStmt/Stmt/Ntry[8]/Amt",
}
"""Published samples: what each statement settles, or the element at which it is refused."""

ACCOUNTS = (
    *("DE89370400440532013000", "GB29NWBK60161331926819", "US-ACCT-0099"),
    *("50000000054910000003", "DD01100056869"),
)


def test_camt__published_samples_are_read_or_refused_at_their_fault(tmp_path: Path) -> None:
    mapping = SMALL_MAP.format(unknown="other_fee")
    (tmp_path / "map.toml").write_text(
        mapping.replace('["DE89370400440532013000"]', str(list(ACCOUNTS))), encoding="utf-8"
    )
    found = read_statement_map(tmp_path / "map.toml")
    folder = os.environ.get("CARNET_DATA")
    paths = sorted(Path(folder, "iso20022").rglob("camt*.xml")) if folder else []
    print(f"{len(paths)} published samples")
    for path in paths:
        expected = GOLDEN[path.name]
        if isinstance(expected, list):
            batch = read_files([path], IntakeLimits(), found)
            points = [fact for fact in batch.facts if fact.type == "data_point"]
            assert [fact.fields["value"] for fact in points] == expected
        else:
            with pytest.raises(IntakeError) as caught:
                read_files([path], IntakeLimits(), found)
            assert [issue.column for issue in caught.value.issues] == [expected]


# --- exports of platforms ---------------------------------------------------------------------


def test_export__gives_lines_by_column_and_their_net() -> None:
    batch = read_files([EXPORT], IntakeLimits(), read_statement_map(MAP))
    lines = [fact.fields for fact in batch.facts if fact.type == "statement_line"]
    assert len(lines) == 16
    penalty = [line for line in lines if line["kind"] == "deduction"]
    assert [line["amount_minor"] for line in penalty] == [125000]
    (point,) = [fact.fields for fact in batch.facts if fact.type == "data_point"]
    assert point["value"] == 17045295 + 6191150 + 8940313
    assert point["provenance"] == "platform"


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("182340.50", "182340.51", "结算净额"),
        ("182340.50", '"182,340.50"', "收入金额"),
        ("-1250.00", "1250.00", "结算净额"),
        ("2026-08-14", "14/08/2026", "结算日期"),
        ("USD", "usd", "币种"),
        ("MB-2608-0001", "", "流水号"),
        ("收入金额", "收入", "收入金额"),
        ("备注", "新列", "新列"),
        ("MB-2608-0002", "MB-2608-0001", "id"),
        (",,170452.95,", ",170452.95,", None),
    ],
)
def test_export__what_is_wrong_is_refused_at_its_place(
    read: Read, old: str, new: str, column: str | None
) -> None:
    options = {"mapping": MAP.read_text("utf-8"), "name": "statement__x.csv"}
    issues = refused(read, changed(EXPORT, old, new), **options)
    assert column in [issue.column for issue in issues]


CODES_MAP = """version = 1
seller_id = "S"
platform_id = "P"
provider = "Example platform"
[csv]
date = "day"
reference = "ref"
currency = "ccy"
code = "type"
amount = "amount"
unknown = "{unknown}"
[[csv.codes]]
code = "SALE"
kind = "income"
[[csv.codes]]
code = "FINE"
kind = "deduction"
sign = -1
"""


def test_export__a_withdrawal_moves_money_and_settles_nothing(read: Read) -> None:
    mapping = CODES_MAP.format(unknown="refuse").replace(
        'kind = "deduction"', 'kind = "withdrawal"'
    )
    text = "day,ref,ccy,type,amount\n2026-01-02,1,JPY,SALE,500\n2026-01-03,2,JPY,FINE,-400\n"
    _, paid_out, point = read(text, mapping, "statement.csv").facts
    assert (paid_out.fields["kind"], paid_out.fields["amount_minor"]) == ("withdrawal", 400)
    assert point.fields["value"] == 500


def test_export__codes_in_one_column_by_a_table(read: Read) -> None:
    text = "day,ref,ccy,type,amount\n2026-01-02,1,JPY,SALE,500\n2026-01-03,2,JPY,FINE,-120\n"
    options = {"mapping": CODES_MAP.format(unknown="refuse"), "name": "statement.csv"}
    sale, fine, point = read(text, **options).facts
    assert (sale.fields["amount_minor"], fine.fields["amount_minor"]) == (500, 120)
    assert point.fields["value"] == 380
    other = text + "2026-01-04,3,JPY,TAX,-7\n"
    (issue,) = refused(read, other, **options)
    assert (issue.row, issue.column, issue.found) == (4, "type", "'TAX'")
    kept = read(other, CODES_MAP.format(unknown="other_fee"), "statement.csv").facts
    assert [fact.fields.get("kind") for fact in kept][2] == "other_fee"
    assert kept[2].fields["amount_minor"] == 7


# --- the map ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ('seller_id = "S"', 'seller_id = "not an id"'),
        ('unknown = "refuse"', 'unknown = "guess"'),
        ('kind = "ads_fee"', 'kind = "sales"'),
        ('domain = "PMNT/CCRD/POSD"', 'domain = "PMNT"'),
        ('domain = "PMNT/CCRD/POSD"', ""),
        ('domain = "PMNT/CCRD/POSD"', 'domain = "A/B/C"\nproprietary = "X"'),
        ("accounts = [", "account = ["),
        ("version = 1", "version = "),
        ("[camt]", "[other]"),
    ],
)
def test_map__a_form_that_is_not_closed_is_refused(read: Read, old: str, new: str) -> None:
    text = SMALL_MAP.format(unknown="refuse")
    assert old in text
    with pytest.raises(InputError) as caught:
        read(small(), text.replace(old, new))
    assert caught.value.code == "CRN-F-060"


def test_map__a_code_or_column_that_stands_twice_is_refused(read: Read) -> None:
    codes = SMALL_MAP.format(unknown="refuse")
    with pytest.raises(InputError, match="stands twice"):
        read(small(), codes + codes[codes.index("[[camt") :])
    columns = MAP.read_text("utf-8").replace('"店铺"', '"收入金额"')
    with pytest.raises(InputError, match="named twice"):
        read("", columns)


def test_map__without_one_a_statement_is_refused(tmp_path: Path) -> None:
    for path, part in ((CAMT, "[camt]"), (EXPORT, "[csv]")):
        with pytest.raises(IntakeError) as caught:
            read_files([path])
        assert part in caught.value.issues[0].expected.en
        assert "--statement-map" in caught.value.issues[0].remedy.en
    with pytest.raises(InputError) as missing:
        read_statement_map(tmp_path / "none.toml")
    assert missing.value.code == "CRN-F-060"


# --- importing --------------------------------------------------------------------------------


def around(folder: Path) -> list[Path]:
    """Write the facts that the sample statements refer to."""
    parties = folder / "party.csv"
    parties.write_text("id,name,country\nEHM,Example,CN\nMERIDIAN,Example,IE\n", "utf-8")
    channel = folder / "channel.csv"
    channel.write_text("id,name,kind\nCH-MERIDIAN,Example,fully_managed\n", "utf-8")
    return [parties, channel]


def test_import__is_all_or_nothing_and_the_same_again_is_nothing_new(
    workspace: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text(changed(CAMT, "337611.65", "337611.66"), "utf-8")
    with pytest.raises(IntakeError):
        import_files(workspace, [*around(tmp_path), EXPORT, broken], clock, statement_map=MAP)
    assert workspace_status(workspace).facts == {}
    with pytest.raises(IntakeError) as missing:
        import_files(workspace, [CAMT], clock, statement_map=MAP)
    assert "CRN-F-002" in str(missing.value)
    paths = [*around(tmp_path), EXPORT, CAMT]
    first = import_files(workspace, paths, clock, statement_map=MAP)
    again = import_files(workspace, paths, clock, statement_map=MAP)
    assert (again.total.new, again.total.known) == (0, first.total.new)
    assert workspace_status(workspace).facts["statement_line"] == 22


def test_import__a_corrected_statement_is_refused_unless_it_replaces(
    workspace: Workspace, clock: FixedClock, tmp_path: Path
) -> None:
    import_files(workspace, [*around(tmp_path), EXPORT], clock, statement_map=MAP)
    corrected = tmp_path / "statement.csv"
    text = changed(EXPORT, "182340.50", "182340.60").replace("170452.95", "170453.05")
    corrected.write_text(text, "utf-8")
    with pytest.raises(IntakeError) as caught:
        import_files(workspace, [corrected], clock, statement_map=MAP)
    assert "CRN-F-004" in str(caught.value)
    done = import_files(workspace, [corrected], clock, statement_map=MAP, is_replacing=True)
    assert (done.total.new, done.total.replaced) == (0, 2)


# --- amounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0.1", "USD", 10),
        ("1234.50000", "EUR", 123450),
        ("12", "JPY", 12),
        ("12.0", "JPY", 12),
        ("0.001", "KWD", 1),
        ("90071992547409.91", "CNY", 9007199254740991),
    ],
)
def test_amount__is_exact(text: str, currency: str, minor: int) -> None:
    assert read_minor(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("0.005", "USD"),
        ("12.1", "JPY"),
        ("1e3", "USD"),
        ("+1.00", "USD"),
        ("-1.00", "USD"),
        ("１.00", "USD"),
        (".5", "USD"),
        ("5.", "USD"),
        ("", "USD"),
        ("90071992547409.92", "CNY"),
        ("NaN", "USD"),
    ],
)
def test_amount__anything_else_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueRefusedError):
        read_minor(text, currency)


def test_day__is_that_of_the_writer() -> None:
    assert str(read_day("2026-09-30+08:00")) == "2026-09-30"
    assert str(read_day("2026-09-30T23:59:59.999+08:00", is_instant=True)) == "2026-09-30"
    for text in ("2026-9-30", "20260930", "2026-02-30", "2026-09-30T10:00:00"):
        with pytest.raises(ValueRefusedError):
            read_day(text)

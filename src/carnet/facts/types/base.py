"""Building blocks of the models: kinds of field, references, what every fact has.

A kind of field is an annotated type. Its `Form` tells people what is expected and how to put it
right; the other annotations are what pydantic checks, strictly and without conversion.
"""

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic import Field as Constraint
from pydantic_core import PydanticCustomError

from carnet.core.canonical import INTEGER_MAX
from carnet.core.ids import is_gtin
from carnet.core.text import Text
from carnet.facts.codes import COUNTRIES, CURRENCIES, is_lei, split_fcc_id
from carnet.facts.types.checks import CrossCheck

TEXT_SIZE_MAX = 1024
"""Bytes of a text in UTF-8."""

DATE_MIN = date(1900, 1, 1)
DATE_MAX = date(2199, 12, 31)

CROSS_CHECK = "cross_check"
"""The error type with which a model reports the checks between its fields."""

# Controls, line and paragraph separators, directional overrides, a stray byte order
# mark: they hide or reorder what a reader sees. Blanks at either end are refused as well.
_INVISIBLE = r"\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}\x{FEFF}"
_VISIBLE_TEXT = rf"^[^\s{_INVISIBLE}](?:[^{_INVISIBLE}]*[^\s{_INVISIBLE}])?$"


@dataclass(frozen=True, slots=True)
class Form:
    """What a kind of field holds, in words.

    Args:
        name: The name of the kind in the documentation.
        expected: What is expected, to follow "expected".
        remedy: What to do about a value that is not of this form.
        minimum: The least integer, where the kind has one.
        maximum: The greatest integer, where the kind has one.
    """

    name: str
    expected: Text
    remedy: Text
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class RefersTo:
    """Marks a field as the id of another fact, of one of the named types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader must know about a field beyond its name and kind."""

    text: str


def _check_text(value: str) -> str:
    if value.isascii():
        return value
    if not unicodedata.is_normalized("NFC", value):
        raise ValueError("not NFC")
    if len(value.encode()) > TEXT_SIZE_MAX:
        raise ValueError("too long")
    return value


def _check_instant(value: datetime) -> datetime:
    if value.utcoffset() != timedelta(0) or value.microsecond:
        raise ValueError("not UTC to the second")
    if not DATE_MIN <= value.date() <= DATE_MAX:
        raise ValueError("outside the calendar")
    return value


def _one_of(codes: frozenset[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in codes:
            raise ValueError("not in the code list")
        return value

    return AfterValidator(check)


def _check_lei(value: str) -> str:
    if not is_lei(value):
        raise ValueError("not an LEI")
    return value


def _check_gtin(value: str) -> str:
    if not is_gtin(value):
        raise ValueError("not a GTIN")
    return value


def _check_fcc_id(value: str) -> str:
    if split_fcc_id(value) is None:
        raise ValueError("not an FCC ID")
    return value


Line = Annotated[
    str,
    Constraint(min_length=1, max_length=TEXT_SIZE_MAX, pattern=_VISIBLE_TEXT),
    AfterValidator(_check_text),
    Form(
        "text",
        Text(
            f"one line of text, at most {TEXT_SIZE_MAX} bytes, Unicode NFC, no control characters,"
            " no blanks at either end",
            f"一行文本，不超过 {TEXT_SIZE_MAX} 字节，Unicode NFC 形式，无控制字符，首尾无空格",
        ),
        Text(
            "Remove line breaks, invisible characters and blanks at the ends; shorten a long text.",
            "请删除换行、不可见字符和首尾空格；过长的文本请缩短。",
        ),
    ),
]
FactId = Annotated[
    str,
    Constraint(pattern=r"^[A-Za-z0-9._:/-]{1,64}$"),
    Form(
        "id",
        Text(
            "an id of 1 to 64 letters, digits and . _ : / -",
            "1 至 64 个字母、数字或 . _ : / - 组成的标识",
        ),
        Text(
            "Use only A-Z a-z 0-9 . _ : / - in ids, without blanks.",
            "标识只能使用 A-Z a-z 0-9 . _ : / -，不含空格。",
        ),
    ),
]
Day = Annotated[
    date,
    Constraint(ge=DATE_MIN, le=DATE_MAX),
    Form(
        "date",
        Text(
            f"a date of the calendar as YYYY-MM-DD, from {DATE_MIN} to {DATE_MAX}",
            f"日历中存在的日期，格式 YYYY-MM-DD，范围 {DATE_MIN} 至 {DATE_MAX}",
        ),
        Text(
            "Write year, month and day with hyphens, for example 2026-02-28.",
            "请按“年-月-日”书写，例如 2026-02-28。",
        ),
    ),
]
Instant = Annotated[
    datetime,
    AfterValidator(_check_instant),
    Form(
        "instant",
        Text(
            "an instant in UTC as YYYY-MM-DDTHH:MM:SSZ",
            "协调世界时时刻，格式 YYYY-MM-DDTHH:MM:SSZ",
        ),
        Text(
            "Convert the time to UTC and write it with a T and a Z, for example"
            " 2026-11-23T08:00:00Z.",
            "请换算为协调世界时（UTC），例如 2026-11-23T08:00:00Z。",
        ),
    ),
]
Boolean = Annotated[
    bool,
    Form(
        "boolean",
        Text("true or false", "true 或 false"),
        Text("Write true or false, in lower case.", "请填写小写的 true 或 false。"),
    ),
]

_AMOUNT_REMEDY = Text(
    "Write a whole number of minor units without separators: 1,234.50 USD is 123450.",
    "请填写以最小货币单位计的整数，不带分隔符：1,234.50 美元写作 123450。",
)
_INTEGER_REMEDY = Text(
    "Write a whole number in digits, without blanks, separators, decimal point or plus sign.",
    "请填写整数，仅用数字，不带空格、分隔符、小数点或加号。",
)


def _span(what: Text, minimum: int, maximum: int) -> Text:
    if maximum == INTEGER_MAX and minimum == -INTEGER_MAX:
        return Text(f"{what.en}, within +-(2^53 - 1)", f"{what.zh}，绝对值不超过 2^53-1")
    limit = "2^53 - 1" if maximum == INTEGER_MAX else str(maximum)
    return Text(f"{what.en} from {minimum} to {limit}", f"{what.zh}，范围 {minimum} 至 {limit}")


def _form(name: str, what: Text, minimum: int, maximum: int, remedy: Text) -> Form:
    return Form(name, _span(what, minimum, maximum), remedy, minimum, maximum)


_WHOLE = Text("a whole number", "整数")
_MINOR = Text("a whole number of minor units", "以最小货币单位计的整数")

Amount = Annotated[
    int,
    Constraint(ge=0, le=INTEGER_MAX),
    _form("amount", _MINOR, 0, INTEGER_MAX, _AMOUNT_REMEDY),
]
SignedAmount = Annotated[
    int,
    Constraint(ge=-INTEGER_MAX, le=INTEGER_MAX),
    _form("signed amount", _MINOR, -INTEGER_MAX, INTEGER_MAX, _AMOUNT_REMEDY),
]
SignedInteger = Annotated[
    int,
    Constraint(ge=-INTEGER_MAX, le=INTEGER_MAX),
    _form("signed integer", _WHOLE, -INTEGER_MAX, INTEGER_MAX, _INTEGER_REMEDY),
]
Quantity = Annotated[
    int,
    Constraint(ge=1, le=INTEGER_MAX),
    _form("quantity", _WHOLE, 1, INTEGER_MAX, _INTEGER_REMEDY),
]
Count = Annotated[
    int,
    Constraint(ge=0, le=INTEGER_MAX),
    _form("count", _WHOLE, 0, INTEGER_MAX, _INTEGER_REMEDY),
]
Days = Annotated[
    int,
    Constraint(ge=0, le=36_525),
    _form("days", Text("a whole number of days", "整数天数"), 0, 36_525, _INTEGER_REMEDY),
]
Months = Annotated[
    int,
    Constraint(ge=0, le=1_200),
    _form("months", Text("a whole number of months", "整数月数"), 0, 1_200, _INTEGER_REMEDY),
]
Level = Annotated[int, Constraint(ge=1, le=3), _form("level", _WHOLE, 1, 3, _INTEGER_REMEDY)]
ShareBps = Annotated[
    int,
    Constraint(ge=0, le=10_000),
    _form(
        "share in bps",
        Text("a share in basis points, a whole number", "以基点计的比例，整数"),
        0,
        10_000,
        Text("1 % is 100 basis points: write 5 % as 500.", "1% 等于 100 个基点：5% 写作 500。"),
    ),
]
RatioBps = Annotated[
    int,
    Constraint(ge=0, le=INTEGER_MAX),
    _form(
        "ratio in bps",
        Text("a ratio in basis points, a whole number", "以基点计的比率，整数"),
        0,
        INTEGER_MAX,
        Text(
            "1.00 is 10000 basis points: write 3.5 times as 35000.",
            "1.00 等于 10000 个基点：3.5 倍写作 35000。",
        ),
    ),
]

Country = Annotated[
    str,
    _one_of(COUNTRIES),
    Form(
        "country",
        Text("a country code of ISO 3166-1 alpha-2", "ISO 3166-1 两位字母国家或地区代码"),
        Text(
            "Write two capitals, for example CN, DE, GB (not UK) or GR (not EL).",
            "请填写两个大写字母，例如 CN、DE、GB（不是 UK）、GR（不是 EL）。",
        ),
    ),
]
Currency = Annotated[
    str,
    _one_of(CURRENCIES),
    Form(
        "currency",
        Text("a currency code of ISO 4217", "ISO 4217 货币代码"),
        Text(
            "Write three capitals, for example CNY (not RMB), USD or EUR.",
            "请填写三个大写字母，例如 CNY（不是 RMB）、USD、EUR。",
        ),
    ),
]
Lei = Annotated[
    str,
    AfterValidator(_check_lei),
    Form(
        "LEI",
        Text(
            "a Legal Entity Identifier: 20 capitals and digits, right check digits (ISO 17442)",
            "法人机构识别编码（LEI）：20 位大写字母和数字，校验位正确（ISO 17442）",
        ),
        Text("Copy the LEI again from gleif.org.", "请从 gleif.org 重新复制 LEI。"),
    ),
]
Gtin = Annotated[
    str,
    AfterValidator(_check_gtin),
    Form(
        "GTIN",
        Text(
            "a GTIN of 8, 12, 13 or 14 digits with a right check digit",
            "8、12、13 或 14 位且校验位正确的 GTIN",
        ),
        Text(
            "Copy the digits below the bar code; in a spreadsheet, format the column as text.",
            "请照抄条码下方的数字；在电子表格中请将该列设为文本格式。",
        ),
    ),
]
FccId = Annotated[
    str,
    AfterValidator(_check_fcc_id),
    Form(
        "FCC ID",
        Text(
            "an FCC ID: a grantee code of 3 characters, or of 5 where it begins with 2, then a"
            " product code of 1 to 14 capitals, digits and hyphens",
            "FCC ID：受让人代码 3 位（以 2 开头时为 5 位），后接 1 至 14 位大写字母、数字或连字符的"
            "产品代码",
        ),
        Text(
            "Copy the FCC ID of the label in capitals, without the words 'FCC ID:' and blanks.",
            "请照抄标签上的 FCC ID（大写），不含“FCC ID:”字样和空格。",
        ),
    ),
]
Sha256 = Annotated[
    str,
    Constraint(pattern=r"^[0-9a-f]{64}$"),
    Form(
        "SHA-256",
        Text(
            "a SHA-256 of 64 hexadecimal digits in lower case",
            "64 位小写十六进制 SHA-256 摘要",
        ),
        Text(
            "Compute it with 'sha256sum FILE' and copy the 64 digits.",
            "请用“sha256sum 文件”计算并复制 64 位数字。",
        ),
    ),
]
BodyNumber = Annotated[
    str,
    Constraint(pattern=r"^[0-9]{4}$"),
    Form(
        "body number",
        Text(
            "a notified-body number of 4 digits as text, such as 0598",
            "4 位数字的公告机构编号（文本），例如 0598",
        ),
        Text(
            "Write all four digits; in a spreadsheet, format the column as text so that leading"
            " zeros stay.",
            "请写全四位数字；在电子表格中请将该列设为文本格式，以保留前导零。",
        ),
    ),
]
LanguageTag = Annotated[
    str,
    Constraint(pattern=r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$"),
    Form(
        "language",
        Text("a language tag such as en, de or zh-Hans", "语言标记，例如 en、de、zh-Hans"),
        Text(
            "Write the ISO 639 code in lower case, for example de.",
            "请填写小写的 ISO 639 代码，例如 de。",
        ),
    ),
]
EventHash = Annotated[
    str,
    Constraint(pattern=r"^ni:///sha-256;[0-9a-f]{64}\?ver=CBV2\.0$"),
    Form(
        "event hash",
        Text(
            "an EPCIS event hash: ni:///sha-256;<64 hex digits>?ver=CBV2.0",
            "EPCIS 事件哈希：ni:///sha-256;<64 位十六进制>?ver=CBV2.0",
        ),
        Text(
            "Copy the event hash of CBV 2.0 as it was computed.",
            "请照抄按 CBV 2.0 计算的事件哈希。",
        ),
    ),
]
RoleId = Annotated[FactId, Note("a role or registration id outside the vocabulary, no reference")]

PartyRef = Annotated[FactId, RefersTo(("party",))]
ProductRef = Annotated[FactId, RefersTo(("product",))]
ListingRef = Annotated[FactId, RefersTo(("listing",))]
ChannelRef = Annotated[FactId, RefersTo(("channel",))]
CertificateRef = Annotated[FactId, RefersTo(("certificate",))]
TestLabRef = Annotated[FactId, RefersTo(("test_lab",))]
BatchRef = Annotated[FactId, RefersTo(("batch",))]
TraceNodeRef = Annotated[FactId, RefersTo(("material_lot", "batch", "unit"))]
RecallRef = Annotated[FactId, RefersTo(("recall",))]
AgreementRef = Annotated[FactId, RefersTo(("agreement",))]
ClauseRef = Annotated[FactId, RefersTo(("clause",))]
ReceivableRef = Annotated[FactId, RefersTo(("receivable",))]


class FactModel(BaseModel):
    """What every fact type has: an id, where it was read, when it was recorded."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    TYPE: ClassVar[str]
    TITLE: ClassVar[Text]
    CHECKS: ClassVar[tuple[CrossCheck, ...]] = ()

    id: FactId
    source: Annotated[
        Line | None, Note("where it was read, `file:row`; filled by the import where absent")
    ] = None
    recorded_on: Annotated[Day | None, Note("when it was recorded at its origin")] = None

    @model_validator(mode="after")
    def _check_across_fields(self) -> Self:
        values = self.__dict__
        failed = [index for index, check in enumerate(self.CHECKS) if not check.holds(values)]
        if failed:
            raise PydanticCustomError(CROSS_CHECK, "fields contradict", {"failed": failed})
        return self

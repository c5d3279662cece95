"""The statement map: what the codes and columns of one platform's statements mean.

A closed TOML file that an officer writes and signs off. A code that it does not name refuses the
statement, unless the map says itself that such lines are other fees.

Source: docs/adr/0017-credit-data-points.md; docs/howto/credit-passport.md.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from carnet.core.errors import InputError
from carnet.core.text import Text
from carnet.facts.issue import shown
from carnet.facts.types.base import FactId, Line
from carnet.facts.types.settlement import StatementKind

MAP_SIZE_MAX: Final = 256 * 1024
ROWS_MAX: Final = 1_000
Direction = Literal["CRDT", "DBIT"]
Sign = Literal[1, -1]
Unknown = Literal["refuse", "other_fee"]

_Rows = Field(default=(), max_length=ROWS_MAX)
_CODE: Final = r"^[A-Za-z0-9]{1,4}/[A-Za-z0-9]{1,4}/[A-Za-z0-9]{1,4}$"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _CamtCode(_Closed):
    domain: Annotated[str, Field(pattern=_CODE)] | None = None
    proprietary: Line | None = None
    issuer: Line | None = None
    direction: Direction
    kind: StatementKind


class _Camt(_Closed):
    accounts: Annotated[list[Line], Field(min_length=1, max_length=ROWS_MAX)]
    unknown: Unknown = "refuse"
    codes: Annotated[list[_CamtCode], Field(min_length=1, max_length=ROWS_MAX)]


class _CsvColumn(_Closed):
    column: Line
    kind: StatementKind
    sign: Sign = 1


class _CsvCode(_Closed):
    code: Line
    kind: StatementKind
    sign: Sign = 1


class _Csv(_Closed):
    date: Line
    reference: Line
    currency: Line
    payment_reference: Line | None = None
    net: Line | None = None
    ignore: Annotated[list[Line], Field(max_length=ROWS_MAX)] = []
    code: Line | None = None
    amount: Line | None = None
    unknown: Unknown = "refuse"
    columns: Annotated[list[_CsvColumn], Field(max_length=ROWS_MAX)] = []
    codes: Annotated[list[_CsvCode], Field(max_length=ROWS_MAX)] = []


class _Map(_Closed):
    version: Literal[1]
    seller_id: FactId
    platform_id: FactId
    channel_id: FactId | None = None
    provider: Line
    camt: _Camt | None = None
    csv: _Csv | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code or a column stands for.

    Args:
        kind: The kind of statement line.
        sign: 1 where a positive figure has the direction of the kind, -1 where a negative one has.
    """

    kind: StatementKind
    sign: Sign = 1


@dataclass(frozen=True, slots=True)
class CamtMap:
    """How bank transaction codes are read.

    Args:
        accounts: The accounts of the seller, as IBAN or other identification.
        codes: By code and direction: domain codes as ``PMNT/RCDT/ESCT``, proprietary ones as
            ``issuer:code``, with nothing before the colon where the map names no issuer.
        unknown: What becomes of other codes.
    """

    accounts: frozenset[str]
    codes: Mapping[tuple[str, Direction], StatementKind]
    unknown: Unknown


@dataclass(frozen=True, slots=True)
class CsvMap:
    """How the columns of a platform's export are read.

    Args:
        date: The column of the booking day.
        reference: The column of the platform's own reference, unique for each row.
        currency: The column of the currency.
        payment_reference: The column of the payer's reference, if there is one.
        net: The column that must equal what the row comes to, if there is one.
        ignored: Columns that are of no matter.
        amounts: The columns of amounts, where each kind has its own.
        code: The column of codes, where all kinds share one column of amounts.
        amount: That column.
        codes: What the codes stand for.
        unknown: What becomes of other codes.
    """

    date: str
    reference: str
    currency: str
    payment_reference: str | None
    net: str | None
    ignored: frozenset[str]
    amounts: Mapping[str, Meaning]
    code: str | None
    amount: str | None
    codes: Mapping[str, Meaning]
    unknown: Unknown

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        named = (self.date, self.reference, self.currency, self.payment_reference, self.net)
        shared = (self.code, self.amount)
        return tuple(name for name in (*named, *shared, *self.amounts) if name is not None)


@dataclass(frozen=True, slots=True)
class StatementMap:
    """Whose statements these are, and what is in them."""

    seller_id: str
    platform_id: str
    channel_id: str | None
    provider: str
    camt: CamtMap | None
    csv: CsvMap | None


def _refuse(path: Path, en: str, zh: str) -> InputError:
    return InputError(
        "CRN-F-060",
        Text(f"The statement map {path} cannot be used: {en}", f"对账单映射 {path} 无法使用：{zh}"),
        Text(
            "Correct it; docs/howto/credit-passport.md shows one.",
            "请更正；示例见 docs/howto/credit-passport.md。",
        ),
    )


def read_statement_map(path: Path) -> StatementMap:
    """Return the statement map of a file.

    Raises:
        InputError: It cannot be read, is not of the closed form, or contradicts itself.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAP_SIZE_MAX + 1)
    except OSError as error:
        raise _refuse(path, f"{error.strerror}.", f"{error.strerror}。") from error
    if len(data) > MAP_SIZE_MAX:
        raise _refuse(path, f"it has over {MAP_SIZE_MAX} bytes.", f"超过 {MAP_SIZE_MAX} 字节。")
    try:
        raw = tomllib.loads(data.decode())
        return _converted(path, _Map.model_validate(raw))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        found = shown(first.get("input"))
        raise _refuse(
            path,
            f"{place}: {first['msg']} ({found}).",
            f"{place} 的取值 {found} 不符合要求（{first['msg']}）。",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refuse(path, f"it is not TOML: {error}.", f"不是 TOML：{error}。") from None


def _converted(path: Path, found: _Map) -> StatementMap:
    if found.camt is None and found.csv is None:
        raise _refuse(path, "it has neither [camt] nor [csv].", "没有 [camt]，也没有 [csv]。")
    return StatementMap(
        found.seller_id,
        found.platform_id,
        found.channel_id,
        found.provider,
        None if found.camt is None else _camt(path, found.camt),
        None if found.csv is None else _csv(path, found.csv),
    )


def _camt(path: Path, found: _Camt) -> CamtMap:
    codes: dict[tuple[str, Direction], StatementKind] = {}
    for row in found.codes:
        if (row.domain is None) == (row.proprietary is None):
            raise _refuse(
                path,
                "each row of [[camt.codes]] has either domain or proprietary.",
                "[[camt.codes]] 的每一行须有 domain 或 proprietary 之一。",
            )
        name = row.domain or f"{row.issuer or ''}:{row.proprietary}"
        if (name, row.direction) in codes:
            raise _twice(path, f"{name} {row.direction}")
        codes[name, row.direction] = row.kind
    return CamtMap(frozenset(found.accounts), MappingProxyType(codes), found.unknown)


def _twice(path: Path, name: str) -> InputError:
    return _refuse(path, f"{shown(name)} stands twice.", f"{shown(name)} 出现两次。")


def _csv(path: Path, found: _Csv) -> CsvMap:
    has_codes = found.code is not None and found.amount is not None and bool(found.codes)
    has_any = found.code is not None or found.amount is not None or bool(found.codes)
    if has_any != has_codes or has_codes == bool(found.columns):
        raise _refuse(
            path,
            "[csv] has either [[csv.columns]], or code, amount and [[csv.codes]].",
            "[csv] 须有 [[csv.columns]]，或 code、amount 与 [[csv.codes]]，二者择一。",
        )
    amounts = {row.column: Meaning(row.kind, row.sign) for row in found.columns}
    codes = {row.code: Meaning(row.kind, row.sign) for row in found.codes}
    if len(codes) < len(found.codes):
        raise _twice(path, found.codes[-1].code)
    result = CsvMap(
        date=found.date,
        reference=found.reference,
        currency=found.currency,
        payment_reference=found.payment_reference,
        net=found.net,
        ignored=frozenset(found.ignore),
        amounts=MappingProxyType(amounts),
        code=found.code,
        amount=found.amount,
        codes=MappingProxyType(codes),
        unknown=found.unknown,
    )
    named = [*result.required, *result.ignored]
    if len(set(named)) < len(named) or len(amounts) < len(found.columns):
        raise _refuse(path, "a column of [csv] is named twice.", "[csv] 中有一列被指定两次。")
    return result

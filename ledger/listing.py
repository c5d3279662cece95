"""What the status list of a bundle says about its record, after checking that it may say so.

Revoked and superseded are final, so an old list that says one of them is believed. That a record
is current is believed only from a list that stands behind it in the log and is fresh on the day.

Source: W3C Bitstring Status List v1.0, section 3.2; docs/spec/record-and-log.md, section 10.
"""

from dataclasses import dataclass
from datetime import date

from carnet.core.errors import VerificationError
from carnet.core.text import Text
from carnet.ledger import kinds
from carnet.ledger.bundle import LoggedRecord
from carnet.ledger.kinds.status import CURRENT, REVOKED, SUPERSEDED
from carnet.ledger.record import verify_record
from carnet.ledger.shape import shown
from carnet.ledger.standing import Standing, check_included
from carnet.ledger.status_list import decode_list, value_at
from carnet.ledger.steps import NotCheckedError, refuse


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list that stands says about one record.

    Args:
        value: The value of its entry.
        listed: The list.
        place: The place of the record in the log.
    """

    value: int
    listed: LoggedRecord
    place: int

    def check_fresh(self, day: date) -> Text:
        """Check that the list shows something about a day, and say until when.

        Raises:
            NotCheckedError: It was made before the record, or has ended.
        """
        if self.listed.index < self.place:
            raise NotCheckedError(
                f"the status list at log entry {self.listed.index} is older than the record",
                f"位于日志条目 {self.listed.index} 的状态列表早于该记录",
            )
        until = self.listed.record.valid_until
        if until is None or day > until.date():
            last = "..." if until is None else until.date().isoformat()
            raise NotCheckedError(
                f"the status list ended on {last}, the day is {day}: ask for a newer one",
                f"状态列表已于 {last} 到期，而判断日期为 {day}：请索取更新的状态列表",
            )
        return Text(
            f"list at log entry {self.listed.index}, valid until {until.date()}",
            f"日志条目 {self.listed.index} 处的列表，有效期至 {until.date()}",
        )


def read_listing(standing: Standing) -> Listing:
    """Return what the status list of a bundle says about its record.

    Raises:
        NotCheckedError: There is no list, or the policy believes nobody about lists.
        VerificationError: The list does not stand, or is not the one that the record names.
    """
    logged, listed = standing.bundle.logged, standing.bundle.status
    reference = logged.record.status_ref
    if reference is None:
        if listed is not None:
            raise refuse(
                "The bundle carries a status list, but the record names none.",
                "验证包附有状态列表，但记录没有指明任何列表。",
            )
        raise NotCheckedError("the record names no status list", "记录没有指明状态列表")
    if listed is None:
        raise NotCheckedError("the bundle carries no status list", "验证包没有附上状态列表")
    urn, _, index = reference.partition("#")
    if listed.record.kind != kinds.STATUS_LIST.name or listed.record.subject["id"] != urn:
        raise refuse(
            f"The record names the status list {shown(urn)}, the bundle carries another one.",
            f"记录指明状态列表 {shown(urn)}，而验证包附有另一份。",
        )
    _check_stands(standing, listed)
    bits = decode_list(listed.record.subject["encodedList"])
    value = value_at(bits, int(index))
    if value not in {CURRENT, REVOKED, SUPERSEDED}:
        raise refuse(
            "The status list gives the record a status that is not defined.",
            "状态列表为该记录给出了未定义的状态。",
        )
    return Listing(value, listed, logged.index)


def _check_stands(standing: Standing, listed: LoggedRecord) -> None:
    record = listed.record
    if standing.bundle.logged.record.issuer not in standing.names(record):
        raise refuse(
            f"The status list is by {shown(record.issuer)}, not by the issuer of the record.",
            f"状态列表由 {shown(record.issuer)} 出具，而不是由记录签发方出具。",
        )
    if not standing.trusted(record):
        raise NotCheckedError(
            "the policy does not trust this issuer for status-list",
            "策略不信任该签发方出具 status-list",
        )
    try:
        verify_record(record)
        check_included(listed, standing.tree_of(listed.index))
        standing.check_key(listed)
    except VerificationError as error:
        raise refuse(
            f"The status list does not hold: {error.message.en}",
            f"状态列表不成立：{error.message.zh}",
        ) from error

"""Passports as their holder sees and presents them: opened from the vault, member by member.

Source: docs/spec/credit-passport.md, CP-11.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from carnet.core.clock import Clock, format_instant
from carnet.core.errors import InputError, NotFoundError
from carnet.core.text import Text
from carnet.ledger.bundle import Bundle
from carnet.ledger.disclosure import Disclosure
from carnet.ledger.kinds import PASSPORT
from carnet.ledger.record import Record
from carnet.services.bundling import export_bundle
from carnet.services.data_points import SELLER_TYPE, opened_members, require_seller
from carnet.services.disclosing import disclosed
from carnet.services.passport_sources import is_revoked, passports_of
from carnet.services.passports import FIGURES
from carnet.services.status_listing import Revoked, revoke_record
from carnet.services.vault import Subject, find_pseudonym, open_vault
from carnet.services.workspace import Workspace
from carnet.store.engine import reading
from carnet.store.tables import LOG_ENTRY

State = Literal["current", "stale", "superseded", "revoked"]
STATES: Final[Mapping[State, Text]] = {
    "current": Text("current", "现行有效"),
    "stale": Text("stale", "已过期"),
    "superseded": Text("superseded", "已被取代"),
    "revoked": Text("revoked", "已撤销"),
}
MEMBERS: Final = tuple(PASSPORT.withheld)
"""What may be disclosed, by the names of the record."""


@dataclass(frozen=True, slots=True)
class Passport:
    """A passport with what its holder can open.

    Args:
        record: The record.
        members: The open members and those that are disclosed.
        disclosures: The texts behind those.
        state: How it stands on the day it is looked at.
        index: Its place in the log, None while it waits.
    """

    record: Record
    members: Mapping[str, Any]
    disclosures: tuple[Disclosure, ...]
    state: State
    index: int | None

    @property
    def valid_until(self) -> date:
        """The last day on which it counts."""
        until = self.record.valid_until
        assert until is not None, "every passport has an end"
        return until.date()

    def to_json(self) -> dict[str, Any]:
        """Return the passport as JSON."""
        until = self.record.valid_until
        return {
            "record": self.record.record_id,
            "record_hash": self.record.digest.hex(),
            "index": self.index,
            "state": self.state,
            "valid_from": format_instant(self.record.valid_from),
            "valid_until": None if until is None else format_instant(until),
            "supersedes": self.record.document.get("supersedes"),
            **{name: self.members[name] for name in sorted(self.members)},
        }

    def only(self, names: Collection[str]) -> "Passport":
        """Return the passport with no more than some members disclosed."""
        hidden = {each.name for each in self.disclosures} - set(names)
        members = {name: value for name, value in self.members.items() if name not in hidden}
        shown = tuple(each for each in self.disclosures if each.name in names)
        return replace(self, members=members, disclosures=shown)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of members to disclose, each once.

    Raises:
        InputError: A passport has no such member to disclose.
    """
    for name in names:
        if name not in MEMBERS:
            listed = ", ".join(MEMBERS)
            raise InputError(
                "CRN-L-079",
                Text(
                    f"A passport has no member {name!r} that could be disclosed.",
                    f"护照没有可披露的成员 {name!r}。",
                ),
                Text(f"Choose among: {listed}.", f"可选：{listed}。"),
            )
    return tuple(dict.fromkeys(names))


def _absent(seller: str, quarter: str | None) -> NotFoundError:
    of, of_zh = (f" of {quarter}", f" {quarter} 的") if quarter else ("", "")
    return NotFoundError(
        "CRN-L-080",
        Text(f"{seller} has no passport{of}.", f"{seller} 没有{of_zh}护照。"),
        Text(
            f"Issue one: carnet passport issue {seller} --quarter 2026Q4.",
            f"请签发：carnet passport issue {seller} --quarter 2026Q4。",
        ),
    )


def _found(connection: Connection, seller: str, quarter: str | None) -> list[Record]:
    require_seller(connection, seller)
    pseudonym = find_pseudonym(connection, Subject(SELLER_TYPE, seller))
    records = passports_of(connection, pseudonym) if pseudonym is not None else []
    return [each for each in records if quarter in {None, each.subject["quarter"]}]


def _state(
    connection: Connection, record: Record, records: Collection[Record], today: date
) -> State:
    until = record.valid_until
    if is_revoked(connection, record):
        return "revoked"
    if any(other.entry.supersedes == record.digest for other in records):
        return "superseded"
    return "stale" if until is not None and today > until.date() else "current"


def passports(
    workspace: Workspace, seller: str, clock: Clock, quarter: str | None = None
) -> list[Passport]:
    """Return the passports of a seller, oldest first, opened as far as the vault keeps them.

    Raises:
        NotFoundError: There is no such seller.
        LedgerFatalError: A stored record, or what the vault keeps, is damaged.
    """
    vault, today = open_vault(workspace), clock.now().date()
    with reading(workspace.engine) as connection:
        chosen = _found(connection, seller, quarter)
        every = _found(connection, seller, None)
        found = []
        for record in chosen:
            disclosures = vault.kept(connection, record.digest)
            place = select(LOG_ENTRY.c.index).where(LOG_ENTRY.c.record_hash == record.digest)
            subject = {
                name: value
                for name, value in record.subject.items()
                if name not in {"id", "salt", "_sd"}
            }
            found.append(
                Passport(
                    record,
                    {**subject, **opened_members(disclosures)},
                    disclosures,
                    _state(connection, record, every, today),
                    connection.execute(place).scalar_one_or_none(),
                )
            )
    return found


def newest_passport(
    workspace: Workspace, seller: str, clock: Clock, quarter: str | None = None
) -> Passport:
    """Return the newest passport of a seller, or of one of its quarters.

    Raises:
        NotFoundError: There is no such seller or passport.
    """
    found = passports(workspace, seller, clock, quarter)
    if not found:
        raise _absent(seller, quarter)
    return found[-1]


def present_passport(
    workspace: Workspace,
    seller: str,
    names: Sequence[str],
    clock: Clock,
    quarter: str | None = None,
) -> tuple[Passport, Bundle]:
    """Return the newest passport with some members disclosed, and the bundle that proves it.

    Args:
        workspace: The workspace.
        seller: The id of the seller.
        names: The members to disclose, by the names of the record; nothing else is.
        clock: Tells what day it is.
        quarter: Of this quarter.

    Raises:
        NotFoundError: There is no such seller or passport, it is not in the log, or what it
            withholds was erased.
        InputError: A passport has no such member.
    """
    chosen = check_names(names)
    passport = newest_passport(workspace, seller, clock, quarter)
    texts = disclosed(workspace, passport.record, chosen)
    bundle = export_bundle(workspace, passport.record.record_id)
    return passport.only(chosen), replace(bundle, disclosures=texts)


def revoke_passport(
    workspace: Workspace, seller: str, reason: str, clock: Clock, quarter: str | None = None
) -> Revoked:
    """Revoke the newest passport of a seller, or of one of its quarters, for ever.

    Raises:
        NotFoundError: There is no such seller or passport.
        InputError: There is no reason.
    """
    passport = newest_passport(workspace, seller, clock, quarter)
    return revoke_record(workspace, passport.record.record_id, reason, clock)


def title_of(member: str) -> Text:
    """Return what people call a member of a passport."""
    titles = {figure.member: figure.title for figure in FIGURES}
    return titles.get(member) or OTHER_TITLES[member]


OTHER_TITLES: Final[Mapping[str, Text]] = {
    "seller": Text("Seller", "卖家"),
    "officerConfirmed": Text("Confirmed by officers", "经合规专员确认"),
}

"""Whether a logged record of a bundle stands: by whom, under which key, at which place of the log.

A bundle holds up to two records that must stand: the one that it is about, and the status list that
tells whether that one still counts. Both are judged by the same key events. An event is proved by
the tree of `checkpoint` where that tree holds it, else by the newer one.

Source: docs/spec/record-and-log.md, clauses RL-2.4 to RL-2.7, RL-6.2 and RL-8.1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from carnet.core.text import Text
from carnet.ledger.bundle import Bundle, LoggedRecord
from carnet.ledger.checkpoint import Checkpoint
from carnet.ledger.did import DID_KEY, key_of_did
from carnet.ledger.keystate import (
    ISSUER_ROLE,
    REVOKE,
    KeyState,
    KeyStatement,
    issuers_before,
    statement_of,
)
from carnet.ledger.merkle import verify_inclusion
from carnet.ledger.policy import Policy, TrustedIssuer
from carnet.ledger.record import Record, signing_key
from carnet.ledger.steps import NotCheckedError, refuse


def check_included(logged: LoggedRecord, tree: Checkpoint) -> None:
    """Check that an entry follows from its record, and that a tree holds it.

    Raises:
        VerificationError: It does not, or the tree does not hold it.
    """
    if logged.entry != logged.record.entry:
        raise refuse("The log entry does not follow from the record.", "日志条目与记录不符。")
    leaf = logged.entry.leaf_hash
    verify_inclusion(leaf, logged.index, tree.size, logged.inclusion, tree.root)


@dataclass(slots=True)
class Standing:
    """The issuers and keys that the records of one bundle stand on.

    Args:
        bundle: The bundle.
        policy: The verifier's own.
        tree_of: Returns the tree that proves the entry at a place.
    """

    bundle: Bundle
    policy: Policy
    tree_of: Callable[[int], Checkpoint]
    _statements: list[tuple[int, KeyStatement]] | None = field(default=None, init=False)
    _names: dict[str, list[str]] = field(default_factory=dict, init=False)

    def names(self, record: Record) -> list[str]:
        """Return a record's issuer and those that it followed by rotation."""
        if record.issuer not in self._names:
            events = [event.record for event in self.bundle.key_events]
            self._names[record.issuer] = issuers_before(record.issuer, events)
        return self._names[record.issuer]

    def trusted(self, record: Record) -> list[TrustedIssuer]:
        """Return whom the policy believes for a record."""
        names = self.names(record)
        return [i for i in self.policy.issuers if i.id in names and record.kind in i.kinds]

    def _roots(self, record: Record) -> frozenset[bytes]:
        """Return the keys that the policy trusts for a record."""
        trusted, names = self.trusted(record), self.names(record)
        if not trusted and names[-1].startswith(DID_KEY):
            # Whether the issuer is trusted is for its own step; here its keys still have to agree.
            return frozenset({key_of_did(names[-1])})
        pinned = {key for item in trusted for key in item.keys}
        # A did:web does not name its key: without a key of the policy nothing could be compared.
        own = {key_of_did(i.id) for i in trusted if i.id.startswith(DID_KEY) and not i.keys}
        return frozenset(pinned | own)

    def check_key(self, logged: LoggedRecord) -> Text:
        """Check that the key of a record was in force at its place, and say how.

        Raises:
            NotCheckedError: There is no event, and the key is one that the policy trusts.
            VerificationError: It was not, or an event does not hold.
        """
        public_key, roots = signing_key(logged.record), self._roots(logged.record)
        if not self.bundle.key_events:
            if public_key not in roots:
                raise refuse(
                    "The policy names other keys of this issuer.",
                    "策略为该签发方列出的是其他密钥。",
                )
            raise NotCheckedError(
                "the bundle carries no logged event of the issuer's key",
                "验证包没有签发方密钥的日志事件",
            )
        state = KeyState(roots)
        for index, statement in self._checked_statements():
            state.apply(index, statement)
        begun = state.begun_at(ISSUER_ROLE, public_key)
        return _held_at(logged.index, begun, state.ended_at(ISSUER_ROLE, public_key))

    def _checked_statements(self) -> list[tuple[int, KeyStatement]]:
        """Return what the events say, each after checking that it may stand in the bundle."""
        if self._statements is None:
            events = self.bundle.key_events
            self._statements = [(event.index, self._statement(event)) for event in events]
        return self._statements

    def _subjects(self) -> list[LoggedRecord]:
        """Return the records that key events are there for."""
        found, status = [self.bundle.logged], self.bundle.status
        if status is not None and self.bundle.logged.record.issuer in self.names(status.record):
            found.append(status)
        return found

    def _statement(self, event: LoggedRecord) -> KeyStatement:
        record, subjects = event.record, self._subjects()
        if not any(record.issuer in self.names(each.record) for each in subjects):
            raise refuse(
                "A key event is not by the issuer of the record.", "密钥事件不是由记录签发方作出。"
            )
        statement = statement_of(record)
        ended = statement.public_key if statement.event == REVOKE else statement.previous
        is_issuers = statement.role == ISSUER_ROLE
        is_needed = any(
            event.index < each.index or (is_issuers and ended == signing_key(each.record))
            for each in subjects
        )
        if not is_needed or any(event.index == each.index for each in subjects):
            raise refuse(
                f"The key event at {event.index} is not before the record.",
                f"位于 {event.index} 的密钥事件不早于记录。",
            )
        check_included(event, self.tree_of(event.index))
        return statement


def _held_at(place: int, begun: int | None, ended: int | None) -> Text:
    if begun is None or begun >= place:
        raise refuse(
            "No logged event of a trusted key adds the key that signed, before the record.",
            "在该记录之前，没有由受信任密钥作出的日志事件登记该签名密钥。",
        )
    if ended is not None and ended < place:
        raise refuse(
            f"The key that signed was ended by log entry {ended}, the record is {place}.",
            f"签名密钥已由日志条目 {ended} 终止，而该记录位于 {place}。",
        )
    if ended is None:
        return Text(f"added by log entry {begun}", f"由日志条目 {begun} 登记")
    return Text(
        f"added by log entry {begun}, ended later by {ended}",
        f"由日志条目 {begun} 登记，之后由条目 {ended} 终止",
    )

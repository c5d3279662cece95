"""Which keys are in force at a position of the log: the replay of its key events.

The order of the log is the clock. A key is in force from the entry that adds it until the entry
that rotates or revokes it: what it signed between the two stays valid, what it signs after the
second is not. An event counts if a key signed it that is in force where it stands, so that trust in
the first keys, which come from a policy or the workspace's own folder, carries on to later ones.

A log cannot prove that an event is absent. Whoever replays must have the events; those that a
bundle leaves out are not seen.

Source: docs/spec/record-and-log.md, clauses RL-1.8 and RL-2.4 to RL-2.6.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from carnet.core.digests import sha256
from carnet.core.errors import VerificationError
from carnet.core.text import Text
from carnet.ledger.did import DID_KEY, KEYS_CACHED, did_of_key, key_of_multibase
from carnet.ledger.entry import KEY_EVENT
from carnet.ledger.record import Record, signing_key, urn_of_digest, verify_record

ADD = "add"
ROTATE = "rotate"
REVOKE = "revoke"
ISSUER_ROLE = "issuer"


@lru_cache(maxsize=KEYS_CACHED)
def key_event_id(event: str, public_key: bytes, role: str) -> str:
    """Return the identifier of the record of a key event: the same for the same event."""
    return urn_of_digest(sha256(f"key-event/{event}/{role}/{public_key.hex()}".encode()))


def _refuse(en: str, zh: str) -> VerificationError:
    return VerificationError(
        "CRN-V-040",
        Text(f"The key event is not valid: {en}.", f"密钥事件无效：{zh}。"),
    )


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """What a key event says, from `statement_of`.

    Args:
        event: `ADD`, `ROTATE` or `REVOKE`.
        role: What the key is for.
        name: The name it signs notes with, or its holder's.
        public_key: The key that begins or, where it is revoked, ends.
        previous: The key that a rotation ends.
        signer: The key that signed the statement.
    """

    event: str
    role: str
    name: str
    public_key: bytes
    previous: bytes | None
    signer: bytes


def statement_of(record: Record) -> KeyStatement:
    """Return what a record says of a key, after checking that it says so in the one way there is.

    Raises:
        VerificationError: It is no key event, names its key in two ways, has an identifier of its
            own choosing, a validity other than from its signing on, or a proof that fails.
    """
    if record.kind != KEY_EVENT:
        raise _refuse("the record is of another kind", "记录属于其他类型")
    subject, document = record.subject, record.document
    public_key = key_of_multibase(str(subject["publicKeyMultibase"]))
    if subject["id"] != did_of_key(public_key):
        raise _refuse("its id names another key than it states", "其标识所指密钥与所述密钥不同")
    if record.record_id != key_event_id(subject["event"], public_key, subject["role"]):
        raise _refuse("its identifier does not follow from the key", "其标识不是由该密钥得出")
    is_timely = document["validFrom"] == document["proof"]["created"]
    if not is_timely or "validUntil" in document or "supersedes" in document:
        raise _refuse(
            "it does not hold from its signing on, without end", "其有效期不是自签署起且无截止"
        )
    verify_record(record)
    previous = subject.get("previousMultibase")
    return KeyStatement(
        event=str(subject["event"]),
        role=str(subject["role"]),
        name=str(subject["name"]),
        public_key=public_key,
        previous=None if previous is None else key_of_multibase(str(previous)),
        signer=signing_key(record),
    )


def issuers_before(issuer: str, events: Sequence[Record]) -> list[str]:
    """Return an issuer and the did:keys that it followed by rotation, the newest first.

    Only the names are read; whether the rotations hold is for the replay to say.
    """
    names = [issuer]
    for record in reversed(events):
        subject = record.subject
        if (
            record.kind == KEY_EVENT
            and (subject["event"], subject["role"]) == (ROTATE, ISSUER_ROLE)
            and subject["id"] == names[-1]
            and record.issuer.startswith(DID_KEY)
        ):
            names.append(record.issuer)
    return names


class KeyState:
    """The keys in force after the events that were replayed so far.

    Args:
        roots: The keys that are trusted to state keys before any event.
    """

    def __init__(self, roots: Collection[bytes]) -> None:
        self._roots = frozenset(roots)
        self._begun: dict[tuple[str, bytes], int] = {}
        self._ended: dict[tuple[str, bytes], int] = {}
        self._position = -1

    def begun_at(self, role: str, public_key: bytes) -> int | None:
        """Return the position of the event that began a key, None where none did."""
        return self._begun.get((role, public_key))

    def ended_at(self, role: str, public_key: bytes) -> int | None:
        """Return the position of the event that ended a key, None while nothing did."""
        return self._ended.get((role, public_key))

    def is_in_force(self, role: str, public_key: bytes) -> bool:
        """Return whether a key was begun and not ended."""
        key = (role, public_key)
        return key in self._begun and key not in self._ended

    def keys_in_force(self, role: str) -> tuple[bytes, ...]:
        """Return the keys of a role that are in force, oldest first."""
        return tuple(key for found, key in self._begun if found == role and self._lives(role, key))

    def _lives(self, role: str, public_key: bytes) -> bool:
        return (role, public_key) not in self._ended

    def _may_state(self, public_key: bytes) -> bool:
        is_known = public_key in self._roots or (ISSUER_ROLE, public_key) in self._begun
        return is_known and self._lives(ISSUER_ROLE, public_key)

    def apply(self, position: int, statement: KeyStatement) -> bool:
        """Take up the next event, and return whether it took effect.

        An event that nobody in force signed has none, but for one: a rotation, signed by the key
        that ends, begins the root that it names. So where a policy names the present key alone,
        the chain before it gives that key its position and nothing else.

        Args:
            position: Its place in the log, above that of the event before.
            statement: What it says.

        Raises:
            VerificationError: It begins a key a second time, or ends one that is not in force.
        """
        assert position > self._position, "events are replayed in the order of the log"
        self._position = position
        role, public_key = statement.role, statement.public_key
        begins = statement.event != REVOKE
        if not self._may_state(statement.signer):
            is_handed_over = statement.previous == statement.signer
            if is_handed_over and role == ISSUER_ROLE and public_key in self._roots:
                self._begin(position, role, public_key)
            return False
        if statement.previous is not None:
            self._end(position, role, statement.previous)
        if begins:
            self._begin(position, role, public_key)
        else:
            self._end(position, role, public_key)
        return True

    def _begin(self, position: int, role: str, public_key: bytes) -> None:
        key = (role, public_key)
        if key in self._begun or key in self._ended:
            raise _refuse(
                f"at {position} it begins a key that was known before",
                f"在 {position} 处登记了此前已知的密钥",
            )
        self._begun[key] = position

    def _end(self, position: int, role: str, public_key: bytes) -> None:
        key = (role, public_key)
        is_root = role == ISSUER_ROLE and public_key in self._roots
        if key in self._ended or not (is_root or key in self._begun):
            raise _refuse(
                f"at {position} it ends a key that is not in force",
                f"在 {position} 处终止了并非有效的密钥",
            )
        self._ended[key] = position

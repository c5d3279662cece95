"""What a kind of record is: the closed shape of what it states, and what follows from it.

A kind is data. Python checks records by it, and the verify page carries its description, so that
both read one definition. Members that could tell about a person or about a trade may be withheld:
a kind lists them, and nothing else can be.

Source: docs/spec/record-and-log.md, RL-1.7 to RL-1.21.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from carnet.core.canonical import canonical
from carnet.core.digests import digest_from_hex, sha256
from carnet.core.kept import Kept
from carnet.core.text import Text
from carnet.ledger import shape
from carnet.ledger.shape import Shape

URN: Final = "urn:carnet:"
LIST_MAX: Final = 200
"""Items of a list, members of a table and withheld members of one record."""

SALT: Final = shape.text(r"[0-9a-f]{32}", 32, "32 lower-case hex digits", " 32 位小写十六进制数字")
SD: Final = shape.array(
    shape.text(r"[A-Za-z0-9_-]{43}", 43, "a digest", "摘要"), LIST_MAX, is_set=True
)
PACK: Final = shape.obj({"id": shape.name, "version": shape.name, "digest": shape.digest})
AMOUNT: Final = shape.obj({"minor": shape.integer(), "currency": shape.currency})

CrossCheck = Literal["attestation", "key-event", "period"]
"""What must hold between members; the page has each under the same name."""


def counted(of: Shape) -> Shape:
    """Return the shape of a table of names and values."""
    return shape.table(r"[A-Za-z0-9._-]{1,64}", of, LIST_MAX)


@dataclass(frozen=True, slots=True)
class Variants:
    """The member whose value follows the name of the kind in the log, and the values it has."""

    member: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class RecordKind:
    """One kind of record. Without slots, so that what follows from its members is kept.

    Args:
        name: What log entries and policies call it; variants follow it.
        type_name: The second type of its credentials.
        title: What people call it.
        noun: What the urn of its subject names, such as ``listing``; None where the id has a form
            of its own, which is then among `required`.
        required: The members of the subject that are always there, besides `id` and `salt`.
        withheld: The members that may be withheld, or be absent.
        optional: The members that may be absent and are never withheld.
        named_by: The members whose canonical object has the hash that the subject is named by;
            none where it is named by something else.
        variants: What distinguishes its entries in the log.
        has_status: Whether its records name an entry of a status list.
        checks: What must hold between members.
    """

    name: str
    type_name: str
    title: Text
    noun: str | None
    required: Mapping[str, Shape]
    withheld: Mapping[str, Shape] = field(default_factory=dict)
    optional: Mapping[str, Shape] = field(default_factory=dict)
    named_by: tuple[str, ...] = ()
    variants: Variants | None = None
    has_status: bool = False
    checks: tuple[CrossCheck, ...] = ()

    @property
    def log_kinds(self) -> tuple[str, ...]:
        """Every word by which the log knows records of this kind."""
        if self.variants is None:
            return (self.name,)
        return tuple(f"{self.name}:{value}" for value in self.variants.values)

    def log_kind(self, subject: Mapping[str, Any]) -> str:
        """Return the word by which the log knows a record."""
        if self.variants is None:
            return self.name
        return f"{self.name}:{subject[self.variants.member]}"

    @Kept
    def urn(self) -> str | None:
        """What the id of a subject begins with, None where it has a form of its own."""
        return None if self.noun is None else f"{URN}{self.noun}:"

    @Kept
    def members(self) -> dict[str, Shape]:
        """The members that are always there, `id` and `salt` included."""
        own = {} if self.urn is None else {"id": urn_shape(self.urn)}
        return {**own, **self.required, "salt": SALT}

    @Kept
    def others(self) -> dict[str, Shape]:
        """The members that may be absent."""
        found = {**self.optional, **self.withheld}
        return {**found, "_sd": SD} if self.withheld else found

    def subject_shape(self) -> Shape:
        """Return the closed shape of the subject."""
        return shape.obj(self.members, self.others)

    def subject_hash(self, subject: Mapping[str, Any]) -> bytes | None:
        """Return the hash by which a log entry names the subject, None where it names none."""
        if self.urn is None:
            return None
        return digest_from_hex(str(subject["id"]).removeprefix(self.urn))

    def id_of(self, subject: Mapping[str, Any]) -> str | None:
        """Return the id that a subject must have, None where a member that tells it is not there.

        Args:
            subject: With its revealed members in place.
        """
        if self.urn is None or not self.named_by or not subject.keys() >= set(self.named_by):
            return None
        return self.urn + sha256(canonical({n: subject[n] for n in self.named_by})).hex()

    def check_disclosed(
        self, fields: Mapping[str, Any], revealed: Collection[str] | None = None
    ) -> None:
        """Check revealed members: their shapes, and that the subject is the one they name.

        Args:
            fields: The subject with the revealed members in place.
            revealed: Their names, where all the others were found to have their shapes.

        Raises:
            VerificationError: A member cannot be withheld, has another shape, or names another
                subject.
        """
        names = fields if revealed is None else revealed
        for name in names:
            if name in self.withheld:
                self.withheld[name](fields[name], name)
        unknown = sorted({*names} - self.members.keys() - self.others.keys())
        if unknown:
            raise shape.shape_error(
                "disclosures", unknown, "fields that can be withheld", "可隐藏的字段"
            )
        expected = self.id_of(fields)
        if expected is not None and fields["id"] != expected:
            raise shape.shape_error("credentialSubject.id", fields["id"], expected, f" {expected}")

    def describe(self) -> dict[str, Any]:
        """Return the description of the kind, as JSON, for the page."""
        variants = self.variants
        return {
            "name": self.name,
            "type": self.type_name,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "urn": self.urn,
            "members": shape.describe(self.members),
            "others": shape.describe(self.others),
            "withheld": sorted(self.withheld),
            "namedBy": list(self.named_by),
            "variants": variants and [variants.member, list(variants.values)],
            "hasStatus": self.has_status,
            "checks": list(self.checks),
        }


def urn_shape(urn: str) -> Shape:
    """Return the shape of a subject's id: what it begins with, and a hash."""
    return shape.text(f"{urn}[0-9a-f]{{64}}", len(urn) + 64, f"{urn}hash", f" {urn}哈希")

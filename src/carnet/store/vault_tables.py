"""The tables of the vault and of erasures: keys of subjects, what is sealed, and tombstones."""

# pyright: reportAssignmentType=false
# SQLAlchemy declares __tablename__ as a directive; SQLModel documents the plain text used here.

from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import CheckConstraint, ForeignKey, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from carnet.store.naming import is_digest
from carnet.store.types import Bytes, Instant, Key


class SubjectRow(SQLModel, table=True):
    """Somebody or something that data is about: the fact that names it, and its pseudonym.

    The pseudonym is random. It names the subject in records; nothing about the subject follows
    from it.
    """

    __tablename__ = "subject"
    __table_args__: ClassVar = (is_digest("pseudonym"), UniqueConstraint("type", "fact_id"))

    pseudonym: bytes = Field(sa_type=Bytes, primary_key=True)
    type: str = Field(sa_type=Key)
    fact_id: str = Field(sa_type=Key)
    created_at: datetime = Field(sa_type=Instant)


class SubjectKeyRow(SQLModel, table=True):
    """The encrypted key of one subject. Only an erasure of that subject lets the row be deleted."""

    __tablename__ = "subject_key"
    __table_args__: ClassVar = (
        CheckConstraint('length("nonce") = 12', name="nonce"),
        CheckConstraint('length("wrapped") = 48', name="wrapped"),
    )

    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("subject.pseudonym")], primary_key=True
    )
    nonce: bytes = Field(sa_type=Bytes)
    wrapped: bytes = Field(sa_type=Bytes)
    created_at: datetime = Field(sa_type=Instant)


class SealedRow(SQLModel, table=True):
    """The disclosures of one record about one subject, encrypted under that subject's key.

    Only an erasure of that subject lets the row be deleted.
    """

    __tablename__ = "sealed"
    __table_args__: ClassVar = (CheckConstraint('length("nonce") = 12', name="nonce"),)

    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], primary_key=True
    )
    pseudonym: bytes = Field(
        sa_type=Bytes,
        sa_column_args=[ForeignKey("subject.pseudonym")],
        primary_key=True,
        index=True,
    )
    nonce: bytes = Field(sa_type=Bytes)
    ciphertext: bytes = Field(sa_type=Bytes)


class ErasureRow(SQLModel, table=True):
    """One subject that was erased, and the record that says so."""

    __tablename__ = "erasure"

    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("subject.pseudonym")], primary_key=True
    )
    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], unique=True
    )
    at: datetime = Field(sa_type=Instant)


class ErasurePurgeRow(SQLModel, table=True):
    """The end of one erasure: what was deleted is out of the files of the database as well."""

    __tablename__ = "erasure_purge"

    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("erasure.pseudonym")], primary_key=True
    )
    at: datetime = Field(sa_type=Instant)


class ErasedDisclosureRow(SQLModel, table=True):
    """What stays of a sealed row: which record withholds members of an erased subject."""

    __tablename__ = "erased_disclosure"

    record_hash: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("record.record_hash")], primary_key=True
    )
    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("erasure.pseudonym")], primary_key=True
    )


class ErasedFactRow(SQLModel, table=True):
    """The tombstone of one fact: it lets the versions of that fact be deleted, and none come back.

    `versions` is how many there were.
    """

    __tablename__ = "erased_fact"
    __table_args__: ClassVar = (CheckConstraint("versions >= 1", name="versions"),)

    type: str = Field(sa_type=Key, primary_key=True)
    fact_id: str = Field(sa_type=Key, primary_key=True)
    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("erasure.pseudonym")], index=True
    )
    versions: int = Field(sa_type=Integer)


class ErasedDecisionRow(SQLModel, table=True):
    """A decision that lost what it said of a subject; `body_digest` is that of what remains.

    It lets the body of that decision be replaced. A later erasure of another subject adds a row.
    """

    __tablename__ = "erased_decision"
    __table_args__: ClassVar = (is_digest("body_digest"),)

    digest: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("decision.digest")], primary_key=True
    )
    pseudonym: bytes = Field(
        sa_type=Bytes, sa_column_args=[ForeignKey("erasure.pseudonym")], primary_key=True
    )
    body_digest: bytes = Field(sa_type=Bytes)


NAMES: Final = (
    *("subject", "subject_key", "sealed"),
    *("erasure", "erasure_purge"),
    *("erased_disclosure", "erased_fact", "erased_decision"),
)
"""The tables of this module."""

"""What the declarations of all tables share: names of constraints, and the check of a digest."""

from sqlalchemy import CheckConstraint
from sqlmodel import SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, the same on both databases, so that a later migration can refer to them."""

SQLModel.metadata.naming_convention = NAMING


def is_digest(column: str, *, optional: bool = False) -> CheckConstraint:
    """Return the check that a column holds the 32 bytes of a digest, or nothing where it may."""
    rule = f'length("{column}") = 32'
    return CheckConstraint(f'"{column}" IS NULL OR {rule}' if optional else rule, name=column)

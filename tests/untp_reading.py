"""Reading conformity credentials in tests: one at a time, by a map that the test writes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from carnet.core.clock import FixedClock
from carnet.facts.fact import Fact, FactBatch
from carnet.facts.intake import IntakeError, IntakeLimits, read_files
from carnet.facts.intake.untp import CredentialNote, Credentials, read_credential_map
from carnet.facts.issue import Issue
from carnet.services.credentials import check_signature
from tests.credentials import ISSUER

NOW = FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))
GTIN = "09521357000013"
MAP = """version = 1
[[issuers]]
id = "{issuer}"
issued_on = "{issued_on}"
keys = {keys}
{more}
[[products]]
id = "https://seller.example/models/1"
product_id = "P-2"
[[regulations]]
reference = "47 CFR 15 subpart C"
act = "fcc_15c"
[[standards]]
reference = "https://standards.example/en-18031-1"
standard = "EN 18031-1"
edition = "2024"
act = "red_cyber"
"""


class Reader:
    """Reads one credential by a map, and keeps what the report says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[CredentialNote] = []
        self.map = folder / "map.toml"
        self.mapped()

    def mapped(
        self,
        more: str = "",
        keys: tuple[str, ...] = (),
        issuer: str = ISSUER,
        issued_on: str = "assessment_date",
    ) -> "Reader":
        """Write the map."""
        text = MAP.format(issuer=issuer, issued_on=issued_on, keys=list(keys), more=more)
        self.map.write_text(text.replace("'", '"'), encoding="utf-8")
        return self

    def __call__(
        self, document: object, name: str = "dcc.json", limits: IntakeLimits | None = None
    ) -> FactBatch:
        """Return the facts of a document, or of a text as it is."""
        text = document if isinstance(document, str) else json.dumps(document)
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        products = {GTIN: ("P-1",), "00012345678905": ("P-8", "P-9")}
        credentials = Credentials(
            read_credential_map(self.map),
            lambda secured, issuer, keys: check_signature(secured, issuer, keys, NOW),
            lambda gtin: products.get(gtin, ()),
            self.notes.append,
        )
        return read_files([path], limits or IntakeLimits(), credentials=credentials)

    def refused(self, document: object, name: str = "dcc.json", **more: Any) -> list[Issue]:
        """Return why a document is refused."""
        with pytest.raises(IntakeError) as caught:
            self(document, name, **more)
        assert all(ord(c) < 128 for issue in caught.value.issues for c in issue.expected.en)
        return list(caught.value.issues)


def of_type(batch: FactBatch, name: str) -> list[Fact]:
    """Return the facts of a type."""
    return [fact for fact in batch.facts if fact.type == name]


def only(batch: FactBatch, name: str) -> dict[str, Any]:
    """Return the fields of the one fact of a type."""
    (fact,) = of_type(batch, name)
    return dict(fact.fields)

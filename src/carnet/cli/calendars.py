"""Calendars in the form and at the place that the command line asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from carnet.cli.language import current_language
from carnet.cli.options import ListFormat
from carnet.cli.output import deliver, paper_for
from carnet.cli.render import certificates
from carnet.services.certificates import CertificateLine
from carnet.services.renewals import Renewal, end_of_month


@dataclass(frozen=True, slots=True)
class Target:
    """The form of a result and where it goes; ``-`` is stdout."""

    output_format: ListFormat
    output: Path

    def write(self, document: dict[str, Any], csv: str, lines: Iterable[str]) -> None:
        """Write a result in the form that was asked for.

        Raises:
            InputError: The file cannot be written.
        """
        if self.output_format == "json":
            text = certificates.json_text(document)
        elif self.output_format == "csv":
            text = csv
        else:
            text = "".join(f"{line}\n" for line in lines)
        deliver(text, self.output, is_sheet=self.output_format == "csv")


def write_certificates(lines: Sequence[CertificateLine], day: date, target: Target) -> None:
    """Write certificates as they stand on a day.

    Raises:
        InputError: The file cannot be written.
    """
    language = current_language()
    target.write(
        {"as_of": day.isoformat(), "certificates": [one.to_json() for one in lines]},
        certificates.lines_csv(lines, language),
        certificates.list_lines(lines, day, language, paper_for(target.output)),
    )


def write_calendar(
    lines: Sequence[CertificateLine], day: date, months: int, target: Target
) -> None:
    """Write the calendar of certificates.

    Raises:
        InputError: The file cannot be written.
    """
    language = current_language()
    target.write(
        {
            "as_of": day.isoformat(),
            "months": months,
            "certificates": [one.to_json() for one in lines],
        },
        certificates.lines_csv(lines, language),
        certificates.calendar_lines(lines, day, language, paper_for(target.output)),
    )


def write_renewals(found: Sequence[Renewal], day: date, months: int, target: Target) -> None:
    """Write what to start.

    Raises:
        InputError: The file cannot be written.
    """
    language = current_language()
    until = end_of_month(day, months)
    target.write(
        {
            "as_of": day.isoformat(),
            "until": until.isoformat(),
            "renewals": [one.to_json() for one in found],
        },
        certificates.renewals_csv(found, language),
        certificates.renewal_lines(found, until, language, paper_for(target.output)),
    )

"""Reading facts from files: CSV, XLSX, JSON and NDJSON, all errors at once.

`read_files` reads an import, `read_facts_json` the facts of one evaluation, `check_references`
finds references that lead nowhere; `IntakeLimits` bounds them.
"""

from carnet.facts.intake.limits import IntakeLimits
from carnet.facts.intake.read import read_facts_json, read_files
from carnet.facts.intake.references import check_references
from carnet.facts.issue import IntakeError, Issue

__all__ = [
    "IntakeError",
    "IntakeLimits",
    "Issue",
    "check_references",
    "read_facts_json",
    "read_files",
]

"""Bounds on everything that is read from outside."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What an import accepts at most; each is a setting.

    Args:
        file_size_max: Bytes of one file.
        issues_max: Issues that an error lists; the others are counted.
        rows_max: Facts of one import over all its files.
        line_size_max: Bytes of one line of NDJSON.
        credential_size_max: Bytes of one verifiable credential.
        unpacked_size_max: Bytes of a workbook's parts after unpacking.
        workbook_memory_max: Bytes of memory that reading a workbook may take.
        workbook_seconds_max: Processor seconds that reading a workbook may take.
    """

    file_size_max: int = 64 * MEBIBYTE
    issues_max: int = 100
    rows_max: int = 2_000_000
    line_size_max: int = MEBIBYTE
    credential_size_max: int = 4 * MEBIBYTE
    unpacked_size_max: int = 512 * MEBIBYTE
    workbook_memory_max: int = 4096 * MEBIBYTE
    workbook_seconds_max: int = 120

    def __post_init__(self) -> None:
        assert self.issues_max > 0, "an error without an issue would say nothing"

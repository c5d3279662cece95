"""A rule pack as a workbook and back, with nothing lost but comments and layout.

`write_workbook` gives one sheet for each kind of entry, `read_workbook` the files of the pack. What
is read back has the digest of what was written.

Source: docs/spec/pack-format.md, PF-60 to PF-63.
"""

from carnet.rules.workbook.reading import PackFiles, read_file, read_workbook
from carnet.rules.workbook.writing import write_workbook

__all__ = ["PackFiles", "read_file", "read_workbook", "write_workbook"]
